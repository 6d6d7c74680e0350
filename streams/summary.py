"""What a replay amounted to: how much was read, which verdicts were reached, how often anyone was interrupted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rules.events import Assessment, Encounter, Event, Observations
from rules.facts import Move
from rules.instants import to_datetime, to_instant
from rules.outputs import AlertChange, AlertChangeKind, Change, Priority, Rejection, State, StatusChange
from rules.stays import follow
from rules.timeline import Fact

BED_DAYS: Final = 20
"""Interruptive alerts are reported per this many bed-days: one day on a unit of 20 beds."""

_DAY: Final = timedelta(days=1)


_WITH_READINGS: Final = (Observations, Assessment)


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """The figures of one replay; counts unless said otherwise."""

    patients: int
    events: int
    readings: int
    bad_lines: int
    late_events: int
    """Events that arrived further behind the clock than the lateness that the site allows."""
    rejections: Mapping[str, int]
    """Refused events or readings by reason."""
    reached: Mapping[tuple[str, str, str | None], int]
    """Patients who were ever in a state of a pathway, by (pathway, state, stage)."""
    raised: Mapping[Priority, int]
    """Alerts ever shown, by the priority at which they first were; one that was only suppressed is not among them."""
    interruptions: int
    bed_days: float
    """Days for which patients were monitored: between their admission and discharge, where these are known, from the
    first message about each to the last. What was charted before the first message came counts for nothing."""
    amended: int
    """Alerts that late or corrected data changed and that still stand."""
    amended_statuses: int
    """Changes of status that say that the past was another than had been announced."""
    withdrawn: int
    suppressed: Mapping[str, int]
    """Alerts that were suppressed at least once, by cause."""
    wall_seconds: float

    @property
    def interruptions_per_20_bed_days(self) -> float | None:
        """Interruptive alerts per 20 bed-days; none below one bed-day, where the rate would say nothing."""
        return self.interruptions * BED_DAYS / self.bed_days if self.bed_days >= 1 else None

    @property
    def raised_per_20_bed_days(self) -> Mapping[Priority, float] | None:
        """Alerts ever shown per 20 bed-days, by priority; none below one bed-day."""
        if self.bed_days < 1:
            return None
        return {priority: count * BED_DAYS / self.bed_days for priority, count in self.raised.items()}

    @property
    def readings_per_second(self) -> float | None:
        """Readings per second of wall time; none if it was too short to measure."""
        return self.readings / self.wall_seconds if self.wall_seconds else None


@dataclass(slots=True)
class _Stay:
    """While a patient was monitored: from the first message to the last, less the time after a discharge.

    ``first`` and ``last`` are times of receipt, so that history charted before, or a time of effect that somebody
    mistyped, adds nothing. ``moves`` are admissions, transfers and discharges, by the time at which they happened, or
    were received if that is earlier.
    """

    first: datetime
    last: datetime
    moves: set[tuple[datetime, Move]] = field(default_factory=set)

    def length(self) -> timedelta:
        moves = [Fact(to_instant(moment), 0, "", move) for moment, move in self.moves]
        first = min(moves, key=lambda fact: (fact.at, fact.value.event != "discharge"), default=None)
        since = None if first is not None and first.value.event == "admission" else self.first
        total = timedelta()
        for care in follow(sorted(moves, key=lambda fact: (fact.at, *(part or "" for part in fact.value)))):
            if care.left is not None and since is not None:
                total += self._monitored(since, to_datetime(care.left))
                since = None
            elif care.here and since is None:
                since = to_datetime(care.at)
        return total if since is None else total + self._monitored(since, self.last)

    def _monitored(self, since: datetime, until: datetime) -> timedelta:
        return max(min(until, self.last) - max(since, self.first), timedelta())


class Tally:
    """Counts events and changes as they pass; :meth:`summary` may be asked at any time."""

    def __init__(self) -> None:
        self.events = 0
        self.readings = 0
        self.bad_lines = 0
        self._stays: dict[str, _Stay] = {}
        self._rejections: Counter[str] = Counter()
        self._reached: defaultdict[tuple[str, str, str | None], set[str]] = defaultdict(set)
        self._shown: set[str] = set()
        self._raised: Counter[Priority] = Counter()
        self._interruptions = 0
        self._amended = 0
        self._amended_statuses = 0
        self._withdrawn = 0
        self._suppressed: defaultdict[str, set[str]] = defaultdict(set)

    def count_event(self, event: Event) -> None:
        """Count one event that was given to the ward."""
        self.events += 1
        if isinstance(event, _WITH_READINGS):
            self.readings += len(event.readings)
        received = event.received_at
        stay = self._stays.get(event.subject)
        if stay is None:
            stay = self._stays[event.subject] = _Stay(received, received)
        elif received < stay.first:
            stay.first = received
        elif received > stay.last:
            stay.last = received
        if isinstance(event, Encounter) and event.event != "update":
            stay.moves.add((min(event.effective_at, received), Move(event.event, event.unit_name)))

    def count_change(self, change: Change) -> None:
        """Count one change that the ward handed out."""
        match change:
            case Rejection():
                self._rejections[change.reason] += 1
            case StatusChange():
                self._amended_statuses += bool(change.amends)
                if change.state is not State.NOT_APPLICABLE:
                    self._reached[change.pathway, change.state, change.stage].add(change.patient)
            case AlertChange():
                self._count_alert(change)

    def _count_alert(self, change: AlertChange) -> None:
        self._interruptions += change.interrupts
        if change.delayed:
            self._suppressed[f"interruption delayed: {change.delayed}"].add(change.id)
        match change.change:
            case AlertChangeKind.RAISED | AlertChangeKind.REOPENED if change.id not in self._shown:
                self._shown.add(change.id)
                self._raised[change.priority] += 1
            case AlertChangeKind.AMENDED:
                self._amended += 1
            case AlertChangeKind.WITHDRAWN:
                self._withdrawn += 1
            case AlertChangeKind.SUPPRESSED:
                self._suppressed[change.cause or "no cause given"].add(change.id)

    def summary(self, wall_seconds: float, late_events: int = 0) -> ReplaySummary:
        """The figures so far; ``wall_seconds`` is how long the replay took."""
        return ReplaySummary(
            patients=len(self._stays),
            events=self.events,
            readings=self.readings,
            bad_lines=self.bad_lines,
            late_events=late_events,
            rejections=dict(sorted(self._rejections.items())),
            reached={
                key: len(self._reached[key])
                for key in sorted(self._reached, key=lambda key: (key[0], key[1], key[2] or ""))
            },
            raised={priority: self._raised[priority] for priority in Priority if priority in self._raised},
            interruptions=self._interruptions,
            bed_days=sum((stay.length() for stay in self._stays.values()), timedelta()) / _DAY,
            amended=self._amended,
            amended_statuses=self._amended_statuses,
            withdrawn=self._withdrawn,
            suppressed={cause: len(self._suppressed[cause]) for cause in sorted(self._suppressed)},
            wall_seconds=wall_seconds,
        )
