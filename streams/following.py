"""Follows one file by its name, as ``tail -F`` does: as it grows, is renamed, cut, replaced, or only appears later.

Nothing here waits, and the clock is given: whoever follows calls :meth:`Following.turn` again and again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.marks import Look, Mark, Marks
from streams.opened import LEFT_AFTER, OpenFile
from streams.turns import Line, Standing, Turn


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
        self._files: list[OpenFile] = []
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
            lines += file.read(seconds)
            more |= file.has_more
        if not more:
            more = self._take_up(there, seconds)
            lines += self._let_go(there, seconds)
        return Turn(lines, more, self._standing(there, seconds))

    def _take_up(self, there: Look | None, seconds: float) -> bool:
        """Open what has the name now, if that is not the file at hand; whether it was opened."""
        present = self._files[-1] if self._files else None
        if there is None or (present is not None and present.look.is_stored_with(there)):
            return False
        file = OpenFile(self._path, self._path, seconds)
        if present is not None:
            present.left_at = seconds  # whoever writes to it may not have noticed yet
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
            if (present and there is not None) or seconds - max(file.grew_at, file.left_at) < LEFT_AFTER:
                continue
            lines += file.finish()
            if file.is_settled and not present:
                file.close()
                self._files.remove(file)
        return lines

    def _find_again(self, seconds: float, there: Look | None) -> None:
        """Open the files that were being read, wherever they are by now."""
        missing: Marks = ()
        found: list[OpenFile] = []
        gone = 0
        try:
            for mark in self._before:
                file = self._found(mark, seconds)
                if file is not None:
                    file.go_on_at(mark)
                    found.append(file)
                elif there is None:
                    # Perhaps the whole disk comes later.
                    missing += (mark,)
                else:
                    gone += 1
        except OSError:
            # Not to be able to look is not to find nothing: what is known of them is kept.
            for file in found:
                file.close()
            raise
        self._before = missing
        self._files += found
        for _ in range(gone):
            self._told("what was being read of it is not there any more: what had been added to that is lost")

    def _found(self, mark: Mark, seconds: float) -> OpenFile | None:
        # What is followed may be a link into a folder where the files are renamed, or to one after the other.
        folders = dict.fromkeys((self._path.parent, Path(os.path.realpath(self._path)).parent))
        renamed = [path for folder in folders for path in _stored_as(folder, mark.inode)]
        for path in (*renamed, self._path):
            look = _look(path)
            if look is None or look.kind != "file":
                continue
            file = OpenFile(path, self._path, seconds)
            if file.fits(mark) and (path == self._path or file.look.is_stored_with(mark)):
                return file
            file.close()
        return None

    def _standing(self, there: Look | None, seconds: float) -> Standing:
        if there is None and (self._there_at is None or seconds - self._there_at >= LEFT_AFTER):
            return Standing("waiting", "there is no such file")
        return self._files[-1].standing(seconds) if self._files else Standing("reading")


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
