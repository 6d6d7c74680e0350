"""icu/procedureevents: ventilation, lines and dialysis as states with a duration; imaging and cultures as acts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from streams.sources.mimic_iv.items import Procedure
from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import OTHER_STAY, Source
from streams.sources.mimic_iv.stays import Stay
from streams.sources.mimic_iv.times import arrival, stamp

PROCEDURES: Final = "icu/procedureevents"


def procedure_records(source: Source) -> Iterator[str]:
    """States and acts from procedureevents.

    A row that lasts is stored again when it ends, so its storetime then says nothing about when its start was known:
    the start is taken to have been known at once, unless the row was stored in between.
    """
    states = source.sorter()
    columns = ("stay_id", "starttime", "endtime", "itemid")
    for fields in source.rows(PROCEDURES, columns, ("storetime", "statusdescription")):
        stay_id, started, ended, item_id, stored, status = fields
        stay = source.stays.by_id.get(stay_id)
        if stay is None:
            source.report.refuse(PROCEDURES, OTHER_STAY)
            continue
        item = source.items.procedures.get(item_id)
        start, end = stamp(started), stamp(ended)
        if item is None:
            source.unmapped(PROCEDURES, item_id)
        elif start is None or (item.during and (end is None or end < start)):
            source.report.refuse(PROCEDURES, "no time")
        elif status == "Rewritten":
            source.report.refuse(PROCEDURES, "rewritten: what the row says was not done")
        elif item.during:
            for code in item.during:
                states.add(f"{stay_id}\t{code}\t{start}\t{end}\t{stamp(stored) or ''}")
        else:
            yield _act(stay, item, item_id, start, stamp(stored))
    yield from _states(source, states.sorted())


def _act(stay: Stay, item: Procedure, item_id: str, at: str, stored: str | None) -> str:
    name = f"procedure/{item_id}/{at}/{stored or ''}"
    if item.collapse:
        collapse = {"kind": "resuscitation", "action": "collapse"}
        return record(stay.subject, PROCEDURES, arrival(at, stored), at, name, collapse)
    code = item.start or item.stop or item.done
    action = "start" if item.start else "stop" if item.stop else "done"
    body = {"kind": "procedure", "code": code, "action": action}
    return record(stay.subject, PROCEDURES, arrival(at, stored), at, name, body)


def _states(source: Source, lines: Iterator[str]) -> Iterator[str]:
    """A start for each interval, and a stop for each end at which no other interval of that state runs on."""
    fields = (line.split("\t") for line in lines)
    for (stay_id, code), group in groupby(fields, key=lambda line: (line[0], line[1])):
        subject = source.stays.by_id[stay_id].subject
        intervals = [(start, end, stored or None) for _, _, start, end, stored in group]
        known: dict[tuple[str, str], str] = {}
        for start, end, stored in intervals:
            at_once = stored is None or stored >= end
            _keep_first(known, start, "start", start if at_once else arrival(start, stored))
            if not any(begin <= end < finish for begin, finish, _ in intervals):
                _keep_first(known, end, "stop", arrival(end, stored))
        for (at, action), received in known.items():
            body = {"kind": "procedure", "code": code, "action": action}
            yield record(subject, PROCEDURES, received, at, f"procedure/{code}/{at}/{action}", body)


def _keep_first(known: dict[tuple[str, str], str], at: str, action: str, received: str) -> None:
    known[at, action] = min(received, known.get((at, action), received))
