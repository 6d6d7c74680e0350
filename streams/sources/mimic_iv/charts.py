"""icu/chartevents and icu/outputevents: what was charted at the bedside, one message per stay and time of charting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streams.sources.mimic_iv.bundles import Values
from streams.sources.mimic_iv.items import Bound, Text
from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import OTHER_STAY, Source, ranks, values
from streams.sources.mimic_iv.stays import Stay
from streams.sources.mimic_iv.times import arrival, stamp

CHARTS: Final = "icu/chartevents"
OUTPUTS: Final = "icu/outputevents"


def chart_records(source: Source) -> Iterator[str]:
    """Readings, goals of care and positions from chartevents."""
    columns = ("stay_id", "charttime", "itemid", "value", "valuenum", "valueuom")
    mapped, texts, copies = source.items.chart, source.items.chart_texts, source.items.chart_copies_of_labs
    stays, rank = source.stays.by_id, ranks(source.items.chart)
    for stay_id, charted, item_id, said, numeric, spelled, stored in source.rows(CHARTS, columns, ("storetime",)):
        stay = stays.get(stay_id)
        if stay is None:
            source.report.refuse(CHARTS, OTHER_STAY)
            continue
        item = mapped.get(item_id)
        if item is None:
            if item_id in texts:
                yield from _text(source, stay, texts[item_id], item_id, (charted, stored, said))
            elif item_id in copies:
                source.report.refuse(CHARTS, "copy of a laboratory value, which is read from hosp/labevents")
            else:
                source.unmapped(CHARTS, item_id)
            continue
        found = values(source, CHARTS, item, rank[item_id], (said, numeric, spelled))
        if found is None:
            continue
        found = found._replace(method=item.method or "charted")
        line = _bundle(source, stay, (CHARTS, "chart"), (charted, stored), found)
        if line is not None:
            if item.quantity == "weight" and found.value > 0:
                source.report.stays_with_weight.add(stay_id)
            yield line


def output_records(source: Source) -> Iterator[str]:
    """Urine output from outputevents."""
    columns = ("stay_id", "charttime", "itemid", "value", "valueuom")
    stays, rank = source.stays.by_id, ranks(source.items.outputs)
    for stay_id, charted, item_id, numeric, spelled, stored in source.rows(OUTPUTS, columns, ("storetime",)):
        stay = stays.get(stay_id)
        if stay is None:
            source.report.refuse(OUTPUTS, OTHER_STAY)
            continue
        item = source.items.outputs.get(item_id)
        if item is None:
            source.unmapped(OUTPUTS, item_id)
            continue
        found = values(source, OUTPUTS, item, rank[item_id], ("", numeric, spelled))
        if found is not None:
            found = found._replace(method="charted")
            line = _bundle(source, stay, (OUTPUTS, "output"), (charted, stored), found)
            if line is not None:
                yield line


def _bundle(
    source: Source, stay: Stay, table: tuple[str, str], times: tuple[str, str], found: tuple[object, ...]
) -> str | None:
    at, stored = stamp(times[0]), stamp(times[1])
    if at is None:
        source.report.refuse(table[0], "no time")
        return None
    source.note_storing(stored)
    name = f"{table[1]}/{at}/{stored or ''}"
    body = {"kind": "observations", "part": found}
    return record(stay.subject, table[0], arrival(at, stored), at, name, body)


def _text(source: Source, stay: Stay, item: Text, item_id: str, row: tuple[str, str, str]) -> Iterator[str]:
    at, stored, said = stamp(row[0]), stamp(row[1]), " ".join(row[2].split())
    if at is None:
        source.report.refuse(CHARTS, "no time")
        return
    if not said:
        source.report.refuse(CHARTS, f"text missing: {item.label}")
        return
    if item.bound is not None and said in item.bound.texts:
        yield from _bound(source, stay, item.bound, (row[0], row[1]), said)
        return
    bodies = list(told(item, said))
    if not bodies:
        source.report.refuse(CHARTS, f"text not known: {item.label}")
    for place, body in bodies:
        name = "/".join(part for part in (f"chart/{at}/{stored or ''}/{item_id}", place) if part)
        yield record(stay.subject, CHARTS, arrival(at, stored), at, name, body)


def _bound(source: Source, stay: Stay, bound: Bound, times: tuple[str, str], said: str) -> Iterator[str]:
    """A bound as a reading; of two in one bundle, such as of two sides, the higher one is sent."""
    comparator, value = bound.texts[said]
    rank = 0 if comparator.startswith(">") else 1
    found = Values(rank, bound.code, bound.code, value, bound.unit, method="charted", comparator=comparator)
    line = _bundle(source, stay, (CHARTS, "chart"), times, found)
    if line is not None:
        yield line


def told(item: Text, said: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What a text says: the body of each event, with what tells it from the others of the same item."""
    if said in item.goals:
        yield "", {"kind": "encounter", "goals_of_care": item.goals[said]}
    for code, state in item.states.items():
        action = state.action(said)
        if action is not None:
            place = code if len(item.states) > 1 else ""
            yield place, {"kind": "procedure", "code": code, "action": action}
    capitals = f" {said.upper()} "
    found = next((pair for pair in item.seizures if pair[0] in capitals), None)
    if found is not None:
        seen = "stop" if found[1] is None else "ongoing"
        yield "", {"kind": "seizure", "action": seen, "semiology": found[1] or "unspecified"}
