"""The transport-free heart of every lasting runtime: records in, what is to be published and kept out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rules.brief import in_one
from rules.bulkhead import Fault
from rules.engine import PatientEngine
from rules.events import Action, Event, Resuscitation, encode
from rules.instants import to_instant
from rules.outputs import AlertChange, Change, Rejection, StatusChange
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.snapshot import SnapshotError
from streams.backlog import Backlog
from streams.clock import PartitionClock
from streams.deadletters import DeadLetter
from streams.deadlines import Deadlines
from streams.intake import Read, Record, TimeMark, Unusable
from streams.states import PARTITION_KEY, Made, PartitionState, PatientState, Positions, StateError, seal_of
from streams.topics import TopicName

LIVE_WITHIN: Final = timedelta(minutes=1)
"""The most that lies between receiving and arriving of live data."""

SILENCE: Final = timedelta(seconds=10)
"""How far the time of a partition in which nothing comes stays behind the one that is trusted."""


class Said(NamedTuple):
    """A change to be published, and when the record arrived that brought it about; None if time did."""

    change: AlertChange | StatusChange
    arrived_at: datetime | None


class SetAside(NamedTuple):
    """A fault of the monitor in one patient, who is named to nobody."""

    patient: str
    fault: Fault

    def text(self) -> str:
        """It in a line, with the places of the code, the innermost first."""
        _, during, kind, trace, _ = self.fault
        return f"{self.patient} is not watched: {kind} while {during}, at {' < '.join(reversed(trace))}"


class Rejected(NamedTuple):
    """A dead letter to be published, and its kind of reason for the figures."""

    letter: DeadLetter
    kind: str


@dataclass(slots=True)
class Outcome:
    """What came of a batch, all of it to be published before the batch counts as done.

    Attributes:
        said: changes of alerts and status; those of a patient in the order of their sequence numbers.
        rejected: what could not be used, or only in part.
        faults: patients who were set aside.
        judged: the records of events that have been judged.
        events: how many records were ``used``, ``known`` (applied before), ``rejected`` or a ``mark``, by input.
        changed: patients whose state is another one now.
        urgent: patients whose state is to be kept now, because to compute it again might not give the same: a record
            came too late for its order, was decided on as it came, or the wall clock had its part.
    """

    said: list[Said] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    faults: list[SetAside] = field(default_factory=list)
    judged: list[Record] = field(default_factory=list)
    events: Counter[tuple[TopicName, str]] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    urgent: set[str] = field(default_factory=set)

    @property
    def records(self) -> int:
        """How many records it came of."""
        return self.events.total()


@dataclass(slots=True)
class _Patient:
    """One patient; without an engine, ``state`` is what it is restored from once needed; ``kept`` marks the one kept.

    ``uncovered`` are the first records applied since the state was last kept, ``origins`` the records of events that
    the engine holds back, by the event's key: its sender and its id.
    """

    name: str
    partition: int
    engine: PatientEngine | None = None
    state: PatientState | None = None
    kept: bytes | None = None
    positions: dict[TopicName, int] = field(default_factory=dict)
    uncovered: dict[TopicName, int] = field(default_factory=dict)
    origins: dict[str, Record] = field(default_factory=dict)
    held_back: frozenset[tuple[TopicName, int]] = frozenset()
    """The records of events that the engine held back when the state was last kept."""
    fault: Fault | None = None
    """The one that has been told of."""

    @property
    def set_aside(self) -> bool:
        """Whether the patient is not watched because of a fault in the monitor."""
        if self.engine is not None:
            return self.engine.bulkhead.fault is not None
        return self.state is not None and self.state.set_aside


class _Partition:
    def __init__(self, number: int, clock: PartitionClock) -> None:
        self.number = number
        self.clock = clock
        self.patients: dict[str, _Patient] = {}
        self.deadlines = Deadlines()
        self.backlog = Backlog()
        self.unkept: dict[str, _Patient] = {}


class Processor:
    """The engines of the patients of some partitions.

    Records come in the order in which they are to be applied. What has been applied to a patient is part of the
    patient's state, so a record that comes again changes nothing. A runtime publishes an :class:`Outcome`, then keeps
    states (:meth:`state`, :meth:`kept`) as often as it likes, and may forget those records that lie before all of
    :meth:`uncovered`. After a crash it reads on from there: changes are computed again with the same ids and sequence
    numbers.

    Args:
        packs: the pathways to judge.
        settings: the site's settings.
        live_within: see :class:`streams.clock.PartitionClock`.
        silence: as above.
        fetch: the state that was kept of a patient; without it, the states of discharged patients stay in memory.
    """

    def __init__(
        self,
        packs: Sequence[Pack],
        settings: SiteSettings,
        *,
        live_within: timedelta = LIVE_WITHIN,
        silence: timedelta = SILENCE,
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        self._packs = packs
        self._settings = settings
        self._clock = (settings.lateness, live_within, silence)
        self._made = Made.by(packs, settings)
        self._fetch = fetch
        self._partitions: dict[int, _Partition] = {}

    @property
    def partitions(self) -> Iterable[int]:
        """Those that have been taken over."""
        return self._partitions.keys()

    @property
    def patients(self) -> int:
        """How many patients are known."""
        return sum(len(partition.patients) for partition in self._partitions.values())

    @property
    def set_aside(self) -> int:
        """How many of them are not watched, because of a fault in the monitor."""
        everybody = (patient for here in self._partitions.values() for patient in here.patients.values())
        return sum(patient.set_aside for patient in everybody)

    def adopt(self, partition: int, states: Mapping[bytes, bytes]) -> PartitionState:
        """Take over a partition with the states that are kept of it, by key; returns its own.

        A patient of a partition that was had before, and has not changed since the state was kept, is gone on with.

        Raises:
            StateError: naming the state that cannot be continued from; the partition is not taken over then.
        """
        before = self._partitions.pop(partition, None)
        adopted = _Partition(partition, PartitionClock(*self._clock))
        kept = PartitionState({}, None, live=False)
        for key, data in states.items():
            try:
                if key == PARTITION_KEY:
                    kept = PartitionState.from_bytes(data)
                    adopted.clock.newest, adopted.clock.live = kept.newest, kept.live
                    continue
                name, state = key.decode(), PatientState.from_bytes(data)
                state.made.demand(self._made)
            except StateError as error:
                raise StateError(f"partition {partition}, state of {_veiled(key)}: {error}") from None
            known = None if before is None or name in before.unkept else before.patients.get(name)
            if known is None or known.kept != seal_of(data):
                known = _Patient(
                    name,
                    partition,
                    state=self._resting(state),
                    positions=dict(state.positions),
                    kept=seal_of(data),
                    held_back=frozenset(state.origins.values()),
                )
            adopted.patients[name] = known
            # Whether another version failed is known to the engine only, and this one is to try again.
            adopted.deadlines.note(name, self._engine(known).due if state.set_aside else state.due)
        self._partitions[partition] = adopted
        return kept

    def release(self, partition: int) -> None:
        """Forget a partition."""
        self._partitions.pop(partition, None)

    def process(self, partition: int, records: Iterable[Read]) -> Outcome:
        """Apply records of one partition in their order, and meet the deadlines that have passed by then."""
        outcome = self.admit(partition, records)
        while self.waiting(partition):
            self.judge(partition, outcome)
        self._meet_what_is_due(self._partitions[partition], outcome)
        return outcome

    def resume(self, partition: int) -> Outcome:
        """Everything has been read again that no state covers: decide what had been decided by what states do cover."""
        here, outcome = self._partitions[partition], Outcome()
        here.clock.resume()
        self._meet_deadlines(here, outcome)
        return outcome

    def admit(self, partition: int, records: Iterable[Read]) -> Outcome:
        """Take in records of one partition in their order; their events wait for :meth:`judge`."""
        here, outcome = self._partitions[partition], Outcome()
        for record, content in records:
            if isinstance(content, Unusable):
                outcome.events[record.topic, "rejected"] += 1
                outcome.rejected.append(Rejected(record.rejected(f"{content.kind}: {content.text}"), content.kind))
            elif isinstance(content, TimeMark):
                outcome.events[record.topic, "mark"] += 1
                here.clock.mark(content.received_at)
            else:
                here.clock.receive(content.received_at, record.arrived_at)
                here.backlog.add(record, content)
        return outcome

    def judge(self, partition: int, outcome: Outcome, go_on: Callable[[], bool] = lambda: True) -> Outcome:
        """Judge what waits and meet the deadlines that have passed, a step at least, and more while it may go on.

        What presses is judged alone, so that it is answered. Nobody's deadline is met while an event of that patient
        waits that was received before it: so each patient is judged as if everything were judged at once.
        """
        here = self._partitions[partition]
        backlog, touched = here.backlog, set[str]()
        pressing = backlog.pressing
        while len(backlog) and backlog.pressing is pressing:
            record, event = backlog.take()
            self._apply(here, record, event, outcome)
            touched.add(event.subject)
            if not go_on():
                break
        for name in touched:
            self._note_deadline(here, here.patients[name])
        if not pressing:
            self._meet_what_is_due(here, outcome, go_on)
        return outcome

    def waiting(self, partition: int) -> int:
        """How many events of a partition wait for being judged."""
        return len(self._partitions[partition].backlog)

    def busy(self, partition: int) -> bool:
        """Whether anything is left to be judged of what has come, or of the time that has passed by it."""
        here = self._partitions[partition]
        due, reached = here.deadlines.next, here.clock.reached
        return len(here.backlog) > 0 or (due is not None and reached is not None and due <= reached)

    def look_at_the_wall(self, partition: int, now: datetime) -> Outcome:
        """Let time pass up to ``now`` in a partition of which all that is there has been applied, if it is live."""
        here, outcome = self._partitions[partition], Outcome()
        if here.clock.look_at_the_wall(now):
            self._meet_what_is_due(here, outcome)
        return outcome

    def clock(self, partition: int) -> PartitionClock:
        """How far time has come in a partition."""
        return self._partitions[partition].clock

    def names(self, partition: int) -> list[str]:
        """The patients of a partition."""
        return list(self._partitions[partition].patients)

    def engine(self, partition: int, name: str) -> PatientEngine:
        """The engine of a patient, to be looked at and not to be changed; of somebody who is away, a copy.

        Raises:
            KeyError: if there is no such patient.
        """
        patient = self._partitions[partition].patients[name]
        if self.away(partition, name) and patient.state is not None:
            return self._restored(patient, patient.state)
        return self._engine(patient)

    def away(self, partition: int, name: str) -> bool:
        """Whether a patient has been discharged and left memory: the engine comes back with the next event."""
        patient = self._partitions[partition].patients[name]
        return patient.engine is None and patient.state is not None and patient.state.away

    def unkept(self, partition: int) -> Iterable[str]:
        """The patients of a partition who have changed since their state was last kept."""
        return self._partitions[partition].unkept.keys()

    def state(self, partition: int, name: str) -> bytes:
        """The present state of a patient, to be kept under the patient's name."""
        patient = self._partitions[partition].patients[name]
        engine = self._engine(patient)
        origins = {event: (record.topic, record.offset) for event, record in patient.origins.items()}
        aside, away = patient.set_aside, engine.away
        state = PatientState(
            self._made, dict(patient.positions), engine.due, origins, engine.snapshot(), aside, away and not aside
        )
        data = state.to_bytes()
        patient.kept = seal_of(data)
        patient.held_back = frozenset(origins.values())
        patient.state = self._resting(state) if state.away else None
        return data

    def kept(self, partition: int, names: Iterable[str]) -> None:
        """These patients' states have been kept, as they are now; whoever is away leaves memory."""
        here = self._partitions[partition]
        for name in names:
            patient = here.patients[name]
            patient.uncovered.clear()
            here.unkept.pop(name, None)
            if patient.state is not None and patient.state.away:
                patient.engine = None

    def uncovered(self, partition: int) -> dict[TopicName, int]:
        """The first record of each input that is in no state that has been kept."""
        first: dict[TopicName, int] = {}
        here = self._partitions[partition]
        for offsets in (here.backlog.oldest(), *(patient.uncovered for patient in here.unkept.values())):
            for topic, offset in offsets.items():
                first[topic] = min(offset, first.get(topic, offset))
        return first

    def held_back(self, partition: int) -> set[tuple[TopicName, int]]:
        """The records of which the states that are kept hold the events back: these may be refused later."""
        return {record for patient in self._partitions[partition].patients.values() for record in patient.held_back}

    def partition_state(self, partition: int, floors: Positions, letters: int = 0) -> bytes:
        """The state of a partition, to be kept under :data:`streams.states.PARTITION_KEY`."""
        clock = self._partitions[partition].clock
        return PartitionState(floors, clock.newest, clock.live, letters, clock.reached).to_bytes()

    def _apply(self, here: _Partition, record: Record, event: Event, outcome: Outcome) -> None:
        patient = here.patients.get(event.subject)
        if patient is None:
            patient = here.patients[event.subject] = _Patient(event.subject, here.number)
        outcome.judged.append(record)
        if record.offset <= patient.positions.get(record.topic, -1):
            outcome.events[record.topic, "known"] += 1
            return
        outcome.events[record.topic, "used"] += 1
        outcome.changed.add(patient.name)
        engine = self._engine(patient)
        patient.state = None
        patient.positions[record.topic] = record.offset
        patient.uncovered.setdefault(record.topic, record.offset)
        if event.key not in engine.waiting:  # else it is held back already, and stays that record's
            patient.origins[event.key] = record
        here.unkept[patient.name] = patient
        late = engine.reached is not None and to_instant(event.received_at) <= engine.reached
        changes = engine.observe(event)
        self._tell(patient, changes, outcome, record.arrived_at)
        if len(patient.origins) > len(engine.waiting):
            patient.origins = {key: origin for key, origin in patient.origins.items() if key in engine.waiting}
        if late or (changes and isinstance(event, Resuscitation | Action)):
            outcome.urgent.add(patient.name)

    def _meet_deadlines(
        self, here: _Partition, outcome: Outcome, go_on: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Decide what is due by the time of the partition; returns the patients of whom that changed something."""
        reached = here.clock.reached
        changed: list[str] = []
        if reached is None:
            return changed
        going_on = True
        for name in here.deadlines.take(reached):
            if name in here.backlog:
                continue  # it is noted again with what waits
            patient = here.patients[name]
            if not going_on:
                self._note_deadline(here, patient)
                continue
            was_away = self.away(here.number, name)
            changes = self._engine(patient).advance(reached)
            self._note_deadline(here, patient)
            going_on = go_on()
            if changes:
                patient.state = None
                self._tell(patient, changes, outcome, None)
                here.unkept[name] = patient
                outcome.changed.add(name)
                changed.append(name)
            elif was_away:
                self._rest_again(here, patient, outcome)
        return changed

    def _meet_what_is_due(self, here: _Partition, outcome: Outcome, go_on: Callable[[], bool] = lambda: True) -> None:
        """The same; what only the wall has brought about is to be kept at once: read again, it would not come again."""
        changed = self._meet_deadlines(here, outcome, go_on)
        if here.clock.by_wall:
            outcome.urgent.update(changed)

    def _rest_again(self, here: _Partition, patient: _Patient, outcome: Outcome) -> None:
        """Time alone said nothing: the state that is kept will do, or is kept once more so that it names the next."""
        if patient.engine is not None and patient.state is not None and patient.engine.due == patient.state.due:
            patient.engine = None
            return
        patient.state = None
        here.unkept[patient.name] = patient
        outcome.changed.add(patient.name)

    def _note_deadline(self, here: _Partition, patient: _Patient) -> None:
        due = patient.engine.due if patient.engine is not None else patient.state.due if patient.state else None
        here.deadlines.note(patient.name, due)

    def _tell(
        self, patient: _Patient, changes: Iterable[Change], outcome: Outcome, arrived_at: datetime | None
    ) -> None:
        refused: dict[str, list[Rejection]] = {}
        for change in changes:
            if isinstance(change, Rejection):
                refused.setdefault(f"{change.source} {change.event}", []).append(change)
            else:
                outcome.said.append(Said(change, arrived_at))
        fault = None if patient.engine is None else patient.engine.bulkhead.fault
        if fault is not None and fault != patient.fault:
            outcome.faults.append(SetAside(_veiled(patient.name.encode()), fault))
        patient.fault = fault
        for event, reasons in refused.items():
            record = patient.origins[event]
            text = in_one(f"{reason.reason}: {reason.place or 'event'}: {reason.detail}" for reason in reasons)
            outcome.rejected.append(Rejected(record.rejected(text), reasons[0].reason))

    def _engine(self, patient: _Patient) -> PatientEngine:
        if patient.engine is None and patient.state is None:
            patient.engine = PatientEngine(patient.name, self._packs, self._settings)
        elif patient.engine is None and patient.state is not None:
            patient.engine = self._restored(patient, patient.state)
            patient.fault = patient.engine.bulkhead.fault
            if not patient.state.away:
                patient.state = None
        assert patient.engine is not None  # noqa: S101 - for the type checker: one of the two has set it
        return patient.engine

    def _resting(self, state: PatientState) -> PatientState:
        """A state as it is held; of somebody who is away, the snapshot is fetched when it is needed."""
        return state if self._fetch is None or not state.away else replace(state, snapshot=b"")

    def _restored(self, patient: _Patient, state: PatientState) -> PatientEngine:
        snapshot = state.snapshot
        if not snapshot and self._fetch is not None:
            snapshot = PatientState.from_bytes(self._fetch(patient.name)).snapshot
        try:
            engine = PatientEngine.restore(snapshot, self._packs, self._settings)
        except SnapshotError as error:
            raise StateError(f"state of {_veiled(patient.name.encode())}: {error}") from None
        if engine.patient != patient.name:
            raise StateError(f"state of {_veiled(patient.name.encode())} is that of another patient")
        held = {event.key: event for _, _, event in engine.pending}
        for key, (topic, offset) in state.origins.items():
            # Of a record only its place is kept; the event is the same in other words.
            if (event := held.get(key)) is not None:
                record = Record(
                    topic, patient.partition, offset, event.subject.encode(), encode(event).encode(), event.received_at
                )
                patient.origins[key] = record
        return engine


def _veiled(key: bytes) -> str:
    """A patient as somebody who is not named: whoever has the name can find out that it is meant."""
    return f"patient sha256:{hashlib.sha256(key).hexdigest()[:12]}"
