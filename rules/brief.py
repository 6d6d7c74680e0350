"""Keeps what is said of many things short, whatever the size of the input: the first are named, the others counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NAMED: Final = 20
"""So many are named (local setting)."""

LONGEST: Final = 300
"""Characters of one of them (local setting): what it quotes may be as long as the sender likes."""


def brief(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts, of which no more than the first are given, and none at any length."""
    given = tuple(texts)
    named = tuple(text if len(text) <= LONGEST else f"{text[:LONGEST]}..." for text in given[:NAMED])
    return named if len(given) <= NAMED else (*named, f"and {len(given) - NAMED:,} more")


def in_one(texts: Iterable[str]) -> str:
    """The same in one text."""
    return "; ".join(brief(texts))
