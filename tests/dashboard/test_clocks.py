"""The banner of clocks in a real browser: a machine whose clock is not that of its senders, and beds of unknown age."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")


def test_a_clock_that_is_wrong_is_told_and_makes_no_bed_older(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-2", "bed-8")
    page = screen(server)
    expect(page.locator(".tile")).to_have_count(2)
    banner = page.locator("#banner")
    expect(banner).to_be_empty()
    server.clock.off = timedelta(days=1)
    expect(banner).to_have_text(
        "This machine's clock is 1 d ahead of its senders. What is shown goes by its senders.", use_inner_text=True
    )
    expect(page.locator(".tally")).to_contain_text("no data 0")
    server.clock.off = timedelta(minutes=-10)
    expect(banner).to_contain_text("This machine's clock is 10 min behind its senders.")
    server.clock.off = timedelta(0)
    expect(banner).to_be_empty()


def test_no_bed_looks_fresh_where_nobody_can_tell_how_old_its_data_are(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-2", "bed-8")
    server.stop()
    server.clock.off = timedelta(minutes=-10)
    server.start()
    page = screen(server)
    banner = page.locator("#banner")
    expect(banner).to_contain_text("This machine's clock is 10 min behind what it has kept. Nobody can tell how old")
    expect(page.locator(".tally")).to_contain_text("no data 2")
    expect(page.locator(".tile").first).to_contain_text("nobody can tell how old the data are")
    expect(page.locator(".tile").first).not_to_contain_text("s ago")
    page.locator(".tile").first.click()
    expect(page.locator("main")).to_contain_text("No data")
    expect(banner).to_contain_text("Nobody can tell how old the data are: go to the bedside.")
