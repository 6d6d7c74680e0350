"""Follows one file by its name, as ``tail -F`` does: as it grows, is renamed, cut, replaced, or only appears later.

Nothing here waits, and the clock is given: whoever follows calls :meth:`Following.turn` again and again.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Final, Literal, NamedTuple

from streams.lines import Cutter
from streams.lines import Line as Cut
from streams.marks import Look, Mark, Marks, Seen
from streams.unpacking import CUT_OFF, DamagedError, is_compressed, unpacker_of

AT_ONCE: Final = 1 << 16
"""Bytes that are read of a file in one turn."""

LEFT_AFTER: Final = 10.0
"""Seconds for which a file that has lost its name is still read after it last grew, and a new one is not missed."""

SETTLED_AFTER: Final = 1.0
"""Seconds after which a last line that is whole but for its end is used without it."""

_SERIALS: Final = count(1)

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


class Following:
    """One name.

    Args:
        path: of a file or a pipe; gzip if it ends in ``.gz``, Zstandard if in ``.zst``.
        marks: how far it had been read.
        told: told in words when it is read anew, or something may have been lost.
    """

    def __init__(self, path: str, marks: Marks, told: Callable[[str], None]) -> None:
        self._path = Path(path)
        self._before = marks
        self._told = told
        self._files: list[_File] = []
        self._broken = False
        self._there_at: float | None = None

    def turn(self, seconds: float) -> Turn:
        """Read on a little; ``seconds`` are the present by a clock that never goes back."""
        try:
            if self._broken:
                self.close()
            return self._turn(seconds)
        except OSError as error:
            self._broken = True
            return Turn((), more=False, standing=Standing("failed", error.strerror or type(error).__name__))

    def taken(self, lines: Sequence[Line]) -> None:
        """These lines need not be read again."""
        files = {file.serial: file for file in self._files}
        for line in lines:
            if line.file in files:
                files[line.file].taken = line.end

    def marks(self) -> Marks:
        """How far everything has been read of which the lines were taken."""
        marks = (file.mark() for file in self._files)
        return (*self._before, *(mark for mark in marks if mark is not None))

    def close(self) -> None:
        """Let go of everything; the next turn goes on after what has been taken."""
        self._before = self.marks()
        self._broken = False
        for file in self._files:
            file.close()
        self._files.clear()

    def _turn(self, seconds: float) -> Turn:
        there = _look(self._path)
        if there is not None:
            self._there_at = seconds
        if self._before:
            self._find_again(seconds, there)
        lines: list[Line] = []
        more = False
        for file in self._files:
            if not file.is_as_it_was():
                self._told("it was cut or written anew, and is read from its beginning")
                lines += file.finish()
                file.begin_again(seconds)
            read = file.seen.stored
            lines += file.read(seconds)
            more |= file.seen.stored > read
        if not more:
            more = self._take_up(there, seconds)
            lines += self._let_go(there, seconds)
        return Turn(lines, more, self._standing(there, seconds))

    def _take_up(self, there: Look | None, seconds: float) -> bool:
        """Open what has the name now, if that is not the file at hand; whether it was opened."""
        present = self._files[-1] if self._files else None
        if there is None or (present is not None and present.look.is_stored_with(there)):
            return False
        file = _File(self._path, self._path, seconds)
        mark = None if present is None else present.mark()
        if present is not None and mark is not None and mark.stored and file.fits(mark):
            # Written anew with all that was there before, and more.
            file.go_on_at(mark)
            present.close()
            self._files.pop()
        self._files.append(file)
        return True

    def _let_go(self, there: Look | None, seconds: float) -> list[Line]:
        """Close files that have lost their name and grow no more; the last line of one need not have an end."""
        lines: list[Line] = []
        for file in list(self._files):
            present = file is self._files[-1]
            if (present and there is not None) or seconds - file.grew_at < LEFT_AFTER:
                continue
            lines += file.finish()
            if file.is_settled and not present:
                file.close()
                self._files.remove(file)
        return lines

    def _find_again(self, seconds: float, there: Look | None) -> None:
        """Open the files that were being read, wherever they are by now."""
        before, self._before = self._before, ()
        for mark in before:
            file = self._found(mark, seconds)
            if file is not None:
                file.go_on_at(mark)
                self._files.append(file)
            elif there is None:
                # Perhaps the whole disk comes later.
                self._before += (mark,)
            else:
                self._told("what was being read of it is not there any more: what had been added to that is lost")

    def _found(self, mark: Mark, seconds: float) -> _File | None:
        for path in (*_stored_as(self._path.parent, mark.inode), self._path):
            look = _look(path)
            if look is None or look.kind != "file":
                continue
            file = _File(path, self._path, seconds)
            if file.fits(mark) and (path == self._path or file.look.is_stored_with(mark)):
                return file
            file.close()
        return None

    def _standing(self, there: Look | None, seconds: float) -> Standing:
        if there is None and (self._there_at is None or seconds - self._there_at >= LEFT_AFTER):
            return Standing("waiting", "there is no such file")
        return self._files[-1].standing(seconds) if self._files else Standing("reading")


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


class _File:
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
        self._damage = ""
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
        """The lines of the next piece."""
        stored = b"" if self._damage else self._next_piece()
        if stored is None:
            return []
        if not stored:
            return self._at_the_end(seconds)
        self.seen.add(stored)
        self.grew_at = seconds
        lines: list[Cut] = []
        try:
            for text in self._unpacker.text(stored):
                skipped, self._skipping = self._skipping, max(0, self._skipping - len(text))
                lines += self._cutter.cut(text[skipped:])
        except DamagedError as error:
            self._damage = str(error)
            lines += self._cutter.finish()
        return self._give(lines)

    def finish(self) -> list[Line]:
        """The last line, although it has no end."""
        return self._give(self._cutter.finish())

    def standing(self, seconds: float) -> Standing:
        """How it is."""
        if self._damage:
            return Standing("failed", self._damage)
        if not self._compressed or self.look.kind == "pipe" or not self.seen.stored:
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


def _look(path: Path) -> Look | None:
    """What has a name; None if nothing has.

    Raises:
        OSError: if that cannot be found out.
    """
    try:
        return Look.of(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stored_as(folder: Path, inode: int) -> list[Path]:
    """The files of a folder that are stored under a number: what was renamed is found again by it."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.inode() == inode]
    except (FileNotFoundError, PermissionError):
        return []  # a folder may let us read a file whose name we know, and not say which others there are
