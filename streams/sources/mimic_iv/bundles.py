"""What the rows of one bundle say together: GCS of its components, urine of its volumes, one reading per quantity."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streams.sources.mimic_iv.report import ImportReport

_GCS: Final = ("gcs_eye", "gcs_verbal", "gcs_motor")


class Values(NamedTuple):
    """A number of one row; ``rank`` orders items of one quantity, the lowest being preferred."""

    rank: int
    quantity: str
    code: str
    value: float
    unit: str
    part: str | None = None
    method: str | None = None
    specimen: str | None = None
    quality: str | None = None
    comparator: str | None = None


def readings(rows: list[Values], report: ImportReport) -> list[dict[str, Any]]:
    """The readings of a bundle, in the order of the mapping tables."""
    whole = [row for row in rows if row.part is None]
    whole += _volumes([row for row in rows if row.part in ("sum", "subtract")])
    whole += _gcs({row.part: row for row in reversed(rows) if row.part in _GCS}, report)
    chosen: dict[str, Values] = {}
    for row in sorted(whole, key=lambda row: (row.rank, row.value)):
        if chosen.setdefault(row.quantity, row) is not row:
            report.notes["readings left out because the same bundle has another of that quantity"] += 1
    for row in chosen.values():
        report.readings[row.code] += 1
    return [_reading(row) for row in chosen.values()]


def _reading(row: Values) -> dict[str, Any]:
    optional = {"method": row.method, "specimen": row.specimen, "quality": row.quality, "comparator": row.comparator}
    stated = {name: value for name, value in optional.items() if value is not None}
    return {"code": row.code, "value": row.value, "unit": row.unit, **stated}


def _volumes(rows: list[Values]) -> list[Values]:
    """One volume: what came out less the irrigant that went in; a negative one is left to the catalogue to refuse."""
    if not rows:
        return []
    total = sum(-row.value if row.part == "subtract" else row.value for row in rows)
    return [rows[0]._replace(value=round(total, 6), part=None)]


def _gcs(parts: dict[str | None, Values], report: ImportReport) -> list[Values]:
    """The total, if all three components are there; a doubtful component (verbal with a tube) makes it questionable."""
    if not parts:
        return []
    if len(parts) < len(_GCS):
        report.notes["GCS left out because not all three components were charted together"] += 1
        return []
    components = [parts[name] for name in _GCS]
    doubt = "questionable" if any(row.quality for row in components) else None
    return [components[0]._replace(value=sum(row.value for row in components), part=None, quality=doubt)]
