"""How large the snapshot of a patient is after a day of dense vitals, and how long it takes."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
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
    packs, found = load_packs(), []
    for name, shocked in (("quiet", 0), ("in shock", 1)):
        engine = PatientEngine("bed-0", packs, SiteSettings())
        for line in ward(1, timedelta(hours=hours), timedelta(seconds=1), shocked=shocked):
            engine.observe(decode(line))
        data = engine.snapshot()
        restore = partial(PatientEngine.restore, data, packs, SiteSettings())
        taking = median(seconds(engine.snapshot) for _ in range(rounds))
        restoring = median(seconds(restore) for _ in range(rounds))
        title = f"snapshot after {hours} h of {READINGS} signals/s, {name}"
        found.append(Figure(f"{title}: size", "<= 20 kB", f"{len(data) / 1000:.1f} kB"))
        found.append(Figure(f"{title}: take, restore", "", f"{taking * 1000:.1f} ms, {restoring * 1000:.1f} ms"))
    return found
