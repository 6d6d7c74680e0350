"""Plays the demo's script to a service of its own, and prints what the service says."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import TypeAdapter
from rich.console import Console

from monitor.demo.script import CLOSES, OPENS, script
from monitor.render import Renderer, legend
from monitor.service.service import Site
from monitor.service.serving import Listening, serve
from rules.events import Action, Event, encode
from rules.outputs import AlertChange, AlertChangeKind, AnyChange, Change
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.wall import ScriptWall

HOST: Final = "127.0.0.1"

_EVERY: Final = 0.2
"""Seconds between two deliveries."""

_AT_ONCE: Final = 500
_CATCH_UP: Final = 10.0
_LOOKS: Final = 20
"""How often somebody looks for an alert to answer."""

_ENDING: Final = 8.0
"""Seconds within which a service that was told to end has ended."""

_LIVE_WITHIN: Final = 3600.0
"""Seconds on the ward by which a delivery may be late where a second of ours is a minute of theirs."""

_SILENCE: Final = 120.0
_DATA: Final = b"data: "
_CHANGES: Final[TypeAdapter[Change]] = TypeAdapter(AnyChange)


def perform(speed: float, port: int, console: Console, *, stay: bool) -> None:
    """Play the script once; afterwards end, or with ``stay`` go on serving until somebody presses Ctrl-C.

    Args:
        speed: how much faster than it happened.
        port: where to listen on loopback; any that is free, if somebody listens there already.
        console: what the service says is printed there.
        stay: whether the ward stays to be looked at once the script is over.
    """
    wall = ScriptWall(OPENS, CLOSES, speed)
    runtime = EmbeddedSettings(live_within=_LIVE_WITHIN, silence=_SILENCE)
    with TemporaryDirectory(prefix="rescue-monitor-demo-") as folder:
        database = Path(folder) / "demo.db"
        site = Site("Demo ICU", load_packs(), SiteSettings(), runtime, wall, time.monotonic, database, wall.seconds)
        stage = _Stage(wall, speed, console, stay=stay)
        serve(site, Listening(HOST, port if _is_free(port) else 0), (), stage.open)
        stage.close()


class _Stage:
    """The threads that send the script and print what is said; an error of theirs is raised by :meth:`close`."""

    def __init__(self, wall: ScriptWall, speed: float, console: Console, *, stay: bool) -> None:
        self._wall = wall
        self._speed = speed
        self._console = console
        self._stay = stay
        self._address = ""
        self._stop: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._printed = 0
        self._caught_up = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._changes: Counter[AlertChangeKind] = Counter()

    def open(self, address: str, stop: Callable[[], None]) -> None:
        """The service listens."""
        self._address, self._stop = address, stop
        self._run(self._play)

    def close(self) -> None:
        """The service has ended."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        self._console.print("The demo has ended; nothing of it is left on the disk.")

    def _run(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - it is raised where the demo was started
                # Whoever ends the service ends what was under way with it.
                if not self._ended.wait(_ENDING) and self._failure is None:
                    self._failure = error
                self._stop()

        self._threads.append(threading.Thread(target=guarded, daemon=True))
        self._threads[-1].start()

    def _play(self) -> None:
        events = script()
        self._send(self._until_the_curtain(events))
        self._printed = self._position()
        self._introduce()
        self._wall.start()
        self._run(self._listen)
        waiting = self._next
        while waiting is not None and not self._ended.wait(_EVERY):
            present, due = self._wall(), []
            while waiting is not None and waiting.received_at <= present:
                due.append(waiting)
                waiting = next(events, None)
            self._send(due)
        self._ended.wait(_EVERY)
        if not self._ended.is_set():
            self._finish()

    def _until_the_curtain(self, events: Iterator[Event]) -> Iterator[Event]:
        """What is known before it begins; the first event after it is kept."""
        self._next: Event | None = None
        for event in events:
            if event.received_at > OPENS:
                self._next = event
                return
            yield event

    def _introduce(self) -> None:
        self._console.print("A ward made up for this demo. Nothing here is a real patient or medical advice.")
        self._console.print(f"Watch it in a browser:  {self._address}/")
        self._console.print(
            f"It is {OPENS:%H:%M} on the ward, and time passes {self._speed:,g} times as fast as it does here. "
            "Ctrl-C ends it.",
            soft_wrap=True,
        )
        self._console.print()
        self._console.print(legend())

    def _finish(self) -> None:
        """Wait until all is printed that the service has said, and sum up."""
        position = self._position()
        with self._caught_up:
            self._caught_up.wait_for(lambda: self._printed >= position, _CATCH_UP)
        counted = ", ".join(f"{self._changes[kind]} {kind}" for kind in AlertChangeKind if self._changes[kind])
        self._console.print()
        self._console.print(f"It is {CLOSES:%H:%M} on the ward, and the script is over. Alerts: {counted}.")
        if self._stay:
            self._console.print(f"The ward stands still at {self._address}/ until you press Ctrl-C.")
        else:
            self._stop()

    def _send(self, events: Iterable[Event]) -> None:
        """Send facts as a gateway does, and give answers as somebody at the screen."""
        for _, together in groupby(events, key=lambda event: isinstance(event, Action)):
            for first in together:
                if isinstance(first, Action):
                    self._answer(first)
                else:
                    body = "".join(f"{encode(event)}\n" for event in chain([first], _some(together)))
                    self._post("/v1/events", body, "application/x-ndjson")

    def _answer(self, action: Action) -> None:
        """Answer an alert once it is on the screen: played fast, it may come a moment later than its answer."""
        body = action.model_dump_json(include={"action", "reason", "comment"}, exclude_none=True)
        for _ in range(_LOOKS):
            try:
                self._post(f"/v1/alerts/{action.alert_id}/actions", body, "application/json")
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != HTTPStatus.NOT_FOUND or self._ended.wait(_EVERY):
                    return
            else:
                return

    def _post(self, path: str, body: str, kind: str) -> None:
        request = urllib.request.Request(f"{self._address}{path}", body.encode(), {"Content-Type": kind})  # noqa: S310 - our own service
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            answer.read()

    def _position(self) -> int:
        """Of the newest event of the live feed; what comes first says it."""
        with urllib.request.urlopen(f"{self._address}/v1/stream") as feed:  # noqa: S310 - our own service
            data = next(line for line in feed if line.startswith(_DATA))
            return int(json.loads(data.removeprefix(_DATA))["position"])

    def _listen(self) -> None:
        """Print the live feed."""
        renderer = Renderer(self._console)
        address = f"{self._address}/v1/stream?last_event_id={self._printed}"
        with urllib.request.urlopen(address) as feed:  # noqa: S310 - our own service
            position = None
            for line in feed:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "id":
                    position = int(value)
                elif name == "data" and position is not None:
                    change = _change(value)
                    if isinstance(change, AlertChange):
                        self._changes[change.change] += 1
                    renderer.show(change)
                    with self._caught_up:
                        self._printed = position
                        self._caught_up.notify()
                    position = None


def _some(events: Iterator[Event]) -> Iterator[Event]:
    for _ in range(_AT_ONCE - 1):
        event = next(events, None)
        if event is None:
            return
        yield event


def _change(data: str) -> Change:
    """A change as it is on the wire, without what the feed adds."""
    body = json.loads(data)
    body.pop("summary", None)
    return _CHANGES.validate_python(body)


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True
