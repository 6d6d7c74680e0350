"""The service under a ward in real time: how long an event takes to be durable and to be seen, and what that costs.

Vitals of every bed come once a second, live, by a gateway that sends bundles together or by monitors that send them one
by one; 200 readers follow the live feed. Every fifth of a second a patient collapses: such an event does not wait for
anything, so the time until a reader of the feed sees what came of it is what the pipeline adds.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop

from streams.simulator import Simulation
from tests.bench.probing import Sender
from tests.bench.table import Figure
from tests.bench.wards import START, ward
from tests.integration.brokers import ROOT
from tests.integration.serving import ServiceProcess

READERS: Final = 200
CONNECTIONS: Final = 20
_TICKS: Final = {False: 10, True: 100}
"""How often a second a gateway sends; and monitors that send alone, which do not all do so at the same instant."""

_HISTORY: Final = 500


@dataclass(slots=True)
class Seen:
    """What was measured: seconds from sending to the answer, and from sending a probe to a reader that sees it."""

    answered: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    cpu: float = 0.0
    readers: int = 0


def figures(folder: Path, beds: int, seconds: int) -> list[Figure]:
    """Both ways of sending, one after the other, each with a service of its own."""
    found = []
    for name, alone in (("gateway", False), ("one by one", True)):
        place = folder / name.replace(" ", "-")
        place.mkdir()
        service = ServiceProcess(place, runtime="{}")
        try:
            service.wait_until_ready()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                seen = runner.run(_measure(service, beds, seconds, alone=alone))
        finally:
            service.kill()
        title = f"serve, {beds} beds at 1 bundle/s, {name}, {seen.readers} readers"
        found += [
            Figure(f"{title}: event to alert seen, p50, p99", "p99 < 20 ms", _two(seen.seen)),
            Figure(f"{title}: event to durable answer, p50, p99", "", _two(seen.answered)),
            Figure(f"{title}: processor", "< 1 core", f"{seen.cpu / seconds:.2f} cores"),
        ]
    return found


def memory(folder: Path, beds: int, hours: int) -> list[Figure]:
    """The memory of a service through a day of a simulated ward with vitals every minute, sent as fast as it goes.

    Args:
        folder: for the service's database.
        beds: patients on the ward.
        hours: how long the day is.
    """
    service = ServiceProcess(folder, runtime="{}")
    try:
        service.wait_until_ready()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sizes = runner.run(_through_the_day(service, beds, hours))
    finally:
        service.kill()
    title = f"serve, {beds} beds for {hours} h with vitals every minute: memory"
    course = ", ".join(f"{sizes[hour - 1] / 1e6:.0f}" for hour in range(hours // 6, hours + 1, hours // 6))
    late = [size for hour, size in enumerate(sizes, start=1) if hour > hours / 2]
    growth = (late[-1] - late[0]) / beds / (len(late) - 1)
    return [
        Figure(f"{title} after each {hours // 6} h, MB", "", course),
        Figure(f"{title} that a bed takes for an hour more, second half", "flat", f"{growth / 1000:.1f} kB"),
    ]


async def _through_the_day(service: ServiceProcess, beds: int, hours: int) -> list[int]:
    """Bytes that are resident after each hour of the ward."""
    sender, hour = await Sender.open(service.port), 1
    sizes: list[int] = []
    piece: list[str] = []
    simulation = Simulation(beds=beds, length=timedelta(hours=hours))
    for message in simulation.messages():
        while message.received >= hour * 3_600_000:
            await sender.send(piece)
            piece = []
            sizes.append(resident(service.process.pid))
            hour += 1
        piece.append(message.line)
        if len(piece) >= _HISTORY:
            await sender.send(piece)
            piece = []
    if piece:
        await sender.send(piece)
    return [*sizes, resident(service.process.pid)]


def _two(times: Sequence[float]) -> str:
    ordered = sorted(times)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    return f"{p50:.1f} ms, {p99:.1f} ms (of {len(ordered):,})"


async def _measure(service: ServiceProcess, beds: int, seconds: int, *, alone: bool) -> Seen:
    began = datetime.now(UTC) + timedelta(seconds=30)
    history, ticks = _shifted(beds, seconds, began, _TICKS[alone])
    senders = [await Sender.open(service.port) for _ in range(CONNECTIONS)]
    for first in range(0, len(history), _HISTORY):
        await senders[0].send(history[first : first + _HISTORY])
    seen = Seen()
    readers = [asyncio.create_task(_read(service.port)) for _ in range(READERS - 1)]
    await asyncio.sleep(max(0.0, (began - datetime.now(UTC)).total_seconds()))
    command = ("-m", "tests.bench.probing", str(service.port), str(seconds))
    # A process of its own, so that it does not wait for what is sent and read here.
    probing = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=subprocess.PIPE)
    cpu, start = _cpu(service.process.pid), time.monotonic()
    for number, tick in enumerate(ticks):
        await asyncio.sleep(max(0.0, start + number / _TICKS[alone] - time.monotonic()))
        pieces = [[line] for line in tick] if alone else [tick]
        shares = [pieces[place::CONNECTIONS] for place in range(CONNECTIONS)]
        await asyncio.gather(*(_send(*pair, seen) for pair in zip(senders, shares, strict=True)))
    seen.cpu = _cpu(service.process.pid) - cpu
    seen.seen = json.loads((await probing.communicate())[0])
    seen.readers = 1 + sum(not reader.done() for reader in readers)
    for task in readers:
        task.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return seen


def _shifted(beds: int, seconds: int, began: datetime, often: int) -> tuple[list[str], list[list[str]]]:
    """What had been sent before, and what is to be sent so often a second, as if it happened now."""
    history: list[str] = []
    ticks: list[list[str]] = [[] for _ in range(seconds * often)]
    by = began - START
    for line in ward(beds, timedelta(seconds=seconds), timedelta(seconds=1)):
        body = json.loads(line)
        at = datetime.fromisoformat(body["received_at"])
        stamp = (at + by).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = json.dumps({**body, "effective_at": stamp, "received_at": stamp}, separators=(",", ":"))
        tick = (at - START) // timedelta(seconds=1 / often)
        if tick < 0:
            history.append(text)
        elif tick < len(ticks):
            ticks[tick].append(text)
    return history, ticks


async def _send(sender: Sender, pieces: Sequence[Sequence[str]], seen: Seen) -> None:
    for piece in pieces:
        began = time.monotonic()
        await sender.send(piece)
        seen.answered.append(time.monotonic() - began)


async def _read(port: int) -> None:
    """Follow the live feed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while await reader.read(1 << 16):
        pass


def resident(process: int) -> int:
    """Bytes of a process that are in memory."""
    return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cpu(process: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
