"""How large the snapshot of a patient is after a day of dense vitals, and how long it takes."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

from rules.engine import PatientEngine
from rules.events import decode
from rules.packs import load_packs
from rules.settings import SiteSettings
from tests.bench.table import Figure
from tests.bench.throughput import seconds
from tests.bench.wards import READINGS, ward


def figures(hours: int, rounds: int) -> list[Figure]:
    """Of a quiet patient and of one in treated septic shock, each with vitals every second."""
    found = []
    for name, shocked in (("quiet", 0), ("in shock", 1)):
        engine = _engine(hours, shocked)
        data = engine.snapshot()
        taking = median(seconds(engine.snapshot) for _ in range(rounds))
        restoring = median(seconds(lambda data=data: _restore(data)) for _ in range(rounds))  # type: ignore[misc]
        title = f"snapshot after {hours} h of {READINGS} signals/s, {name}"
        found.append(Figure(f"{title}: size", "<= 20 kB", f"{len(data) / 1000:.1f} kB"))
        found.append(Figure(f"{title}: take, restore", "", f"{taking * 1000:.1f} ms, {restoring * 1000:.1f} ms"))
    return found


def _engine(hours: int, shocked: int) -> PatientEngine:
    engine = PatientEngine("bed-0", load_packs(), SiteSettings())
    for line in ward(1, timedelta(hours=hours), timedelta(seconds=1), shocked=shocked):
        engine.observe(decode(line))
    return engine


def _restore(data: bytes) -> PatientEngine:
    return PatientEngine.restore(data, load_packs(), SiteSettings())
