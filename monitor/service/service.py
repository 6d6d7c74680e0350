"""What the paths share: the runtime behind its thread, the board, the live feed, the database to read from."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

from monitor.service.board import Board
from monitor.service.guard import Guard
from monitor.service.heads import Heads
from monitor.service.hub import Hub, beat, encode
from monitor.service.lanes import Lane
from monitor.service.liveness import Liveness
from monitor.service.models import Beat, ClockStatus
from monitor.service.naming import Names
from monitor.service.pages import Page, Pages
from monitor.service.problems import ProblemError
from rules.engine import PatientEngine
from rules.glance import Glance
from rules.pack import Pack
from rules.settings import SiteSettings
from streams.embedded.database import open_database
from streams.embedded.driver import BusyError, Driver, StoppedError
from streams.embedded.offers import Examiner, Offer, Receipt, Submission
from streams.embedded.runtime import Committed, Runtime
from streams.embedded.seals import DamagedError, is_damage
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.wall import Wall
from streams.metrics import WorkerMetrics

T = TypeVar("T")

BEAT_EVERY: Final = 5.0
_LOOKS_AT_ONCE: Final = 50
_BETWEEN: Final = 0.002
"""Seconds between two pages of the feed that are sent, whoever reads them (local setting)."""

_STUCK_AFTER: Final = 60.0
_FORGET_EVERY: Final = 60.0
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What a service is started with.

    Attributes:
        unit: what the unit is called.
        packs: the pathways that are judged.
        settings: the site's settings.
        runtime: the runtime's.
        wall: the time of day.
        seconds: a clock that never goes back.
        path: the database.
        steady: seconds that pass as the wall's do, and never jump.
    """

    unit: str
    packs: tuple[Pack, ...]
    settings: SiteSettings
    runtime: EmbeddedSettings
    wall: Wall
    seconds: Callable[[], float]
    path: Path
    steady: Callable[[], float] = time.monotonic


class Service:
    """One running service; made in the event loop.

    Args:
        site: what it is started with.
        runtime: has been recovered.
        guard: lets people in.
        metrics: the runtime's.
        liveness: knows how the inputs are.
        heads: publishes the head of the audit.
        failed: ends the process: something unexpected has happened.
    """

    def __init__(
        self,
        site: Site,
        runtime: Runtime,
        guard: Guard,
        metrics: WorkerMetrics,
        liveness: Liveness,
        heads: Heads,
        failed: Callable[[Exception], None],
    ) -> None:
        self.site = site
        self.guard = guard
        self.metrics = metrics
        self.liveness = liveness
        self._heads = heads
        self.names = Names(site.packs, site.settings)
        self.board = Board(self.names, runtime.present, runtime.stays)
        self.hub = Hub()
        self.position = runtime.position
        self.examiner = Examiner(site.packs, site.settings, site.settings.future_skew)
        self._runtime = runtime
        self._loop = asyncio.get_running_loop()
        self._driver = Driver(runtime, site.runtime, self._tell, failed, site.seconds)
        self._readers = _Readers(site.path)
        self._pages = Pages(self.board)
        self.bodies = Lane(1)
        """Large bodies are read one after the other: else many wait to be stored, and what presses behind them."""
        self._short = Lane(2)
        self._long = Lane(1, lambda: self._driver.waiting > 0, between=_BETWEEN)
        self._copies: dict[str, tuple[float, bytes]] = {}
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take messages from now on."""
        self.guard.record = self._driver.note
        self._driver.start()
        self._beating = self._loop.create_task(self._beat())
        self.metrics.ready.set(1)

    async def stop(self) -> None:
        """Apply what is waiting, keep everything, and end."""
        self.metrics.ready.set(0)
        if self._beating is not None:
            self._beating.cancel()
        self.hub.close()
        self.guard.settle(ending=True)
        await run_in_threadpool(self._driver.stop)
        await self._publish()
        self._readers.close()

    @property
    def alive(self) -> bool:
        """Whether the runtime still does something."""
        return self.site.seconds() - self._driver.seen < _STUCK_AFTER

    def now(self) -> datetime:
        """The present of the data."""
        return self._runtime.now()

    def shown(self) -> datetime:
        """The present by which screens tell how old the data are."""
        return self._runtime.shown()

    def arrival(self) -> datetime:
        """The latest that it may be, by which messages from the future are known."""
        return self._runtime.trust.latest()

    def clock(self) -> ClockStatus:
        """How this machine's clock stands to its senders'."""
        trust = self._runtime.trust
        skew = trust.skew
        seconds = None if skew is None else round(skew.total_seconds(), 1)
        return ClockStatus(skew=seconds, doubted=trust.doubted, warning=trust.warning)

    async def submit(self, offers: Sequence[Offer], arrived_at: datetime) -> list[Receipt]:
        """Have messages applied; what became of each, once that is durable.

        Raises:
            ProblemError: if too many are waiting, or the service ends.
        """
        answer: asyncio.Future[list[Receipt]] = self._loop.create_future()

        def done(receipts: list[Receipt]) -> None:
            if not answer.done():
                answer.set_result(receipts)

        try:
            self._driver.submit(Submission(offers, arrived_at, done))
        except BusyError:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS, "too many events are waiting", {"Retry-After": "1"}
            ) from None
        except StoppedError:
            raise _ending() from None
        return await answer

    def hand_over(self, submission: Submission) -> None:
        """Have messages applied, from any thread.

        Raises:
            BusyError: if too many are waiting.
            StoppedError: if the service ends.
        """
        self._driver.submit(submission)

    async def look(self, patients: Sequence[str]) -> dict[str, Glance]:
        """A look at some patients, a few at a time, so that messages need not wait for it."""
        found: dict[str, Glance] = {}
        for start in range(0, len(patients), _LOOKS_AT_ONCE):
            some = patients[start : start + _LOOKS_AT_ONCE]
            found |= await self._ask(partial(Runtime.look, patients=some))
        return found

    async def patients(self) -> list[str]:
        """Everybody of whom anything is known."""
        return await self._ask(lambda runtime: runtime.patients)

    async def with_engine(self, patient: str, work: Callable[[PatientEngine], T]) -> T:
        """Do something with a private copy of a patient's engine, not more than a second old.

        Raises:
            ProblemError: if there is no such patient.
        """
        now = self.site.seconds()
        taken, data = self._copies.get(patient, (0.0, b""))
        if not data or now - taken > 1.0:
            try:
                data = await self._ask(partial(Runtime.snapshot, patient=patient))
            except KeyError:
                raise ProblemError(HTTPStatus.NOT_FOUND, "no such patient") from None
            self._copies = {name: copy for name, copy in self._copies.items() if now - copy[0] <= 1.0}
            self._copies[patient] = (now, data)
        return await self._short.run(partial(self._work, data, work))

    async def page(self, position: int) -> Page:
        """What follows a position of the feed, when judging leaves time for it.

        Raises:
            ProblemError: if it is damaged.
        """
        held = self._pages.held(position)
        if held is None:
            return await self.read(partial(self._pages.read, position=position), long=True)
        await self._long.pace()
        return held

    async def read(self, question: Callable[[sqlite3.Connection], T], *, long: bool = False) -> T:
        """Ask the database something, beside the thread that writes; what is ``long`` gives way to judging.

        Raises:
            ProblemError: if what was asked for is damaged; everything else is still served.
        """
        try:
            return await (self._long if long else self._short).run(partial(self._readers.ask, question))
        except (DamagedError, sqlite3.Error) as error:
            if not is_damage(error):
                raise
            _log.error("what was kept is damaged: %s; see: rescue-monitor database check", error)
            raise ProblemError(
                HTTPStatus.INTERNAL_SERVER_ERROR, "what was kept of this is damaged: see rescue-monitor database check"
            ) from None

    async def _publish(self) -> None:
        try:
            await self.read(partial(self._heads.publish, now=self.site.wall()))
        except (sqlite3.Error, ProblemError) as error:
            _log.error("the head of the audit cannot be published: %s", error)

    def _work(self, data: bytes, work: Callable[[PatientEngine], T]) -> T:
        return work(PatientEngine.restore(data, self.site.packs, self.site.settings))

    async def _ask(self, question: Callable[[Runtime], T]) -> T:
        try:
            return await asyncio.wrap_future(self._driver.ask(question))
        except StoppedError:
            raise _ending() from None

    def _tell(self, committed: Committed) -> None:
        """In the runtime's thread: something has become durable."""
        if committed.entries or committed.answers or committed.stays:
            self._loop.call_soon_threadsafe(self._told, committed)

    def _told(self, committed: Committed) -> None:
        self.board.add(committed.entries, committed.stays)
        if committed.entries:
            self.position = committed.entries[-1].position
            if self.hub.readers:
                self.hub.publish([encode(entry, self.board) for entry in committed.entries])
        for submission, receipts in committed.answers:
            submission.done(receipts)

    async def _beat(self) -> None:
        """Give signs of life, put on record whom the guard turned away, and forget what ended some time ago."""
        forgotten = self.site.seconds()
        while True:
            await asyncio.sleep(BEAT_EVERY)
            self.hub.publish([beat(Beat(now=self.shown(), position=self.position))])
            self.guard.settle()
            if self._heads.due(self.site.wall()):
                await self._publish()
            self.metrics.lag.set(self._driver.waiting)
            if self.site.seconds() - forgotten >= _FORGET_EVERY:
                forgotten = self.site.seconds()
                self.board.forget(self.now())


class _Readers:
    """Connections that only read, one for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_database(self._path, read_only=True)
            with self._lock:
                self._all.append(connection)
        return question(connection)

    def close(self) -> None:
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()


def _ending() -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the service ends", {"Retry-After": "5"})
