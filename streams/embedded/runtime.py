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
from rules.glance import AWAY, Glance, glance
from rules.instants import HOUR, to_instant
from rules.outputs import AlertChange, AlertChangeKind, Change, RefusalReason, Rejection
from rules.pack import Pack
from rules.settings import SiteSettings
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
from streams.provenance import is_own
from streams.rota import Rota
from streams.states import PARTITION_KEY, StateError
from streams.topics import INPUTS
from streams.trust import TrustedTime

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


class _Open(NamedTuple):
    """A submission of which some events wait for being judged, by their positions, and the receipts so far."""

    submission: Submission
    receipts: list[Receipt]
    waiting: set[int]


class _Place(NamedTuple):
    """Where the receipt of an event belongs, and the event."""

    open: _Open
    number: int
    event: Event


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
        steady: seconds that pass as the wall's do, and never jump; unless given, ``seconds``.
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
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.trust = TrustedTime(
            wall,
            steady or seconds,
            # Else a wall that has jumped would make live data look recorded.
            step=timedelta(seconds=min(settings.step, settings.live_within / 2)),
            agreed=timedelta(seconds=settings.live_within),
        )
        self.present = Present()
        self.stays: dict[str, Stay] = {}
        self._connection = connection
        self._store = Store(connection)
        self._settings = settings
        self._wall = wall
        self._metrics = metrics
        self._seconds = seconds
        self._processor = Processor(
            packs,
            site,
            live_within=timedelta(seconds=settings.live_within),
            silence=timedelta(seconds=settings.silence),
            fetch=lambda name: reading.state(connection, name.encode()),
        )
        self._packer = Packer()
        self._rota = Rota(settings.snapshot_interval, min(1.0, settings.snapshot_interval))
        self._recent = Recent(settings.remembered)
        self._spoken: dict[str, int] = {}
        self._history: dict[str, int] = {}
        self._glances: dict[str, Glance] = {}
        self._places: dict[int, _Place] = {}
        """By position: the events that wait for being judged."""
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
        """The present of the data: the time that is trusted where they are live, else when the newest was received."""
        return self._of_record() or self.trust.arrival()

    def shown(self) -> datetime:
        """The present by which the age of data is told, see :meth:`streams.trust.TrustedTime.shown`."""
        return self._of_record() or self.trust.shown()

    def _of_record(self) -> datetime | None:
        clock = self._processor.clock(PARTITION)
        if clock.live or clock.newest is None:
            return None
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
        self._commit(self._processor.resume(PARTITION), _Batch())
        clock = self._processor.clock(PARTITION)
        if clock.live and clock.newest is not None:
            reached = clock.newest if kept.reached is None else kept.reached + timedelta(seconds=self._settings.silence)
            self.trust.go_on_from(max(clock.newest, reached))
        for name in self.patients:
            if not self._processor.away(PARTITION, name):
                self._catch_up(name)
        self._metrics.recovery.set(self._seconds() - began)

    @property
    def waiting(self) -> int:
        """How many events are stored and wait for being judged."""
        return self._processor.waiting(PARTITION)

    @property
    def busy(self) -> bool:
        """Whether anything is left to be judged: see :meth:`go_on`."""
        return self._processor.busy(PARTITION)

    def take(self, submissions: Sequence[Submission], notes: Iterable[Note] = ()) -> Committed:
        """Store messages, and judge a slice of them; a submission is answered once all of it is judged."""
        batch, outcome = _Batch(notes=list(notes)), Outcome()
        opened, fresh = self._sort_out(submissions, batch)
        nothing_new = [found for found in opened if not found.waiting]
        self._hear(fresh)
        arrived = self.trust.arrival()
        if fresh:
            segment, reads = self._packer.pack(self._next, arrived, fresh)
            outcome = self._processor.admit(PARTITION, reads)
            self._note_stays(fresh, batch)
        self._judge(outcome, batch)
        with transaction(self._connection):
            if fresh:
                self._store.append(segment)
            for submission in submissions:
                if submission.source is not None:
                    self._store.note_source(*submission.source)
            self._record(outcome, batch)
        self._next += len(fresh)
        self._settled(outcome, batch)
        return _committed(batch, [*nothing_new, *self._answered(outcome)])

    def go_on(self) -> Committed:
        """Judge another slice of what waits."""
        batch, outcome = _Batch(), Outcome()
        self._judge(outcome, batch)
        return self._commit(outcome, batch)

    def let_time_pass(self) -> Committed:
        """Let the trusted time move what is due, if the data are live and all that has come has been applied."""
        now = self.trust.now()
        return self._commit(
            Outcome() if now is None else self._processor.look_at_the_wall(PARTITION, now),
            _Batch(),
        )

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
        self._metrics.clock(self.trust)

    def finish(self) -> None:
        """Keep everything that is judged, so that the next start has nothing to read again."""
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
        looks: dict[str, Glance] = {}
        for name in patients:
            if self._processor.away(PARTITION, name):
                self._glances.pop(name, None)
                looks[name] = AWAY
                continue
            if name not in self._glances:
                self._glances[name] = glance(self._processor.engine(PARTITION, name))
            looks[name] = self._glances[name]
        return looks

    def _sort_out(self, submissions: Sequence[Submission], batch: _Batch) -> tuple[list[_Open], list[Event | TimeMark]]:
        """A receipt for every offer, and those that are new; of an event it says what is known before it is judged."""
        opened: list[_Open] = []
        fresh: list[Event | TimeMark] = []
        for number, submission in enumerate(submissions):
            here = _Open(submission, [], set())
            opened.append(here)
            for index, offer in enumerate(submission.offers):
                content = offer.content
                if isinstance(content, Unusable):
                    if content.received_at is not None:
                        self.trust.refuse(content.received_at)
                    place = f"{submission.arrived_at.isoformat()} {self._next}+{number}.{index}"
                    batch.refused.append(Refused(place, content.kind, content.text, submission.arrived_at, offer.raw))
                    here.receipts.append(Receipt("rejected", offer.reasons))
                elif isinstance(content, TimeMark):
                    fresh.append(content)
                    here.receipts.append(Receipt("accepted"))
                elif self._recent.knows(key_of(content)):
                    here.receipts.append(Receipt("duplicate", (), content.id))
                else:
                    here.receipts.append(Receipt("accepted" if offer.usable else "rejected", offer.reasons, content.id))
                    position = self._next + len(fresh)
                    here.waiting.add(position)
                    self._places[position] = _Place(here, len(here.receipts) - 1, content)
                    fresh.append(content)
        return opened, fresh

    def _hear(self, messages: Iterable[Event | TimeMark]) -> None:
        """Learn from events what time it is elsewhere; what the service itself says of that is its own."""
        received = [m.received_at for m in messages if isinstance(m, Event) and not is_own(m.source)]
        if received:
            self.trust.hear(max(received))

    def _note_stays(self, fresh: Iterable[Event | TimeMark], batch: _Batch) -> None:
        for content in fresh:
            if isinstance(content, Encounter):
                stay = self.stays.get(content.subject, Stay()).after(content)
                self.stays[content.subject] = batch.stays[content.subject] = stay

    def _judge(self, outcome: Outcome, batch: _Batch) -> None:
        """Judge a slice; what was refused at once goes into receipts, and what clinicians answered on record."""
        until = self._seconds() + self._settings.slice
        self._processor.judge(PARTITION, outcome, lambda: self._seconds() < until)
        letters = {rejected.letter.offset: rejected for rejected in outcome.rejected}
        for record in outcome.judged:
            place = self._places.get(record.offset)
            if place is None or not isinstance(place.event, Encounter | Action):
                continue
            rejected = letters.get(record.offset)
            if rejected is not None:
                why = (rejected.letter.reason,)
                place.open.receipts[place.number] = Receipt("rejected", why, place.event.id, rejected.kind)
            if isinstance(place.event, Action):
                batch.notes.append(_answered(place.event, rejected))

    def _answered(self, outcome: Outcome) -> list[_Open]:
        """The submissions of which the last event has been judged now."""
        answered = []
        for record in outcome.judged:
            place = self._places.pop(record.offset, None)
            if place is not None:
                place.open.waiting.discard(record.offset)
                if not place.open.waiting:
                    answered.append(place.open)
        return answered

    def _commit(self, outcome: Outcome, batch: _Batch) -> Committed:
        if outcome.said or outcome.rejected or outcome.urgent or batch.notes:
            with transaction(self._connection):
                self._record(outcome, batch)
        self._settled(outcome, batch)
        return _committed(batch, self._answered(outcome))

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
            letter = _kept(rejected, self.trust.arrival())
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

    def _settled(self, outcome: Outcome, batch: _Batch) -> None:
        """It is durable: count it, and see to the states of those who have changed."""
        now, arrival = self._seconds(), self.trust.arrival()
        latencies = [
            max(0.0, (arrival - said.arrived_at).total_seconds())
            for said in outcome.said
            if said.arrived_at is not None and isinstance(said.change, AlertChange)
        ]
        self._metrics.published(outcome, latencies)
        for refused in batch.refused:
            self._metrics.unreadable(refused.kind)
        for name in outcome.changed:
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
        """Forget by the time of the data: of what arrived, and is dated by the wall, no more than the wall says."""
        now, keep = self.now(), self._settings
        if self._processor.clock(PARTITION).newest is None:
            return False
        arrived = min(now, self._wall())
        before = Forgetting(
            events=to_instant(arrived - timedelta(days=keep.keep_events)),
            refused=to_instant(arrived - timedelta(days=keep.keep_alerts)),
            said=to_instant(now - timedelta(days=keep.keep_alerts)),
            history=to_instant(now - timedelta(hours=keep.keep_history)),
            floor=self._noted,
        )
        for name, entry in list(self.present.alerts.items()):
            if entry.over and now - entry.decided_at > _RECENTLY:
                del self.present.alerts[name]
        return self._store.forget(before, _FORGET_AT_ONCE)


def _committed(batch: _Batch, answers: Iterable[_Open]) -> Committed:
    return Committed(batch.entries, batch.stays, [(found.submission, found.receipts) for found in answers])


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
