"""One seed of the service on one machine: what happens to it, step by step, and what must hold after each."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

from rules.events import Event, decode
from rules.outputs import Change, Rejection, encode_change
from streams.embedded.damage import check
from streams.embedded.database import DatabaseError, open_database
from streams.embedded.entries import Entry
from streams.embedded.offers import Offer, order_of
from streams.embedded.repair import repair
from streams.embedded.runtime import PARTITION, Runtime
from streams.embedded.seals import DamagedError, is_damage
from streams.embedded.segments import Packer
from streams.embedded.store import segments
from streams.states import PARTITION_KEY
from streams.topics import topic_of
from streams.trust import STEP
from tests.simulation import promises
from tests.simulation.chronicle import Chronicle
from tests.simulation.disk import Files
from tests.simulation.files import LogFile
from tests.simulation.people import People
from tests.simulation.senders import CHART, Message, Sender, senders
from tests.simulation.service import SETTINGS, SITE, SLICE, Service, packs
from tests.simulation.world import START, Fault, Step, World, demand, planned

STEPS: Final = 22
_AT_ONCE: Final = 12
"""Messages that a sender sends together at most."""

_READ_AGAIN: Final = SETTINGS.snapshot_interval + SETTINGS.note_interval + 2 * SLICE
"""A restart reads again what arrived in so many seconds of work at most."""

_MARK: Final = b'{"kind":"time"'
_CALLS: Final = 40
_AFTERWARDS: Final = 1500.0
_ARMED: Final = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.TORN, Fault.FULL)


class EmbeddedWard:
    """A small ward, its service, and everybody around it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.service = Service(world, folder)
        self.people = People(world)
        self.chronicle = Chronicle(world)
        self._log: list[bytes] = []
        self._seen_at: list[float] = []
        self._accepted: list[bytes] = []
        self._refused: list[bytes] = []
        self._newest = START
        self._packer = Packer()
        self._beside = folder / "beside"
        self._beside.mkdir()
        self._senders = senders(world, 2)
        self._sent: dict[bytes, Message] = {m.raw: m for sender in self._senders for m in sender.messages}
        self._files: list[LogFile] = []
        if world.chance.random() < 0.5:
            chart = next(sender for sender in self._senders if sender.name == CHART)
            self._files.append(LogFile(chart, self.service, folder, world))
            self._senders.remove(chart)
        self._does: dict[str, Callable[[Random], None]] = {
            "messages come": self._deliver,
            "people answer": self._answer,
            "people look": lambda _: self.people.look(self.service.told),
            "the disk will fail": self._arm,
            "it is killed": lambda _: self.service.kill(),
            "the clock is set": self._set_clock,
            "a bit flips": self._flip,
            "other packs": self._other_packs,
            "the file is rotated": self._rotate,
        }

    @property
    def told(self) -> list[Entry]:
        """What whoever watches has been told."""
        return self.service.told

    @staticmethod
    def plan(world: World) -> list[Step]:
        """What is to happen; each step has its own choices."""
        kinds = {
            "messages come": 9,
            "people answer": 3,
            "people look": 2,
            "the disk will fail": 5,
            "it is killed": 2,
            "the clock is set": 1,
            "a bit flips": 1,
            "other packs": 0.4,
            "the file is rotated": 1.5,
        }
        return planned(world.seed, kinds, STEPS, (5, 60, 200, 400))

    def run(self, steps: Sequence[Step]) -> None:
        """Let it all happen.

        Raises:
            BrokenPromiseError: as soon as a promise does not hold.
        """
        with self.chronicle.kept():
            try:
                self.service.keep_running()
                for step in steps:
                    self.service.pass_time(step.after)
                    self._does[step.what](Random(step.chance))
                    self._check()
                self._settle()
                self._check_everything()
            finally:
                for file in self._files:
                    file.close()
                self.service.end()
                self.service.disk.settle()

    def _deliver(self, chance: Random) -> None:
        """Everybody sends what is due."""
        for sender in self._senders:
            while due := sender.due(self.world.seconds, chance.randint(1, _AT_ONCE)):
                if not self._send(due):
                    break
                sender.done += len(due)
        for file in self._files:
            file.write()
            file.read()

    def _send(self, messages: Sequence[Message]) -> bool:
        """Send messages over HTTP; whether they were answered."""
        if not self.service.keep_running():
            return False
        wall = self.service.arrival()
        offers = [self.service.examiner.read(message.raw, wall) for message in messages]
        order = order_of(offers)
        receipts = self.service.send([offers[place] for place in order])
        if not receipts:
            return False
        for place, receipt in zip(order, receipts, strict=True):
            self._answered(offers[place], messages[place], rejected=receipt.status == "rejected", wall=wall)
        return True

    def _answered(self, offer: Offer, message: Message, *, rejected: bool, wall: datetime) -> None:
        if isinstance(offer.content, Event):
            early = offer.content.received_at - wall
            demand(early <= SITE.future_skew, "what says that it comes from the future is refused")
            self._accepted.append(message.raw)
        else:
            demand(rejected, "what cannot be read is refused")
            self._refused.append(message.raw)

    def _answer(self, chance: Random) -> None:
        runtime = self.service.runtime
        if runtime is None:
            return
        given = self.people.answers(self.service.told, runtime.now(), chance)
        if not given:
            return
        offers = [self.service.examiner.examine(one.action, self.service.arrival()) for one in given]
        self._sent.update({promises.line_of(one.action): Message(0, b"", one.action) for one in given})
        receipts = self.service.send(offers)
        if receipts:
            self.people.told(given, receipts)
            taken = zip(given, offers, strict=True)
            self._accepted += [promises.line_of(one.action) for one, offer in taken if isinstance(offer.content, Event)]
        if chance.random() < 0.5:
            self.people.look(self.service.told)

    def _arm(self, chance: Random) -> None:
        self.service.disk.arm(chance.choice(_ARMED), chance.randrange(_CALLS))

    def _set_clock(self, chance: Random) -> None:
        if self.world.stepped:
            self.world.stepped = 0.0
        elif chance.random() < 0.6:
            self.world.inject(Fault.STEPPED_AHEAD)
            self.world.stepped = chance.choice((45.0, 900.0, 86_400.0))
        else:
            self.world.inject(Fault.STEPPED_BACK)
            self.world.stepped = -chance.choice((20.0, 300.0, 7200.0))
        self.service.see_the_clock()

    def _flip(self, chance: Random) -> None:
        """A bit flips while the service is down; whoever runs it puts back a copy once that is noticed."""
        service = self.service
        if not service.keep_running():
            return
        service.end()
        service.disk.disarm()
        service.disk.settle()
        copy, told = service.disk.files(), list(service.told)
        if not service.disk.flip(chance):
            return
        damaged = service.disk.files()
        if self._is_noticed():
            service.end()
            service.disk.settle()
            self._repair(damaged)
            service.disk.put(copy)
            service.told = told

    def _repair(self, damaged: Files) -> None:
        """Somebody tries beside it what a repair is worth: the service begins on it, and no event is there twice."""
        path = self._beside / "monitor.db"
        path.write_bytes(damaged.database)
        path.with_name("monitor.db-wal").write_bytes(damaged.log)
        try:
            repair(path)
        except DatabaseError:
            return  # nothing of it can be read, and that is said
        with closing(open_database(path)) as connection:
            left = [found for found in check(connection) if found.table != "audit"]  # whose chain stays broken
            demand(not left, f"what was repaired is whole: {left}")
            runtime = self.service.runtime_on(connection)
            runtime.recover()
            lines = [line for one in segments(connection, 0) for line in self._packer.lines(one)]
            promises.invented_nothing(lines, self._sent)
            promises.lost_nothing(lines, ())

    def _is_noticed(self) -> bool:
        """Whether what lies on the disk is known to be damaged; what is not is read as it was written."""
        try:
            self.service.start()
            runtime = self.service.runtime
            if runtime is None or check(runtime._connection):
                return True
            self._check()
        except (DamagedError, DatabaseError):
            return True
        except sqlite3.Error as error:
            demand(is_damage(error), f"a flipped bit is called damage: {error}")
            return True
        return False

    def _other_packs(self, _: Random) -> None:
        """Somebody starts it with other rules: it refuses, and nothing is changed by that."""
        self.service.disk.disarm()
        if not self.service.keep_running() or not self._states():
            return
        self.world.inject(Fault.OTHER_PACKS)
        demand(self.service.refuses(packs()[:-1]), "what other rules have said is not gone on with")

    def _rotate(self, chance: Random) -> None:
        for file in self._files:
            if chance.random() < 0.5:
                file.write()
            if chance.random() < 0.5:
                file.read()
            file.rotate()

    def _settle(self) -> None:
        """Nothing goes wrong any more: all that is still on its way comes, time passes, and it is started once more."""
        self.service.disk.disarm()
        self.world.stepped = 0.0
        last = max((message.due for sender in self._everybody() for message in sender.messages), default=0.0)
        self.service.pass_time(max(SLICE, last + 1 - self.world.seconds))
        self._deliver(self.world.chance)
        self.service.pass_time(_AFTERWARDS)
        self._deliver(self.world.chance)
        demand(all(sender.done == len(sender.messages) for sender in self._everybody()), "ready: all is taken in")
        self._check()
        self.service.end()
        demand(self.service.keep_running(), "ready again")
        self.service.pass_time(SLICE)

    def _everybody(self) -> list[Sender]:
        return [*self._senders, *(file.sender for file in self._files)]

    def _check(self) -> None:
        """What must hold after every step, as long as the service runs."""
        runtime = self.service.runtime
        if runtime is None:
            return
        with self.service.disk.quietly():
            kept = [line for one in segments(runtime._connection, 0) for line in self._packer.lines(one)]
            promises.never_taken_back(self._log, kept, "log")
            self._newest = max([self._newest, *map(_received, kept[len(self._log) :])])
            self._log = kept
            promises.lost_nothing(kept, self._accepted)
            promises.invented_nothing(kept, self._sent)
            self._check_feed(runtime)
            rejected = {value for (value,) in runtime._connection.execute("SELECT value FROM rejected")}
            lost = [raw for raw in self._refused if raw not in rejected]
            demand(not lost, f"what was refused is kept with its reason: {lost[:1]}")
        said = [entry.change for entry in self.service.told]
        clock = runtime._processor.clock(PARTITION)
        engines = [runtime._processor.engine(PARTITION, name) for name in runtime.patients]
        promises.nobody_looks_quiet(engines, said, clock.reached)
        if not self.service.misled:
            # A sender may be ahead by as much as is believed, and the machine's own clock by a step beyond that.
            ahead = self.world.true_time() + SITE.future_skew
            promises.time_is_true(clock.reached, max(ahead, self._newest) + STEP)
        self.people.check(self.service.told)
        self._check_restart(runtime)

    def _check_feed(self, runtime: Runtime) -> None:
        """Whoever watches was told what is in the database, all of it, and in its order."""
        rows = runtime._connection.execute("SELECT position, said FROM feed ORDER BY position").fetchall()
        told = [(entry.position, encode_change(entry.change)) for entry in self.service.told]
        demand(rows == told, "who watches is told what is durable, each change once")
        sequences: defaultdict[str, int] = defaultdict(int)
        for entry in self.service.told:
            if not isinstance(entry.change, Rejection):
                sequences[entry.change.patient] += 1
                right = entry.change.sequence == sequences[entry.change.patient]
                demand(right, f"changes are numbered without a hole: {entry.change.sequence}")

    def _check_restart(self, runtime: Runtime) -> None:
        """Whenever it is killed, a restart has little to read again: it is ready soon."""
        now = self.world.seconds
        self._seen_at += [now] * (len(self._log) - len(self._seen_at))
        if now - self.service.began_at > _READ_AGAIN and runtime._noted < len(self._log):
            ago = now - self._seen_at[runtime._noted]
            demand(ago <= _READ_AGAIN, f"ready again soon: what came {ago:.0f} s ago would be read again")

    def _check_everything(self) -> None:
        """What takes too long after every step: each patient is played again from what the engine was told."""
        runtime = self.service.runtime
        assert runtime is not None
        events: defaultdict[str, list[Event]] = defaultdict(list)
        places: dict[str, str] = {}
        for position, line in enumerate(self._log):
            if not line.startswith(_MARK):
                event = decode(line)
                events[event.subject].append(event)
                places[f"{event.subject} {event.key}"] = f"{topic_of(event)}[0]@{position}"
        letters: list[str] = []
        replayed: list[Change] = []
        for patient in runtime.patients:
            told = self.chronicle.told(runtime._processor.engine(PARTITION, patient))
            promises.heard_in_order(told, events[patient])
            again = promises.said_again(patient, told)
            words = [entry.change for entry in self.service.told if entry.change.patient == patient]
            spoken = [encode_change(change) for change in words if not isinstance(change, Rejection)]
            promises.says_what_a_replay_says(spoken, again)
            letters += {
                places[f"{patient} {change.source} {change.event}"] for change in again if isinstance(change, Rejection)
            }
            replayed += again
            if self.world.seed % 5 == 0 and promises.can_be_worked_out(told):
                promises.says_what_the_reference_says(told, words)
        self._check_database(runtime, letters)

    def _check_database(self, runtime: Runtime, letters: Sequence[str]) -> None:
        connection = runtime._connection
        found = [place for (place,) in connection.execute("SELECT place FROM rejected WHERE place LIKE 'icu.%'")]
        promises.dead_letters_once(found, letters)
        states = dict(connection.execute("SELECT id, state FROM alerts").fetchall())
        promises.stands_as_said([entry.change for entry in self.service.told], states)
        written = [message.raw for file in self._files for message in file.written]
        values = {value for (value,) in connection.execute("SELECT value FROM rejected")}
        lost = [raw for raw in written if raw not in values and raw not in self._log]
        demand(not lost, f"a followed file is read wholly: {lost[:1]}")

    def _states(self) -> int:
        runtime = self.service.runtime
        if runtime is None:
            return 0
        sql = "SELECT count(*) FROM states WHERE key != ?"
        with self.service.disk.quietly():
            (found,) = runtime._connection.execute(sql, (PARTITION_KEY,)).fetchone()
        return int(found)


def _received(line: bytes) -> datetime:
    """When an event was received, by who sent it; a time mark is older than anything."""
    return START if line.startswith(_MARK) else decode(line).received_at
