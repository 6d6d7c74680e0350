"""The service on one machine, without its threads: its disk, its runtime, and what those who watch are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from math import inf
from pathlib import Path
from typing import Final

from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.embedded.damage import demand_whole
from streams.embedded.database import DatabaseError, open_database
from streams.embedded.driver import Driver
from streams.embedded.entries import Entry
from streams.embedded.leftover import demand_readable
from streams.embedded.offers import Examiner, Offer, Receipt, Submission
from streams.embedded.runtime import Committed, Runtime
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.store import entries_after
from streams.metrics import WorkerMetrics
from streams.states import StateError
from tests.simulation.disk import Disk, PowerLostError
from tests.simulation.world import BrokenPromiseError, Fault, World, demand

SITE: Final = SiteSettings.model_validate(
    {
        "norepinephrine_salt": "base",
        "escalation": {
            "HIGH": [{"role": "consultant", "after": "PT5M"}, {"role": "head", "after": "PT20M"}],
        },
    }
)
SETTINGS: Final = EmbeddedSettings(gather=0, queue=40)
SLICE: Final = 120.0
"""Seconds that pass in one go."""
_TURN: Final = 0.001


@cache
def packs() -> tuple[Pack, ...]:
    """The bundled ones."""
    return load_packs()


class Service:
    """One service and all its processes, one after the other.

    Attributes:
        told: the feed, as whoever watches has been told it; outlasts every process.
        began_at: when the present process began.
        misled: whether the clock of the machine was ahead before a process had heard what time it is elsewhere, so that
            it had to believe that clock.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.disk = Disk(folder, world)
        self.told: list[Entry] = []
        self.examiner = Examiner(packs(), SITE, SITE.future_skew)
        self.runtime: Runtime | None = None
        self.began_at = 0.0
        self.misled = False
        self._world = world
        self._driver: Driver | None = None
        self._whenever_started: list[Callable[[], None]] = []
        self._whenever_time_passes: list[Callable[[], object]] = []

    def see_the_clock(self) -> None:
        """The clock of the machine has been set."""
        heard = self.runtime is not None and self.runtime.trust.skew is not None
        self.misled |= self._world.stepped > 0 and not heard

    def whenever_started(self, do: Callable[[], None]) -> None:
        """Have something done with each process when it begins."""
        self._whenever_started.append(do)

    def whenever_time_passes(self, do: Callable[[], object]) -> None:
        """Have something done by the other threads of a process."""
        self._whenever_time_passes.append(do)

    def start(self, rules: Sequence[Pack] | None = None) -> None:
        """Start a process; whatever is wrong is raised."""
        world, disk = self._world, self.disk
        disk.settle()
        try:
            with disk.plugged_in():
                demand_readable(disk.path)
                connection = open_database(disk.path)
            demand_whole(connection)
            runtime = self.runtime_on(connection, rules)
            runtime.recover()
            self.began_at = world.seconds
            self.see_the_clock()
            self.runtime, self._driver = runtime, Driver(runtime, SETTINGS, self._hear, _raise, world.clock)
            self._driver._tidier._look_at = inf  # the collector of the process that simulates is no part of it
            # Whoever watches goes on behind what they were told last.
            self.told += entries_after(connection, self.told[-1].position if self.told else 0, 1_000_000)
            for do in self._whenever_started:
                do()
        except BaseException:
            self.end()
            raise

    def runtime_on(self, connection: sqlite3.Connection, rules: Sequence[Pack] | None = None) -> Runtime:
        """A runtime that has not been recovered."""
        return Runtime(
            connection,
            packs() if rules is None else rules,
            SITE,
            SETTINGS,
            wall=self._world.wall,
            metrics=WorkerMetrics(lambda: 0.0),
            seconds=self._world.clock,
        )

    def keep_running(self) -> bool:
        """Start it if it has ended, as a supervisor does; false if it cannot run because the disk is full.

        Whatever else keeps it from running breaks the promise to be ready again.
        """
        while self.runtime is None:
            try:
                self.start()
            except PowerLostError:
                continue
            except BrokenPromiseError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
                full = isinstance(error, sqlite3.OperationalError | DatabaseError) and self.disk.full
                demand(full, f"ready again: it does not start: {type(error).__name__}: {error}")
                return False
        return True

    def end(self) -> None:
        """The process is gone, whatever it was doing."""
        self.disk.lose_power()
        self.runtime = self._driver = None

    def submit(self, *submissions: Submission) -> None:
        """Have messages applied; returns when all are durable, and what is due by then is decided.

        Raises:
            PowerLostError: if the process has ended meanwhile.
        """
        driver = self._running()
        for submission in submissions:
            driver.submit(submission)
        while self.runtime is not None and (driver.waiting or self.runtime.busy):
            self.turn()

    def send(self, offers: Sequence[Offer]) -> list[Receipt] | None:
        """Offer messages; the receipts, or None if nobody answered."""
        receipts: list[Receipt] = []
        with suppress(PowerLostError):
            self.submit(Submission(offers, self.arrival(), receipts.extend))
            return receipts
        return None

    def arrival(self) -> datetime:
        """The latest that it may be, as the process that runs sees it."""
        return self._world.wall() if self.runtime is None else self.runtime.trust.latest()

    def pass_time(self, seconds: float) -> None:
        """Time passes, and the process does what is due."""
        left = seconds
        while left > 0:
            self._world.seconds += min(left, SLICE)
            left -= SLICE
            if self.keep_running():
                with suppress(PowerLostError):
                    self.turn()
                for do in self._whenever_time_passes:
                    do()
                self.checkpoint()

    def checkpoint(self) -> None:
        """What has been committed is moved from the log into the database, as another thread does."""
        if self.runtime is not None:
            with self.disk.quietly():
                self.runtime._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def turn(self) -> None:
        """One turn of the runtime's thread; what is not expected ends the process.

        Raises:
            PowerLostError: if the process has ended.
        """
        driver = self._running()
        self._world.seconds += _TURN
        driver.ask(lambda runtime: None)  # so that it need not wait for somebody to come
        try:
            driver._turn()
        except PowerLostError:
            self.end()
            raise
        except BrokenPromiseError:
            raise
        except Exception as error:  # noqa: BLE001 - as the thread itself does
            full = isinstance(error, sqlite3.OperationalError) and self.disk.full
            demand(full, f"nothing ends the service while its disk works: {type(error).__name__}: {error}")
            self.end()
            raise PowerLostError from None

    def refuses(self, rules: Sequence[Pack]) -> bool:
        """Whether it refuses to go on under other rules."""
        self.end()
        try:
            self.start(rules)
        except StateError:
            return True
        except PowerLostError:
            return True
        return False

    def kill(self) -> None:
        """End the process between two turns."""
        if self.runtime is not None:
            self._world.inject(Fault.KILLED)
            self.end()

    def _running(self) -> Driver:
        if self._driver is None:
            raise PowerLostError
        return self._driver

    def _hear(self, committed: Committed) -> None:
        self.told += committed.entries
        for submission, receipts in committed.answers:
            submission.done(receipts)


def _raise(error: Exception) -> None:
    raise error
