"""Whoever cannot use a mouse or see colours: axe, the keyboard alone, themes, and the strict content policy."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.dashboard.bedside import Bedside, at
from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")


def findings(page: Page) -> list[str]:
    """What axe has against a page, if it is moderate or worse."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in violations
        for node in one["nodes"]
        if one["impact"] != "minor"
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["", "#/bed/bed-9"], ids=["unit", "bed"])
def test_axe_finds_nothing(whole_ward: Bedside, screen: Open, view: str, scheme: Literal["light", "dark"]) -> None:
    page = screen(whole_ward, view, color_scheme=scheme)
    expect(page.locator(".parts dt" if view else ".tile").first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    if view:
        expect(page.locator(".trend canvas").first).to_be_visible()
        page.get_by_role("button", name="Decline …").click()
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert findings(page) == []


def test_axe_finds_nothing_while_the_feed_is_lost(serve: Serve, screen: Open) -> None:
    server = serve("08:21", "bed-5", "bed-8")
    page = screen(server)
    page.clock.install()
    page.reload()
    expect(page.locator(".link-state")).to_have_text("live")
    server.stop()
    page.clock.run_for(17_000)
    expect(page.locator("#banner")).to_contain_text("MONITOR BLIND")
    page.clock.resume()
    assert findings(page) == []


def test_the_keyboard_alone_is_enough(serve: Serve, screen: Open) -> None:
    server = serve("08:23", "bed-2", "bed-5", "bed-8")
    page = screen(server)
    expect(page.locator(".tile")).to_have_count(3)
    keys = page.keyboard
    page.locator("#main").focus()
    keys.press("Tab")
    expect(page.locator('.tile[data-patient="bed-8"]')).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keys.press("ArrowRight")
    expect(page.locator('.tile[data-patient="bed-5"]')).to_be_focused()
    keys.press("ArrowLeft")
    keys.press("Enter")
    expect(page.locator(".bed-title")).to_have_text("bed-8")
    expect(page.get_by_role("button", name="Decline …")).to_be_visible()
    while page.evaluate("document.activeElement.textContent.trim()") != "Decline …":
        keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_label("seizure stopped")).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("button", name="Decline …")).to_be_focused()
    keys.press("Enter")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.locator(".card[data-state=declined]")).to_have_count(1)
    (answer,) = server.answers("bed-8")
    assert answer.reason == "anaesthetic being started"
    keys.press("Escape")
    expect(page.locator('.tile[data-patient="bed-8"]')).to_be_focused()


def test_an_update_leaves_the_focus_and_what_was_typed_alone(serve: Serve, screen: Open) -> None:
    server = serve("08:46", "bed-8")
    page = screen(server, "#/bed/bed-8")
    page.get_by_role("button", name="Decline …").click()
    comment = page.get_by_label("Comment")
    comment.fill("half a sent")
    shown = page.locator(".card").count()
    server.play(at("08:48"))
    expect(page.locator(".card")).to_have_count(shown + 2)
    expect(comment).to_be_focused()
    expect(comment).to_have_value("half a sent")


def test_keys_of_one_letter_can_be_turned_off(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:23", "bed-2", "bed-8"))
    expect(page.locator(".tile")).to_have_count(2)
    page.keyboard.press("t")
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    page.get_by_label("Keys of one letter are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("t")
    expect(page.locator("#theme")).to_have_text("Theme: dark")


def test_nothing_moves_for_those_who_ask_for_that(serve: Serve, screen: Open) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter(node => {
        const style = getComputedStyle(node);
        return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
    }).length"""
    page = screen(serve("08:23", "bed-8"), reduced_motion="reduce")
    expect(page.locator(".tile")).to_have_count(1)
    assert page.evaluate(moving) == 0


def test_the_page_keeps_the_strict_content_policy(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:23", "bed-8"))
    with page.expect_response(lambda response: response.url.endswith("/")) as found:
        page.reload()
    policy = found.value.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    page.evaluate("window.broken = []")
    page.evaluate("document.addEventListener('securitypolicyviolation', event => window.broken.push(event.blockedURI))")
    page.locator(".tile").click()
    expect(page.locator(".trend canvas").first).to_be_visible()
    assert page.evaluate("window.broken") == []
