"""The workers of a group, without their event loop: what each is given to read, and who takes over from whom."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from random import Random
from typing import Any, Final

from streams.intake import Read, Record
from streams.kafka.claims import Claim
from streams.kafka.keeper import Keeper, LeaseLostError
from streams.kafka.settings import WorkerSettings
from streams.metrics import WorkerMetrics
from streams.processor import Outcome, Processor
from streams.states import StateError
from streams.topics import INPUTS, TopicName
from tests.simulation.broker import PARTITIONS, Broker, Client, Place, WorkerKilledError
from tests.simulation.service import SITE, packs
from tests.simulation.world import BrokenPromiseError, World, demand

SETTINGS: Final = WorkerSettings()
_CLAIM: Final = Claim(group="workers", partitions=PARTITIONS, topics={name: f"id of {name}" for name in INPUTS})
_ALL: Final = 1 << 20


class NotingProcessor(Processor):
    """Notes whose last decision would not be the same again: their state is stored soon, but after what was said."""

    def __init__(self) -> None:
        super().__init__(packs(), SITE)
        self.urgent: set[str] = set()
        self.keeping: set[str] = set()
        """Whose state is on its way."""

    def stored(self) -> None:
        """What was on its way is there."""
        self.urgent -= self.keeping
        self.keeping.clear()

    def kept(self, partition: int, names: Iterable[str]) -> None:
        self.keeping.update(names)
        super().kept(partition, names)

    def process(self, partition: int, records: Iterable[Read]) -> Outcome:
        return self._noted(super().process(partition, records))

    def look_at_the_wall(self, partition: int, now: datetime) -> Outcome:
        return self._noted(super().look_at_the_wall(partition, now))

    def _noted(self, outcome: Outcome) -> Outcome:
        self.stored()  # else nothing more would have been done
        self.urgent |= outcome.urgent
        return outcome


class Worker:
    """One process of the group; where it is ``calm``, nothing is late, and no input is waited for in vain."""

    def __init__(self, broker: Broker, world: World, *, calm: bool) -> None:
        self.floors: dict[tuple[TopicName, int], int] = {}
        self.client = Client(broker, world, self.floors)
        self.processor = NotingProcessor()
        self.keeper = Keeper(
            self.processor,
            SETTINGS,
            SITE.future_skew,
            outbox=self.client,
            journal=self.client,
            membership=self.client,
            floors=self.floors,
            metrics=WorkerMetrics(lambda: 0.0),
            prefix="",
            claim=_CLAIM,
            clock=world.clock,
            wall=world.wall,
        )
        self.alive = True
        self.calm = calm
        self._broker = broker
        self._world = world
        self._positions: dict[Place, int] = {}

    def take_over(self, partitions: set[int]) -> None:
        """Take partitions, and read on from what is committed."""
        self.client.alive_at = self._world.clock()
        self.client.reach.clear()
        self._positions = {
            Place(topic, number): self._broker.committed.get(Place(topic, number), 0)
            for topic in INPUTS
            for number in partitions
        }
        self.do(self.keeper.take_over(partitions))

    def read(self, chance: Random) -> bool:
        """Read some of what is there, in any order of the inputs, or all of it; whether there was anything."""
        self.client.alive_at = self._world.clock()
        places = list(self._positions)
        chance.shuffle(places)
        most = _ALL if self.calm else chance.randint(1, 12)
        given = [list(self._given(place, most)) for place in places]
        for records in [list(chain.from_iterable(given))] if self.calm else given:
            if self.alive and records:
                self.do(self.keeper.take(records))
        return any(given)

    def look_around(self) -> None:
        """Do what is due."""
        self.client.alive_at = self._world.clock()
        self.do(self.keeper.look_around())

    def commit(self) -> None:
        """Commit, as happens now and then."""
        if self.alive:
            self.do(self.client.commit())

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something to its end; nothing in it waits for anybody else, and the process may end in it."""
        try:
            while self.alive:
                work.send(None)
        except StopIteration:
            self.processor.stored()
        except (WorkerKilledError, LeaseLostError):
            self.kill()
        except BrokenPromiseError:
            raise
        except StateError as error:
            demand(False, f"ready again: the kept state cannot be continued from: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the process ends
            demand(False, f"nothing ends a worker while its brokers work: {type(error).__name__}: {error}")
        finally:
            work.close()

    def kill(self) -> None:
        """The process is gone between two things that it does."""
        self.alive = False
        self._leave_in_doubt()

    def _leave_in_doubt(self) -> None:
        """Of whom something was said that whoever reads again may not say: where messages are late, of everybody."""
        self._broker.in_doubt |= self.processor.urgent
        if not self.calm:
            self._broker.in_doubt |= self.processor.keeping
            for number in self.keeper.partitions:
                self._broker.in_doubt.update(self.processor.unkept(number))

    def _given(self, place: Place, most: int) -> Iterator[Record]:
        """The next records of an input; what is none is read past."""
        begin = self._positions[place]
        records = list(islice(self._broker.records(place, begin), most))
        end = len(self._broker.inputs[place])
        self._positions[place] = records[-1].offset + 1 if len(records) == most else end
        self.client.reach.note(place, self._positions[place], records[-1].offset if records else None)
        yield from records


class Group:
    """Workers who share the partitions; who ends is started again."""

    def __init__(self, broker: Broker, world: World, *, calm: bool) -> None:
        self.workers = [Worker(broker, world, calm=calm), Worker(broker, world, calm=calm)]
        self._calm = calm
        self._broker = broker
        self._world = world
        self._dealt = [{0}, {1}]

    def begin(self) -> None:
        """Everybody takes what is theirs."""
        for worker, partitions in zip(self.workers, self._dealt, strict=True):
            worker.take_over(partitions)

    def look_after(self) -> None:
        """Who has ended is started again, and takes over what it had."""
        for place, worker in enumerate(self.workers):
            if not worker.alive:
                self.workers[place] = Worker(self._broker, self._world, calm=self._calm)
                self.workers[place].take_over(self._dealt[place])

    def deal_anew(self, chance: Random) -> None:
        """Partitions are taken away, and dealt out in another way."""
        for worker in self.workers:
            worker.client.alive_at = self._world.clock()
            worker.do(worker.keeper.hand_over())
        self._dealt = chance.choice([[{0}, {1}], [{1}, {0}], [{0, 1}, set()], [set(), {0, 1}]])
        for worker, partitions in zip(self.workers, self._dealt, strict=True):
            if worker.alive:
                worker.take_over(partitions)

    def replace(self, place: int) -> Worker:
        """A worker gives no sign of life for too long, and another has its partitions; the one that was replaced."""
        old = self.workers[place]
        old._leave_in_doubt()
        self.workers[place] = Worker(self._broker, self._world, calm=self._calm)
        self.workers[place].take_over(self._dealt[place])
        return old
