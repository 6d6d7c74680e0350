"""Reads standard input to its end without ever waiting for it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence

from streams.lines import Cutter
from streams.lines import Line as Cut
from streams.marks import Marks
from streams.opened import AT_ONCE
from streams.turns import Line, Standing, Turn


class StandardInput:
    """Standard input to its end, as plain text; how far it has been read is not known to the next run."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self._cutter = Cutter()
        self._ended = False

    def turn(self, seconds: float) -> Turn:  # noqa: ARG002 - as files are read
        """What is there, without waiting for more."""
        if self._ended:
            return Turn((), more=False, standing=Standing("ended"))
        try:
            if not self._has_more():
                return Turn((), more=False, standing=Standing("reading"))
            text = os.read(self._descriptor, AT_ONCE)
        except OSError as error:
            return Turn((), more=False, standing=Standing("failed", error.strerror or type(error).__name__))
        if text:
            return Turn(self._lines(self._cutter.cut(text)), more=self._has_more(), standing=Standing("reading"))
        self._ended = True
        return Turn(self._lines(self._cutter.finish()), more=False, standing=Standing("ended"))

    def taken(self, lines: Sequence[Line]) -> None:
        """Nobody could read them again."""

    def marks(self) -> Marks:
        """None."""
        return ()

    def close(self) -> None:
        """It is not ours to close."""

    def _has_more(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def _lines(self, lines: Sequence[Cut]) -> list[Line]:
        return [Line(text, 0, end) for text, end in lines]
