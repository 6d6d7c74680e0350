"""Finds what of a database is damaged: its pages, its rows, its log, what refers to what, and the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Final, NamedTuple

from streams.embedded import audit
from streams.embedded.database import make_tables
from streams.embedded.seals import READ_AT_START, SEALED, DamagedError, Row, columns, is_damage, rows, seal

_KEYS: Final = {"verdicts": "patient, pathway", "history": "patient, reached", "audit": "number", "rejected": "place"}
_MOST: Final = 20
_ENTRY: Final = (int, *[str] * 6)
"""Of what kinds the values of an entry of the audit are."""


class Damage(NamedTuple):
    """What is damaged, and how."""

    table: str
    what: str

    def __str__(self) -> str:
        """In words."""
        return f"{self.table}: {self.what}"


class Salvaged(NamedTuple):
    """The rows of a table that are as they were written, the keys of those that are not, and whether more are gone."""

    whole: list[Row]
    broken: list[object]
    unreadable: bool


def demand_whole(connection: sqlite3.Connection) -> None:
    """Refuse to begin on what is damaged, as far as a service relies on it at once.

    Raises:
        DamagedError: saying what was found first.
    """
    for found in (*pages(connection), *schema(connection)):
        raise DamagedError(str(found))
    for table in READ_AT_START:
        for _ in rows(connection, table):
            pass
    for hole in holes(connection):
        raise DamagedError(str(hole))


def pages(connection: sqlite3.Connection) -> Iterator[Damage]:
    """What SQLite itself finds wrong with the file."""
    try:
        for (text,) in connection.execute(f"PRAGMA quick_check({_MOST})"):
            if text != "ok":
                yield Damage("pages", text.replace("\n", " "))
    except sqlite3.Error as error:
        yield Damage("pages", str(error))


def schema(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Tables of the file that have not the columns with which they are made."""
    with closing(sqlite3.connect(":memory:")) as made:
        make_tables(made)
        wanted = _columns(made)
    found = _columns(connection)
    for table in sorted(wanted.keys() | found.keys()):
        if table not in found:
            yield Damage(table, "is not there")
        elif found[table] != wanted.get(table):
            yield Damage(table, "has not the columns with which it is made")


def _columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Of each table its columns; how it was worded depends on the version that made it."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {name: connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall() for (name,) in tables}


def holes(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Stretches of the log that are not there, and of which no repair has said so."""
    found = connection.execute("SELECT first, count FROM segments ORDER BY first").fetchall()
    known = set(rows(connection, "losses"))
    for (first, count), (after, _) in pairwise(found):
        if first + count != after and (first + count, after) not in known:
            yield Damage("segments", f"events {first + count} to {after - 1} are missing")


def check(connection: sqlite3.Connection) -> list[Damage]:
    """All that can be found to be damaged."""
    found = [*pages(connection), *schema(connection)]
    for table in SEALED:
        salvaged = salvage(connection, table)
        if salvaged.broken:
            found.append(Damage(table, f"{len(salvaged.broken)} rows do not have their checksum"))
        if salvaged.unreadable:
            found.append(Damage(table, "a part cannot be read"))
    for table, look in (("segments", holes), ("feed", _dangling), ("audit", _chain)):
        try:
            found += look(connection)
        except (sqlite3.Error, DamagedError) as error:
            found.append(Damage("database", str(error)))
        except TypeError:
            # A page of another table has values of other kinds.
            found.append(Damage(table, "has values of other kinds than it is made for"))
    return found


def salvage(connection: sqlite3.Connection, table: str) -> Salvaged:
    """What of a table can be read, from both ends around what cannot."""
    found: dict[object, Row] = {}
    names = SEALED.get(table)
    selected = "*" if names is None else columns(table)
    key = _KEYS.get(table) or (SEALED[table][0])
    width = key.count(",") + 1
    unreadable = False
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{name} {direction}" for name in key.split(", "))
        try:
            for row in connection.execute(f"SELECT {selected} FROM {table} ORDER BY {order}"):  # noqa: S608 - our names
                found[row[:width]] = row
            if not unreadable:
                break
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            unreadable = True
    if names is None:
        # An entry that was changed shows itself in the chain; what is no entry at all cannot be kept.
        whole = {place: row for place, row in found.items() if tuple(map(type, row)) == _ENTRY}
    else:
        whole = {place: row[:-1] for place, row in found.items() if seal(table, row[:-1]) == row[-1]}
    return Salvaged(list(whole.values()), [place for place in found if place not in whole], unreadable)


def _chain(connection: sqlite3.Connection) -> Iterator[Damage]:
    fault = audit.verify(audit.read(connection)).fault
    if fault is not None:
        yield Damage("audit", fault)


def _dangling(connection: sqlite3.Connection) -> Iterator[Damage]:
    for table in ("alerts", "verdicts"):
        sql = f"SELECT count(*) FROM {table} WHERE position NOT IN (SELECT position FROM feed)"  # noqa: S608 - our names
        (count,) = connection.execute(sql).fetchone()
        if count:
            yield Damage(table, f"{count} have no entry in the feed")
