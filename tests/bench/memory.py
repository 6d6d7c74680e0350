"""How much memory a patient takes after a day on the ward."""

from __future__ import annotations

import gc
import multiprocessing
import os
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Final

from rules.events import decode
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.ward import Ward
from tests.bench.table import Figure
from tests.bench.wards import ward

_STATM: Final = Path("/proc/self/statm")


def figures(patients: int, traced: int, hours: int) -> list[Figure]:
    """Memory of one of many patients with vitals every minute, a quarter of them in shock.

    Args:
        patients: for the growth of the process, which is measured where the system tells it.
        traced: patients for the sum of what Python allocated, which takes several times as long to find out.
        hours: how long the patients have been there.
    """
    name = f"memory of a patient after {hours} h of vitals every minute"
    found = [Figure(f"{name}: allocated, mean of {traced}", "", _kilobytes(_apart(_allocated, traced, hours)))]
    if _STATM.exists():
        grown = _kilobytes(_apart(_resident, patients, hours))
        found.append(Figure(f"{name}: resident, mean of {patients}", "", grown))
    return found


def _apart(measure: Callable[[int, int], float], patients: int, hours: int) -> float:
    """Measure in a fresh process, so that nothing that ran before counts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, patients, hours).result()


def _allocated(patients: int, hours: int) -> float:
    _ward(4, 3)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = _ward(patients, hours)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return (after - before) / patients


def _resident(patients: int, hours: int) -> float:
    _ward(4, 3)
    gc.collect()
    before = _resident_bytes()
    kept = _ward(patients, hours)
    gc.collect()
    after = _resident_bytes()
    del kept
    return (after - before) / patients


def _ward(patients: int, hours: int) -> Ward:
    kept = Ward(load_packs(), SiteSettings())
    for line in ward(patients, timedelta(hours=hours), timedelta(minutes=1)):
        kept.feed(decode(line))
    return kept


def _resident_bytes() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _kilobytes(size: float) -> str:
    return f"{size / 1000:.0f} kB"
