"""An embedded runtime for tests: its time is set, and it crashes on demand."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rules.events import Event
from rules.outputs import Change, Rejection
from rules.settings import SiteSettings
from streams.embedded.database import open_database
from streams.embedded.entries import Entry
from streams.embedded.offers import Examiner, Offer, Receipt, Submission
from streams.embedded.runtime import Committed, Runtime
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.store import entries_after
from streams.intake import TimeMark
from streams.metrics import WorkerMetrics
from tests.streams.stream import SITE, Words, packs, words

LONG_AFTER = datetime(2027, 1, 1, tzinfo=UTC)
"""When the demo's log arrives: it is not live."""


class Embedded:
    """One database and the runtimes that work on it, one after the other."""

    def __init__(
        self, path: Path, settings: EmbeddedSettings | None = None, site: SiteSettings = SITE, passes: float = 0.0
    ) -> None:
        self.path = path
        self.site = site
        self.settings = settings or EmbeddedSettings(snapshot_interval=0.5, note_interval=0.1)
        self.wall = LONG_AFTER
        self.off = timedelta(0)
        """By how much the machine's clock is wrong."""
        self.seconds = 1000.0
        self.passes = passes
        """Seconds that pass whenever the clock is looked at, so that work takes some."""
        self.newest: datetime | None = None
        self.examiner = Examiner(packs(), site, site.future_skew)
        self.start()

    def start(self) -> None:
        self.connection = open_database(self.path)
        self.metrics = WorkerMetrics(lambda: 0.0)
        self.runtime = Runtime(
            self.connection,
            packs(),
            self.site,
            self.settings,
            wall=lambda: self.wall + self.off,
            metrics=self.metrics,
            seconds=self.look_at_the_clock,
            steady=self.steady,
        )
        self.runtime.recover()

    def look_at_the_clock(self) -> float:
        self.seconds += self.passes
        return self.seconds

    def steady(self) -> float:
        return self.wall.timestamp()

    def crash(self) -> None:
        """What is not committed is gone: a connection that is closed rolls back."""
        self.connection.close()
        self.start()

    def send(self, events: Sequence[Event]) -> None:
        self.take([self.examiner.examine(event, self.runtime.trust.latest()) for event in events])

    def read(self, *messages: bytes) -> list[Receipt]:
        """Messages as they come over the wire."""
        return self.take([self.examiner.read(message, self.runtime.trust.latest()) for message in messages])

    def take(self, offers: Sequence[Offer], source: tuple[str, str] | None = None) -> list[Receipt]:
        answers = [*self.begin(offers, source).answers]
        while self.runtime.busy:
            answers += self.runtime.go_on().answers
        self.pass_time(0.2)
        ((_, receipts),) = answers
        return receipts

    def begin(self, offers: Sequence[Offer], source: tuple[str, str] | None = None) -> Committed:
        """Store messages, and judge the first slice of them."""
        for offer in offers:
            if isinstance(offer.content, Event):
                received = offer.content.received_at
                self.newest = received if self.newest is None else max(self.newest, received)
        return self.runtime.take([Submission(offers, self.wall, lambda _: None, source)])

    def pass_time(self, seconds: float) -> Committed:
        """The wall and the clock go on, and the runtime does what is due."""
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds
        committed = self.runtime.let_time_pass()
        self.runtime.tend()
        return committed

    def close(self) -> None:
        if self.newest is not None:
            self.take([Offer(TimeMark(source="test", received_at=self.newest))])

    @property
    def entries(self) -> list[Entry]:
        return entries_after(self.connection, 0, 1_000_000)

    def said(self) -> Words:
        return spoken(entry.change for entry in self.entries)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.path) as connection:
            return connection.execute(sql).fetchall()


def spoken(changes: Iterable[Change]) -> Words:
    return words(change for change in changes if not isinstance(change, Rejection))
