"""The texts of a pack with its numbers: a text names a parameter in braces, and so follows a site's own value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from rules.pack import Pack
from rules.parameters import Parameter
from rules.wording import placeholders, with_numbers

_KEPT: Final = ("sources", "parameters")
"""Parts without such texts."""
_MEASURES_TOO: Final = ("suggestion", "elsewhere")
"""Texts that may also name a measure, whose value is filled in for each patient."""


def said_with_numbers(pack: Pack) -> Pack:
    """The pack as people read it. It is the same pack, by the same digest: only its texts are filled in."""
    fields = {name: getattr(pack, name) for name in Pack.model_fields}
    filled = {name: part if name in _KEPT else _said(part, pack.parameters) for name, part in fields.items()}
    if all(filled[name] is fields[name] for name in fields):
        return pack
    found = Pack.model_validate(filled)
    found.__dict__["digest"] = pack.digest
    return found


def _said(part: Any, parameters: Mapping[str, Parameter]) -> Any:
    """A part of a pack with its texts filled in; the very same where there is nothing to fill in."""
    match part:
        case str():
            return with_numbers(part, parameters) if "{" in part else part
        case BaseModel():
            fields = ((name, getattr(part, name)) for name in type(part).model_fields)
            changed = {name: new for name, old in fields if (new := _said(old, parameters)) is not old}
            return part.model_copy(update=changed) if changed else part
        case tuple():
            items = tuple(_said(item, parameters) for item in part)
            return part if all(new is old for new, old in zip(items, part, strict=True)) else items
        case dict():
            entries = {key: _said(value, parameters) for key, value in part.items()}
            return part if all(entries[key] is part[key] for key in part) else entries
        case _:
            return part


def unfilled(pack: Pack) -> Iterator[tuple[str, str]]:
    """What texts name in braces although the pack has no such parameter, with the place."""
    for name in Pack.model_fields:
        if name not in (*_KEPT, "words"):
            yield from _unfilled(name, getattr(pack, name), pack.parameters)


def _unfilled(path: str, part: Any, parameters: Mapping[str, Parameter]) -> Iterator[tuple[str, str]]:
    match part:
        case str():
            yield from ((path, name) for name in placeholders(part) if name not in parameters)
        case BaseModel():
            for name in type(part).model_fields:
                if name not in _MEASURES_TOO:
                    yield from _unfilled(f"{path}.{name}", getattr(part, name), parameters)
        case tuple():
            for index, item in enumerate(part):
                yield from _unfilled(f"{path}.{getattr(item, 'id', index)}", item, parameters)
        case dict():
            for key, value in part.items():
                yield from _unfilled(f"{path}.{key}", value, parameters)
