"""A crowd of clients that read, or one pump that sends much at once: what others of a service have to live beside.

``python -m tests.bench.crowd PORT WHAT [PATIENT ...]`` says ``begin`` when it begins, and ends when it has enough.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final
from urllib.parse import quote

import uvloop

from tests.bench.probing import Sender

READERS: Final = 200
RATES: Final = 2_000
CLIENTS: Final = 50
_SECONDS: Final = 20.0
_PUMPS: Final = 5
_POLITE: Final = 10
"""How far it stands back: on a machine of its own it would take nothing from the service."""

_numbers: Final = iter(range(10**9))


def line(bed: str, content: Mapping[str, Any], at: datetime | None = None) -> str:
    """An event as it is sent; now, unless a time is given."""
    moment = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
    head = {"schema_version": 1, "id": f"{os.getpid()}-{next(_numbers)}", "source": "bench", "subject": bed}
    return json.dumps({**head, "effective_at": moment, "received_at": moment, **content})


async def _rates(port: int, _: Sequence[str]) -> None:
    """Pumps one after the other, each of which sends all its rates in one request."""
    sender, begin = await Sender.open(port), datetime.now(UTC) - timedelta(seconds=RATES)
    rate = {"kind": "infusion", "drug": "norepinephrine", "action": "rate", "unit": "ug/kg/min", "salt": "base"}
    for pump in range(_PUMPS):
        bed = f"noisy-{pump}"
        await sender.send([line(bed, {"kind": "encounter", "event": "admission", "weight_kg": 70}, begin)])
        await sender.send(
            [
                line(bed, {**rate, "rate": round(0.3 + i * 7 % 11 / 1000, 4)}, begin + timedelta(seconds=i))
                for i in range(RATES)
            ]
        )


async def _readers(port: int, _: Sequence[str]) -> None:
    """Readers who come together and read the whole feed."""
    last = await _position(port)
    await asyncio.gather(*(_read_up_to(port, last) for _ in range(READERS)))


async def _questions(port: int, patients: Sequence[str]) -> None:
    """Clients who look at patients, their histories and explanations, now and in the past, each one after the other."""
    until = time.monotonic() + _SECONDS
    await asyncio.gather(*(_ask(port, number, patients, until) for number in range(CLIENTS)))


async def _position(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        while not (said := await reader.readline()).startswith(b"data: "):
            pass
        return int(json.loads(said.removeprefix(b"data: "))["position"])
    finally:
        writer.close()


async def _read_up_to(port: int, last: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n\r\n")
    mark, tail = f"\nid: {last}\n".encode(), b""
    while data := await reader.read(1 << 18):
        if mark in tail + data:
            break
        tail = data[-len(mark) :]
    writer.close()


async def _ask(port: int, number: int, patients: Sequence[str], until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    then = quote((datetime.now(UTC) - timedelta(hours=5)).isoformat(timespec="seconds"))
    for patient in islice(cycle(patients), number, None):
        listed = json.loads(await _get(reader, writer, f"/v1/alerts?patient={patient}"))
        paths = [f"/v1/alerts/{alert['id']}" for alert in listed["alerts"]]
        paths += [f"/v1/patients/{patient}", f"/v1/patients/{patient}/trends", "/v1/alerts?limit=500"]
        paths += [f"/v1/patients/{patient}/explain?pathway=cardiac-arrest{at}" for at in ("", f"&at={then}")]
        for path in paths:
            await _get(reader, writer, path)
            if time.monotonic() > until:
                writer.close()
                return


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    (length,) = (field.split(b":")[1] for field in head.split(b"\r\n") if field.startswith(b"content-length"))
    return await reader.readexactly(int(length))


WHAT: Final[Mapping[str, Callable[[int, Sequence[str]], Awaitable[None]]]] = {
    "rates": _rates,
    "readers": _readers,
    "questions": _questions,
}


async def _main(port: int, what: str, patients: Sequence[str]) -> None:
    os.nice(_POLITE)
    print("begin", flush=True)
    await WHAT[what](port, patients)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
