"""A disk under a real database: it fails at every call, loses power, tears what is written, fills up, flips bits.

What a database has told the disk to keep survives a loss of power; all else may be gone, and what was being written is
torn. So nothing has to be forced onto the real disk, and a seed takes no time for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, TypeVar
from unittest.mock import patch

from tests.simulation.world import Fault, World

T = TypeVar("T")

_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "COMMIT", "BEGIN IMMEDIATE", "CREATE")
_FULL_FOR: Final = 45.0
"""Seconds until somebody has made room."""

_connect: Final[Any] = sqlite3.connect


class PowerLostError(BaseException):
    """Nothing more is done by this process."""


class Armed(NamedTuple):
    """A fault, and after how many further calls it comes."""

    fault: Fault
    calls: int


class Files(NamedTuple):
    """What is on the disk: the database, and its write-ahead log."""

    database: bytes
    log: bytes


class Disk:
    """The disk of one database."""

    def __init__(self, folder: Path, world: World) -> None:
        self.path = folder / "monitor.db"
        self.calls = 0
        self._log = folder / "monitor.db-wal"
        self._shared = folder / "monitor.db-shm"
        self._world = world
        self._armed: Armed | None = None
        self._full_until = -1.0
        self._quiet = False
        self._left: Files | None = None
        self._synced = False
        self._connection: sqlite3.Connection | None = None
        self._before = b""
        self._durable = Files(b"", b"")

    @property
    def off(self) -> bool:
        """Whether the power is off."""
        return self._left is not None

    @property
    def full(self) -> bool:
        """Whether nothing can be written."""
        return self._world.seconds < self._full_until

    def arm(self, fault: Fault, calls: int) -> None:
        """Fail at a call that is to come."""
        self._armed = Armed(fault, calls)

    def disarm(self) -> None:
        """Fail no more, and have room."""
        self._armed, self._full_until = None, -1.0

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Look at the disk without being part of what is simulated."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """Whoever opens a database meanwhile gets one on this disk."""
        with patch("sqlite3.connect", self._connected):
            yield

    def lose_power(self) -> None:
        """End everything that uses the disk: only what was made durable stays."""
        if self._left is None:
            self._left = self._files() if self._synced else self._durable

    def settle(self) -> None:
        """Power is back: what is on the disk is what it was when power was lost."""
        if self._connection is not None:
            left = self._left or self._files()
            with self.quietly():
                self._connection.close()
            self._connection = None
            self.put(left)
        self._left = None

    def files(self) -> Files:
        """What is on the disk while nobody uses it."""
        return self._files()

    def put(self, files: Files) -> None:
        """Put other content onto the disk while nobody uses it."""
        self.path.write_bytes(files.database)
        self._log.write_bytes(files.log)
        self._shared.unlink(missing_ok=True)

    def flip(self, chance: Random) -> bool:
        """Flip a bit of what lies on the disk while nobody uses it; false where nothing lies there.

        The last transaction of the log is left out: nobody can tell one that was damaged from one that was torn.
        """
        database, log = (bytearray(part) for part in self._files())
        last = _same(self._before, bytes(log))
        part, size = (log, last) if chance.random() < 0.4 and last else (database, len(database))
        if not size:
            return False
        place = chance.randrange(size)
        part[place] ^= 1 << chance.randrange(8)
        self.put(Files(bytes(database), bytes(log)))
        self._world.inject(Fault.FLIPPED)
        return True

    def call(self, sql: str, do: Callable[[], T]) -> T:
        """One call of whoever uses the disk."""
        if self._quiet:
            return do()
        if self.off:
            raise PowerLostError
        self.calls += 1
        if sql.startswith("BEGIN IMMEDIATE"):
            self._before = self._log_now()
        fault = self._due(sql)
        if fault is Fault.CRASH_BEFORE:
            self._fail(fault)
        if (fault is Fault.FULL or self.full) and sql.lstrip().startswith(_WRITES):
            if fault is Fault.FULL:
                self._world.inject(Fault.FULL)
                self._full_until = self._world.seconds + _FULL_FOR
            raise sqlite3.OperationalError("database or disk is full")
        done = do()
        if fault is Fault.CRASH_AFTER:
            self._fail(fault)
        if fault is Fault.TORN:
            self._tear()
        return done

    def synchronous(self, *, full: bool) -> None:
        """The database says how it wants to have things kept."""
        self._synced, self._durable = full, self._files()

    def _due(self, sql: str) -> Fault | None:
        if self._armed is None:
            return None
        fault, calls = self._armed
        self._armed = Armed(fault, calls - 1)
        waits = (fault is Fault.TORN and sql != "COMMIT") or (fault is Fault.FULL and not sql.startswith(_WRITES))
        if calls > 0 or waits:
            return None
        self._armed = None
        return fault

    def _fail(self, fault: Fault) -> None:
        self._world.inject(fault)
        self.lose_power()
        raise PowerLostError

    def _tear(self) -> None:
        """Of what the last transaction wrote, only a beginning has come onto the disk."""
        database, log = self._files()
        old = self._before
        cut = self._world.chance.randint(_same(old, log), len(log))
        self._world.inject(Fault.TORN)
        self._left = Files(database, log[:cut] + old[cut:])
        raise PowerLostError

    def _files(self) -> Files:
        return Files(self.path.read_bytes() if self.path.exists() else b"", self._log_now())

    def _log_now(self) -> bytes:
        return self._log.read_bytes() if self._log.exists() else b""

    def _connected(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = _connect(*args, **kwargs, factory=partial(_Wired, self))
        self._connection, self._synced = connection, True
        return connection


def _same(one: bytes, other: bytes) -> int:
    """How long two stretches of bytes begin alike."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    return next(place for place in range(shorter) if one[place] != other[place])


class _Wired(sqlite3.Connection):
    """A connection of which every call goes over the simulated disk."""

    def __init__(self, disk: Disk, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._disk = disk

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA synchronous"):
            # How the real disk keeps it does not matter; the simulated one does as it was told.
            self._disk.synchronous(full=sql.endswith("FULL"))
            sql = "PRAGMA synchronous = OFF"
        return self._disk.call(sql, partial(super().execute, sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        return self._disk.call(sql, partial(super().executemany, sql, parameters))

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        return self._disk.call(script, partial(super().executescript, script))
