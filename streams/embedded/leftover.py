"""The write-ahead log that a crash leaves: SQLite takes it up to the first frame that does not fit, and says nothing.

What was being written when the power failed may be torn: that is at most the last transaction, which nobody was told
of. A frame that does not fit with two whole transactions behind it was whole once, and what follows was answered.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from streams.embedded.database import DamagedDatabaseError
from streams.embedded.heads import key_beside

_HEADER: Final = 32
_FRAME: Final = 24
_LITTLE: Final = 0x377F0682
_BIG: Final = 0x377F0683
_WRITE_VERSION: Final = 18
"""Where the header of a database says which format is needed to write it."""

_WRITTEN: Final = (1, 2)
"""With a rollback journal, or with a write-ahead log."""

_TORN: Final = 1
"""Transactions that may be half written."""


def demand_readable(database: Path) -> None:
    """Refuse a database that was emptied, that SQLite would not write, or of whose log it would leave out a part.

    No connection of this process may be open to it: to open the file and close it would take SQLite's locks away.

    Raises:
        DamagedDatabaseError: if so.
    """
    path = database.resolve()
    header = _header(path)
    if header is not None and len(header) <= _WRITE_VERSION and key_beside(database).exists():
        raise DamagedDatabaseError(
            f"{database}: there is nothing in it, although its key lies beside it; to begin anew, move both away"
        )
    if header is not None and len(header) > _WRITE_VERSION and header[_WRITE_VERSION] not in _WRITTEN:
        raise DamagedDatabaseError(f"{database}: its header is damaged: by that it must not be written")
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return
    whole, behind = committed(log.read_bytes())
    if behind > _TORN:
        raise DamagedDatabaseError(
            f"{database}: its write-ahead log is damaged: {whole} transactions can be read, {behind} behind them cannot"
        )


def _header(database: Path) -> bytes | None:
    """How a file begins; None if there is none."""
    if not database.exists():
        return None
    with database.open("rb") as file:
        return file.read(_WRITE_VERSION + 1)


def committed(log: bytes) -> tuple[int, int]:
    """Transactions that SQLite will take from a log, and those of the same log behind the first that does not fit."""
    if len(log) < _HEADER:
        return 0, 0
    magic, _, size = struct.unpack(">III", log[:12])
    order = "<" if magic == _LITTLE else ">"
    salts = log[16:24]
    sums = _added((0, 0), log[:24], order)
    if magic not in (_LITTLE, _BIG) or struct.pack(">II", *sums) != log[24:32]:
        return 0, _TORN + 1 if any(log) else 0  # nothing can be read, whatever was in it
    fits, whole, behind = True, 0, 0
    for start in range(_HEADER, len(log) - _FRAME - size + 1, _FRAME + size):
        frame = log[start : start + _FRAME]
        if fits:
            sums = _added(_added(sums, frame[:8], order), log[start + _FRAME : start + _FRAME + size], order)
            fits = frame[8:16] == salts and struct.pack(">II", *sums) == frame[16:24]
        ends = frame[4:8] != b"\0\0\0\0"
        if fits:
            whole += ends
        elif frame[8:16] == salts:
            behind += ends
    return whole, behind


def _added(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """SQLite's running checksum over some more bytes."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
