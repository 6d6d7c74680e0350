"""Bugs that are planted on purpose, one of each kind: a simulation that does not find them watches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from rules.alerts import Book
from rules.bulkhead import Bulkhead
from rules.engine import PatientEngine
from rules.outputs import Change
from streams.clock import PartitionClock
from streams.embedded import database, seals, store
from streams.embedded.offers import Examiner, Receipt, Submission
from streams.embedded.recent import Recent
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from streams.following import Following
from streams.intake import Record
from streams.kafka.keeper import Keeper
from streams.letterbox import Letterbox
from streams.processor import Processor
from streams.states import Made, PartitionState, StateError
from streams.trust import TrustedTime
from tests.simulation.broker import Broker, Client, Place
from tests.simulation.cluster import ClusterWard
from tests.simulation.embedded import EmbeddedWard
from tests.simulation.workers import Worker

Ward = type[EmbeddedWard | ClusterWard]


class Bug(NamedTuple):
    """What is wrong, how it is planted, in which ward it shows, and a seed from which on it is soon found."""

    what: str
    ward: Ward
    plant: Callable[[], AbstractContextManager[Any]]
    first: int = 0


def _acknowledged_before_it_is_stored() -> AbstractContextManager[Any]:
    take = Runtime.take

    def early(self: Runtime, submissions: Sequence[Submission], notes: Any = ()) -> Any:
        for one in submissions:
            one.done([Receipt("accepted" if offer.usable else "rejected") for offer in one.offers])
        return take(self, [one._replace(done=lambda _: None) for one in submissions], notes)

    return patch.object(Runtime, "take", early)


def _not_forced_onto_the_disk() -> AbstractContextManager[Any]:
    prepare = database._prepare

    def hasty(connection: Any, *rest: Any, **named: Any) -> None:
        prepare(connection, *rest, **named)
        connection.execute("PRAGMA synchronous = OFF")

    return patch.object(database, "_prepare", hasty)


def _marks_before_their_lines() -> AbstractContextManager[Any]:
    take = Runtime.take

    def hasty(self: Runtime, submissions: Sequence[Submission], notes: Any = ()) -> Any:
        with database.transaction(self._connection):
            for one in submissions:
                if one.source is not None:
                    self._store.note_source(*one.source)
        return take(self, submissions, notes)

    return patch.object(Runtime, "take", hasty)


def _state_without_its_floor() -> AbstractContextManager[Any]:
    """A restart reads from where the last note is, which is ahead of the state."""
    return patch.object(Processor, "uncovered", lambda self, partition: {})


def _floors_too_far() -> AbstractContextManager[Any]:
    to_bytes = PartitionState.to_bytes

    def hasty(self: PartitionState) -> bytes:
        further = {name: floor + 2 for name, floor in self.floors.items()}
        return to_bytes(PartitionState(further, self.newest, self.live, self.letters))

    return patch.object(PartitionState, "to_bytes", hasty)


def _dead_letter_lost() -> AbstractContextManager[Any]:
    refuse = Store.refuse
    return patch.object(Store, "refuse", lambda self, refused: refused.kind != "malformed" and refuse(self, refused))


def _dead_letter_twice() -> AbstractContextManager[Any]:
    return patch.object(Letterbox, "holds", lambda self, source: False)


def _duplicate_taken_in() -> AbstractContextManager[Any]:
    return patch.object(Recent, "fill", lambda self, keys: None)


def _said_twice() -> AbstractContextManager[Any]:
    """After a restart it is not known what was said."""
    patients = store.patients
    return patch.object(
        store, "patients", lambda connection: {name: (0, stay) for name, (_, stay) in patients(connection).items()}
    )


def _set_aside_stops_everybody() -> AbstractContextManager[Any]:
    def stop(engine: PatientEngine, error: Exception, during: str, now: int) -> list[Change]:
        raise error

    return patch.object(PatientEngine, "_set_aside", stop)


def _set_aside_in_silence() -> AbstractContextManager[Any]:
    def silent(self: Bulkhead, fault: Any) -> Iterator[Any]:
        self.fault = fault
        return iter(())

    return patch.object(Bulkhead, "set_aside", silent)


def _one_bad_record_stops_its_input() -> AbstractContextManager[Any]:
    examine = Examiner.examine

    def unguarded(self: Examiner, event: Any, arrived_at: datetime, message: bytes = b"") -> Any:
        list(self._translator.facts(event))
        return examine(self, event, arrived_at, message)

    return patch.object(Examiner, "examine", unguarded)


def _given_up_is_read() -> AbstractContextManager[Any]:
    def all_of_it(self: Broker, place: Place, begin: int = 0) -> list[Record]:
        return [stored.record for stored in self.inputs[place][begin:] if stored.record is not None]

    given = Worker._given

    def delivered(self: Worker, place: Place, most: int) -> Iterator[Record]:
        with patch.object(Broker, "records", all_of_it):
            found = list(given(self, place, most))
        yield from found

    return patch.object(Worker, "_given", delivered)


def _flipped_bit_not_noticed() -> AbstractContextManager[Any]:
    def trusting(table: str, row: Any) -> Any:
        return tuple(row[:-1])

    return patch.object(seals, "opened", trusting)


def _answer_to_a_later_alert() -> AbstractContextManager[Any]:
    objection = Book.objection

    def blind(self: Book, alert: Any, pathway: Any, action: Any) -> Any:
        return objection(self, alert, pathway, action.model_copy(update={"based_on": 10**6}))

    return patch.object(Book, "objection", blind)


def _clock_is_believed() -> AbstractContextManager[Any]:
    return patch.object(TrustedTime, "now", lambda self: self._wall())


def _sender_from_the_future() -> AbstractContextManager[Any]:
    init = Examiner.__init__

    def trusting(self: Examiner, packs: Any, settings: Any, ahead: timedelta) -> None:
        init(self, packs, settings, ahead + timedelta(hours=2))

    return patch.object(Examiner, "__init__", trusting)


def _other_packs_gone_on_with() -> AbstractContextManager[Any]:
    restored = Processor._restored

    def anew(self: Processor, patient: Any, state: Any) -> PatientEngine:
        try:
            return restored(self, patient, state)
        except StateError:
            return PatientEngine(patient.name, self._packs, self._settings)

    both = ExitStack()
    both.enter_context(patch.object(Made, "demand", lambda self, present: None))
    both.enter_context(patch.object(Processor, "_restored", anew))
    return both


def _wall_forgotten() -> AbstractContextManager[Any]:
    """What only the wall brought about is not kept at once."""
    return patch.object(PartitionClock, "by_wall", property(lambda self: False, lambda self, value: None), create=True)


def _deadline_missed() -> AbstractContextManager[Any]:
    return patch.object(Processor, "_note_deadline", lambda self, here, patient: None)


def _offsets_before_states() -> AbstractContextManager[Any]:
    keep = Keeper._keep

    async def hasty(self: Keeper, names: Any, also: set[int]) -> None:
        for number in also:
            self._floors.update({(name, number): offset for name, offset in self._feeds[number].floors().items()})
        await self._membership.commit()
        await keep(self, names, also)

    return patch.object(Keeper, "_keep", hasty)


def _replaced_goes_on() -> AbstractContextManager[Any]:
    return patch.object(Client, "lasts", lambda self: True)


def _renamed_file_forgotten() -> AbstractContextManager[Any]:
    take_up = Following._take_up

    def careless(self: Following, there: Any, seconds: float) -> bool:
        taken = take_up(self, there, seconds)
        for file in self._files[:-1] if taken else ():
            file.close()
        if taken:
            del self._files[:-1]
        return taken

    return patch.object(Following, "_take_up", careless)


BUGS: Final[Sequence[Bug]] = (
    Bug("an event is acknowledged before it is stored", EmbeddedWard, _acknowledged_before_it_is_stored),
    Bug("what is committed is not forced onto the disk", EmbeddedWard, _not_forced_onto_the_disk),
    Bug("how far a file was read is noted before its lines are stored", EmbeddedWard, _marks_before_their_lines, 14),
    Bug("a state is stored without its floor", EmbeddedWard, _state_without_its_floor, 6),
    Bug("floors are noted too far ahead", ClusterWard, _floors_too_far),
    Bug("a dead letter is lost", EmbeddedWard, _dead_letter_lost),
    Bug("a dead letter is published twice", ClusterWard, _dead_letter_twice, 95),
    Bug("an event that is sent again is taken in again", EmbeddedWard, _duplicate_taken_in),
    Bug("what was said is said again after a restart", EmbeddedWard, _said_twice),
    Bug("a patient who is set aside stops everybody", EmbeddedWard, _set_aside_stops_everybody),
    Bug("a patient is set aside in silence", ClusterWard, _set_aside_in_silence, 11),
    Bug("one bad record stops its input", EmbeddedWard, _one_bad_record_stops_its_input),
    Bug("a record of a transaction that was given up is an event", ClusterWard, _given_up_is_read),
    Bug("a flipped bit is not noticed", EmbeddedWard, _flipped_bit_not_noticed),
    Bug("an answer is applied to a later alert", EmbeddedWard, _answer_to_a_later_alert, 58),
    Bug("the machine's clock is believed", EmbeddedWard, _clock_is_believed, 18),
    Bug("a sender's clock is believed", EmbeddedWard, _sender_from_the_future),
    Bug("what other packs said is gone on with", EmbeddedWard, _other_packs_gone_on_with),
    Bug("what the wall brought about is not kept", EmbeddedWard, _wall_forgotten, 178),
    Bug("a deadline is missed", EmbeddedWard, _deadline_missed),
    Bug("offsets are committed before states", ClusterWard, _offsets_before_states),
    Bug("a worker that was replaced goes on", ClusterWard, _replaced_goes_on, 9),
    Bug("a file that was renamed is forgotten", EmbeddedWard, _renamed_file_forgotten, 32),
)
