"""What one bed, many readers and former patients cost the others of a service.

An event of a resuscitation of another bed is timed again and again beside a crowd (:mod:`tests.bench.crowd`): while
pumps send 2,000 rates each at once, while 200 readers read a long feed from its beginning, and while histories and
explanations are read by many. Then thousands of patients come and go, and the service is started again.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvloop

from tests.bench.crowd import CLIENTS, RATES, READERS, line
from tests.bench.probing import Sender
from tests.bench.serve import resident
from tests.bench.table import Figure
from tests.integration.brokers import ROOT
from tests.integration.serving import ServiceProcess

FORMER: Final = 2_000
ARRESTS: Final = 200
_TOGETHER: Final = 500
_PAUSE: Final = 0.02
"""Seconds between two events that are timed."""

_KEPT_WITHIN: Final = 75.0
"""Seconds after which every state has been kept, and who is away has left memory."""


def figures(folder: Path) -> list[Figure]:
    """All of them, one after the other, of one service."""
    service = ServiceProcess(folder, runtime="{}")
    arrested = [f"arrest-{number}" for number in range(ARRESTS)]
    try:
        service.wait_until_ready()
        alone = _started(service)
        noisy = _run(_beside(service.port, "rates"))
        _run(_send(service.port, _arrests(arrested)))
        reading = _run(_beside(service.port, "readers"))
        asking = _run(_beside(service.port, "questions", *arrested))
        _run(asyncio.sleep(_KEPT_WITHIN))
        before = resident(service.process.pid)
        _run(_send(service.port, _former()))
        _run(asyncio.sleep(_KEPT_WITHIN))
        grown = resident(service.process.pid) - before
        full = _started(service)
        fresh = resident(service.process.pid)
    finally:
        service.kill()
    what = "resuscitation answered beside"
    return [
        Figure(f"{what} {RATES:,} rates of another bed in one request: median, p99, worst", "< 250 ms", noisy),
        Figure(f"{what} {READERS} readers of the whole feed: the same", "< 250 ms", reading),
        Figure(f"{what} {CLIENTS} clients with questions of the past and the present: the same", "< 250 ms", asking),
        Figure(
            f"memory that {FORMER:,} former patients take, by when their states are kept", "", f"{grown / 1e6:.0f} MB"
        ),
        Figure(f"memory of a service that is started with {FORMER + ARRESTS:,} of them", "", f"{fresh / 1e6:.0f} MB"),
        Figure(f"start without former patients, with {FORMER + ARRESTS:,}", "", f"{alone:.1f} s, {full:.1f} s"),
    ]


def _run(work: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _started(service: ServiceProcess) -> float:
    """Seconds that a service takes from its start until it is ready, once it has ended in order."""
    service.stop()
    began = time.monotonic()
    service.start()
    service.wait_until_ready()
    return time.monotonic() - began


async def _beside(port: int, *crowd: str) -> str:
    """How long events of a resuscitation take until they are answered while a crowd is there, a process of its own."""
    command = ("-m", "tests.bench.crowd", str(port), *crowd)
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    sender, times = await Sender.open(port), list[float]()
    await process.stdout.readline()
    crowded = asyncio.create_task(process.wait())
    while not crowded.done():
        began = time.monotonic()
        await sender.send([line("beside", {"kind": "resuscitation", "action": "rhythm", "rhythm": "organised"})])
        times.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(_PAUSE)
    assert await crowded == 0
    times.sort()
    median, late = (times[int(len(times) * share)] for share in (0.5, 0.99))
    return f"{median:.0f}, {late:.0f}, {times[-1]:.0f} ms (of {len(times)})"


async def _send(port: int, lines: Iterator[str]) -> None:
    """Send lines, so many at a time."""
    sender = await Sender.open(port)
    waiting = list(lines)
    for start in range(0, len(waiting), _TOGETHER):
        await sender.send(waiting[start : start + _TOGETHER])


def _arrests(names: Sequence[str]) -> Iterator[str]:
    """Patients who were resuscitated for half an hour and discharged: a dozen alerts of each."""
    begin = datetime.now(UTC) - timedelta(hours=6)
    course: list[tuple[int, dict[str, Any]]] = [
        (0, {"kind": "encounter", "event": "admission", "weight_kg": 70, "age_years": 50}),
        (1, {"kind": "resuscitation", "action": "collapse", "witnessed": True}),
        (2, {"kind": "resuscitation", "action": "cpr_start"}),
        *((minute, {"kind": "resuscitation", "action": "shock", "rhythm": "vf"}) for minute in range(3, 13, 2)),
        (40, {"kind": "resuscitation", "action": "rosc"}),
        (300, {"kind": "encounter", "event": "discharge"}),
    ]
    for minute, content in course:
        for name in names:
            yield line(name, content, begin + timedelta(minutes=minute))


def _former() -> Iterator[str]:
    """Patients with an hour of vitals, who were discharged hours ago."""
    begin = datetime.now(UTC) - timedelta(hours=6)
    for first in range(0, FORMER, 50):
        for minute in range(0, 61, 2):
            at = begin + timedelta(minutes=minute)
            for bed in range(first, first + 50):
                yield line(f"former-{bed}", _during(minute), at)


def _during(minute: int) -> dict[str, Any]:
    if minute in (0, 60):
        return {"kind": "encounter", "event": "admission" if minute == 0 else "discharge"}
    readings: Sequence[tuple[str, float, str]] = (("map_invasive", 70, "mm[Hg]"), ("8867-4", 90, "/min"))
    return {"kind": "observations", "readings": [{"code": c, "value": v, "unit": u} for c, v, u in readings]}
