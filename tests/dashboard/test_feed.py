"""The live feed in a real browser: silence is told, and what was missed is made up for."""

import pytest
from playwright.sync_api import Request, expect

from monitor.service import service
from tests.dashboard.bedside import at, token_of
from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")


def test_the_banner_appears_when_the_service_stops_and_goes_when_it_is_back(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-2", "bed-8")
    page = screen(server)
    page.clock.install()
    page.reload()
    quiet = page.locator('.tile[data-patient="bed-2"]')
    banner = page.locator("#banner")
    expect(page.locator(".link-state")).to_have_text("live")
    expect(banner).to_be_empty()
    server.stop()
    page.clock.run_for(14_000)
    expect(banner).to_be_empty()
    page.clock.run_for(3_000)
    expect(banner).to_contain_text("MONITOR BLIND")
    expect(banner).to_contain_text("Newest data: 09:21:00 CET")
    expect(page.locator(".link-state")).to_have_text("feed lost")
    expect(quiet).to_contain_text("Not known: feed lost")
    expect(quiet).not_to_contain_text("No open alert")
    server.start()
    server.play(at("08:23"))
    page.clock.run_for(9_000)
    expect(page.locator('.tile[data-patient="bed-8"]')).to_have_attribute("data-priority", "HIGH")
    page.clock.run_for(1_000)
    expect(banner).to_be_empty()
    expect(quiet).to_contain_text("No open alert")


def test_a_feed_that_is_open_and_silent_counts_as_lost(
    serve: Serve, screen: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BEAT_EVERY", 3600.0)
    page = screen(serve("08:21", "bed-8"))
    page.clock.install()
    page.reload()
    expect(page.locator(".link-state")).to_have_text("live")
    page.route("**/v1/stream", lambda route: None)
    page.clock.run_for(17_000)
    expect(page.locator("#banner")).to_contain_text("MONITOR BLIND")
    page.unroute("**/v1/stream")
    page.clock.run_for(9_000)
    expect(page.locator("#banner")).to_be_empty()


def test_a_screen_that_slept_catches_up_and_sees_nothing_twice(serve: Serve, screen: Open) -> None:
    server = serve("08:11", "bed-8")
    page = screen(server, "#/bed/bed-8")
    expect(page.locator(".link-state")).to_have_text("live")
    page.evaluate(
        """() => {
            window.spoken = [];
            const note = () => window.spoken.push(document.getElementById("say-high").textContent);
            new MutationObserver(note).observe(document.getElementById("say-high"), { childList: true });
        }"""
    )
    resumed: list[str | None] = []

    def note(request: Request) -> None:
        if request.url.endswith("/v1/stream"):
            resumed.append(request.headers.get("last-event-id"))

    page.on("request", note)
    before = server.get("unit")["position"]
    page.route("**/v1/**", lambda route: route.abort())
    server.stop()
    server.start()
    server.play(at("08:50"))
    page.unroute("**/v1/**")
    expect(page.locator('.card[data-priority="HIGH"]')).to_contain_text("escalating now")
    expect(page.locator("#say-high")).to_contain_text("bed-8, high priority")
    assert resumed[-1] == str(before)
    server.play(at("08:53"))
    page.wait_for_function("patient => document.querySelector('.clock').textContent.includes('09:53')")
    assert page.evaluate("window.spoken.length") == 1


def test_a_service_that_begins_anew_is_not_taken_for_the_old_one(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-8")
    page = screen(server)
    expect(page.locator(".tile")).to_have_count(1)
    server.stop()
    server.start("another.db")
    expect(page.locator("main")).to_contain_text("No patients yet")
    expect(page.locator(".tile")).to_have_count(0)


def test_a_service_behind_a_token_asks_for_it_and_is_followed_with_it(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:21", "bed-8", asked=True))
    page.get_by_label("Token").fill("guessed")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("dialog")).to_contain_text("the token is not accepted")
    page.get_by_label("Token").fill(token_of("nurse-7"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".link-state")).to_have_text("live")


def test_whoever_may_not_see_patients_is_told_so(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:21", "bed-8", asked=True), actor="operator-1")
    expect(page.locator("main")).to_have_text("This page is not for your role: a operator may not read.")
