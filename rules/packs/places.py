"""Where in the text of a pack something stands: from the path of a fault to its line."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from rules.yamltext import LOADER

_NAMES = ("id", "check")
"""What entries of a list are known by."""


class Places:
    """The lines of one YAML text."""

    def __init__(self, text: str) -> None:
        """Compose the text.

        Raises:
            yaml.YAMLError: if it is not YAML.
        """
        self._root = yaml.compose(text, Loader=LOADER)

    def line(self, path: str) -> int | None:
        """The line, from 1, of a path such as ``stages.SEP-1.when``, or of as much of it as there is."""
        here = self._root
        if here is None:
            return None
        line = here.start_mark.line
        for step in path.split("."):
            found = _step(here, step)
            if found is not None:
                line, here = found
        return int(line) + 1

    def repeated(self) -> Iterator[str]:
        """Keys that stand twice in one place, as ``path: reason``; YAML itself keeps the last and says nothing."""
        yield from _repeated(self._root, ())


def _step(here: yaml.Node, step: str) -> tuple[int, yaml.Node] | None:
    """The line and node of a key, of a list's entry by its name or number, or of an entry of a list within."""
    match here:
        case yaml.MappingNode():
            for key, value in here.value:
                if key.value == step:
                    return key.start_mark.line, value
            lists = (value for _, value in here.value if isinstance(value, yaml.SequenceNode))
            return next((found for entries in lists if (found := _entry(entries, step))), None)
        case yaml.SequenceNode():
            if step.isdecimal() and int(step) < len(here.value):
                entry = here.value[int(step)]
                return entry.start_mark.line, entry
            return _entry(here, step)
        case _:
            return None


def _entry(entries: yaml.SequenceNode, name: str) -> tuple[int, yaml.Node] | None:
    for entry in entries.value:
        if isinstance(entry, yaml.MappingNode):
            for key, value in entry.value:
                if key.value in _NAMES and value.value == name:
                    return entry.start_mark.line, entry
    return None


def _repeated(node: yaml.Node | None, path: tuple[str, ...]) -> Iterator[str]:
    match node:
        case yaml.MappingNode():
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in seen:
                    again = key.start_mark.line + 1
                    yield f"{'.'.join((*path, name))}: there twice (again in line {again}); only the last would count"
                seen.add(name)
                yield from _repeated(value, (*path, name))
        case yaml.SequenceNode():
            for index, value in enumerate(node.value):
                yield from _repeated(value, (*path, str(index)))
