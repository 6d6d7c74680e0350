"""Makes a database anew of what is whole in a damaged one, and says what is lost; the damaged one is kept beside it.

Who lost the newest of what was said, or a state, is judged again from the events that are kept, and all of it is said
again. The audit is copied as it is: a chain that is broken stays broken.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

from rules.events import Encounter
from rules.instants import to_datetime
from streams.embedded.damage import salvage
from streams.embedded.database import open_database, transaction
from streams.embedded.entries import read_entry
from streams.embedded.seals import SEALED, Row, insert
from streams.embedded.segments import Packer, Segment
from streams.embedded.stays import Stay
from streams.intake import TimeMark
from streams.provenance import OWN
from streams.states import PARTITION_KEY, PartitionState, PatientState
from streams.topics import INPUTS

_COPIED: Final = ("segments", "feed", "history", "rejected", "sources", "losses")
_BESIDE: Final = ("", "-wal", "-shm")


def repair(path: Path) -> list[str]:
    """Repair a database that nobody uses; what was lost, in words, and where the damaged one is now."""
    made = path.with_name(f".{path.name}.repaired")
    made.unlink(missing_ok=True)
    with closing(open_database(path)) as damaged, closing(open_database(made)) as whole:
        with transaction(whole):
            lost = list(_Repair(damaged, whole).run())
        whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = _free(path)
    for ending in _BESIDE:
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(kept.with_name(kept.name + ending))
    made.rename(path)
    _settle(path.parent)
    return [*lost, f"the damaged database is kept as {kept.name}"]


class _Repair:
    """One repair, in a transaction of the new database."""

    def __init__(self, damaged: sqlite3.Connection, whole: sqlite3.Connection) -> None:
        self._whole = whole
        self._tables = {table: salvage(damaged, table) for table in (*SEALED, "audit")}

    def run(self) -> Iterator[str]:
        """Fill the new one; what is lost."""
        for table in _COPIED:
            insert(self._whole, table, self._rows(table))
        places = ", ".join("?" * 7)
        self._whole.executemany(f"INSERT INTO audit VALUES ({places})", self._rows("audit"))  # noqa: S608 - of ours
        yield from self._counted()
        self._go_on_behind_all_states()
        yield from self._holes()
        again = self._stand()
        yield from self._states(again)

    def _rows(self, table: str) -> list[Row]:
        return self._tables[table].whole

    def _counted(self) -> Iterator[str]:
        for table, found in self._tables.items():
            if found.broken:
                yield f"{table}: {len(found.broken)} rows were damaged and are left out"
            if found.unreadable:
                yield f"{table}: a part could not be read and is left out"

    def _holes(self) -> Iterator[str]:
        """Put on record which stretches of the log are lost."""
        segments = sorted(self._rows("segments"))
        known = set(self._rows("losses"))
        for one, other in pairwise(segments):
            hole = (one[0] + one[1], other[0])
            if hole[0] != hole[1] and hole not in known:
                insert(self._whole, "losses", [hole], "OR REPLACE")
                yield f"segments: events {hole[0]} to {hole[1] - 1} are lost"

    def _go_on_behind_all_states(self) -> None:
        """Where the end of the log is lost, the next event gets a position that no state takes for known."""
        states: dict[bytes, bytes] = dict(self._rows("states"))
        partition = states.pop(PARTITION_KEY, None)
        reached = [
            position for data in states.values() for position in PatientState.from_bytes(data).positions.values()
        ]
        end = max((first + count for first, count, *_ in self._rows("segments")), default=0)
        after = max(reached, default=-1) + 1
        if after <= end:
            return
        newest = None if partition is None else PartitionState.from_bytes(partition).newest
        mark = TimeMark(source=OWN, received_at=newest or to_datetime(0))
        segment, _ = Packer().pack(after, newest or to_datetime(0), [mark])
        insert(self._whole, "segments", [segment])
        self._rows("segments").append(segment)

    def _stand(self) -> set[str]:
        """Work out anew from the feed where alerts and verdicts stand; the patients of whom the newest is lost."""
        for position, kind, patient, alert, decided, said, beside in sorted(self._rows("feed")):
            if alert is not None and beside is not None:
                change = json.loads(said)
                state = read_entry(position, said, beside).beside
                standing = (change["pathway"], change["priority"], "" if state is None else state.state, decided)
                insert(self._whole, "alerts", [(alert, position, patient, *standing)], "OR REPLACE")
            elif kind == "status":
                insert(self._whole, "verdicts", [(patient, json.loads(said)["pathway"], position)], "OR REPLACE")
        there = {row[0] for row in self._rows("feed")}
        again = {patient for patient, _, position in self._rows("verdicts") if position not in there}
        return again | {row[2] for row in self._rows("alerts") if row[1] not in there}

    def _states(self, again: set[str]) -> Iterator[str]:
        """Keep the states of those who can be gone on with; the others are judged again from the log."""
        states: dict[bytes, bytes] = dict(self._rows("states"))
        known = {name: (sequence, stay) for name, sequence, stay in self._rows("patients")}
        everybody = known.keys() | {row[2] for row in self._rows("feed")} | again
        again |= {name for name in everybody if name.encode() not in states}
        if self._tables["segments"].broken or self._tables["segments"].unreadable:
            yield "segments: whoever had events there that no state covers goes on without them"
        for name in sorted(again):
            states.pop(name.encode(), None)
        if again:
            yield f"states: {len(again)} patients are judged again from the events that are kept"
        partition = states.get(PARTITION_KEY)
        first = min((row[0] for row in self._rows("segments")), default=0)
        before = PartitionState({}, None, live=False) if partition is None else PartitionState.from_bytes(partition)
        if again or partition is None:
            floors = dict.fromkeys(INPUTS, first)
            states[PARTITION_KEY] = PartitionState(floors, before.newest, before.live, before.letters).to_bytes()
        insert(self._whole, "states", states.items())
        spoken = {name: known[name] if name in known else (0, self._stay(name)) for name in everybody}
        insert(
            self._whole,
            "patients",
            ((name, 0 if name in again else sequence, stay) for name, (sequence, stay) in spoken.items()),
        )

    def _stay(self, name: str) -> str:
        """Where a patient lies, from the events that are kept."""
        packer, stay = Packer(), Stay()
        for row in sorted(self._rows("segments")):
            for _, event in packer.events_of(Segment(*row), name):
                stay = stay.after(event) if isinstance(event, Encounter) else stay
        return stay.model_dump_json()


def _free(path: Path) -> Path:
    """A name for the damaged one that nothing has yet."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return kept


def _settle(folder: Path) -> None:
    """See to it that the names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
