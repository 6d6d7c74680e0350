"""Cuts text that comes in pieces into lines, and knows how far it has come."""

from __future__ import annotations

import json
from typing import NamedTuple

from streams.logfile import LONGEST_LINE, bare


class Line(NamedTuple):
    """A line without its end, at most a byte longer than the longest that is used; ``end`` is where the next begins."""

    text: bytes
    end: int


class Cutter:
    """One text.

    Args:
        position: bytes of it that come no more, because they were read before.
    """

    def __init__(self, position: int = 0) -> None:
        self.position = position
        """Bytes up to the beginning of the line that is not whole yet."""
        self._rest = b""
        self._dropped = 0
        self._looked_at = b""

    def cut(self, text: bytes) -> list[Line]:
        """The lines that are whole with a further piece; blank ones are passed over."""
        *whole, rest = (self._rest + text).split(b"\n")
        lines = [line for one in whole if not _is_blank((line := self._line(one, 1)).text)]
        written = bare(rest)
        self._rest = written[: LONGEST_LINE + 1]
        self._dropped += len(rest) - len(self._rest)
        return lines

    def finish(self) -> list[Line]:
        """The last line, which has no end, if there is one; the text that follows begins a new line."""
        rest, self._rest = self._rest, b""
        return [line for one in (rest,) if not _is_blank((line := self._line(one, 0)).text)]

    def finish_whole(self) -> list[Line]:
        """The last line if nothing can be missing from it but its end: a JSON object that nothing could continue."""
        if not self._rest.rstrip().endswith(b"}") or self._rest == self._looked_at:
            return []
        self._looked_at = self._rest
        try:
            whole = isinstance(json.loads(self._rest), dict)
        except (ValueError, RecursionError):
            return []
        return self.finish() if whole else []

    def _line(self, line: bytes, ended_by: int) -> Line:
        self.position += len(line) + self._dropped + ended_by
        self._dropped = 0
        return Line(bare(line)[: LONGEST_LINE + 1].removesuffix(b"\r"), self.position)


def _is_blank(text: bytes) -> bool:
    return not text or text.isspace()
