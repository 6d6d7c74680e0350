"""Writes and reads the database; each method is one step of a transaction that the caller holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from rules.instants import to_instant
from rules.outputs import AlertChange, StatusChange, encode_change
from streams.embedded.audit import Audit
from streams.embedded.entries import Entry, read_entry
from streams.embedded.seals import Row, insert, rows
from streams.embedded.segments import Segment
from streams.marks import Marks, marks_from_json

_REPLACE: Final = "OR REPLACE"
_FORGET_SEGMENTS: Final = """
DELETE FROM segments WHERE first IN (
    SELECT first FROM segments
    WHERE arrived_at < ? AND first + count <= ? AND first < (SELECT max(first) FROM segments) LIMIT ?
)
"""
_FORGET_ENTRIES: Final = """
DELETE FROM feed WHERE position IN (
    SELECT position FROM feed
    WHERE decided_at < ? AND position NOT IN (
        SELECT position FROM verdicts
        UNION SELECT position FROM alerts WHERE state NOT IN ('withdrawn', 'resolved', 'expired')
        UNION SELECT max(position) FROM feed
    )
    LIMIT ?
)
"""
_PRESENT: Final = """
WHERE position IN (
    SELECT position FROM verdicts
    UNION SELECT position FROM alerts
    WHERE changed_at >= (SELECT max(decided_at) FROM feed) - ? OR state NOT IN ('withdrawn', 'resolved', 'expired')
) ORDER BY position
"""
_ALERTS: Final = """
JOIN alerts ON feed.position = alerts.position
WHERE (:patient IS NULL OR alerts.patient = :patient) AND (:pathway IS NULL OR pathway = :pathway)
    AND (:priority IS NULL OR priority = :priority) AND (:state IS NULL OR state = :state)
    AND (:since IS NULL OR changed_at >= :since) AND (:before IS NULL OR alerts.position < :before)
ORDER BY alerts.position DESC LIMIT :most
"""
_SEGMENTS: Final = """
WHERE first >= coalesce((SELECT max(first) FROM segments WHERE first <= ?), 0) ORDER BY first
"""


class Refused(NamedTuple):
    """Something that could not be used: where it was, what kind of fault, why, when it arrived, and its bytes."""

    place: str
    kind: str
    reason: str
    arrived_at: datetime
    value: bytes


class Store:
    """The one writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.audit = Audit(connection)

    def append(self, segment: Segment) -> None:
        """Add events at the end of the log."""
        insert(self.connection, "segments", [segment])

    def say(self, entries: Iterable[Entry]) -> None:
        """Add entries to the feed, and note where each alert and pathway stands."""
        for entry in entries:
            change = entry.change
            alert = change.id if isinstance(change, AlertChange) else None
            beside = None if entry.beside is None else entry.beside.model_dump_json()
            decided = to_instant(change.decided_at)
            row = (entry.position, change.kind, change.patient, alert, decided, encode_change(change), beside)
            insert(self.connection, "feed", [row])
            if isinstance(change, AlertChange) and entry.beside is not None:
                standing = (change.pathway, change.priority, entry.beside.state, decided)
                insert(self.connection, "alerts", [(change.id, entry.position, change.patient, *standing)], _REPLACE)
            elif isinstance(change, StatusChange):
                insert(self.connection, "verdicts", [(change.patient, change.pathway, entry.position)], _REPLACE)

    def refuse(self, refused: Refused) -> bool:
        """Keep what could not be used; false if that had been done before."""
        row = (refused.place, refused.kind, refused.reason, to_instant(refused.arrived_at), refused.value)
        return insert(self.connection, "rejected", [row], "OR IGNORE") > 0

    def note_patients(self, patients: Iterable[tuple[str, int, str]]) -> None:
        """Of each patient the last sequence number that was said, and where the patient lies, as JSON."""
        insert(self.connection, "patients", patients, _REPLACE)

    def keep(self, states: Mapping[bytes, bytes]) -> None:
        """Keep states by key."""
        insert(self.connection, "states", states.items(), _REPLACE)

    def keep_history(self, patient: str, reached: int, data: bytes) -> None:
        """Keep the state that a patient was in at an instant, to explain what was said after it."""
        insert(self.connection, "history", [(patient, reached, data)], _REPLACE)

    def note_source(self, name: str, marks: str) -> None:
        """Note how far an input has been read."""
        insert(self.connection, "sources", [(name, marks)], _REPLACE)

    def forget(self, before: Forgetting, at_once: int) -> bool:
        """Forget some of what is old enough; true if there may be more."""
        run = self.connection.execute
        # The newest of each stays, because positions go on from there.
        gone = run(_FORGET_SEGMENTS, (before.events, before.floor, at_once)).rowcount
        gone += run(_FORGET_ENTRIES, (before.said, at_once)).rowcount
        run("DELETE FROM alerts WHERE position NOT IN (SELECT position FROM feed)")
        run("DELETE FROM history WHERE reached < ?", (before.history,))
        run("DELETE FROM rejected WHERE arrived_at < ?", (before.refused,))
        return gone >= at_once


class Forgetting(NamedTuple):
    """What may be forgotten: instants in milliseconds, and the position from which a restart reads."""

    events: int
    refused: int
    said: int
    history: int
    floor: int


def segments(connection: sqlite3.Connection, start: int) -> Iterator[Segment]:
    """The segments with events from a position on, oldest first."""
    return (Segment(*row) for row in rows(connection, "segments", _SEGMENTS, (start,)))


def newest_keys(connection: sqlite3.Connection, most: int) -> list[bytes]:
    """The joined keys of the newest segments, oldest first, until there are so many keys."""
    found, keys = 0, []
    for _, count, _, joined, _ in rows(connection, "segments", "ORDER BY first DESC"):
        keys.append(joined)
        found += count
        if found >= most:
            break
    return keys[::-1]


def next_position(connection: sqlite3.Connection) -> int:
    """The position of the next event; the newest segment is never forgotten before it is covered by states."""
    row = connection.execute("SELECT first + count FROM segments ORDER BY first DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def first_position(connection: sqlite3.Connection) -> int:
    """The position of the oldest event that is kept."""
    row = connection.execute("SELECT first FROM segments ORDER BY first LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def last_entry(connection: sqlite3.Connection) -> int:
    """The position of the newest entry of the feed; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(position), 0) FROM feed").fetchone()[0])


def entries_after(connection: sqlite3.Connection, position: int, most: int) -> list[Entry]:
    """The entries that follow a position."""
    return _entries(connection, "WHERE position > ? ORDER BY position LIMIT ?", (position, most))


def entries_of(connection: sqlite3.Connection, alert: str) -> list[Entry]:
    """All entries about one alert."""
    return _entries(connection, "WHERE alert = ? ORDER BY position", (alert,))


def last_entry_of(connection: sqlite3.Connection, alert: str) -> list[Entry]:
    """The newest entry about one alert, if there is any."""
    return _entries(connection, "WHERE alert = ? ORDER BY position DESC LIMIT 1", (alert,))


def _entries(connection: sqlite3.Connection, rest: str, given: Any) -> list[Entry]:
    return [_entry(row) for row in rows(connection, "feed", rest, given)]


def _entry(row: Row) -> Entry:
    position, _, _, _, _, said, beside = row
    return read_entry(position, said, beside)


class Wanted(NamedTuple):
    """Which alerts are wanted: what is None does not matter. ``since`` is in milliseconds, ``before`` a position."""

    patient: str | None = None
    pathway: str | None = None
    priority: str | None = None
    state: str | None = None
    since: int | None = None
    before: int | None = None


def alerts(connection: sqlite3.Connection, wanted: Wanted, most: int) -> list[Entry]:
    """The newest entries of alerts, the one that changed last first."""
    return _entries(connection, _ALERTS, {**wanted._asdict(), "most": most})


def present_entries(connection: sqlite3.Connection, lately: int) -> Iterator[Entry]:
    """The newest entry of each pathway, and of each alert that is not over or has changed lately (milliseconds)."""
    return map(_entry, rows(connection, "feed", _PRESENT, (lately,)))


def patients(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    """Of each patient the last sequence number that was said, and where the patient lies."""
    return {name: (sequence, stay) for name, sequence, stay in rows(connection, "patients")}


def states(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """The states that are kept, by key."""
    return dict(rows(connection, "states"))


def state(connection: sqlite3.Connection, key: bytes) -> bytes:
    """The state that is kept under a key.

    Raises:
        KeyError: if there is none.
    """
    for _, data in rows(connection, "states", "WHERE key = ?", (key,)):
        return bytes(data)
    raise KeyError(key)


def state_before(connection: sqlite3.Connection, patient: str, instant: int) -> bytes | None:
    """The last state of a patient that is kept of an instant or before it."""
    rest = "WHERE patient = ? AND reached <= ? ORDER BY reached DESC LIMIT 1"
    return next((bytes(data) for _, _, data in rows(connection, "history", rest, (patient, instant))), None)


def source_marks(connection: sqlite3.Connection, name: str) -> Marks:
    """How far an input has been read."""
    found = (marks_from_json(marks) for _, marks in rows(connection, "sources", "WHERE name = ?", (name,)))
    return next(found, ())
