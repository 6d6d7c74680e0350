"""What is printed when a replay has ended: where each patient stands, and the figures of the whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.terminal import clean
from rules.outputs import BY_REACH, AlertChangeKind, Amendment, Change, Rejection, State, StatusChange
from streams.summary import BED_DAYS, ReplaySummary

_HIDDEN: Final = frozenset(
    {
        AlertChangeKind.WITHDRAWN,
        AlertChangeKind.RESOLVED,
        AlertChangeKind.SUPPRESSED,
        AlertChangeKind.DECLINED,
        AlertChangeKind.SNOOZED,
        AlertChangeKind.EXPIRED,
    }
)

_NAMED: Final = 10
"""Patients to whom nothing applied are named up to this many."""


@dataclass(slots=True)
class _Course:
    """One pathway of one patient."""

    last: StatusChange | None = None
    furthest: StatusChange | None = None
    taken_back: bool = False
    """Whether late or corrected data showed that the furthest verdict was never right."""
    alerts: dict[str, AlertChangeKind] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    def follow(self, change: StatusChange) -> None:
        """Take in the next verdict."""
        self.last = change
        furthest = self.furthest
        if furthest is not None and any(_takes_back(amendment, furthest) for amendment in change.amends):
            self.taken_back = True
        if (
            furthest is None
            or _rank(change) > _rank(furthest)
            or (self.taken_back and _rank(change) == _rank(furthest))
        ):
            self.furthest, self.taken_back = change, False


class PatientTable:
    """Gathers changes into one line for each patient and pathway."""

    def __init__(self) -> None:
        self._courses: dict[tuple[str, str], _Course] = {}
        self._patients: set[str] = set()

    def add(self, change: Change) -> None:
        """Take in one change; they come in order."""
        self._patients.add(change.patient)
        if isinstance(change, Rejection):
            return
        course = self._courses.setdefault((change.patient, change.pathway), _Course())
        if isinstance(change, StatusChange):
            course.follow(change)
        else:
            course.alerts[change.id] = change.change
            if change.change not in _HIDDEN:
                course.shown.add(change.id)

    def print_on(self, console: Console) -> None:
        """Print the table, without the pathways that never applied."""
        rows = [
            (key, course)
            for key, course in sorted(self._courses.items(), key=_in_order)
            if course.alerts or _applied(course)
        ]
        quiet = sorted(self._patients - {patient for (patient, _), _ in rows}, key=_counted)
        if not rows:
            console.print("No pathway ever applied to any patient.")
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title="Patients", title_justify="left")
        for name in ("patient", "pathway", "furthest", "at the end"):
            table.add_column(name, overflow="fold", no_wrap=name == "pathway")
        for name in ("alerts", "open"):
            table.add_column(name, justify="right")
        for (patient, pathway), course in rows:
            still_open = sum(kind not in _HIDDEN for kind in course.alerts.values())
            table.add_row(
                Text(clean(patient)),
                Text(clean(pathway)),
                Text(f"{_verdict(course.furthest)}{' (taken back)' if course.taken_back else ''}"),
                Text(_verdict(course.last)),
                str(len(course.shown)),
                str(still_open),
            )
        console.print(table)
        if quiet:
            more = f" and {len(quiet) - _NAMED} more" if len(quiet) > _NAMED else ""
            console.print(Text(f"No pathway applied to: {clean(', '.join(quiet[:_NAMED]))}{more}"))


def _in_order(row: tuple[tuple[str, str], _Course]) -> tuple[list[tuple[int, str]], str]:
    (patient, pathway), _ = row
    return _counted(patient), pathway


def _counted(name: str) -> list[tuple[int, str]]:
    """A key that sorts names with numbers by these: bed-2 before bed-10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def print_summary(summary: ReplaySummary, console: Console) -> None:
    """Print the figures of a replay, one topic to a line; what did not occur is left out."""
    console.print(_reading_line(summary))
    if summary.bad_lines:
        console.print(f"Not read: {_number(summary.bad_lines, 'bad line')}")
    if summary.rejections:
        console.print(f"Refused: {_counts(summary.rejections)}")
    if summary.late_events:
        console.print(
            f"Late: {_number(summary.late_events, 'event')} came further out of the order of received_at than the "
            "site's lateness allows; sort the log, or the result depends on its order"
        )
    if summary.reached:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title="Reached", title_justify="left")
        for name in ("pathway", "verdict", "stage"):
            table.add_column(name)
        table.add_column("patients", justify="right")
        for (pathway, state, stage), patients in summary.reached.items():
            table.add_row(Text(clean(pathway)), state, Text(clean(stage or "")), str(patients))
        console.print()
        console.print(table)
        console.print()
    console.print(_alert_line(summary))
    if summary.amended or summary.withdrawn or summary.amended_statuses:
        console.print(
            f"Taken back: {summary.amended_statuses} amended statuses; "
            f"{summary.amended} amended and {summary.withdrawn} withdrawn alerts"
        )
    if summary.suppressed:
        console.print(Text(f"Suppressed: {_counts(summary.suppressed)}"))


def _reading_line(summary: ReplaySummary) -> str:
    rate = summary.readings_per_second
    speed = f" ({rate:,.0f} readings/s)" if rate is not None else ""
    return (
        f"Read {_number(summary.events, 'event')} with {_number(summary.readings, 'reading')} of "
        f"{_number(summary.patients, 'patient')} in {summary.wall_seconds:.1f} s{speed}"
    )


def _alert_line(summary: ReplaySummary) -> str:
    raised = _counts({priority.value: count for priority, count in summary.raised.items()}) or "none"
    interruptions = _number(summary.interruptions, "interruption")
    rates = summary.raised_per_20_bed_days
    if rates is None:
        return f"Alerts raised: {raised}; {interruptions} in {summary.bed_days:.1f} bed-days"
    each = ", ".join(f"{rate:.1f} {priority}" for priority, rate in rates.items()) or "none"
    return (
        f"Alerts raised: {raised}; {interruptions} in {summary.bed_days:.1f} bed-days\n"
        f"In {BED_DAYS} bed-days: {each}; {summary.interruptions_per_20_bed_days:.1f} interruptions"
    )


def _applied(course: _Course) -> bool:
    return course.furthest is not None and course.furthest.state is not State.NOT_APPLICABLE


def _rank(change: StatusChange) -> tuple[int, str]:
    return BY_REACH.index(change.state), change.stage or ""


def _verdict(change: StatusChange | None) -> str:
    if change is None:
        return ""
    return clean(" ".join(filter(None, (change.stage, change.verdict if change.suppressed else change.state))))


def _takes_back(amendment: Amendment, furthest: StatusChange) -> bool:
    """Whether an amendment says that a verdict was wrong from its beginning."""
    was, now = (amendment.was, amendment.was_stage), (amendment.now, amendment.now_stage)
    wrong = was == (furthest.state, furthest.stage) != now
    return wrong and amendment.start <= furthest.effective_from < amendment.end


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {clean(name)}" for name, count in counts.items())


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
