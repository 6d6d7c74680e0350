"""Small changes of rule packs: each number a step up and down, each comparison strict or not, and turned round."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from typing import Any, Final, NamedTuple

import yaml

from rules.instants import parse_duration
from rules.pack import Pack
from rules.packs import PackError, parse_pack

_STRICTER: Final = {"gt": "gte", "gte": "gt", "lt": "lte", "lte": "lt"}
_TURNED: Final = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}
_MINUTE: Final = 60_000

Path = tuple[str | int, ...]


class Mutant(NamedTuple):
    """One change of a pack: where, what it was and is, and the parameter that it is about."""

    pack: str
    path: Path
    was: str
    now: Any
    parameter: str

    def __str__(self) -> str:
        """The change in a line."""
        return f"{self.pack} {'.'.join(map(str, self.path))}: {self.was} -> {self.now}"


def mutants(name: str) -> list[Mutant]:
    """All changes of a bundled pack that are tried."""
    content = _content(name)
    found = [*_numbers(name, content["parameters"]), *_comparisons(name, content, ())]
    return list({(mutant.path, str(mutant.now)): mutant for mutant in found}.values())


def changed(mutant: Mutant) -> Pack | None:
    """The pack with the change; None where such a pack is refused."""
    content = copy.deepcopy(_content(mutant.pack))
    *way, last = mutant.path
    place: Any = content
    for step in way:
        place = place[step]
    if mutant.path[0] == "parameters":
        place[last] = mutant.now
    else:
        place[mutant.now] = place.pop(last)
    try:
        return parse_pack(mutant.pack, yaml.safe_dump(content, allow_unicode=True))
    except PackError:
        return None


def _content(name: str) -> dict[str, Any]:
    text = resources.files("rules.packs").joinpath(f"{name}.yaml").read_text("utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _numbers(pack: str, parameters: dict[str, Any]) -> Iterator[Mutant]:
    for name, parameter in parameters.items():
        places: list[tuple[Path, Any]] = [(("parameters", name, "value"), parameter.get("value"))]
        places += [
            (("parameters", name, "by_age", index, "value"), band["value"])
            for index, band in enumerate(parameter.get("by_age", ()))
        ]
        for path, value in places:
            yield from (Mutant(pack, path, str(value), other, name) for other in _neighbours(value))


def _neighbours(value: Any) -> Iterator[float | str]:
    """A step of the last digit up and down; of a duration, a second where it is shorter than five minutes."""
    if isinstance(value, str):
        length = parse_duration(value)
        step = _MINUTE if length >= 5 * _MINUTE else 1000
        yield from (f"PT{other // 1000}S" for other in (length - step, length + step) if other >= 0)
    elif isinstance(value, int | float):
        exact = Decimal(str(value))
        whole = exact == exact.to_integral()
        digit = Decimal(1) if whole else Decimal(1).scaleb(int(exact.as_tuple().exponent))
        yield from (float(other) for other in (exact - digit, exact + digit))


def _comparisons(pack: str, part: Any, path: Path) -> Iterator[Mutant]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key in _STRICTER and isinstance(value, str):
                for other in (_STRICTER[key], _TURNED[key]):
                    yield Mutant(pack, (*path, key), key, other, value)
            else:
                yield from _comparisons(pack, value, (*path, key))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _comparisons(pack, value, (*path, index))
