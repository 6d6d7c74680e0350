"""The database of one service: its tables, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from streams.embedded.seals import LOSSES, DamagedError, add_seals, is_damage

FORMAT: Final = 2
"""The version of the tables, kept as SQLite's ``user_version``."""

_WITHOUT_SEALS: Final = 1

APPLICATION: Final = 0x52455343
"""Marks the file as ours, kept as SQLite's ``application_id``."""

_READABLE: Final = partial(str, encoding="utf-8", errors="replace")
"""Text of which a bit has flipped can be read, and has not its checksum; SQLite's own error would quote all of it."""

_LOOKS: Final = 100
_BETWEEN_LOOKS: Final = 0.05
"""Seconds between two looks for tables that are about to be made."""

_TABLES: Final = """
CREATE TABLE segments (
    first INTEGER PRIMARY KEY, count INTEGER NOT NULL, arrived_at INTEGER NOT NULL, keys BLOB NOT NULL,
    lines BLOB NOT NULL, seal BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE feed (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, patient TEXT NOT NULL, alert TEXT, decided_at INTEGER NOT NULL,
    said TEXT NOT NULL, beside TEXT, seal BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX feed_of_alert ON feed (alert, position) WHERE alert IS NOT NULL;
CREATE TABLE alerts (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL UNIQUE, patient TEXT NOT NULL, pathway TEXT NOT NULL,
    priority TEXT NOT NULL, state TEXT NOT NULL, changed_at INTEGER NOT NULL, seal BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_of_patient ON alerts (patient, position);
CREATE TABLE verdicts (
    patient TEXT NOT NULL, pathway TEXT NOT NULL, position INTEGER NOT NULL,
    seal BLOB NOT NULL DEFAULT x'', PRIMARY KEY (patient, pathway)
) STRICT, WITHOUT ROWID;
CREATE TABLE patients (
    name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, stay TEXT NOT NULL, seal BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;
CREATE TABLE states (key BLOB PRIMARY KEY, data BLOB NOT NULL, seal BLOB NOT NULL DEFAULT x'') STRICT, WITHOUT ROWID;
CREATE TABLE history (
    patient TEXT NOT NULL, reached INTEGER NOT NULL, data BLOB NOT NULL,
    seal BLOB NOT NULL DEFAULT x'', PRIMARY KEY (patient, reached)
) STRICT, WITHOUT ROWID;
CREATE TABLE rejected (
    number INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, reason TEXT NOT NULL,
    arrived_at INTEGER NOT NULL, value BLOB NOT NULL, seal BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE TABLE sources (
    name TEXT PRIMARY KEY, marks TEXT NOT NULL, seal BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, content TEXT NOT NULL,
    previous TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
"""

_SOURCES_ANEW: Final = (
    "DROP TABLE sources",
    "CREATE TABLE sources (name TEXT PRIMARY KEY, marks TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
"""Of version 1, how far files had been read was no more than a number: they are read once more, and no event twice."""


class DatabaseError(Exception):
    """A file that cannot be used as the service's database; the text says why."""


class DamagedDatabaseError(DatabaseError, DamagedError):
    """One that SQLite cannot read."""


def open_database(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the database, and make its tables in a new file.

    A transaction is on the disk when it has been committed (``synchronous=FULL``): whoever was told that an event has
    been stored may forget it. Checkpoints are left to whoever has time for them.

    Raises:
        DatabaseError: if the file is not ours, of another version, or cannot be opened.
    """
    try:
        if read_only:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        else:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.text_factory = _READABLE
        _prepare(connection, path, read_only=read_only)
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedDatabaseError(f"{path}: {error}") from None
        raise DatabaseError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        # SQLite says what it cannot read of the schema in the bytes that it found there.
        raise DamagedDatabaseError(f"{path}: the schema is damaged") from None
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    connection.execute("PRAGMA busy_timeout = 5000")
    version, application, tables = _waited_for(connection) if read_only else _described(connection)
    if tables and application != APPLICATION:
        raise DatabaseError(f"{path}: not a database of this service")
    if tables and version == _WITHOUT_SEALS and not read_only:
        _migrate(connection)
        version = FORMAT
    if tables and version == _WITHOUT_SEALS:
        raise DatabaseError(f"{path}: of version {version}, which a service brings to version {FORMAT} when it starts")
    if tables and version != FORMAT:
        raise DatabaseError(f"{path}: version {version} of the database is not known here (known: {FORMAT})")
    if not tables and read_only:
        raise DatabaseError(f"{path}: there are no tables in it")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    if not tables:
        os.chmod(path, 0o600)  # noqa: PTH101 - the file is SQLite's
        make_tables(connection)


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of the present format in an empty database."""
    connection.executescript(
        f"BEGIN; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; {_TABLES} {LOSSES}; COMMIT;"
    )


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring a database of version 1 to the present one, all of it or nothing."""
    with transaction(connection):
        for statement in _SOURCES_ANEW:
            connection.execute(statement)
        add_seals(connection)
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def _described(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Version, mark and number of tables, all of the same moment."""
    connection.execute("BEGIN")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    connection.execute("COMMIT")
    return version, application, tables


def _waited_for(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """The same once there are tables: a service that has just been started is about to make them."""
    for _ in range(_LOOKS):
        found = _described(connection)
        if found[2]:
            break
        time.sleep(_BETWEEN_LOOKS)
    return found


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
