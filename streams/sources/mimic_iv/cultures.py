"""hosp/microbiologyevents: cultures taken, what grew, and what it was tested against."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from streams.sources.mimic_iv.items import Cultures
from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import OTHER_STAY, Source
from streams.sources.mimic_iv.stays import Stay
from streams.sources.mimic_iv.times import arrival, stamp, to_moment, to_stamp

MICROBIOLOGY: Final = "hosp/microbiologyevents"
_DAY: Final = timedelta(hours=23, minutes=59, seconds=59)
_COLUMNS: Final = (
    *("subject_id", "hadm_id", "micro_specimen_id", "chartdate", "charttime", "spec_type_desc", "test_seq"),
    *("storedate", "storetime", "test_itemid", "test_name", "org_itemid", "org_name", "isolate_num", "ab_name"),
    *("interpretation", "comments"),
)


def culture_records(source: Source) -> Iterator[str]:
    """A culture taken for each specimen, and a result for each isolate (or for no growth).

    A specimen with a date but no time of day may have been taken at any moment of it. It is said to be taken when that
    is certain: at the end of the day, or when its result was stored if that was earlier; so never before it was.
    """
    table = source.items.cultures
    for fields in source.rows(MICROBIOLOGY, _COLUMNS):
        row = dict(zip(_COLUMNS, fields, strict=True))
        if not source.stays.knows(row["subject_id"]):
            source.report.refuse(MICROBIOLOGY, OTHER_STAY)
            continue
        if not is_culture(table, row["test_name"]):
            source.report.unmapped[MICROBIOLOGY][row["test_name"].strip()] += 1
            continue
        taken = stamp(row["charttime"])
        at = taken or _by_then(row)
        if at is None:
            source.report.refuse(MICROBIOLOGY, "no time of collection")
            continue
        begin = taken or stamp(row["chartdate"]) or at
        stays = list(_stays(source, row, at)) or list(_stays(source, row, begin))
        if not stays:
            source.report.refuse(MICROBIOLOGY, "not within 24 h before or during a stay")
        if stays and taken is None:
            source.report.notes["cultures collected on a date without a time of day, taken as of its end"] += 1
        for stay in stays:
            yield _taken(stay, row, at)
            yield from _result(source, stay, row, at)


def _stays(source: Source, row: dict[str, str], at: str) -> Iterator[Stay]:
    return source.stays.holding(row["subject_id"], row["hadm_id"], at)


def _by_then(row: dict[str, str]) -> str | None:
    """When a specimen of a date had certainly been taken; None without a date."""
    begin = stamp(row["chartdate"])
    if begin is None:
        return None
    end = to_stamp(to_moment(begin) + _DAY)
    stored = stamp(row["storetime"])
    return end if stored is None or not begin <= stored < end else stored


def is_culture(table: Cultures, test: str) -> bool:
    """Whether a test of this name grows organisms."""
    name = test.upper()
    return any(word in name for word in table.tests) and not any(word in name for word in table.not_tests)


def _taken(stay: Stay, row: dict[str, str], at: str) -> str:
    body = {"kind": "procedure", "code": "culture_taken", "action": "done"}
    return record(stay.subject, MICROBIOLOGY, at, at, f"culture_taken/{row['micro_specimen_id']}/{at}", body)


def _result(source: Source, stay: Stay, row: dict[str, str], at: str) -> Iterator[str]:
    table, report = source.items.cultures, source.report
    stored = stamp(row["storetime"]) or stamp(row["storedate"])
    organism = row["org_name"].strip()
    if stored is None:
        report.refuse(MICROBIOLOGY, "no time of result")
        return
    comment = row["comments"].upper()
    if organism in table.not_organisms or (not organism and any(word in comment for word in table.no_result)):
        report.refuse(MICROBIOLOGY, "cancelled, or the text of the result is withheld")
        return
    body: dict[str, Any] = {"kind": "culture", "specimen_type": specimen_type(table, row["spec_type_desc"])}
    if organism:
        body |= {"organism": organism, "organism_group": organism_group(table, organism)}
    if row["ab_name"]:
        body["part"] = _susceptibility(source, row)
    isolate = "/".join(
        row[key] for key in ("micro_specimen_id", "test_seq", "test_itemid", "isolate_num", "org_itemid")
    )
    yield record(stay.subject, MICROBIOLOGY, arrival(at, stored), at, f"culture/{isolate}/{stored}", body)


def _susceptibility(source: Source, row: dict[str, str]) -> tuple[str, str] | None:
    drug = source.items.cultures.drugs.get(row["ab_name"])
    if drug is None:
        source.report.unmapped[MICROBIOLOGY][f"tested drug {row['ab_name']}"] += 1
        return None
    if row["interpretation"] not in ("S", "I", "R"):
        source.report.refuse(MICROBIOLOGY, "susceptibility is not S, I or R")
        return None
    return drug, row["interpretation"]


def specimen_type(table: Cultures, text: str) -> str:
    """The code of a kind of specimen: from the table, else its name in small letters."""
    return table.specimens.get(text.strip()) or re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:80] or "unknown"


def organism_group(table: Cultures, organism: str) -> str:
    """Which kind of organism a name belongs to."""
    name = organism.upper()
    return next((group for group, words in table.groups if any(word in name for word in words)), "bacterial")
