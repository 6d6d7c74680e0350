"""What is stored in a file as text: plain, gzip or Zstandard, given piece by piece, members one after the other."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import zstandard

AT_ONCE: Final = 1 << 16
"""Bytes of text that come out in one piece at most."""

_FED: Final = 1 << 8
"""Bytes of Zstandard that are unpacked at once: four may become 128 KiB, so these become 8 MiB at most."""

_LARGE_WINDOW: Final = "too much memory"
"""By these words of its error the library says that a frame looks back further than it lets it."""

_GZIP: Final = 31
"""The window of zlib, with the header and the checksum of gzip."""

_PADDING: Final = b"\0"


class DamagedError(Exception):
    """The stored data are not what their format demands; the text says why, and what came out before is right."""


CUT_OFF: Final = "the compressed data end too early: the file is truncated"
"""What is wrong with a file of which a member was begun and not finished."""


class Unpacker(Protocol):
    """Makes text of what is stored."""

    @property
    def complete(self) -> bool:
        """Whether what has been given so far may be all: nothing that was begun is unfinished."""

    def text(self, stored: bytes) -> Iterator[bytes]:
        """The text of the next piece.

        Raises:
            DamagedError: if the rest cannot be read.
        """


class Plain:
    """Text as it is."""

    complete = True

    def text(self, stored: bytes) -> Iterator[bytes]:
        """The piece itself."""
        yield stored


class Gzip:
    """Members of gzip, with zeros after them if need be, as tapes have."""

    def __init__(self) -> None:
        self._member: Any = None

    @property
    def complete(self) -> bool:
        """Whether no member is unfinished."""
        return self._member is None

    def text(self, stored: bytes) -> Iterator[bytes]:
        """The text of the next piece."""
        while stored:
            if self._member is None:
                stored = stored.lstrip(_PADDING)
                if not stored:
                    return
                self._member = zlib.decompressobj(_GZIP)
            try:
                text = self._member.decompress(stored, AT_ONCE)
            except zlib.error as error:
                raise DamagedError(f"the compressed data are damaged: {error}") from None
            stored = self._member.unconsumed_tail
            if self._member.eof:
                stored = self._member.unused_data
                self._member = None
            if text:
                yield text


class Zstandard:
    """Frames of Zstandard that look back 128 MiB at most."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: Any = None

    @property
    def complete(self) -> bool:
        """Whether no frame is unfinished."""
        return self._frame is None

    def text(self, stored: bytes) -> Iterator[bytes]:
        """The text of the next piece."""
        for start in range(0, len(stored), _FED):
            fed = stored[start : start + _FED]
            while fed:
                if self._frame is None:
                    self._frame = self._decompressor.decompressobj()
                try:
                    text = self._frame.decompress(fed)
                except zstandard.ZstdError as error:
                    raise DamagedError(_said(error)) from None
                fed = self._frame.unused_data
                if self._frame.eof:
                    self._frame = None
                yield from (text[place : place + AT_ONCE] for place in range(0, len(text), AT_ONCE))


def _said(error: zstandard.ZstdError) -> str:
    if _LARGE_WINDOW in str(error):
        return "the data were compressed with a window of more than 128 MiB (--long): compress them anew without"
    return f"the compressed data are damaged: {error}"


_FORMATS: Final[dict[str, Callable[[], Unpacker]]] = {".gz": Gzip, ".zst": Zstandard}


def unpacker_of(path: str | Path) -> Unpacker:
    """What makes text of a file, by the end of its name."""
    return _FORMATS.get(Path(path).suffix.lower(), Plain)()


def is_compressed(path: str | Path) -> bool:
    """Whether a file of this name is compressed."""
    return Path(path).suffix.lower() in _FORMATS
