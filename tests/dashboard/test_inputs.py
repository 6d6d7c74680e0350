"""The banner of inputs in a real browser: from where no data come, since when, and that it goes again."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from rules.events import encode
from streams.embedded.settings import EmbeddedSettings
from tests.dashboard.bedside import at
from tests.dashboard.conftest import Open, Serve
from tests.streams.stream import events_of

pytestmark = pytest.mark.xdist_group("browser")


def test_an_input_that_is_silent_is_named_with_the_time_since_when(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-2", "bed-8", runtime=EmbeddedSettings(expect={"local": 600}))
    page = screen(server)
    expect(page.locator(".tile")).to_have_count(2)
    banner = page.locator("#banner")
    expect(banner).to_be_empty()
    server.clock.set(at("08:33"))
    page.reload()
    expect(banner).to_contain_text("No data from local since 09:21 CET. What is shown may rest on old values.")
    expect(page.locator(".link-state")).to_have_text("live")
    page.locator(".tile").first.click()
    expect(page.locator("main")).to_contain_text("bed-")
    expect(banner).to_contain_text("No data from local since 09:21 CET")
    server.play(at("08:34"))
    expect(banner).to_be_empty()


def test_a_file_that_was_never_there_is_named_until_it_is(serve: Serve, screen: Open, tmp_path: Path) -> None:
    log = tmp_path / "lab.jsonl"
    server = serve("08:21", "bed-2", follow=[f"lab={log}"])
    page = screen(server)
    banner = page.locator("#banner")
    expect(banner).to_contain_text("No data from lab since")
    expect(banner).to_contain_text(", when the monitor was started: there is no such file.")
    event = events_of()[0].model_copy(
        update={"effective_at": at("08:21"), "received_at": at("08:21") + timedelta(seconds=1)}
    )
    log.write_text(f"{encode(event)}\n", encoding="utf-8")
    expect(banner).to_be_empty()
