"""A service that really listens, in a thread of its own, on a database of its own."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import httpx

from monitor.service.connections import Limits
from monitor.service.inputs import Followed
from monitor.service.security import Authenticator
from monitor.service.service import Site
from monitor.service.serving import Listening, serve
from rules.events import Action, Event, encode
from rules.settings import SiteSettings
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.wall import Wall, system_wall
from tests.streams.stream import packs

WITHIN = 60.0
LINES = {"Content-Type": "application/x-ndjson"}


class Running:
    """Its address, and how to end it."""

    def __init__(
        self,
        site: Site,
        authenticator: Authenticator | None = None,
        follow: Sequence[str] = (),
        port: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self.path = site.path
        self.address = ""
        self._stop: Callable[[], None] = print
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        listening = Listening("127.0.0.1", port, authenticator, limits=limits or Limits())
        self.loop_thread = threading.Thread(target=self._run, args=(site, listening, follow), daemon=True)
        self.loop_thread.start()
        assert self._ready.wait(WITHIN)
        if self._failure is not None:
            raise self._failure
        self.client = httpx.Client(base_url=self.address, timeout=WITHIN)

    def _run(self, site: Site, listening: Listening, follow: Sequence[str]) -> None:
        try:
            serve(site, listening, [Followed.read(text) for text in follow], self._started)
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's thread
            self._failure = error
        finally:
            self._ready.set()

    def _started(self, address: str, stop: Callable[[], None]) -> None:
        self.address = address
        self._stop = stop
        self._ready.set()

    def stop(self) -> None:
        self.client.close()
        self._stop()
        self.loop_thread.join(WITHIN)
        assert not self.loop_thread.is_alive()

    def send(self, events: Sequence[Event], headers: dict[str, str] | None = None) -> httpx.Response:
        """Facts as a gateway sends them; answers as somebody gives them, if that is allowed."""
        sent = httpx.Response(200)
        for answers, together in groupby(events, key=lambda event: isinstance(event, Action)):
            if answers:
                self._answer(together, headers)
            else:
                body = "".join(f"{encode(event)}\n" for event in together)
                sent = self.client.post("/v1/events", content=body, headers=LINES | (headers or {}))
        return sent

    def _answer(self, events: Iterable[Event], headers: dict[str, str] | None) -> None:
        for event in events:
            assert isinstance(event, Action)
            self.client.post(f"/v1/alerts/{event.alert_id}/actions", json={"action": event.action}, headers=headers)


@contextmanager
def running(
    path: Path,
    authenticator: Authenticator | None = None,
    follow: Sequence[str] = (),
    wall: Wall = system_wall,
    settings: SiteSettings | None = None,
    runtime: EmbeddedSettings | None = None,
    limits: Limits | None = None,
) -> Iterator[Running]:
    # A time that a test sets passes, and does not jump.
    steady = time.monotonic if wall is system_wall else lambda: wall().timestamp()
    how = runtime or EmbeddedSettings()
    site = Site("ICU 1", packs(), settings or SiteSettings(), how, wall, time.monotonic, path, steady)
    service = Running(site, authenticator, follow, limits=limits)
    try:
        yield service
    finally:
        service.stop()
