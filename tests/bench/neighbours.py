"""What one bed, many readers and former patients cost the others of a service.

An event of a resuscitation of another bed is timed while 2,000 rates of one pump are judged, and, once thousands of
patients have come and gone, while 200 readers read the whole feed at once; then the service is started again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.bench.probing import Sender
from tests.bench.serve import READERS, resident
from tests.bench.table import Figure
from tests.integration.serving import ServiceProcess

RATES: Final = 2_000
FORMER: Final = 2_000
_TOGETHER: Final = 500


def figures(folder: Path) -> list[Figure]:
    """All three, one after the other, of one service."""
    service = ServiceProcess(folder, runtime="{}")
    try:
        service.wait_until_ready()
        noisy = asyncio.run(_beside(service.port, _noisy(service.port)))
        empty = resident(service.process.pid)
        asyncio.run(_former(service.port))
        grown = resident(service.process.pid) - empty
        reading = asyncio.run(_beside(service.port, _mass_reading(service.port)))
        service.stop()
        began = time.monotonic()
        service.start()
        service.wait_until_ready()
        started = time.monotonic() - began
    finally:
        service.kill()
    return [
        Figure(f"resuscitation answered beside {RATES:,} rates of another bed: median, worst", "< 250 ms", noisy),
        Figure(f"the same beside {READERS} readers of the whole feed: median, worst", "< 250 ms", reading),
        Figure(f"memory that {FORMER:,} former patients take", "", f"{grown / 1e6:.0f} MB"),
        Figure(f"start with {FORMER:,} former patients", "", f"{started:.1f} s"),
    ]


async def _beside(port: int, work: Coroutine[Any, Any, None]) -> str:
    """How long events of a resuscitation take until they are answered while something else goes on."""
    sender, times = await Sender.open(port), list[float]()
    task = asyncio.create_task(work)
    while not task.done():
        began = time.monotonic()
        await sender.send([_line("bed-2", {"kind": "resuscitation", "action": "rhythm", "rhythm": "organised"})])
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    await task
    return f"{sorted(times)[len(times) // 2] * 1000:.0f} ms, {max(times) * 1000:.0f} ms (of {len(times)})"


async def _noisy(port: int) -> None:
    sender, begin = await Sender.open(port), datetime.now(UTC) - timedelta(seconds=RATES)
    await sender.send([_line("bed-1", {"kind": "encounter", "event": "admission", "weight_kg": 70}, begin)])
    rate = {"kind": "infusion", "drug": "norepinephrine", "action": "rate", "unit": "ug/kg/min", "salt": "base"}
    await sender.send(
        [
            _line("bed-1", {**rate, "rate": round(0.3 + i * 7 % 11 / 1000, 4)}, begin + timedelta(seconds=i))
            for i in range(RATES)
        ]
    )


async def _mass_reading(port: int) -> None:
    await asyncio.gather(*(_read_all(port) for _ in range(READERS)))


async def _read_all(port: int) -> None:
    """The feed from its beginning, until nothing comes for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n")
    try:
        while await asyncio.wait_for(reader.read(1 << 16), 1.0):
            pass
    except TimeoutError:
        pass
    writer.close()


async def _former(port: int) -> None:
    """Patients with an hour of vitals, who were discharged hours ago."""
    sender, begin = await Sender.open(port), datetime.now(UTC) - timedelta(hours=6)
    for first in range(0, FORMER, 50):
        lines = []
        for minute in range(0, 61, 2):
            at = begin + timedelta(minutes=minute)
            lines += [_line(f"former-{bed}", _during(minute), at) for bed in range(first, first + 50)]
        for start in range(0, len(lines), _TOGETHER):
            await sender.send(lines[start : start + _TOGETHER])
    await asyncio.sleep(40)


def _during(minute: int) -> dict[str, Any]:
    if minute in (0, 60):
        return {"kind": "encounter", "event": "admission" if minute == 0 else "discharge"}
    readings: Sequence[tuple[str, float, str]] = (("map_invasive", 70, "mm[Hg]"), ("8867-4", 90, "/min"))
    return {"kind": "observations", "readings": [{"code": c, "value": v, "unit": u} for c, v, u in readings]}


_numbers: Final = iter(range(10**9))


def _line(bed: str, content: dict[str, Any], at: datetime | None = None) -> str:
    moment = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
    head = {"schema_version": 1, "id": str(next(_numbers)), "source": "bench", "subject": bed}
    return json.dumps({**head, "effective_at": moment, "received_at": moment, **content})
