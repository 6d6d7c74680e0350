"""The bed view in a real browser: cards, answers, trends, and what was taken back."""

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.bedside import at
from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")

TEN_PARTS = [
    "Findings",
    "Suggestion",
    "Evidence",
    "Against it",
    "Not known",
    "Window",
    "Goals of care",
    "Data quality",
    "Rule",
]


def decline(page: Page, reason: str, comment: str = "") -> None:
    card = page.locator(".card").first
    card.get_by_role("button", name="Decline …").click()
    card.get_by_label(reason, exact=True).check()
    card.get_by_label("Comment").fill(comment)
    card.get_by_role("button", name="Decline", exact=True).click()


def test_evidence_opens_with_all_parts_of_the_card(serve: Serve, screen: Open) -> None:
    page = screen(serve("11:04", "bed-9"))
    page.locator(".tile").click()
    card = page.locator('.card[data-priority="HIGH"]')
    expect(card.locator("dt")).to_have_text(TEN_PARTS)
    expect(card).to_contain_text("failed shocks")
    expect(card).to_contain_text("INCEPTION")
    expect(card.get_by_role("button", name="Accept: running")).to_be_visible()
    second = page.locator(".card").nth(1)
    expect(second.locator("dt")).to_have_count(0)
    second.locator("h3 button").click()
    expect(second.locator("dt").first).to_have_text("Findings")


def test_times_inside_the_text_are_local_too(serve: Serve, screen: Open) -> None:
    page = screen(serve("11:04", "bed-9"), "#/bed/bed-9")
    window = page.locator(".card .parts div", has=page.locator("dt", has_text="Window")).locator("dd").first
    expect(window).to_contain_text("decide by 12:10")
    expect(window).not_to_contain_text("2026-03-14")


def test_a_decline_with_its_reason_reaches_the_service_and_the_other_screen(serve: Serve, screen: Open) -> None:
    server = serve("08:23", "bed-8", asked=True)
    mine, other = (screen(server, "#/bed/bed-8", actor=actor) for actor in ("nurse-7", "resident-2"))
    first = other.locator(".card").first
    expect(first).to_contain_text("escalating now")
    alert = first.get_attribute("data-alert")
    decline(mine, "other plan", "seen with the consultant")
    answered = other.locator(f'.card[data-alert="{alert}"]')
    expect(answered).to_have_attribute("data-state", "declined")
    expect(answered).to_contain_text("declined by nurse-7 (clinician): other plan")
    (answer,) = server.answers("bed-8")
    assert (answer.alert_id, answer.action, answer.reason) == (alert, "decline", "other plan")
    assert (answer.actor, answer.comment) == ("nurse-7", "seen with the consultant")
    assert answer.based_on is not None
    expect(mine.locator("#say")).to_contain_text("Answer taken")


def test_a_decline_needs_a_reason(serve: Serve, screen: Open) -> None:
    server = serve("08:23", "bed-8")
    page = screen(server, "#/bed/bed-8")
    page.get_by_role("button", name="Decline …").click()
    page.get_by_role("button", name="Decline", exact=True).click()
    expect(page.locator(".decline")).to_be_visible()
    assert server.answers("bed-8") == []


def test_who_was_slower_is_told_so_in_one_sentence(serve: Serve, screen: Open) -> None:
    server = serve("08:23", "bed-8", asked=True)
    page = screen(server, "#/bed/bed-8", actor="nurse-7")
    expect(page.locator(".parts").first).to_be_visible()
    alert = page.locator(".card").first.get_attribute("data-alert") or ""
    for what in ("stream", "unit", "patients/**"):
        page.route(f"**/v1/{what}", lambda route: route.abort())
    server.stop()
    server.start()
    assert server.answer(alert, "resident-2", "accept", "running") == 201
    page.get_by_role("button", name="Acknowledge").click()
    said = page.locator(".problem")
    expect(said).to_contain_text("accepted by resident-2 (clinician): running")
    expect(said).to_be_focused()


def test_an_acknowledged_alert_stays_on_the_board(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:23", "bed-8"), "#/bed/bed-8")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".card").first).to_have_attribute("data-state", "acknowledged")
    expect(page.locator(".card h3 button").first).to_be_focused()
    page.get_by_role("link", name="All beds").click()
    expect(page.locator(".tile")).to_have_attribute("data-priority", "HIGH")
    expect(page.locator(".tile")).to_contain_text("acknowledged")


def test_what_was_taken_back_is_struck_through_for_half_an_hour(serve: Serve, screen: Open) -> None:
    server = serve("10:09", "bed-3")
    page = screen(server, "#/bed/bed-3")
    card = page.locator(".card", has_text="Refractory septic shock")
    expect(card).to_have_attribute("data-state", "open")
    server.play(at("10:12"))
    expect(card).to_have_attribute("data-state", "withdrawn")
    expect(card.locator("s")).to_have_text("Refractory septic shock: criteria met")
    expect(card).to_contain_text("withdrawn: do not act on it")
    expect(card).to_contain_text("lactate 1.6 of 08:40, received 11:10")
    expect(card.get_by_role("button", name="Acknowledge")).to_have_count(0)
    server.play(at("10:41"))
    expect(card).to_have_count(0)


def test_a_viewer_reads_and_cannot_answer(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:23", "bed-8", asked=True), "#/bed/bed-8", actor="visitor-1")
    expect(page.locator(".answers").first).to_contain_text("your role cannot answer")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_trends_are_drawn_and_told_in_words(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:50", "bed-1"), "#/bed/bed-1")
    pressure = page.locator('.trend[data-signal="map_invasive"]')
    expect(pressure.locator("canvas")).to_be_visible()
    expect(pressure).to_contain_text("Threshold 65 mmHg mean arterial pressure below which it is inadequate")
    inks = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    assert pressure.locator("canvas").evaluate(inks) > 10
    expect(page.locator(".lanes canvas")).to_be_visible()
    expect(page.locator(".lanes table")).to_contain_text("Norepinephrine")
    expect(page.locator(".lanes table")).to_contain_text("0.03 U/min")


def test_why_and_what_is_missing_are_told(serve: Serve, screen: Open) -> None:
    page = screen(serve("08:50", "bed-4"), "#/bed/bed-4")
    why = page.locator(".why")
    for heading in ("Why", "What is missing", "Why not further, the nearest first"):
        expect(why.get_by_role("heading", name=heading, exact=True)).to_be_visible()


def test_what_was_known_earlier_is_told_and_never_taken_for_now(serve: Serve, screen: Open) -> None:
    page = screen(serve("10:12", "bed-3"), "#/bed/bed-3")
    why = page.locator(".why")
    expect(why.get_by_role("heading", name="SEP-1 Septic shock: active")).to_be_visible()
    why.get_by_label("As known at").fill("2026-03-14T11:00")
    why.get_by_role("button", name="Show").click()
    expect(why).to_contain_text("Not now: as known at 11:00 CET")
    expect(why.get_by_role("heading", name="Septic shock: confirmed, refractory septic shock (SEP-3)")).to_be_visible()
    why.get_by_label("As known at").fill("2026-03-14T07:59")
    why.get_by_role("button", name="Show").click()
    expect(why).to_contain_text("Septic shock: nothing of the patient had come by then")
    why.get_by_role("button", name="Back to now").click()
    expect(why.get_by_role("heading", name="SEP-1 Septic shock: active")).to_be_visible()
    expect(why).not_to_contain_text("Not now")


def test_the_patient_is_named_only_after_the_hash(serve: Serve, screen: Open) -> None:
    server = serve("08:23", "bed-8")
    page = screen(server)
    page.locator(".tile").click()
    expect(page.locator(".bed-title")).to_have_text("bed-8")
    assert page.url == f"{server.url}#/bed/bed-8"
    assert "bed-8" not in page.title()


def test_an_unknown_bed_is_said_to_be_unknown(serve: Serve, screen: Open) -> None:
    page = screen(serve("07:30", "bed-2"))
    expect(page.locator(".tile")).to_have_count(1)
    with page.expect_response("**/v1/patients/bed-99"):
        page.evaluate("location.hash = '#/bed/bed-99'")
    expect(page.locator("main")).to_contain_text("no such patient")
