"""The real service with beds of the demo, at a time of the demo's day that a test sets and moves on."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from monitor.service.models import Role
from monitor.service.oidc import Oidc
from monitor.service.security import Authenticator, TokenFile
from monitor.service.service import Site
from rules.events import Action, Encounter, Event
from rules.settings import SiteSettings
from streams.embedded import store
from streams.embedded.segments import Packer
from streams.embedded.settings import EmbeddedSettings
from streams.replay import in_stream_order
from tests.dashboard.provider import Provider
from tests.service.running import Running
from tests.streams.stream import events_of, packs

Body = dict[str, Any]

SITE: Final = SiteSettings(future_skew=timedelta(hours=1))
"""What has been received is sent before the clock is put forward, or time could pass without it: an hour at most."""

PEOPLE: Final[Mapping[str, Role]] = {
    "nurse-7": "clinician",
    "resident-2": "clinician",
    "visitor-1": "viewer",
    "operator-1": "operator",
}
"""Who may come in where somebody is asked who they are."""

_AT_ONCE: Final = 1000


def at(clock: str) -> datetime:
    """A time of the demo's day, in UTC."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, 14, hour, minute, tzinfo=UTC)


def token_of(actor: str) -> str:
    """What somebody signs in with."""
    return f"token of {actor}"


def _visit(at: datetime) -> Encounter:
    """A message that moves time and is shown nowhere: of somebody who has left."""
    return Encounter(
        schema_version=1,
        id=f"visit-{at.isoformat()}",
        source="test",
        subject="nobody",
        effective_at=at,
        received_at=at,
        kind="encounter",
        event="discharge",
    )


class Clock:
    """A time of day that passes as usual from where it was last set."""

    def __init__(self, start: datetime) -> None:
        self.off = timedelta(0)
        """By how much the machine's clock is wrong."""
        self.set(start)

    def set(self, now: datetime) -> None:
        """Put it forward."""
        self._now, self._began = now, time.monotonic()

    def seconds(self) -> float:
        """Seconds that pass as it does: what is put forward has passed."""
        return (self() - self.off).timestamp()

    def __call__(self) -> datetime:
        """The time."""
        return self._now + timedelta(seconds=time.monotonic() - self._began) + self.off


class Bedside:
    """A service of some beds of the demo (all ten unless named); ``silent`` beds send nothing after a time.

    Args:
        folder: where its database and the file of tokens are.
        beds: of the demo.
        silent: beds that fall silent, and when.
        asked: whether people are asked who they are.
        provider: finds that out, instead of a file of tokens.
        follow: files to read besides.
        runtime: the settings of the runtime.
    """

    def __init__(
        self,
        folder: Path,
        *beds: str,
        silent: Mapping[str, datetime] | None = None,
        asked: bool = False,
        provider: Provider | None = None,
        follow: Sequence[str] = (),
        runtime: EmbeddedSettings | None = None,
    ) -> None:
        ends = silent or {}
        chosen = [
            event
            for event in in_stream_order(events_of())
            if (not beds or event.subject in beds) and event.received_at <= ends.get(event.subject, event.received_at)
        ]
        self._events: list[Event] = [_visit(chosen[0].received_at), *chosen]
        self._folder = folder
        self._asked = asked or provider is not None
        self._provider = provider
        self._follow = follow
        self._runtime = runtime or EmbeddedSettings()
        self._port = 0
        self.clock = Clock(self._events[-1].received_at)
        self.start()

    def start(self, database: str = "service.db") -> None:
        """Listen, at the same address as before."""
        path = self._folder / database
        site = Site("ICU 1", packs(), SITE, self._runtime, self.clock, time.monotonic, path, self.clock.seconds)
        authenticator = self._authenticator() if self._asked else None
        self._running = Running(site, authenticator, self._follow, self._port)
        self._port = urlsplit(self._running.address).port or 0

    def stop(self) -> None:
        """Listen no more, and end every connection."""
        self._running.stop()

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"{self._running.address}/"

    def play(self, until: datetime) -> None:
        """Send what had been received by a time, and let everything be decided that is due by then."""
        known = [event for event in self._events if event.received_at <= until]
        self._events = self._events[len(known) :]
        for first in range(0, len(known), _AT_ONCE):
            self._send(known[first : first + _AT_ONCE])
        # Decisions lag by the lateness, and what is received moves time.
        after = until + SITE.lateness + timedelta(milliseconds=2)
        self.clock.set(after)
        self._send([_visit(after)])

    def _send(self, events: list[Event]) -> None:
        response = self._running.send(events, self._as("operator-1"))
        assert {one["status"] for one in response.json()["results"]} <= {"accepted", "rejected"}

    def get(self, path: str) -> Any:
        """What a reader is told."""
        return self._running.client.get(f"/v1/{path}", headers=self._as("visitor-1")).json()

    def answer(self, alert: str, actor: str, action: str, reason: str | None = None) -> int:
        """Answer an alert at another screen; the status of the response."""
        body = {"action": action, "reason": reason}
        return self._running.client.post(f"/v1/alerts/{alert}/actions", json=body, headers=self._as(actor)).status_code

    def answers(self, patient: str) -> list[Action]:
        """The answers of clinicians that are in the log of events."""
        connection, packer = sqlite3.connect(f"file:{self._running.path}?mode=ro", uri=True), Packer()
        try:
            found = [event for one in store.segments(connection, 0) for _, event in packer.events_of(one, patient)]
        finally:
            connection.close()
        # Those that the demo's own script gives are none of a test's.
        return [event for event in found if isinstance(event, Action) and event.source == "rescue-monitor"]

    def _as(self, actor: str) -> dict[str, str]:
        if self._provider is not None:
            return {"Authorization": f"Bearer {self._provider.token(actor, PEOPLE[actor])}"}
        return {"Authorization": f"Bearer {token_of(actor)}"} if self._asked else {}

    def _authenticator(self) -> Authenticator:
        if self._provider is not None:
            return Oidc(self._provider.settings)
        entries = [
            {"sha256": hashlib.sha256(token_of(actor).encode()).hexdigest(), "actor": actor, "role": role}
            for actor, role in PEOPLE.items()
        ]
        path = self._folder / "tokens.yaml"
        path.write_text(json.dumps({"tokens": entries}), encoding="utf-8")
        return TokenFile(path, self.clock)
