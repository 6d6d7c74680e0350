"""A real Chromium, a ward at a time of the demo, and screens on it whose console stays empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.dashboard.browser import ARGUMENTS, find
from tests.dashboard.fake_server import FakeServer
from tests.dashboard.fake_ward import FakeWard

expect.set_options(timeout=10_000)

UNAVOIDABLE = re.compile(r"Failed to load resource: (net::ERR_|the server responded with a status of 4)")
"""What a browser itself writes when a service is away or refuses something; no page can keep it from that."""


def at(clock: str) -> datetime:
    """A time of the demo's day, in UTC."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, 14, hour, minute, tzinfo=UTC)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find()
    assert path is not None, "no Chromium: python -m tests.dashboard.browser"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS])
        yield launched
        launched.close()


Serve = Callable[..., FakeServer]
Open = Callable[..., Page]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts the service of some beds at a time."""
    started: list[FakeServer] = []

    def start(clock: str, *beds: str, silent: dict[str, datetime] | None = None) -> FakeServer:
        ward = FakeWard(*beds, silent=silent)
        ward.play(at(clock))
        started.append(FakeServer(ward))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def screen(browser: Browser) -> Iterator[Open]:
    """Opens a screen on a service; nothing may be written to its console."""
    errors: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        refused = UNAVOIDABLE.match(message.text) and "/v1/" in message.location["url"]
        if message.type in ("error", "warning") and not refused:
            errors.append(message.text)

    def open_screen(server: FakeServer, view: str = "", **options: Any) -> Page:
        defaults = {"viewport": {"width": 1920, "height": 1080}, "timezone_id": "Europe/Berlin"}
        context = browser.new_context(**{**defaults, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.url + view)
        return page

    yield open_screen
    for context in contexts:
        context.close()
    assert not errors
