"""One seed of the workers on a cluster: what happens to them, step by step, and what must hold after each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final
from zlib import crc32

from rules.events import Event
from rules.outputs import AlertChange, Rejection, StatusChange, encode_change
from streams.embedded.entries import Entry, Present
from streams.intake import Read, TimeMark, Unusable, read
from streams.kafka.clients import Message as Published
from streams.topics import INPUTS, TopicName, topic_of
from tests.simulation import promises
from tests.simulation.broker import PARTITIONS, Broker, Place, source_of
from tests.simulation.chronicle import Chronicle
from tests.simulation.people import Answered, People
from tests.simulation.senders import Message, senders
from tests.simulation.service import SITE
from tests.simulation.workers import Group
from tests.simulation.world import Fault, Step, World, demand, planned

STEPS: Final = 26
_AT_LAST: Final = 40
"""Rounds in which everything that is there is read and let go."""

_SENDS: Final = 8
_ARMED: Final = (Fault.SEND_BEFORE, Fault.SEND_PARTLY, Fault.SEND_AFTER)
_MODELS: Final[dict[TopicName, type[AlertChange | StatusChange]]] = {
    TopicName.ALERTS: AlertChange,
    TopicName.STATUS: StatusChange,
}


class ClusterWard:
    """A small ward on a cluster, two workers, and everybody around them."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.chronicle = Chronicle(world)
        self.broker = Broker(world)
        self._calm = world.chance.random() < 0.5
        self.group = Group(self.broker, world, calm=self._calm)
        self.people = People(world, "ward-screen")
        self.told: list[Entry] = []
        self._present = Present()
        self._heard = 0
        self._said: dict[tuple[str, int], str] = {}
        self._answers: list[Answered] = []
        self._senders = senders(world, 2, punctual=self._calm)
        self._does: dict[str, Callable[[Random], None]] = {
            "messages come": self._produce,
            "workers read": self._read,
            "people answer": self._answer,
            "people look": lambda _: self.people.look(self.told),
            "a send will fail": self._arm,
            "a worker is killed": self._kill,
            "partitions are dealt out": self._deal,
            "a worker is replaced": self._replace,
            "commits are lost": self._lose_commits,
            "the clock is set": self._set_clock,
        }

    @staticmethod
    def plan(world: World) -> list[Step]:
        """What is to happen; each step has its own choices."""
        kinds = {
            "messages come": 6,
            "workers read": 8,
            "people answer": 2,
            "people look": 1.5,
            "a send will fail": 5,
            "a worker is killed": 1.5,
            "partitions are dealt out": 2,
            "a worker is replaced": 1,
            "commits are lost": 1,
            "the clock is set": 0.5,
        }
        return planned(world.seed, kinds, STEPS, (2, 30, 120, 300))

    def run(self, steps: Sequence[Step]) -> None:
        """Let it all happen.

        Raises:
            BrokenPromiseError: as soon as a promise does not hold.
        """
        with self.chronicle.kept():
            self.group.begin()
            for step in steps:
                self.world.seconds += step.after
                self.group.look_after()
                self._does[step.what](Random(step.chance))
                self._check()
            self._settle()
            self._check_everything()

    def _produce(self, chance: Random) -> None:
        """Everybody sends what is due, some in transactions, of which some are given up."""
        for sender in self._senders:
            due = sender.due(self.world.seconds, len(sender.messages))
            sender.done += len(due)
            for message in due:
                self._append(message, chance)

    def _append(self, message: Message, chance: Random) -> None:
        event = message.event
        key = (event.subject if event is not None else "nobody").encode()
        topic = chance.choice(INPUTS) if event is None else topic_of(event)
        place, now = Place(topic, crc32(key) % PARTITIONS), self.world.true_time()
        fate = chance.random()
        if event is not None and fate < 0.1:
            # What was going to be said, and then was not: nobody may read it.
            self.world.inject(Fault.ABORTED)
            ghost = event.model_copy(update={"id": f"given-up-{event.id}"})
            self.broker.append(place, key, promises.line_of(ghost), now, counts=False)
            self.broker.end_transaction(place)
        self.broker.append(place, key, message.raw, now, counts=True)
        if fate > 0.8:
            self.broker.end_transaction(place)

    def _read(self, chance: Random) -> None:
        for worker in self.group.workers:
            for _ in range(chance.randint(1, 4)):
                worker.read(chance)
                self.world.seconds += chance.choice((0.1, 1.0, 1.5 if self._calm else 12.0))
                if worker.alive:
                    worker.look_around()
            if chance.random() < 0.5:
                worker.commit()

    def _answer(self, chance: Random) -> None:
        given = self.people.answers(self.told, self.world.true_time(), chance)
        if given:
            self.world.inject(Fault.TWO_ANSWERS)
        for one in given:
            key = one.action.subject.encode()
            place = Place(TopicName.ACTIONS, crc32(key) % PARTITIONS)
            self.broker.append(place, key, promises.line_of(one.action), self.world.true_time(), counts=True)
        self._answers += given

    def _arm(self, chance: Random) -> None:
        worker = chance.choice(self.group.workers)
        worker.client.arm(chance.choice(_ARMED), chance.randrange(_SENDS), chance)

    def _kill(self, chance: Random) -> None:
        self.world.inject(Fault.KILLED)
        chance.choice(self.group.workers).kill()

    def _deal(self, chance: Random) -> None:
        self.world.inject(Fault.REBALANCED)
        self.group.deal_anew(chance)
        self.group.look_after()

    def _replace(self, chance: Random) -> None:
        """A worker stands still, another takes over, and the first goes on as if nothing had happened."""
        old = self.group.replace(chance.randrange(2))
        self.world.inject(Fault.REPLACED)
        self._read(chance)
        before = (len(self.broker.said), {key: dict(states) for key, states in self.broker.states.items()})
        self.world.seconds += 60.0
        for worker in self.group.workers:
            worker.client.alive_at = self.world.clock()
        if old.alive:
            old.do(old.keeper.look_around())
            old.do(old.keeper.hand_over())
        after = (len(self.broker.said), {key: dict(states) for key, states in self.broker.states.items()})
        demand(before == after, "who may have been replaced writes nothing")

    def _lose_commits(self, _: Random) -> None:
        self.broker.loses_commits = not self.broker.loses_commits

    def _set_clock(self, chance: Random) -> None:
        self.world.stepped = 0.0 if self.world.stepped else chance.choice((45.0, 86_400.0, -300.0))
        if self.world.stepped:
            self.world.inject(Fault.STEPPED_AHEAD if self.world.stepped > 0 else Fault.STEPPED_BACK)

    def _settle(self) -> None:
        """Nothing goes wrong any more, and all that is there is read."""
        self.world.stepped, self.broker.loses_commits = 0.0, False
        self.group.look_after()
        for worker in self.group.workers:
            worker.client.disarm()
        last = max((message.due for sender in self._senders for message in sender.messages), default=0.0)
        self.world.seconds = max(self.world.seconds + 60.0, last + 1.0)
        self._produce(self.world.chance)
        self._read_all()
        self.world.seconds += 1500.0
        self._read_all()
        self._deal(self.world.chance)
        self._read_all()
        lag = sum(worker.keeper.lag for worker in self.group.workers)
        demand(lag == 0, f"ready again: all that is there is applied, {lag} records are not")

    def _read_all(self) -> None:
        for _ in range(_AT_LAST):
            found = [worker.read(self.world.chance) for worker in self.group.workers]
            self.world.seconds += 6.0
            for worker in self.group.workers:
                worker.look_around()
            if not any(found) and not any(worker.keeper.lag for worker in self.group.workers):
                break

    def _check(self) -> None:
        """What must hold after every step."""
        for message in self.broker.said[self._heard :]:
            self._hear(message)
        self._heard = len(self.broker.said)
        said = [entry.change for entry in self.told]
        for worker in self.group.workers:
            for number in worker.keeper.partitions if worker.alive else ():
                engines = [worker.processor.engine(number, name) for name in worker.processor.names(number)]
                promises.nobody_looks_quiet(engines, said, worker.processor.clock(number).reached)
        for number, letters in self.broker.letters.items():
            places = [source_of(letter) for letter in letters]
            demand(len(places) == len(set(places)), f"each dead letter is published once: {number} {places}")

    def _hear(self, message: Published) -> None:
        """Who watches is told a change once, however often it is published: always the same."""
        change = _MODELS[message.topic].model_validate_json(message.value or b"")
        line = encode_change(change)
        key = change.patient, change.sequence
        if change.patient in self.broker.in_doubt:
            self._said[key] = line
        before = self._said.setdefault(key, line)
        demand(before == line, f"what was said stays as it was: {before}, then {line}")
        self.told.append(self._present.next(len(self.told) + 1, change))

    def _check_everything(self) -> None:
        """Each patient is played again from what the engine was told."""
        self._check()
        for worker in self.group.workers:
            for number in worker.keeper.partitions:
                self._check_partition(worker.processor.names(number), number, self._contents(number))

    def _contents(self, number: int) -> list[Read]:
        return [
            read(record, SITE.future_skew) for topic in INPUTS for record in self.broker.records(Place(topic, number))
        ]

    def _check_partition(self, patients: Sequence[str], number: int, contents: Sequence[Read]) -> None:
        events: defaultdict[str, list[tuple[Event, str]]] = defaultdict(list)
        letters = []
        for record, content in contents:
            place = f"{record.topic}@{record.offset}"
            if isinstance(content, Unusable):
                letters.append(place)
            elif not isinstance(content, TimeMark):
                events[content.subject].append((content, place))
        demand(events.keys() == set(patients), "everybody of whom something came is known")
        for patient in patients:
            letters += self._check_patient(patient, number, events[patient])
        found = ["{}@{}".format(*source_of(letter)) for letter in self.broker.letters[number]]
        promises.dead_letters_once(found, letters)

    def _check_patient(self, patient: str, number: int, events: Sequence[tuple[Event, str]]) -> set[str]:
        """The places of the dead letters that there must be."""
        worker = next(worker for worker in self.group.workers if number in worker.keeper.partitions)
        told = self.chronicle.told(worker.processor.engine(number, patient))
        heard = [one for one in told if isinstance(one, Event)]
        for topic in INPUTS:
            mine = [event for event in heard if topic_of(event) is topic]
            promises.heard_in_order(mine, [event for event, _ in events if topic_of(event) is topic])
        again = promises.said_again(patient, told)
        words = [self._said[key] for key in sorted(self._said) if key[0] == patient]
        if patient in self.broker.in_doubt:
            # What was said before may be longer; what is true now was said last.
            words = words[: sum(not isinstance(change, Rejection) for change in again)]
        promises.says_what_a_replay_says(words, again)
        if self.world.seed % 5 == 0 and promises.can_be_worked_out(told):
            said = [entry.change for entry in self.told if entry.change.patient == patient]
            last = {change.sequence: change for change in said if not isinstance(change, Rejection)}
            promises.says_what_the_reference_says(told, list(last.values()))
        refused = {change.event for change in again if isinstance(change, Rejection)}
        keys = {f"{change.source} {change.event}" for change in again if isinstance(change, Rejection)}
        given = [one for one in self._answers if one.action.subject == patient]
        self.people.taken = [one for one in given if one.action.id not in refused]
        self.people.check([entry for entry in self.told if entry.change.patient == patient])
        return {next(place for event, place in events if event.key == key) for key in keys}
