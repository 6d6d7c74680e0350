"""The unit view in a real browser: urgency, windows, and beds without data."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rules.instants import to_instant
from rules.track import Track
from tests.dashboard.bedside import Bedside, at
from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")

CLIPPED = """tiles => tiles.filter(tile => tile.scrollHeight > tile.clientHeight + 1
    || tile.querySelector(".goals").scrollWidth > tile.querySelector(".goals").clientWidth + 1
        || (tile.querySelector(".headline")?.offsetHeight ?? 0) > tile.querySelector(".tile-alert").clientHeight + 1)
    .map(tile => tile.dataset.patient)"""


def tile(page: Page, bed: str) -> str:
    return f'.tile[data-patient="{bed}"]'


def crowded(unit: dict[str, Any], times: int) -> dict[str, Any]:
    """A unit with every bed so many times over, each under a name of its own."""
    beds = []
    for bed in unit["patients"]:
        for number in range(times):
            name = f"bed-{int(bed['patient'].rpartition('-')[2]) + 10 * number}"
            alerts = [{**alert, "patient": name, "id": f"{alert['id']}-{number}"} for alert in bed["alerts"]]
            beds.append({**bed, "patient": name, "alerts": alerts})
    return {**unit, "patients": beds}


def test_a_bed_escalates_on_screen_without_being_asked(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-5", "bed-8")
    page = screen(server)
    bed = page.locator(tile(page, "bed-8"))
    expect(bed).to_have_attribute("data-priority", "MEDIUM")
    server.play(at("08:23"))
    expect(bed).to_have_attribute("data-priority", "HIGH")
    expect(bed.locator(".mark")).to_contain_text("!!!")
    expect(bed.locator(".mark")).to_contain_text("high")
    expect(bed.locator(".headline")).to_contain_text("escalating now")
    expect(page.locator(".tile").first).to_have_attribute("data-patient", "bed-8")


def test_only_what_is_of_high_priority_is_said_at_once(serve: Serve, screen: Open) -> None:
    server = serve("08:11", "bed-8")
    page = screen(server)
    expect(page.locator(".tile")).to_have_count(1)
    server.play(at("08:13"))
    expect(page.locator("#say")).to_contain_text("bed-8, medium priority")
    expect(page.locator("#say-high")).to_be_empty()
    server.play(at("08:23"))
    expect(page.locator("#say-high")).to_contain_text("bed-8, high priority: Consider: escalating now")


def test_a_bed_without_data_never_looks_quiet(serve: Serve, screen: Open) -> None:
    server = serve("08:30", "bed-2", "bed-6", silent={"bed-6": at("08:00")})
    page = screen(server)
    blind, quiet = page.locator(tile(page, "bed-6")), page.locator(tile(page, "bed-2"))
    expect(quiet).to_contain_text("No open alert")
    expect(blind).to_have_attribute("data-data", "blind")
    expect(blind).to_contain_text("No data")
    expect(blind).to_contain_text("last data 09:00, 30 min ago")
    expect(blind).not_to_contain_text("No open alert")
    said = re.compile(r"^bed-6\. no data, last data 09:00, 30 min ago\. Cannot tell\.")
    expect(blind).to_have_attribute("aria-label", said)
    looks = "tile => getComputedStyle(tile).borderStyle + getComputedStyle(tile).backgroundImage"
    assert blind.evaluate(looks) != quiet.evaluate(looks)


def test_windows_count_down_by_the_service_clock(serve: Serve, screen: Open) -> None:
    page = screen(serve("11:04", "bed-9"))
    window = page.locator(".tile .window")
    expect(window).to_contain_text("decide by 12:10")  # 11:10 UTC, told in local time
    shown = [window.locator("b").inner_text()]
    page.wait_for_function("text => document.querySelector('.tile .window b').textContent !== text", arg=shown[0])
    shown.append(window.locator("b").inner_text())
    seconds = [int(minutes) * 60 + int(rest) for minutes, rest in (text.split(":") for text in shown)]
    assert 6 * 60 >= seconds[0] > seconds[1] > 5 * 60


@pytest.mark.parametrize("crowd", [1, 2, 4], ids=["10", "20", "40"])
def test_ten_to_forty_beds_fit_one_screen_and_are_legible(whole_ward: Bedside, screen: Open, crowd: int) -> None:
    page = screen(whole_ward)
    unit = crowded(whole_ward.get("unit"), crowd)
    page.route("**/v1/unit", lambda route: route.fulfill(json=unit))
    page.reload()
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(10 * crowd)
    assert page.evaluate("document.documentElement.scrollHeight") <= 1080
    assert tiles.evaluate_all(CLIPPED) == []
    size = "node => parseFloat(getComputedStyle(node).fontSize)"
    assert page.locator(".bed-name").first.evaluate(size) >= 32
    assert page.locator(".tile .mark svg").first.evaluate("node => node.getBoundingClientRect().height") >= 32


def test_limited_goals_of_care_stand_out(serve: Serve, screen: Open) -> None:
    page = screen(serve("09:45", "bed-2", "bed-5"))
    expect(page.locator(f"{tile(page, 'bed-5')} .goals[data-limited]")).to_have_text("no escalation")
    expect(page.locator(f"{tile(page, 'bed-2')} .goals")).not_to_have_attribute("data-limited", "")
    expect(page.locator(tile(page, "bed-5"))).to_contain_text("kept back: goals of care")


@pytest.mark.usefixtures("bulkheads")
def test_a_bed_in_which_the_monitor_failed_says_that_nobody_watches(
    serve: Serve, screen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Track.judge

    def fail(track: Track, timeline: Any, now: int) -> Any:
        if now >= to_instant(at("08:22")) and "signal:lactate" in timeline.channels:
            raise ZeroDivisionError
        return judge(track, timeline, now)

    monkeypatch.setattr(Track, "judge", fail)
    server = serve("08:30", "bed-2", "bed-4")
    page = screen(server)
    failed = page.locator(tile(page, "bed-4"))
    expect(failed).to_have_attribute("data-priority", "HIGH")
    expect(failed.locator(".headline")).to_contain_text("NOT WATCHED since")
    expect(failed).not_to_contain_text("No open alert")
    failed.click()
    card = page.locator(".card", has_text="NOT WATCHED").first
    expect(card).to_contain_text("Watch this patient without the monitor")
    expect(card.get_by_role("button", name="Try again")).to_be_visible()
