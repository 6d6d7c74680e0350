"""The audit: what people did, what was kept from them, who was let in; each entry seals the one before it.

Nobody can change, drop or insert an entry without breaking the chain from there on. Whoever notes the newest digest
elsewhere can also tell whether the end has been cut off.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

BEGINNING: Final = "0" * 64
"""What the first entry has for the digest of the one before it."""


class Note(NamedTuple):
    """Something to be put on record.

    Attributes:
        at: when it happened.
        kind: ``action``, ``suppression`` or ``access``.
        actor: who did it; ``rules`` where nobody did.
        content: what, as JSON values.
    """

    at: datetime
    kind: str
    actor: str
    content: Mapping[str, Any]


class Entry(NamedTuple):
    """A row of the audit."""

    number: int
    at: str
    kind: str
    actor: str
    content: str
    previous: str
    digest: str

    def sealed(self) -> str:
        """The digest that this entry must have."""
        text = "\n".join(map(str, (self.previous, self.number, self.at, self.kind, self.actor, self.content)))
        return hashlib.sha256(text.encode()).hexdigest()


class Verification(NamedTuple):
    """How many entries there are, the digest of the newest, and the first fault, or None."""

    entries: int
    head: str
    fault: str | None


class Audit:
    """The writing end; ``connection`` is in a transaction whenever something is put on record."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        newest = connection.execute("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1").fetchone()
        self._number: int = newest[0] if newest else 0
        self._head: str = newest[1] if newest else BEGINNING

    def record(self, notes: Iterable[Note]) -> None:
        """Put notes on record."""
        entries = []
        for note in notes:
            self._number += 1
            content = json.dumps(note.content, separators=(",", ":"), sort_keys=True)
            at = note.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            entry = Entry(self._number, at, note.kind, note.actor, content, self._head, "")
            self._head = entry.sealed()
            entries.append(entry._replace(digest=self._head))
        if entries:
            self._connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", entries)


def read(connection: sqlite3.Connection) -> Iterator[Entry]:
    """The entries, oldest first."""
    return (Entry(*row) for row in connection.execute("SELECT * FROM audit ORDER BY number"))


def verify(entries: Iterable[Entry]) -> Verification:
    """Follow the chain from its beginning."""
    count, head = 0, BEGINNING
    for entry in entries:
        if entry.number != count + 1:
            return Verification(count, head, f"entry {count + 1} is missing: {entry.number} follows")
        if entry.previous != head:
            return Verification(count, head, f"entry {entry.number} does not follow from the one before it")
        if entry.digest != entry.sealed():
            return Verification(count, head, f"entry {entry.number} has been changed")
        count, head = entry.number, entry.digest
    return Verification(count, head, None)
