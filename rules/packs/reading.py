"""Reads the text of a pack, and says what is wrong with it at the places where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml
from pydantic import ValidationError

from rules import catalogue as catalogues
from rules.conditions.kinds import kinds
from rules.pack import Pack
from rules.packs.faults import find_faults
from rules.yamltext import LOADER

_THRESHOLD: Final = ("gt", "gte", "lt", "lte")


def read_pack(text: str) -> tuple[Pack | None, list[str]]:
    """The pack, if its schema is right, and every fault as ``path: reason``.

    Raises:
        yaml.YAMLError: if the text is not YAML.
    """
    raw = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    try:
        pack = Pack.model_validate(raw)
    except ValidationError as error:
        return None, list(dict.fromkeys(_schema_faults(raw, error)))
    return pack, sorted(set(find_faults(pack, catalogues.load())))


def _schema_faults(raw: Any, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        path = ".".join(_as_written(raw, fault["loc"], missing=fault["type"] == "missing")) or "pack"
        yield f"{path}: {_reason(fault)}"


def _as_written(raw: Any, place: Sequence[int | str], *, missing: bool) -> Iterator[str]:
    """The steps to a place in the form that people write, which has no ``type``, ``of``, ``name`` or ``threshold``."""
    here = raw
    for number, step in enumerate(place, start=1):
        match here:
            case Mapping() if step in here:
                yield str(step)
                here = here[step]
            case Mapping() if step == "threshold":
                yield from (key for key in _THRESHOLD if key in here)
            case Mapping() if missing and number == len(place):
                yield str(step)
            case list() if isinstance(step, int) and step < len(here):
                yield str(step)
                here = here[step]


def _reason(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    found, place = fault["input"], fault["loc"]
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if fault["type"] == "string_type" and number and kinds().keys() & set(place):
        return (
            f"the number {found} stands in a condition: write the name of a parameter, which has its unit, "
            "source and strength"
        )
    if fault["type"] == "missing" and place[-1] in ("source", "strength"):
        return f"{message}: a number or statement needs its source and strength"
    return message
