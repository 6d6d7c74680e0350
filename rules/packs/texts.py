"""The texts of a pack: where they stand, the numbers filled into them, and how they are worded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from rules.instants import format_duration
from rules.pack import Pack
from rules.parameters import Parameter
from rules.values import number
from rules.wording import PLACEHOLDER, placeholders

_TITLES: Final = frozenset({"title", "label", "otherwise"})
_TEXTS: Final = _TITLES | {"fix", "suggestion", "elsewhere", "text", "window", "monitoring", "note"}
_WITH_VALUES: Final = frozenset({"suggestion", "elsewhere", "words"})
"""Texts that may name a measure, for its present value, as well as parameters."""

_BARE_NUMBER: Final = re.compile(r"(?:(?<=\s)-|(?<![\w.,/-]))(?<!type )(?!(?:19|20)\d\d\b)\d+(?:[.,]\d+)?(?![\w-]*-)")
"""A number that is neither a year nor part of a name (COVID-19, type 1)."""

_ORDER_WORDS: Final = (
    "Administer",
    "Begin",
    "Call",
    "Decrease",
    "Give",
    "Increase",
    "Intubate",
    "Lower",
    "Raise",
    "Start",
    "Stop",
    "Switch",
    "Transfuse",
    "Turn",
)
_ORDERS: Final = re.compile(rf"(?:^|(?<=[.:;] ))({'|'.join(_ORDER_WORDS)})\b")
_REMARK: Final = re.compile(r"\s*\([^()]*\{\w+\}[^()]*\)")


class Text(NamedTuple):
    """One text of a pack: its path, the field that holds it, and what it says."""

    path: str
    field: str
    words: str


def texts(pack: Pack) -> Iterator[Text]:
    """Every text of a pack that a person may read."""
    for name in Pack.model_fields:
        if name == "words":
            yield from (Text(f"words.{key}", "words", words) for key, words in pack.words.items())
        else:
            yield from _within(name, name, getattr(pack, name))


def with_numbers(pack: Pack) -> Pack:
    """The pack with the values of its parameters written into its texts; they are the same rules, by their digest."""
    fields = {name: _filled(name, getattr(pack, name), pack.parameters) for name in Pack.model_fields}
    filled = pack.model_copy(update=fields)
    filled.__dict__["digest"] = pack.digest
    return filled


def unfillable(pack: Pack) -> Iterator[str]:
    """Texts that ask for something which nobody can fill in, as ``path: reason``."""
    for path, field, words in texts(pack):
        asked = [name for name in placeholders(words) if name not in pack.parameters]
        if field not in _WITH_VALUES:
            yield from (f"{path}: '{name}' is no parameter, and only a suggestion may show a measure" for name in asked)
        elif field == "words" and asked and placeholders(_REMARK.sub("", words)):
            yield f"{path}: a present value stands in brackets, because lists leave it out"


def badly_worded(pack: Pack) -> Iterator[str]:
    """Titles with a number of their own, as ``path: reason``: a site's own value would not be seen in them.

    The title of a parameter stands beside its value, and a grade is a sentence that may cite a trial.
    """
    for path, field, words in texts(pack):
        titled = field in _TITLES and not path.startswith("parameters.") and ".grade." not in path
        found = _BARE_NUMBER.search(PLACEHOLDER.sub("", words)) if titled else None
        if found is not None:
            yield f"{path}: a bare number ({found.group()}): name the parameter in braces"


def orders(pack: Pack) -> Iterator[str]:
    """Texts that order instead of suggesting, as ``path: reason``."""
    for path, _, words in texts(pack):
        found = _ORDERS.search(words)
        if found is not None:
            yield f"{path}: {found.group(1)!r} is an order; a text says 'consider' or 'discuss'"


def without_values(words: str) -> str:
    """A text without the remarks in brackets that ask for a present value."""
    return _REMARK.sub("", words)


def in_words(parameter: Parameter) -> str:
    """The value of a parameter for people, without its unit: a number, numbers by age, or a duration."""
    if parameter.is_duration:
        return format_duration(parameter.milliseconds)
    bands = [band.value for band in parameter.by_age] or [parameter.number]
    return " or ".join(map(number, bands))


def _within(path: str, field: str, part: Any) -> Iterator[Text]:
    match part:
        case BaseModel():
            for name in type(part).model_fields:
                yield from _within(f"{path}.{name}", name, getattr(part, name))
        case dict():
            for key, value in part.items():
                yield from _within(f"{path}.{key}", field, value)
        case tuple():
            for index, value in enumerate(part):
                key = getattr(value, "id", None) or getattr(value, "check", None) or index
                yield from _within(f"{path}.{key}", field, value)
        case str() if field in _TEXTS:
            yield Text(path, field, part)


def _filled(field: str, part: Any, parameters: dict[str, Parameter]) -> Any:
    match part:
        case BaseModel():
            update = {}
            for name in type(part).model_fields:
                value = getattr(part, name)
                found = _filled(name, value, parameters)
                if found is not value:
                    update[name] = found
            return part.model_copy(update=update) if update else part
        case dict():
            filled = {key: _filled(field, value, parameters) for key, value in part.items()}
            return filled if any(filled[key] is not part[key] for key in part) else part
        case tuple():
            items = tuple(_filled(field, value, parameters) for value in part)
            return items if any(new is not old for new, old in zip(items, part, strict=True)) else part
        case str() if (field in _TEXTS or field == "words") and "{" in part:
            return PLACEHOLDER.sub(lambda match: _value(match, parameters), part)
        case _:
            return part


def _value(match: re.Match[str], parameters: dict[str, Parameter]) -> str:
    found = parameters.get(match.group(1))
    return match.group() if found is None else in_words(found)
