"""What one turn of reading an input gives: lines, whether there may be more at once, and how the input is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

State = Literal["waiting", "reading", "ended", "failed"]


class Standing(NamedTuple):
    """How an input is, and why if that is not as it should be.

    ``waiting`` for a file that is not there, ``reading``, ``ended`` where nothing more can come, ``failed``.
    """

    state: State
    reason: str = ""


class Line(NamedTuple):
    """A line without its end: of which content, and where the next one begins."""

    text: bytes
    file: int
    end: int


class Turn(NamedTuple):
    """What one turn has found; ``more`` if there may be more at once."""

    lines: Sequence[Line]
    more: bool
    standing: Standing
