"""A real Chromium, the real service at a time of the demo, and screens on it whose console stays empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.dashboard.bedside import Bedside, at, token_of
from tests.dashboard.browser import ARGUMENTS, find

expect.set_options(timeout=15_000)

UNAVOIDABLE = re.compile(r"Failed to load resource: (net::ERR_|the server responded with a status of 4)")
"""What a browser itself writes when a service is away or refuses something; no page can keep it from that."""

Serve = Callable[..., Bedside]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # While it is there an event loop runs in this thread, in which no other test could run one of its own.
    path = find()
    assert path is not None, "no Chromium: python -m tests.dashboard.browser"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS])
        yield launched
        launched.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts the service of some beds at a time."""
    started: list[Bedside] = []
    numbers = count()

    def start(clock: str, *beds: str, **options: Any) -> Bedside:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        started.append(Bedside(folder, *beds, **options))
        started[-1].play(at(clock))
        return started[-1]

    yield start
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def whole_ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bedside]:
    """All ten beds during a resuscitation, one of them silent for long; for tests that change nothing."""
    service = Bedside(tmp_path_factory.mktemp("ward"), silent={"bed-6": at("08:20")})
    service.play(at("11:04"))
    yield service
    service.stop()


@pytest.fixture
def screen(browser: Browser) -> Iterator[Open]:
    """Opens a screen on a service; nothing may be written to its console."""
    errors: list[str] = []
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        refused = UNAVOIDABLE.match(message.text) and "/v1/" in message.location["url"]
        if message.type in ("error", "warning") and not refused:
            errors.append(message.text)

    def open_screen(service: Bedside, view: str = "", *, actor: str | None = None, **options: Any) -> Page:
        defaults = {"viewport": {"width": 1920, "height": 1080}, "timezone_id": "Europe/Berlin"}
        context = browser.new_context(**{**defaults, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        if actor is not None:
            context.add_init_script(f"sessionStorage.setItem('rescue-monitor.token', '{token_of(actor)}')")
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(service.url + view)
        return page

    yield open_screen
    for context in contexts:
        context.close()
    assert not errors
