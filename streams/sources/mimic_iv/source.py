"""What every converter of one table needs: the folder, the stays, the mapping tables, the report, room to sort."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streams.sources.mimic_iv import tables
from streams.sources.mimic_iv.bundles import Values
from streams.sources.mimic_iv.items import Items, Measured
from streams.sources.mimic_iv.report import ImportReport
from streams.sources.mimic_iv.sorting import Sorter
from streams.sources.mimic_iv.stays import Stays

OTHER_STAY: Final = "of a stay that is not converted"
"""Why rows of other stays, or of patients without one, are not used."""


@dataclass(frozen=True)
class Source:
    """An import in progress; ``labels`` says for people what an item is."""

    directory: Path
    stays: Stays
    items: Items
    report: ImportReport
    scratch: Path
    chunk: int
    labels: dict[str, str] = field(default_factory=dict)

    def rows(self, table: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
        """The rows of a table; see :func:`tables.rows`."""
        return tables.rows(self.directory, table, columns, self.report, optional)

    def sorter(self) -> Sorter:
        """A sorter with this import's share of memory."""
        return Sorter(self.scratch, self.chunk)

    def unmapped(self, table: str, item: str) -> None:
        """Count a row of an item that no mapping table names."""
        self.report.unmapped[table][self.labels.get(item, item)] += 1

    def note_storing(self, stored: str | None) -> None:
        """Count a row that does not say when it was stored."""
        if stored is None:
            self.report.notes["rows without a time of storing, taken as known when they were true"] += 1


def number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def ranks(items: Mapping[str, Measured]) -> dict[str, int]:
    """The place of each item in its table: of two items of one quantity the first is preferred."""
    return {item: place for place, item in enumerate(items)}


def values(source: Source, table: str, item: Measured, rank: int, text: tuple[str, str, str]) -> Values | None:
    """What a row of a numeric item says, None (and counted) if nothing usable; ``text``: its value, number and unit."""
    said, numeric, spelled = text
    value = number(numeric)
    if value is None:
        source.report.refuse(table, "no number" if not numeric else "not a number")
        return None
    spellings = source.items.units.observations
    if spelled not in spellings:
        source.report.refuse(table, f"unit not known: {spelled}")
        return None
    unit = "1" if item.fraction and value <= 1 else spellings[spelled] or item.unit
    quality = "questionable" if said in item.doubtful else None
    return Values(rank, item.quantity, item.code, value, unit, item.part, item.method, None, quality)
