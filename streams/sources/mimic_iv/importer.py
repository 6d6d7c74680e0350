"""MIMIC-IV to a log of events, in the order in which a ward would have received them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from rules.events import Event
from streams.sources.mimic_iv import tables
from streams.sources.mimic_iv.charts import chart_records, output_records
from streams.sources.mimic_iv.cultures import culture_records
from streams.sources.mimic_iv.encounters import encounter_records
from streams.sources.mimic_iv.inputs import input_records
from streams.sources.mimic_iv.items import load_items
from streams.sources.mimic_iv.labs import lab_records
from streams.sources.mimic_iv.prescriptions import prescription_records
from streams.sources.mimic_iv.procedures import procedure_records
from streams.sources.mimic_iv.records import events
from streams.sources.mimic_iv.report import ImportReport
from streams.sources.mimic_iv.sorting import CHUNK
from streams.sources.mimic_iv.source import Source
from streams.sources.mimic_iv.stays import Stays, read_stays


def convert(
    directory: Path,
    stays: Collection[int] | None,
    report: ImportReport,
    *,
    chunk: int = CHUNK,
    scratch: Path | None = None,
) -> Iterator[Event]:
    """The events of a MIMIC-IV folder (v2 or later, official shape), the whole log ordered by ``received_at``, then id.

    Each ICU stay is a subject of its own (``mimic-30057454``). Ids are derived from the rows, so a second import gives
    the same log. Times are taken as UTC. Rows are read once, table by table, and sorted outside of memory: what is
    held at a time is ``chunk`` records for each of at most three sorters, besides the list of stays.

    Args:
        directory: the folder that holds ``hosp/`` and ``icu/``, each table as ``.csv`` or ``.csv.gz``.
        stays: the ICU stays (``stay_id``) to convert; None for all.
        report: is filled while the events are consumed.
        chunk: records to hold in memory before they go to a temporary file.
        scratch: where temporary files go (about a tenth of the tables' unpacked size); None: the system's place.

    Raises:
        MimicFolderError: if ``icu/icustays`` is missing (at once), or a table lacks a required column.
    """
    tables.require(directory, "icu/icustays")
    return _converted(directory, read_stays(directory, stays, report), report, chunk, scratch)


def _converted(
    directory: Path, stays: Stays, report: ImportReport, chunk: int, scratch: Path | None
) -> Iterator[Event]:
    with TemporaryDirectory(prefix="mimic-iv-", dir=scratch) as folder:
        source = Source(directory, stays, load_items(), report, Path(folder), chunk, _labels(directory, report))
        log = source.sorter()
        for line in chain.from_iterable(convert_table(source) for convert_table in _TABLES):
            log.add(line)
        yield from events(log.sorted(), report)


def _labels(directory: Path, report: ImportReport) -> dict[str, str]:
    """Labels of the items, for the report."""
    labels: dict[str, str] = {}
    for table in ("icu/d_items", "hosp/d_labitems"):
        labels.update(
            (item, f"{item} {label}") for item, label in tables.rows(directory, table, ("itemid", "label"), report)
        )
    return labels


_TABLES = (
    encounter_records,
    chart_records,
    output_records,
    lab_records,
    input_records,
    procedure_records,
    culture_records,
    prescription_records,
)
