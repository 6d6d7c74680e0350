"""Publishes the events of a log to the inputs, each patient's in order, and notes how far it got."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from kafka import KafkaProducer

from rules.events import Event, encode
from streams.intake import TimeMark
from streams.kafka.admin import TopicAdmin
from streams.kafka.connecting import connect, explained
from streams.kafka.settings import KafkaSettings
from streams.replay import Pace
from streams.topics import INPUTS, LARGEST_RECORD, key_of, topic_of

_SOURCE: Final = "rescue-monitor-replay"
_AT_ONCE: Final = 1000
"""Records sent before it is waited until the brokers have all of them."""

_OUT_OF_ORDER: Final = timedelta(seconds=10)
"""How far a log may be out of the order in which it was received; marks stay that far behind."""

_NOTED_EVERY_S: Final = 1.0
_ACKNOWLEDGED_WITHIN_S: Final = 60.0


class BookmarkError(Exception):
    """A bookmark that cannot be used; the text names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a log has been published: every event up to ``line``, and perhaps some after it.

    ``first`` is the key of the log's first event, by which another log under the same name is noticed; ``prefix`` is
    that of the topics.
    """

    first: str
    prefix: str
    line: int

    @classmethod
    def read(cls, path: Path) -> Bookmark | None:
        """The bookmark kept in a file; None if there is no file.

        Raises:
            BookmarkError: if the file holds something else.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(first=str(content["first"]), prefix=str(content["prefix"]), line=int(content["line"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise BookmarkError(f"{path}: not a bookmark of this program") from None

    def write(self, path: Path) -> None:
        """Keep it in a file, which is at any moment the old one or the new one."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        part.replace(path)


class Publisher:
    """Sends events; :meth:`settle` waits until the brokers have them. Made by ``with``.

    Each record is acknowledged by all replicas in sync, and the producer sends none twice. Its timestamp is the time of
    publishing, not one of the event's: Kafka deletes by it, and refuses what lies in the future.

    Raises:
        BrokerError: here and in each method, if the cluster cannot be reached or does not take a record.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        with TopicAdmin(settings) as admin:
            admin.demand(INPUTS)
        self._producer = connect(
            KafkaProducer,
            settings,
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            linger_ms=5,
            max_request_size=LARGEST_RECORD,
        )
        self._sent: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.close(timeout=None if error is None else 1.0)

    @property
    def unsettled(self) -> int:
        """How many events have been sent since the last :meth:`settle`."""
        return len(self._sent)

    def send(self, event: Event) -> None:
        """Send one event, soon; the events of a patient keep their order."""
        with explained():
            topic = self._settings.topic(topic_of(event))
            self._sent.append(self._producer.send(topic, value=encode(event).encode(), key=key_of(event)))

    def mark(self, at: datetime) -> None:
        """Say in every partition of every input that all that was received up to then has been sent."""
        value = TimeMark(source=_SOURCE, received_at=at).model_dump_json().encode()
        with explained():
            for topic in map(self._settings.topic, INPUTS):
                for partition in sorted(self._producer.partitions_for(topic)):
                    self._sent.append(self._producer.send(topic, value=value, partition=partition))
        self.settle()

    def settle(self) -> None:
        """Wait until the brokers have all that was sent."""
        with explained():
            self._producer.flush(_ACKNOWLEDGED_WITHIN_S)
            for future in self._sent:
                future.get(timeout=_ACKNOWLEDGED_WITHIN_S)
        self._sent.clear()


def publish(
    log: Iterable[tuple[int, Event]],
    publisher: Publisher,
    *,
    pace: Pace | None = None,
    bookmark: Path | None = None,
    prefix: str = "",
    close: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[int]:
    """Publish a log, and yield, whenever the brokers have all that was sent, how many events that is so far.

    Time marks go with it, so that whoever reads the inputs while they are written knows their order.

    Args:
        log: numbered events in the order in which they were received.
        publisher: an open one.
        pace: plays the log in its own time; by default nothing waits.
        bookmark: a file in which to note how far it got, and from which to go on. What was sent after the last note is
            sent again: the rules know an event that they have seen.
        prefix: of the topics; a bookmark made under another one is refused.
        close: say in the end that nothing more of that time will come, so that all deadlines up to then are met.
        clock: returns seconds that never go back.

    Raises:
        BrokerError: if a record is not taken.
        BookmarkError: if the bookmark belongs to another log or other topics.
    """
    position = _Position(bookmark, prefix)
    count = 0
    noted = clock()
    last: datetime | None = None
    for line, event in log:
        last = event.received_at if last is None else max(last, event.received_at)
        if position.has_passed(line, event):
            continue
        if pace is not None:
            pace.wait_for(event.received_at)
        publisher.send(event)
        count += 1
        position.line = line
        if publisher.unsettled >= _AT_ONCE or clock() - noted >= _NOTED_EVERY_S:
            publisher.settle()
            publisher.mark(last - _OUT_OF_ORDER)
            position.note()
            noted = clock()
            yield count
    publisher.settle()
    position.note()
    if close and last is not None:
        publisher.mark(last)
    yield count


def arrived_by(until: datetime | None, log: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, Event]]:
    """The events of a log that were received by a time, or all of them."""
    return (numbered for numbered in log if until is None or numbered[1].received_at <= until)


class _Position:
    """Where a log is, and the file in which that is noted, if any."""

    def __init__(self, path: Path | None, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._kept = None if path is None else Bookmark.read(path)
        self._first: str | None = None
        self.line = 0

    def has_passed(self, line: int, event: Event) -> bool:
        if self._first is None:
            self._first = event.key
            if self._kept is not None and (self._kept.first, self._kept.prefix) != (self._first, self._prefix):
                raise BookmarkError(f"{self._path}: belongs to another log, or to topics with another prefix")
        return self._kept is not None and line <= self._kept.line

    def note(self) -> None:
        if self._path is not None and self._first is not None and self.line:
            Bookmark(self._first, self._prefix, self.line).write(self._path)
