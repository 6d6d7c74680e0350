"""Errors of the catalogues: a code nobody knows, and an entry that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CatalogueError(ValueError):
    """A catalogue file is wrong. The message names the file and the entry."""


class UnknownCodeError(LookupError):
    """A code or name that a catalogue does not contain.

    Attributes:
        kind: what was looked for (``signal``, ``drug``, ``concept``, ``salt of norepinephrine`` ...).
        code: what was asked for.
        close: the nearest known codes and names, best first; may be empty.
    """

    def __init__(self, kind: str, code: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.code = code
        self.close = close_to(code, known)
        super().__init__(f"unknown {kind} {code!r}{hint(self.close)}")


def close_to(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The nearest known names, best first; may be empty."""
    return tuple(difflib.get_close_matches(name, sorted(known), n=3))


def hint(close: tuple[str, ...]) -> str:
    """What to add to a message about an unknown name."""
    return f"; did you mean {', '.join(close)}?" if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown name, from the names that are known."""
    return hint(close_to(name, known))
