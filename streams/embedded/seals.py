"""Checksums of what is kept: of each row, over the name of its table and all of its values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

SEALED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "segments": ("first", "count", "arrived_at", "keys", "lines"),
        "feed": ("position", "kind", "patient", "alert", "decided_at", "said", "beside"),
        "alerts": ("id", "position", "patient", "pathway", "priority", "state", "changed_at"),
        "verdicts": ("patient", "pathway", "position"),
        "patients": ("name", "sequence", "stay"),
        "states": ("key", "data"),
        "history": ("patient", "reached", "data"),
        "rejected": ("place", "kind", "reason", "arrived_at", "value"),
        "sources": ("name", "marks"),
        "losses": ("first", "after"),
    }
)
"""The tables whose rows are sealed, each with the columns that are. Entries of the audit seal each other."""

LOSSES: Final = """
CREATE TABLE losses (first INTEGER PRIMARY KEY, after INTEGER NOT NULL, seal BLOB NOT NULL DEFAULT x'') STRICT
"""
"""Stretches of the log that a repair found to be lost: from a position up to, not with, another."""

READ_AT_START: Final = ("alerts", "verdicts", "patients", "sources", "states", "losses")
"""The tables that a service reads whole, or relies on, from its first moment on."""

_BYTES: Final = 8
_KINDS: Final[Mapping[str, type]] = {"b": bytes, "s": str, "i": int, "f": float, "n": type(None)}

Row = tuple[Any, ...]


class DamagedError(Exception):
    """Something that was kept is not what was written; the text says where, and names no patient."""


def seal(table: str, values: Sequence[Any]) -> bytes:
    """The checksum of a row."""
    digest = blake2b(table.encode(), digest_size=_BYTES)
    for value in values:
        content = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
        kind = next(tag for tag, kind in _KINDS.items() if isinstance(value, kind))
        digest.update(f"{kind}{len(content)}:".encode())
        digest.update(content)
    return digest.digest()


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]], how: str = "") -> int:
    """Add rows with their checksums; ``how`` is one of SQLite's ``OR`` clauses. Returns how many were added."""
    columns = SEALED[table]
    places = ", ".join("?" * (len(columns) + 1))
    sql = f"INSERT {how} INTO {table} ({', '.join(columns)}, seal) VALUES ({places})"  # noqa: S608 - our own names
    return connection.executemany(sql, ((*row, seal(table, row)) for row in rows)).rowcount


def opened(table: str, row: Row) -> Row:
    """The values of a row that was selected by :func:`columns`.

    Raises:
        DamagedError: if they are not those that were written.
    """
    *values, kept = row
    if seal(table, values) != kept:
        raise DamagedError(f"a row of {table} is damaged: its checksum does not fit")
    return tuple(values)


def columns(table: str) -> str:
    """What to select of a table."""
    return ", ".join(f"{table}.{column}" for column in (*SEALED[table], "seal"))


def rows(connection: sqlite3.Connection, table: str, rest: str = "", given: Any = ()) -> Iterator[Row]:
    """The rows of a table, each as it was written.

    Raises:
        DamagedError: at the first that is not.
    """
    sql = f"SELECT {columns(table)} FROM {table} {rest}"  # noqa: S608 - our own names
    return (opened(table, row) for row in connection.execute(sql, given))


def add_seals(connection: sqlite3.Connection) -> None:
    """Give each row of tables without checksums its own."""
    connection.create_function("seal_of", -1, lambda table, *values: seal(table, values), deterministic=True)
    connection.execute(LOSSES)
    for table, names in SEALED.items():
        if table == "losses":
            continue
        connection.execute(f"ALTER TABLE {table} ADD COLUMN seal BLOB NOT NULL DEFAULT x''")
        connection.execute(f"UPDATE {table} SET seal = seal_of('{table}', {', '.join(names)})")  # noqa: S608 - as above


def is_damage(error: BaseException) -> bool:
    """Whether an error says that what was kept is damaged."""
    if isinstance(error, DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or code is None:
        return False
    return code & 0xFF in _DAMAGE or str(error).startswith(_NOT_THERE)


_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_NOT_THERE: Final = ("no such table", "no such column")
"""What every database of the format has, and a damaged schema does not name."""
