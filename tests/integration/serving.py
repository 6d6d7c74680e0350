"""The service as a process of its own: started, sent to, killed; ``python -m tests.integration.serving`` for long.

The long run kills it at random moments under load (50 unless told otherwise) and compares what it has said with a run
that nobody interrupted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx

from rules.events import Action, Event, encode
from rules.outputs import AlertChange, StatusChange
from streams.embedded import audit
from streams.embedded.database import open_database
from streams.embedded.store import entries_after
from streams.replay import in_stream_order
from tests.integration.brokers import ROOT, free_port, wait_until
from tests.streams.embedded import Embedded
from tests.streams.stream import Words, events_of, words

_LINES: Final = {"Content-Type": "application/x-ndjson"}
_RUNTIME: Final = "{snapshot_interval: 1, note_interval: 0.2, gather: 0}\n"


class ServiceProcess:
    """``rescue-monitor serve`` on one database, which outlives it."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        runtime: str = _RUNTIME,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.database = folder / "service.db"
        self.log = folder / "service.txt"
        self.port = free_port()
        self._arguments = arguments
        self._environment = environment
        self._runtime = folder / "runtime.yaml"
        self._runtime.write_text(runtime, encoding="utf-8")
        self.start()

    def start(self, stdin: int | None = subprocess.DEVNULL) -> None:
        command = ["serve", "--database", str(self.database), "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", *command, "--runtime", str(self._runtime), *self._arguments],
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, "PYTHONWARNINGS": "ignore", **self._environment},
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-2000:]
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, 90, "the service is ready")

    def send(self, events: Sequence[Event]) -> bool:
        """Whether the service has acknowledged events; answers are left out, because they are not taken so."""
        body = "".join(f"{encode(event)}\n" for event in events if not isinstance(event, Action))
        try:
            answer = httpx.post(f"http://127.0.0.1:{self.port}/v1/events", content=body, headers=_LINES, timeout=60)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def stop(self) -> int:
        """End it in order; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def said(database: Path) -> Words:
    connection = open_database(database, read_only=True)
    try:
        changes = [entry.change for entry in entries_after(connection, 0, 1_000_000)]
        found = words(change for change in changes if isinstance(change, AlertChange | StatusChange))
        assert len(found) == sum(isinstance(change, AlertChange | StatusChange) for change in changes)
        return found
    finally:
        connection.close()


def chain_holds(database: Path) -> bool:
    with sqlite3.connect(database) as connection:
        return audit.verify(audit.read(connection)).fault is None


def run_with_kills(folder: Path, events: Sequence[Event], kills: int, seed: int) -> tuple[Words, int]:
    """What a service says that is killed at random moments under load; and how many kills hit a request under way.

    Whoever sends does what a gateway does: what was not acknowledged is sent again.
    """
    chance = random.Random(seed)
    service = ServiceProcess(folder)
    service.wait_until_ready()
    moments = sorted(chance.sample(range(1, max(kills + 1, len(events))), kills))
    sent, hit = 0, 0
    while sent < len(events):
        piece = _piece(events, sent, chance.choice((1, 3, 20, 80)))
        dying = bool(moments) and sent + len(piece) >= moments[0]
        if dying:
            moments.pop(0)
            timer = threading.Timer(chance.uniform(0, 0.08), service.kill)
            timer.start()
        acknowledged = service.send(piece)
        hit += not acknowledged
        if dying:
            timer.join()
            service.process.wait(60)
            service.start()
            service.wait_until_ready()
        if acknowledged:
            sent += len(piece)
    assert service.stop() == 0
    return said(service.database), hit


def _piece(events: Sequence[Event], first: int, size: int) -> Sequence[Event]:
    """The next events; what was received at the same instant stays together."""
    last = min(len(events), first + size)
    while last < len(events) and events[last].received_at == events[last - 1].received_at:
        last += 1
    return events[first:last]


def uninterrupted(folder: Path, events: Sequence[Event]) -> Words:
    """What the runtime says that nobody kills, of the same events: those that are no answers."""
    embedded = Embedded(folder / "uninterrupted.db")
    embedded.send([event for event in events if not isinstance(event, Action)])
    found = embedded.said()
    embedded.connection.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.serving", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="[%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    options = parser.parse_args()
    events = list(in_stream_order(events_of()))
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        found, hit = run_with_kills(Path(folder), events, options.kills, options.seed)
        wanted = uninterrupted(Path(folder), events)
        same = found == wanted and chain_holds(Path(folder) / "service.db")
        result = "nothing lost, nothing invented" if same else f"NOT the {len(wanted)} of an uninterrupted run"
        print(f"{options.kills} kills, {hit} of them under a request: {len(found)} changes, {result}")  # noqa: T201 - for people
        sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
