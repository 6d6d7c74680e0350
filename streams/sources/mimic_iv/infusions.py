"""Rate intervals to infusion events: when each line started, ran on, paused and stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import Source
from streams.sources.mimic_iv.times import arrival, to_moment, to_stamp

TABLE: Final = "icu/inputevents"
CONFIRM: Final = timedelta(minutes=30)
"""How often a running rate is sent again: the interval vouches for it from its start to its end."""

CHANGEOVER: Final = timedelta(minutes=15)
"""An overlap of one drug shorter than this is a change of pump or bag that was charted twice (local setting)."""

_CUT: Final = (
    f"rate intervals cut where the next of the same drug took over in their last {CHANGEOVER.seconds // 60} min"
)
_OVERLAP: Final = "rate intervals that overlap another of the same drug: from the larger to the sum"


class Interval(NamedTuple):
    """A rate of one drug up to ``end``; it begins where its sort key says. Rate and unit are None where unreadable."""

    end: str
    order: str
    link: str
    rate: float | None
    unit: str | None
    salt: str | None
    status: str
    stored: str | None


class Line:
    """The intervals of one pump, one after the other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.intervals: list[tuple[str, Interval]] = []

    @property
    def end(self) -> str:
        """When its last interval ends."""
        return self.intervals[-1][1].end if self.intervals else ""

    @property
    def link(self) -> str:
        """The order that its last interval belongs to."""
        return self.intervals[-1][1].link if self.intervals else ""

    def taken_over_by(self, start: str, interval: Interval) -> bool:
        """Whether an interval that begins while this line runs takes its place, as one that soon outlasts it does."""
        begun = self.intervals[-1][0] if self.intervals else start
        if not begun < start < self.end <= interval.end:
            return False
        return to_moment(self.end) - to_moment(start) < CHANGEOVER

    def end_at(self, moment: str) -> None:
        """Let the last interval end sooner."""
        start, interval = self.intervals[-1]
        self.intervals[-1] = (start, interval._replace(end=moment))


class Arrangement(NamedTuple):
    """The lines of one drug, how often one interval took over from another, and how often two ran side by side."""

    lines: list[Line]
    changeovers: int
    overlaps: int


def infusion_records(source: Source, lines: Iterator[str]) -> Iterator[str]:
    """The infusion events of intervals sorted by stay, drug and start; one stay's drug is held in memory at a time."""
    fields = (line.split("\t", 3) for line in lines)
    for (stay_id, drug), group in groupby(fields, key=lambda line: (line[0], line[1])):
        subject = source.stays.by_id[stay_id].subject
        intervals: dict[tuple[str, Interval], None] = {}
        for _, _, start, content in group:
            interval = Interval(*json.loads(content))
            if (start, interval) in intervals:
                source.report.refuse(TABLE, "the same interval twice")
            intervals[start, interval] = None
        pumps, changeovers, overlaps = arrange(intervals)
        if changeovers:
            source.report.notes[_CUT] += changeovers
        if overlaps:
            source.report.notes[_OVERLAP] += overlaps
        for pump in pumps:
            yield from _events(subject, drug, pump)


def arrange(intervals: Iterable[tuple[str, Interval]]) -> Arrangement:
    """Lines on which no two intervals overlap.

    An interval continues the line whose last interval ends as it begins, if there is one. Else it takes over from one
    that ends within :data:`CHANGEOVER` and is not continued then: that one ends as this one begins, since both rates
    together were never given. Else it takes the first line that is free.
    """
    pumps: list[Line] = []
    changeovers = overlaps = 0
    arranged = sorted(intervals, key=_order)
    starts = {start for start, _ in arranged}
    for start, interval in arranged:
        free = [pump for pump in pumps if pump.end <= start]
        ending = [pump for pump in pumps if pump.end not in starts and pump.taken_over_by(start, interval)]
        line = _first(free + ending, start, interval.link)
        if line is None:
            line = Line("main" if not pumps else f"line-{len(pumps) + 1}")
            pumps.append(line)
        elif line.end > start:
            line.end_at(start)
            changeovers += 1
        overlaps += any(pump.end > start for pump in pumps)
        line.intervals.append((start, interval))
    return Arrangement(pumps, changeovers, overlaps)


def _first(lines: list[Line], start: str, link: str) -> Line | None:
    """The line to continue: one that ends now, else one that would end soon, else the first; its own order's first."""

    def preference(line: Line) -> tuple[bool, bool, bool, str]:
        return line.end != start, line.end < start, line.link != link, line.name

    return min(lines, key=preference, default=None)


def _order(item: tuple[str, Interval]) -> tuple[str, str, int, str, float]:
    start, interval = item
    return start, interval.end, len(interval.order), interval.order, -1.0 if interval.rate is None else interval.rate


def _events(subject: str, drug: str, pump: Line) -> Iterator[str]:
    before: Interval | None = None
    for place, (start, interval) in enumerate(pump.intervals):
        rate: dict[str, Any] = {} if interval.rate is None else {"rate": interval.rate, "unit": interval.unit}
        if interval.salt is not None:
            rate["salt"] = interval.salt
        runs_on = before is not None and before.end == start
        paused = before is not None and before.status == "Paused"
        # A pump that resumes and says no rate would go on with the one before the pause.
        action = "rate" if runs_on else "resume" if paused and rate else "start"
        until = to_moment(interval.end)
        moment = to_moment(start)
        while moment < until:
            yield _event(subject, drug, pump.name, to_stamp(moment), interval.stored, {"action": action, **rate})
            moment += CONFIRM
            action = "rate"
        following = pump.intervals[place + 1][0] if place + 1 < len(pump.intervals) else None
        if following != interval.end:
            end = {"action": "pause" if interval.status == "Paused" else "stop"}
            yield _event(subject, drug, pump.name, interval.end, interval.stored, end)
        before = interval


def _event(subject: str, drug: str, line: str, at: str, stored: str | None, body: dict[str, Any]) -> str:
    name = f"infusion/{drug}/{line}/{at}/{body['action']}"
    content = {"kind": "infusion", "drug": drug, "line": line, **body}
    return record(subject, TABLE, arrival(at, stored), at, name, content)
