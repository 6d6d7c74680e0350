"""That nobody else runs a service on a database, by whatever name the file is reached."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.embedded.database import DatabaseError

_HELD: Final[set[tuple[int, int]]] = set()
"""The files that services of this process own: to open one again and close it would take SQLite's own locks away."""


@contextmanager
def sole_owner(path: Path) -> Iterator[None]:
    """Nobody else runs a service on this database meanwhile; the claim ends with the process, however it ends.

    It is on the file itself, not on its name, and is entered before SQLite opens the file and left after SQLite has
    closed it. SQLite locks in another way (POSIX), which does not meet this one.

    Raises:
        DatabaseError: if somebody does, or the file has several names: SQLite would look for what belongs to it beside
            one of them only.
    """
    _refuse_held(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from None
    file = os.fstat(descriptor)
    identity = (file.st_dev, file.st_ino)
    try:
        _claim(descriptor, path)
        if file.st_nlink != 1:
            raise DatabaseError(f"{path}: the file has {file.st_nlink} names (hard links), and may have one")
        if _identity(path) != identity:
            raise DatabaseError(f"{path}: another file has been put in its place")
        _HELD.add(identity)
        yield
    finally:
        _HELD.discard(identity)
        os.close(descriptor)


def _claim(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise DatabaseError(f"{path}: another service is running on it") from None


def _refuse_held(path: Path) -> None:
    if _identity(path) in _HELD:
        raise DatabaseError(f"{path}: another service is running on it")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
