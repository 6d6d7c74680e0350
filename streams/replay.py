"""Replays a recorded log through a ward: as fast as possible, or at a multiple of the speed at which it happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from rules.events import Event
from rules.outputs import Change
from streams.summary import Tally
from streams.topics import rank_of
from streams.ward import Ward


class Pace:
    """Ties log time to real time: ``speed`` seconds of the log pass in one second.

    ``clock`` returns seconds that never go back, ``sleep`` waits for a number of seconds.
    """

    def __init__(
        self, speed: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._start: tuple[datetime, float] | None = None

    def wait_for(self, moment: datetime) -> None:
        """Sleep until it is ``moment`` in the log; the first call sets the start and does not sleep."""
        if self._start is None:
            self._start = moment, self._clock()
        log_start, real_start = self._start
        remaining = real_start + (moment - log_start).total_seconds() / self._speed - self._clock()
        if remaining > 0:
            self._sleep(remaining)


def replay(
    log: Iterable[Event], ward: Ward, tally: Tally, *, pace: Pace | None = None, until: datetime | None = None
) -> Iterator[Change]:
    """Feed a log to a ward and yield the changes in the ward's order, to the end of what can be known.

    Args:
        log: events, ordered by ``received_at`` to within the ward's lateness; see :func:`in_stream_order`.
        ward: a fresh one, or one to continue with.
        tally: counts the events fed and the changes yielded.
        pace: plays the log in its own time; by default nothing waits.
        until: stop at this log time: what arrives later is not read, and deadlines are decided up to it.
    """
    for change in _changes(log, ward, tally, pace, until):
        tally.count_change(change)
        yield change


def in_stream_order(log: Iterable[Event]) -> Iterator[Event]:
    """A log in which events received at the same instant have the order that they have in a stream of four topics."""
    for _, together in groupby(log, key=attrgetter("received_at")):
        yield from sorted(together, key=rank_of)


def _changes(
    log: Iterable[Event], ward: Ward, tally: Tally, pace: Pace | None, until: datetime | None
) -> Iterator[Change]:
    for event in in_stream_order(log):
        if until is not None and event.received_at > until:
            if event.received_at - until > ward.lateness:
                break
            continue
        if pace is not None:
            yield from _play_up_to(event.received_at, ward, pace)
        tally.count_event(event)
        yield from ward.feed(event)
    yield from ward.finish(until)


def _play_up_to(moment: datetime, ward: Ward, pace: Pace) -> Iterator[Change]:
    """Let log time pass until an event arrives, and meet the deadlines on the way when they are due."""
    while (due := ward.due) is not None and due < moment:
        pace.wait_for(due)
        yield from ward.advance(due)
    pace.wait_for(moment)
