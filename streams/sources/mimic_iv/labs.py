"""hosp/labevents: one message per specimen and time of result, for the ICU stays it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from streams.sources.mimic_iv.bundles import Values
from streams.sources.mimic_iv.charts import told
from streams.sources.mimic_iv.items import Text
from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import OTHER_STAY, Source, ranks, values
from streams.sources.mimic_iv.stays import Stay
from streams.sources.mimic_iv.times import arrival, stamp

LABS: Final = "hosp/labevents"


def lab_records(source: Source) -> Iterator[str]:
    """Readings from labevents.

    The type of a blood gas specimen is a row of its own, often stored minutes before the values; so the rows are first
    sorted by specimen, in bounded memory.
    """
    columns = ("subject_id", "hadm_id", "specimen_id", "charttime", "itemid", "value", "valuenum", "valueuom")
    sorter = source.sorter()
    rank, specimen_item = ranks(source.items.labs), source.items.lab_specimen.item
    for stays, at, row in _dated(source, source.rows(LABS, columns, ("storetime",))):
        _, hospital_stay, specimen, _, item_id, said, numeric, spelled, stored = row
        if item_id == specimen_item:
            for stay in stays:
                sorter.add(f"{stay.stay_id}\t{specimen}\t0\t{json.dumps(said)}")
            continue
        text = source.items.lab_texts.get(item_id)
        if text is not None:
            for stay in stays:
                yield from _told(stay, text, specimen, at, stamp(stored), said)
            continue
        item = source.items.labs.get(item_id)
        if item is None:
            source.unmapped(LABS, item_id)
            continue
        found = values(source, LABS, item, rank[item_id], (said, numeric, spelled))
        if found is None:
            continue
        if not hospital_stay:
            source.report.notes["laboratory values without a hospital stay, attached by patient and time"] += 1
        source.note_storing(stamp(stored))
        found = found._replace(method=item.method or "laboratory")
        for stay in stays:
            sorter.add(f"{stay.stay_id}\t{specimen}\t1\t{json.dumps([item.blood_gas, at, stamp(stored), found])}")
    yield from _with_specimens(source, sorter.sorted())


def _dated(source: Source, rows: Iterator[tuple[str, ...]]) -> Iterator[tuple[list[Stay], str, tuple[str, ...]]]:
    """The rows that belong to stays, with these and the time of collection; the others are counted."""
    for row in rows:
        patient, hospital_stay, _, collected, *_ = row
        at = stamp(collected)
        if not source.stays.knows(patient):
            source.report.refuse(LABS, OTHER_STAY)
        elif at is None:
            source.report.refuse(LABS, "no time of collection")
        elif stays := list(source.stays.holding(patient, hospital_stay, at)):
            yield stays, at, row
        else:
            source.report.refuse(LABS, "not within 24 h before or during a stay")


def _told(stay: Stay, item: Text, specimen: str, at: str, stored: str | None, said: str) -> Iterator[str]:
    """What a text of a specimen says of the patient it was taken from."""
    for place, body in told(item, said):
        name = f"lab/{specimen}/{at}/{stored or ''}/{place or body['kind']}"
        yield record(stay.subject, LABS, arrival(at, stored), at, name, body)


def _with_specimens(source: Source, lines: Iterator[str]) -> Iterator[str]:
    texts = source.items.lab_specimen.texts
    fields = (line.split("\t", 3) for line in lines)
    for (stay_id, specimen), group in groupby(fields, key=lambda line: (line[0], line[1])):
        said: str | None = None
        subject = source.stays.by_id[stay_id].subject
        for _, _, kind, content in group:
            if kind == "0":
                said = json.loads(content)
                continue
            blood_gas, at, stored, found = json.loads(content)
            part = Values(*found)
            if blood_gas and said is not None:
                if said not in texts:
                    source.report.refuse(LABS, f"specimen type not known: {said}")
                    continue
                part = part._replace(specimen=texts[said])
            body = {"kind": "observations", "part": part}
            yield record(subject, LABS, arrival(at, stored), at, f"lab/{specimen}/{at}/{stored or ''}", body)
