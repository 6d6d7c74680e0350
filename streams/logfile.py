"""Event logs on disk: JSON lines, plain or compressed, read so that one bad line never costs the rest."""

from __future__ import annotations

import base64
import gzip
import json
import os
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

import zstandard

from rules.events import Event, MalformedEventError, decode, encode
from streams.unpacking import CUT_OFF, DamagedError, is_compressed, unpacker_of

STANDARD_INPUT: Final = "-"
"""The name that stands for standard input, which is read as plain text."""

LONGEST_LINE: Final = 1 << 20
"""Longest line in bytes, without its line end, that is read as an event."""

_CHUNK: Final = 1 << 16
_COMPRESSED_CHUNK: Final = 1 << 13


@dataclass(frozen=True, slots=True)
class BadLine:
    """A stretch of a log that is not an event: where it is, why it was refused, and its bytes.

    ``line_number`` counts from 1. ``raw`` has no line end and at most :data:`LONGEST_LINE` bytes; where a compressed
    file is damaged it holds the beginning of the line that was cut off.
    """

    file: str
    line_number: int
    reason: str
    raw: bytes

    def __str__(self) -> str:
        return f"{self.file}:{self.line_number}: {self.reason}"


class DamagedLogError(OSError):
    """A compressed log of which not even the beginning can be read."""


class LogReader:
    """The numbered events of one log; made by :func:`read_log`, read once, closed by ``with``."""

    def __init__(self, path: str | Path, on_bad_line: Callable[[BadLine], None]) -> None:
        standard_input = str(path) == STANDARD_INPUT
        self.name = "standard input" if standard_input else str(path)
        self.size: int | None = None
        self._on_bad_line = on_bad_line
        self._resources = ExitStack()
        if standard_input:
            self._file = cast("BufferedReader", sys.stdin.buffer)
            self._chunks = _plain(self._file)
            return
        self._file = self._resources.enter_context(Path(path).open("rb"))  # noqa: SIM115 - closed by __exit__
        self.size = os.fstat(self._file.fileno()).st_size
        self._chunks = _unpacked(self._file, path)
        try:
            self._chunks = _put_back(next(self._chunks, b""), self._chunks)
        except DamagedError as error:
            self._resources.close()
            raise DamagedLogError(None, str(error), self.name) from None

    @property
    def position(self) -> int:
        """Bytes of the file, as stored, that have been read so far."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def __iter__(self) -> Iterator[tuple[int, Event]]:
        number, rest = 0, b""
        try:
            for chunk in self._chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                rest = bare(rest)[: LONGEST_LINE + 1]
                for line in lines:
                    number += 1
                    if (event := self._event(number, line)) is not None:
                        yield number, event
        except DamagedError as error:
            self._on_bad_line(BadLine(self.name, number + 1, str(error), rest[:LONGEST_LINE]))
            return
        if (event := self._event(number + 1, rest)) is not None:
            yield number + 1, event

    def _event(self, number: int, line: bytes) -> Event | None:
        line = bare(line)
        if not line or line.isspace():
            return None
        if len(line) > LONGEST_LINE:
            reason = f"the line is longer than {LONGEST_LINE} bytes; only its beginning is kept"
        else:
            try:
                return decode(line)
            except MalformedEventError as error:
                reason = _encoding_fault(line) or str(error)
        self._on_bad_line(BadLine(self.name, number, reason, line[:LONGEST_LINE].removesuffix(b"\r")))
        return None


def bare(line: bytes) -> bytes:
    """A line without what is no text of it.

    Zeros stand before it where a file was cut while somebody went on writing at the old place, and a byte order mark
    wherever a program that writes one opened the file to add to it, or such files were put together.
    """
    return line.lstrip(b"\0").removeprefix(BOM_UTF8)


def read_log(path: str | Path, on_bad_line: Callable[[BadLine], None]) -> LogReader:
    """Open a log for iteration over ``(line number, event)``, in the order of its lines.

    Args:
        path: a file of JSON lines, gzipped if its name ends in ``.gz``, Zstandard if in ``.zst``; ``-`` is standard
            input. Blank lines are skipped.
        on_bad_line: called for each line that is not an event, and once where compressed data end too early or are
            damaged; everything readable before that is used.

    Raises:
        OSError: if the file cannot be opened; :class:`DamagedLogError` if nothing of it can be decompressed.
    """
    return LogReader(path, on_bad_line)


def write_log(events: Iterable[Event], path: Path) -> int:
    """Write events as JSON lines and return how many, as :func:`write_lines` does; equal events give equal bytes.

    Raises:
        OSError: if it cannot be written.
    """
    return write_lines(map(encode, events), path)


def write_lines(lines: Iterable[str], path: Path) -> int:
    """Write lines and return how many; compressed if the name ends in ``.gz`` or ``.zst``.

    Equal lines give equal bytes. The file appears under its name only when it is complete.

    Raises:
        OSError: if it cannot be written.
    """
    count = 0
    with _appearing_when_complete(path) as file, ExitStack() as stack:
        match path.suffix.lower():
            case ".gz":
                zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0)
                target = cast("IO[bytes]", stack.enter_context(zipped))
            case ".zst":
                target = stack.enter_context(zstandard.ZstdCompressor(level=9).stream_writer(file, closefd=False))
            case _:
                target = file
        for line in lines:
            target.write(line.encode() + b"\n")
            count += 1
    return count


class RejectsFile:
    """Keeps bad lines as JSON lines ``{file, line, reason, raw}``; there is no file until there is a bad line.

    ``raw`` is the line's text; a line that is not UTF-8 is kept in base64 as ``raw_base64`` instead.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, bad: BadLine) -> None:
        """Write one bad line, at once.

        Raises:
            OSError: if it cannot be written.
        """
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="\n")
        record: dict[str, str | int] = {"file": bad.file, "line": bad.line_number, "reason": bad.reason}
        try:
            record["raw"] = bad.raw.decode()
        except UnicodeDecodeError:
            record["raw_base64"] = base64.b64encode(bad.raw).decode()
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()


def _plain(file: BufferedReader) -> Iterator[bytes]:
    return iter(partial(file.read1, _CHUNK), b"")


def _unpacked(file: BufferedReader, path: str | Path) -> Iterator[bytes]:
    """The text of a file.

    Raises:
        DamagedError: where it is damaged or ends too early.
    """
    if not is_compressed(path):
        yield from _plain(file)
        return
    unpacker = unpacker_of(path)
    while stored := file.read1(_COMPRESSED_CHUNK):
        yield from unpacker.text(stored)
    if not unpacker.complete:
        raise DamagedError(CUT_OFF)


def _put_back(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _encoding_fault(line: bytes) -> str | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 text: {error.reason} at byte {error.start + 1} of the line"
    return None


@contextmanager
def _appearing_when_complete(path: Path) -> Iterator[IO[bytes]]:
    """A new file beside ``path`` that takes its name at the end, or vanishes if writing fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)
        raise
