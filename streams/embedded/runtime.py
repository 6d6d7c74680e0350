"""The runtime: takes messages in, applies them, and makes all that comes of them durable in one transaction.

Whoever calls sees to it that one thing is done at a time. What is not expected leaves the memory ahead of the database;
the process must end then, and goes on from the database when it is started again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, cast

from rules.events import Action, Encounter, Event, decode
from rules.glance import Glance, glance
from rules.instants import HOUR, to_instant
from rules.outputs import AlertChange, AlertChangeKind, Change, RefusalReason, Rejection
from rules.pack import Pack
from rules.settings import SiteSettings
from streams.clock import SteadyWall
from streams.deadletters import DeadLetter
from streams.embedded import store as reading
from streams.embedded.audit import Note
from streams.embedded.database import transaction
from streams.embedded.entries import Entry, Present
from streams.embedded.offers import Receipt, Submission
from streams.embedded.recent import Recent
from streams.embedded.segments import Packer, key_of
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.stays import Stay
from streams.embedded.store import Forgetting, Refused, Store
from streams.embedded.wall import Wall
from streams.intake import TimeMark, Unusable
from streams.metrics import WorkerMetrics
from streams.processor import Outcome, Processor, Rejected
from streams.rota import Rota
from streams.states import PARTITION_KEY, StateError
from streams.topics import INPUTS

PARTITION: Final = 0
"""There is one."""

_RECENTLY: Final = timedelta(hours=1)
"""Alerts that are over are held in memory this long."""

_STATES_AT_ONCE: Final = 2
_URGENT_AT_ONCE: Final = 50
_FORGET_AT_ONCE: Final = 200


class Committed(NamedTuple):
    """What has just become durable: the entries of the feed, the patients whose stay has changed, and the receipts."""

    entries: Sequence[Entry]
    stays: Mapping[str, Stay]
    answers: Sequence[tuple[Submission, list[Receipt]]]


@dataclass(slots=True)
class _Batch:
    """What one transaction holds."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    spoken: set[str] = field(default_factory=set)
    stays: dict[str, Stay] = field(default_factory=dict)


class Runtime:
    """All patients of one service.

    Args:
        connection: the database, held by nobody else for writing.
        packs: the pathways to judge.
        site: the site's settings.
        settings: the runtime's own.
        wall: the time of day.
        metrics: told once per transaction.
        seconds: a clock that never goes back.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        packs: Sequence[Pack],
        site: SiteSettings,
        settings: EmbeddedSettings,
        *,
        wall: Wall,
        metrics: WorkerMetrics,
        seconds: Callable[[], float],
    ) -> None:
        self.present = Present()
        self.stays: dict[str, Stay] = {}
        self._connection = connection
        self._store = Store(connection)
        self._settings = settings
        self._wall = wall
        self._metrics = metrics
        self._steady = SteadyWall(wall, seconds, timedelta(seconds=settings.live_within))
        self._seconds = seconds
        self._processor = Processor(
            packs,
            site,
            live_within=timedelta(seconds=settings.live_within),
            silence=timedelta(seconds=settings.silence),
        )
        self._packer = Packer()
        self._rota = Rota(settings.snapshot_interval, min(1.0, settings.snapshot_interval))
        self._recent = Recent(settings.remembered)
        self._spoken: dict[str, int] = {}
        self._history: dict[str, int] = {}
        self._glances: dict[str, Glance] = {}
        self._next = self._noted = self._position = 0
        self._note_at = self._forget_at = 0.0

    @property
    def position(self) -> int:
        """Of the newest entry of the feed."""
        return self._position

    @property
    def patients(self) -> list[str]:
        """Everybody of whom anything is known."""
        return self._processor.names(PARTITION)

    def now(self) -> datetime:
        """The present of the data: the time of day where they are live, else when the newest was received."""
        clock = self._processor.clock(PARTITION)
        if clock.live or clock.newest is None:
            return self._steady()
        return max(clock.newest, clock.reached or clock.newest)

    def recover(self) -> None:
        """Go on from the database: read again what no state covers.

        Raises:
            StateError: if a state cannot be continued from, or events that are needed are gone.
        """
        began = self._seconds()
        connection = self._connection
        for name, (sequence, stay) in reading.patients(connection).items():
            self._spoken[name] = sequence
            self.stays[name] = Stay.model_validate_json(stay)
        for entry in reading.present_entries(connection, _RECENTLY // timedelta(milliseconds=1)):
            self.present.add(entry)
        self._position = reading.last_entry(connection)
        for keys in reading.newest_keys(connection, self._settings.remembered):
            self._recent.fill(keys)
        kept = self._processor.adopt(PARTITION, reading.states(connection))
        self._noted = min(kept.floors.values(), default=0)
        if self._noted < reading.first_position(connection):
            raise StateError("events that no state covers are gone")
        for segment in reading.segments(connection, self._noted):
            # What is kept meanwhile says that a restart reads from here.
            self._next = segment.first
            self._commit(self._processor.process(PARTITION, self._packer.unpack(segment)), _Batch())
        self._next = reading.next_position(connection)
        self._commit(self._processor.go_on(PARTITION), _Batch())
        for name in self.patients:
            self._catch_up(name)
        self._metrics.recovery.set(self._seconds() - began)

    def take(self, submissions: Sequence[Submission], notes: Iterable[Note] = ()) -> Committed:
        """Apply messages and make them durable, with all that comes of them."""
        batch, arrived = _Batch(notes=list(notes)), self._wall()
        receipts, fresh = self._sort_out(submissions, batch)
        outcome = Outcome()
        if fresh:
            segment, reads = self._packer.pack(self._next, arrived, [content for content, _, _ in fresh])
            clock = self._processor.clock(PARTITION)
            before = clock.newest
            outcome = self._processor.process(PARTITION, reads)
            if clock.live and clock.newest != before:
                self._steady.confirm()
            self._tell_whom_it_concerns(outcome, fresh, receipts, batch)
        with transaction(self._connection):
            if fresh:
                self._store.append(segment)
            for submission in submissions:
                if submission.source is not None:
                    self._store.note_source(*submission.source)
            self._record(outcome, batch)
        self._next += len(fresh)
        self._settled(outcome, batch, {content.subject for content, _, _ in fresh if not isinstance(content, TimeMark)})
        return Committed(batch.entries, batch.stays, list(zip(submissions, receipts, strict=True)))

    def let_time_pass(self) -> Committed:
        """Let the wall clock move time, if the data are live and all that has come has been applied."""
        return self._commit(self._processor.look_at_the_wall(PARTITION, self._steady()), _Batch())

    def tend(self) -> None:
        """Keep the states whose turn has come, note from where a restart would read, and forget what is old."""
        now = self._seconds()
        names = [name for _, name in self._rota.take(now, _STATES_AT_ONCE)]
        if not names and now < self._note_at:
            return
        with transaction(self._connection):
            self._keep(names)
            self._note_at = now + self._settings.note_interval
            if now >= self._forget_at:
                self._forget_at = now + (0 if self._forget() else self._settings.forget_interval)
        self._metrics.patients.set(len(self._spoken))
        self._metrics.set_aside.set(self._processor.set_aside)

    def finish(self) -> None:
        """Keep everything, so that the next start has nothing to read again."""
        with transaction(self._connection):
            self._keep(list(self._processor.unkept(PARTITION)))

    def snapshot(self, patient: str) -> bytes:
        """The engine of a patient, for somebody who wants to look at a copy.

        Raises:
            KeyError: if there is no such patient.
        """
        return self._processor.engine(PARTITION, patient).snapshot()

    def look(self, patients: Iterable[str]) -> dict[str, Glance]:
        """A look at some patients; those of whom nothing has come since the last look have not changed."""
        for name in patients:
            if name not in self._glances:
                self._glances[name] = glance(self._processor.engine(PARTITION, name))
        return {name: self._glances[name] for name in patients}

    def _sort_out(
        self, submissions: Sequence[Submission], batch: _Batch
    ) -> tuple[list[list[Receipt]], list[tuple[Event | TimeMark, int, int]]]:
        """A receipt for every offer, and those that are new with the place of their receipt."""
        receipts: list[list[Receipt]] = []
        fresh: list[tuple[Event | TimeMark, int, int]] = []
        for number, submission in enumerate(submissions):
            receipts.append([])
            for index, offer in enumerate(submission.offers):
                content = offer.content
                if isinstance(content, Unusable):
                    place = f"{submission.arrived_at.isoformat()} {self._next}+{number}.{index}"
                    batch.refused.append(Refused(place, content.kind, content.text, submission.arrived_at, offer.raw))
                    receipts[-1].append(Receipt("rejected", offer.reasons))
                elif isinstance(content, TimeMark):
                    fresh.append((content, number, index))
                    receipts[-1].append(Receipt("accepted"))
                elif self._recent.knows(key_of(content)):
                    receipts[-1].append(Receipt("duplicate", (), content.id))
                else:
                    fresh.append((content, number, index))
                    receipts[-1].append(Receipt("accepted" if offer.usable else "rejected", offer.reasons, content.id))
        return receipts, fresh

    def _tell_whom_it_concerns(
        self,
        outcome: Outcome,
        fresh: Sequence[tuple[Event | TimeMark, int, int]],
        receipts: list[list[Receipt]],
        batch: _Batch,
    ) -> None:
        """Put into receipts what was refused at once, and on record what clinicians answered."""
        letters = {rejected.letter.offset: rejected for rejected in outcome.rejected}
        for position, (content, number, index) in enumerate(fresh, start=self._next):
            if isinstance(content, Encounter):
                stay = self.stays.get(content.subject, Stay()).after(content)
                self.stays[content.subject] = batch.stays[content.subject] = stay
            elif not isinstance(content, Action):
                continue
            rejected = letters.get(position)
            if rejected is not None:
                receipts[number][index] = Receipt("rejected", (rejected.letter.reason,), content.id, rejected.kind)
            if isinstance(content, Action):
                batch.notes.append(_answered(content, rejected))

    def _commit(self, outcome: Outcome, batch: _Batch) -> Committed:
        if outcome.said or outcome.rejected or outcome.urgent or batch.notes:
            with transaction(self._connection):
                self._record(outcome, batch)
        self._settled(outcome, batch, ())
        return Committed(batch.entries, batch.stays, ())

    def _record(self, outcome: Outcome, batch: _Batch) -> None:
        """Add to the transaction what came of messages or of time."""
        for said in outcome.said:
            change = said.change
            if change.sequence <= self._spoken.get(change.patient, 0):
                continue
            self._spoken[change.patient] = change.sequence
            batch.spoken.add(change.patient)
            self._say(change, batch)
            if isinstance(change, AlertChange) and change.change is AlertChangeKind.SUPPRESSED:
                batch.notes.append(_suppressed(change))
        for rejected in outcome.rejected:
            letter = _kept(rejected, self._wall())
            if self._store.refuse(letter) and rejected.letter.value is not None:
                self._say(_rejection(rejected, self.now()), batch)
        for refused in batch.refused:
            self._store.refuse(refused)
        self._store.say(batch.entries)
        changed = batch.spoken | batch.stays.keys()
        self._store.note_patients(
            (name, self._spoken.setdefault(name, 0), self.stays.get(name, Stay()).model_dump_json()) for name in changed
        )
        self._store.audit.record(batch.notes)
        urgent = sorted(outcome.urgent)[:_URGENT_AT_ONCE]
        if urgent:
            self._keep(urgent)

    def _say(self, change: Change, batch: _Batch) -> None:
        self._position += 1
        if isinstance(change, AlertChange) and change.id not in self.present.alerts:
            for earlier in reading.last_entry_of(self._connection, change.id):
                self.present.add(earlier)
        batch.entries.append(self.present.next(self._position, change))

    def _settled(self, outcome: Outcome, batch: _Batch, touched: Iterable[str]) -> None:
        """It is durable: count it, and see to the states of those who have changed."""
        now, wall = self._seconds(), self._wall()
        latencies = [
            max(0.0, (wall - said.arrived_at).total_seconds())
            for said in outcome.said
            if said.arrived_at is not None and isinstance(said.change, AlertChange)
        ]
        self._metrics.published(outcome, latencies)
        for refused in batch.refused:
            self._metrics.unreadable(refused.kind)
        for name in (*touched, *outcome.changed):
            self._rota.changed((PARTITION, name), now)
            self._glances.pop(name, None)
        for name in outcome.urgent:
            self._rota.wanted((PARTITION, name), now)

    def _catch_up(self, name: str) -> None:
        """Restore a patient's engine, and see to it that no number is used twice.

        Reading again says what has been said before, word for word; were it ever to say less, what the engine says next
        must not be taken for known.
        """
        engine = self._processor.engine(PARTITION, name)
        if engine.sequence < self._spoken.get(name, 0):
            engine.sequence = self._spoken[name]
        self._rota.changed((PARTITION, name), self._seconds())

    def _keep(self, names: Sequence[str]) -> None:
        states = {name.encode(): self._processor.state(PARTITION, name) for name in names}
        self._store.keep(states)
        for name in names:
            engine = self._processor.engine(PARTITION, name)
            if engine.reached is not None and engine.reached - self._history.get(name, -HOUR) >= HOUR:
                self._history[name] = engine.reached
                self._store.keep_history(name, engine.reached, states[name.encode()])
        self._processor.kept(PARTITION, names)
        self._noted = min(self._processor.uncovered(PARTITION).values(), default=self._next)
        floors = dict.fromkeys(INPUTS, self._noted)
        self._store.keep({PARTITION_KEY: self._processor.partition_state(PARTITION, floors)})
        self._metrics.kept(len(names))

    def _forget(self) -> bool:
        """Forget by the age of what it is about: what arrived by the wall, what was said by the time of the data."""
        wall, now, keep = self._wall(), self.now(), self._settings
        before = Forgetting(
            events=to_instant(wall - timedelta(days=keep.keep_events)),
            refused=to_instant(wall - timedelta(days=keep.keep_alerts)),
            said=to_instant(now - timedelta(days=keep.keep_alerts)),
            history=to_instant(now - timedelta(hours=keep.keep_history)),
            floor=self._noted,
        )
        for name, entry in list(self.present.alerts.items()):
            if entry.over and now - entry.decided_at > _RECENTLY:
                del self.present.alerts[name]
        return self._store.forget(before, _FORGET_AT_ONCE)


_SAID: Final = {"source", "alert_id", "action", "reason", "comment", "based_on", "role"}


def _answered(action: Action, rejected: Rejected | None) -> Note:
    said = action.model_dump(mode="json", include=_SAID)
    result = "refused" if rejected is not None else "done"
    why = {} if rejected is None else {"why": rejected.letter.reason}
    content = {"event": action.id, "patient": action.subject, **said, "result": result, **why}
    return Note(action.received_at, "action", action.actor, content)


def _suppressed(change: AlertChange) -> Note:
    content = {
        "alert": change.id,
        "patient": change.patient,
        "pathway": change.pathway,
        "subject": change.subject,
        "cause": change.cause,
        "verdict": change.verdict,
    }
    return Note(change.decided_at, "suppression", "rules", content)


def _kept(rejected: Rejected, at: datetime) -> Refused:
    letter = rejected.letter
    return Refused(letter.source, rejected.kind, letter.reason, at, letter.value or b"")


def _rejection(rejected: Rejected, now: datetime) -> Rejection:
    """What the feed says of an event that the rules could not use, or only in part."""
    event = _event_of(rejected.letter)
    return Rejection(
        patient=event.subject,
        source=event.source,
        event=event.id,
        place=None,
        reason=cast("RefusalReason", rejected.kind),
        detail=rejected.letter.reason,
        decided_at=now,
    )


def _event_of(letter: DeadLetter) -> Event:
    return decode(letter.value or b"")
