"""Builds ``ward.jsonl``, the log of the demo: ten beds from 07:00 to 11:35, all made up, with no real patient behind.

What happens to each bed stands in the tables of :mod:`monitor.demo.beds`. After a change, write the log anew with
``python -m monitor.demo.build``. The same tables give the same bytes on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from monitor.demo.beds import BEDS
from monitor.demo.bedside import (
    BEGIN,
    DAY,
    END,
    UNITS,
    Bed,
    Body,
    Fact,
    Vitals,
    arrives,
    iso,
    moment,
    repeated,
    wander,
)
from rules.events import SCHEMA_VERSION, Event, decode
from streams.logfile import write_log

__all__ = ["BEDS", "DAY", "LOG", "build"]

LOG: Final = Path(__file__).parent / "ward.jsonl"

CONFIRM_EVERY: Final = timedelta(minutes=15)
"""How often a pump repeats a rate that has not changed."""

MONITORED: Final = (
    ("map_invasive", "mm[Hg]", 2),
    ("heart_rate", "/min", 3),
    ("spo2", "%", 1),
    ("respiratory_rate", "/min", 2),
)
"""What the bedside monitor sends each minute: code, unit, and by how much it wanders about its course."""


def build() -> list[Event]:
    """The log, in the order in which a ward's interface would have sent it."""
    events = [decode(json.dumps(message)) for bed in BEDS for message in _messages(bed)]
    return sorted(events, key=lambda event: (event.received_at, event.id))


def _messages(bed: Bed) -> Iterator[Body]:
    for kind, facts in (("monitor", _vitals(bed)), ("pump", _pumps(bed)), ("facts", bed.facts)):
        for number, (at, received, source, body) in enumerate(facts):
            yield {
                "schema_version": SCHEMA_VERSION,
                "id": f"{bed.name}-{kind}-{number:03d}",
                "source": source,
                "subject": bed.name,
                "effective_at": iso(at),
                "received_at": iso(received),
                **body,
            }


def _vitals(bed: Bed) -> Iterator[Fact]:
    for at in (*repeated(BEGIN, END, timedelta(minutes=1)), END):
        readings = []
        for (code, unit, reach), middle in zip(MONITORED, _course(bed.vitals, at), strict=True):
            if middle is None:
                continue
            value: float = round(middle) + wander(f"{bed.name} {code} {at}", reach)
            if code == "map_invasive" and bed.artefacts is not None:
                value = bed.artefacts.get(at, value)
            readings.append({"code": code, "value": min(value, 100) if code == "spo2" else value, "unit": unit})
        yield at, arrives(at, timedelta(seconds=1)), "monitor", {"kind": "observations", "readings": readings}


def _course(rows: Sequence[Vitals], at: str) -> Iterator[float | None]:
    """Each value of a table at a time, on a straight line between its rows."""
    for (begin, *before), (end, *after) in pairwise(rows):
        if moment(begin) <= moment(at) <= moment(end):
            share = (moment(at) - moment(begin)) / (moment(end) - moment(begin))
            for low, high in zip(before, after, strict=True):
                yield None if low is None or high is None else low + share * (high - low)
            return


def _pumps(bed: Bed) -> Iterator[Fact]:
    for drug, course in bed.pumps.items():
        running: Body = {}
        for index, (at, what) in enumerate(course):
            body: Body = {"kind": "infusion", "drug": drug}
            if isinstance(what, float):
                running = {"rate": what, "unit": UNITS[drug], **({"salt": "base"} if drug == "norepinephrine" else {})}
                yield _sent(at, {**body, "action": "rate" if index else "start", **running})
            elif what in ("pause", "resume"):
                yield _sent(at, {**body, "action": what})
            else:
                yield _sent(at, {**body, "action": "alarm", "alarm": what})
            if what != "pause":
                until = course[index + 1][0] if index + 1 < len(course) else END
                again = (later for later in repeated(at, until, CONFIRM_EVERY) if later != at)
                yield from (_sent(later, {**body, "action": "rate", **running}) for later in again)


def _sent(at: str, body: Body) -> Fact:
    """What a pump says reaches us two seconds later; what it said before the log begins, with the first messages."""
    return at, arrives(at, timedelta(seconds=2)), "pump", body


if __name__ == "__main__":
    write_log(build(), LOG)
