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
        self.close = tuple(difflib.get_close_matches(code, sorted(known), n=3))
        hint = f"; did you mean {', '.join(self.close)}?" if self.close else ""
        super().__init__(f"unknown {kind} {code!r}{hint}")
