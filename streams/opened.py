"""One open file or pipe, whatever its name is by now: gives its lines, and knows how far it has been read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from streams.lines import Cutter
from streams.lines import Line as Cut
from streams.marks import Look, Mark, Seen
from streams.turns import Line, Standing
from streams.unpacking import CUT_OFF, DamagedError, is_compressed, unpacker_of

AT_ONCE: Final = 1 << 16
"""Bytes that are read of a file in one turn."""

LEFT_AFTER: Final = 10.0
"""Seconds for which a file that has lost its name is still read, from then or since it last grew; no name is missed
sooner."""

SETTLED_AFTER: Final = 1.0
"""Seconds after which a last line that is whole but for its end is used without it."""

_SERIALS: Final = count(1)


class OpenFile:
    """One file that is open, whatever its name is by now.

    Args:
        path: where it is.
        followed: the name that is followed, whose end says how it is stored.
        seconds: the present.
    """

    def __init__(self, path: Path, followed: Path, seconds: float) -> None:
        # Without waiting: a pipe to which nobody writes would keep us.
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.look = Look.of(os.fstat(self._descriptor))
        if self.look.kind == "other":
            self.close()
            raise OSError(None, "neither a file nor a pipe")
        self._followed = followed
        self._compressed = is_compressed(followed)
        self.grew_at = seconds
        self.left_at = seconds
        """When another file got its name."""
        self._damage = ""
        self.has_more = False
        """Whether something came in the last turn, so that more may follow at once."""
        self._text: Iterator[bytes] = iter(())
        self._unpacker = unpacker_of(followed)
        self._begin()

    @property
    def is_settled(self) -> bool:
        """Whether all lines that were given have been taken."""
        return self.taken >= self._given or self.look.kind == "pipe"

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def fits(self, mark: Mark) -> bool:
        """Whether it begins with what was read when a mark was made."""
        return mark.fits(self._peek)

    def go_on_at(self, mark: Mark) -> None:
        """Read on after a mark; what is compressed has to be unpacked from the beginning."""
        self._begin()
        self._cutter = Cutter(mark.position)
        self.taken = self._given = mark.position
        if self._compressed:
            self._skipping = mark.position
        else:
            self.seen = Seen.of(mark.position, self._peek)

    def mark(self) -> Mark | None:
        """How far it has been read; None of a pipe."""
        return None if self.look.kind == "pipe" else Mark.of(self.look, self.taken, self.seen)

    def is_as_it_was(self) -> bool:
        """Whether what was read is still there."""
        return self.look.kind == "pipe" or self.seen.is_in(self._peek)

    def begin_again(self, seconds: float) -> None:
        """Read from the beginning what is another content."""
        self._begin()
        self.grew_at = seconds

    def read(self, seconds: float) -> list[Line]:
        """The lines of the next piece of text: a few stored bytes may have many of them."""
        self.has_more = True
        try:
            text = next(self._text, None)
            if text is None:
                stored = b"" if self._damage else self._next_piece()
                if not stored:
                    self.has_more = False
                    return [] if stored is None else self._at_the_end(seconds)
                self.seen.add(stored)
                self.grew_at = seconds
                self._text = self._unpacker.text(stored)
                text = next(self._text, b"")
        except DamagedError as error:
            self._damage = str(error)
            return self._give(self._cutter.finish())
        return self._give(self._cut(text))

    def finish(self) -> list[Line]:
        """What was read and not given yet, with the last line although it has no end."""
        lines: list[Cut] = []
        with suppress(DamagedError):
            for text in self._text:
                lines += self._cut(text)
        return self._give(lines + self._cutter.finish())

    def _cut(self, text: bytes) -> list[Cut]:
        skipped, self._skipping = self._skipping, max(0, self._skipping - len(text))
        return self._cutter.cut(text[skipped:])

    def standing(self, seconds: float) -> Standing:
        """How it is."""
        if self._damage:
            return Standing("failed", self._damage)
        if not self._compressed or self.look.kind == "pipe" or not self.seen.stored or self.has_more:
            return Standing("reading")
        if self._unpacker.complete:
            return Standing("ended")
        late = seconds - self.grew_at >= LEFT_AFTER
        return Standing("failed", CUT_OFF) if late else Standing("reading")

    def _begin(self) -> None:
        self.serial = next(_SERIALS)
        self.seen = Seen()
        self.taken = self._given = self._skipping = 0
        self._damage = ""
        self.has_more = False
        self._text = iter(())
        self._unpacker = unpacker_of(self._followed)
        self._cutter = Cutter()

    def _next_piece(self) -> bytes | None:
        """The next bytes, none at the end, None if a pipe has writers and nothing in it."""
        if self.look.kind == "file":
            return os.pread(self._descriptor, AT_ONCE, self.seen.stored)
        try:
            return os.read(self._descriptor, AT_ONCE)
        except BlockingIOError:
            return None

    def _at_the_end(self, seconds: float) -> list[Line]:
        if self.look.kind == "pipe":
            # All who wrote have closed it; whoever writes next begins anew.
            lines = self.finish()
            self._begin()
            return lines
        return self._give(self._cutter.finish_whole()) if seconds - self.grew_at >= SETTLED_AFTER else []

    def _give(self, lines: list[Cut]) -> list[Line]:
        self._given = lines[-1].end if lines else self._given
        return [Line(text, self.serial, end) for text, end in lines]

    def _peek(self, count: int, start: int) -> bytes:
        return os.pread(self._descriptor, count, start)
