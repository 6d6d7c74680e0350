"""How the texts of a pack are worded: no number of their own in a title, no order, nothing left to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from rules.pack import Pack
from rules.wording import PLACEHOLDER, placeholders

_TITLES: Final = frozenset({"title", "label", "otherwise"})
_TEXTS: Final = _TITLES | {"fix", "suggestion", "elsewhere", "text", "window", "monitoring", "note"}
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


def unbracketed(pack: Pack) -> Iterator[str]:
    """Words that need a present value to be read at all, as ``path: reason``: lists show them without it."""
    for name, words in pack.words.items():
        if any(asked not in pack.parameters for asked in placeholders(without_values(words))):
            yield f"words.{name}: a present value stands in brackets, because lists leave it out"


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
