"""What became of every row of an import: counts and names, nothing about a patient."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

SHOWN: Final = 15
"""How many unmapped items and malformed rows of each table `ImportReport.lines` prints; the rest is summed up."""


@dataclass
class ImportReport:
    """Counts of an import; filled while the events are consumed, complete when they are exhausted.

    Attributes:
        rows_read: rows of each table, with those of other stays.
        events: events yielded, by kind.
        readings: numbers sent in observations, by signal or code.
        unmapped: of each table, how often which item (number and label) was not used because no mapping exists.
        refused: of each table, how many rows could not be used, by reason.
        malformed: of each table, the number of malformed rows, and `malformed_rows` the first of them.
        missing_tables: optional tables that are not in the folder.
        notes: counts of other decisions, by description.
        stays: stays converted; `stays_with_weight` those of them that have a weight from anywhere.
    """

    rows_read: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)
    unmapped: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    refused: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    malformed: Counter[str] = field(default_factory=Counter)
    malformed_rows: list[str] = field(default_factory=list)
    missing_tables: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    stays: int = 0
    stays_with_weight: set[str] = field(default_factory=set)

    def refuse(self, table: str, reason: str) -> None:
        """Count a row that cannot be used."""
        self.refused[table][reason] += 1

    def mangled(self, table: str, file: str, line: int, reason: str) -> None:
        """Count a row that is not a row of its table; the first ones are kept with file and line number."""
        self.malformed[table] += 1
        if self.malformed[table] <= SHOWN:
            self.malformed_rows.append(f"{file}:{line}: {reason}")

    def lines(self) -> list[str]:
        """The report for people, a line each."""
        without = self.stays - len(self.stays_with_weight)
        lines = [f"stays: {self.stays}, of which {without} without any weight"]
        lines += [f"events: {sum(self.events.values())}"]
        lines += [f"  {kind}: {count}" for kind, count in _ranked(self.events)]
        lines += [f"rows read, {table}: {count}" for table, count in sorted(self.rows_read.items())]
        lines += [f"table not found, left out: {table}" for table in self.missing_tables]
        for table, counts in sorted(self.refused.items()):
            lines += [f"rows not used, {table}: {reason}: {count}" for reason, count in _ranked(counts)]
        for table, counts in sorted(self.unmapped.items()):
            lines.append(f"rows without a mapping, {table}: {sum(counts.values())} rows of {len(counts)} items")
            ranked = _ranked(counts)
            lines += [f"  {item}: {count}" for item, count in ranked[:SHOWN]]
            if rest := ranked[SHOWN:]:
                lines.append(f"  {len(rest)} more items: {sum(count for _, count in rest)}")
        lines += [f"malformed rows, {table}: {count}" for table, count in sorted(self.malformed.items())]
        lines += [f"  {row}" for row in self.malformed_rows]
        lines += [f"note: {text}: {count}" for text, count in sorted(self.notes.items())]
        return lines


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
