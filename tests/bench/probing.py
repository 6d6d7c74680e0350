"""Sends events that do not wait, and measures when a reader of the live feed sees what came of each.

``python -m tests.bench.probing PORT SECONDS`` prints the times in seconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import uvloop

_A_SECOND: Final = 5
_LAST: Final = 2.0
"""Seconds in which the last of them must be seen."""

_HEAD: Final = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: "


class Sender:
    """A connection that is kept open; the least that is needed of HTTP, so that the client costs little."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Sender:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, lines: Sequence[str]) -> None:
        body = "\n".join(lines).encode()
        self._writer.write(f"{_HEAD}{len(body)}\r\n\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head.decode())
        (length,) = (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await self._reader.readexactly(int(length))


async def measure(port: int, seconds: int) -> list[float]:
    """Of each event the seconds from sending it to seeing what came of it; those that are not seen are left out."""
    sent: dict[str, float] = {}
    seen: list[float] = []
    reading = asyncio.create_task(_read(port, sent, seen))
    sender, start = await Sender.open(port), time.monotonic()
    for number in range(seconds * _A_SECOND):
        # Out of step with the tenths of a second at which others send.
        await asyncio.sleep(max(0.0, start + number / _A_SECOND + 0.037 * (number % 3) - time.monotonic()))
        name = f"probe-{number}"
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        sent[name] = time.monotonic()
        await sender.send([json.dumps(_collapse(name, stamp))])
    await asyncio.sleep(_LAST)
    reading.cancel()
    return seen


def _collapse(name: str, stamp: str) -> dict[str, Any]:
    envelope = {"schema_version": 1, "id": name, "source": "bench-probe", "subject": name}
    times = {"effective_at": stamp, "received_at": stamp}
    return {**envelope, **times, "kind": "resuscitation", "action": "collapse", "witnessed": True}


async def _read(port: int, sent: dict[str, float], seen: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while line := await reader.readline():
        if line.startswith(b"data: ") and b'"patient":"probe-' in line:
            began = sent.pop(json.loads(line.removeprefix(b"data: "))["patient"], None)
            if began is not None:
                seen.append(time.monotonic() - began)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(measure(int(sys.argv[1]), int(sys.argv[2]))), sys.stdout)
