"""The pure modules of the dashboard, run in the browser that will run them, without a page around them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.bedside import Bedside
from tests.dashboard.conftest import Open, Serve

pytestmark = pytest.mark.xdist_group("browser")

NOW = 1_773_478_200_000  # 2026-03-14T08:50Z


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    server = Bedside(tmp_path_factory.mktemp("modules"), "bed-2")
    context = browser.new_context(timezone_id="Europe/Berlin")
    opened = context.new_page()
    opened.goto(server.url)
    yield opened
    context.close()
    server.stop()


def run(page: Page, module: str, body: str, *arguments: Any) -> Any:
    """What ``body``, an expression over the module ``m`` and the arguments ``a``, comes to."""
    names = list(arguments)
    return page.evaluate(f"async a => {{ const m = await import('/js/{module}.js'); return {body}; }}", names)


def summary(**fields: Any) -> dict[str, Any]:
    whole = {"id": "a", "patient": "p", "priority": "MEDIUM", "state": "open", "headline": "Consider", "window": None}
    return {**whole, "raised_at": "2026-03-14T08:00:00Z", "subject": "vasopressin", "stage": "SEP-2", **fields}


def bed(*alerts: dict[str, Any], **data: Any) -> dict[str, Any]:
    fresh = {"newest_at": "2026-03-14T08:49:00Z", "stale": False, "blind": False, "stale_signals": []}
    whole = {"patient": "p", "bed": "p", "age_years": 60, "goals_of_care": "full", "pathways": []}
    return {**whole, "alerts": list(alerts), "data": {**fresh, **data}}


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(59_000, "0:59"), (61_000, "1:01"), (3_600_000, "1 h 00 min"), (90_000_000, "1 d 1 h"), (-5, "0:00")],
)
def test_what_is_left_is_counted_in_the_unit_that_matters(page: Page, milliseconds: int, said: str) -> None:
    assert run(page, "time", "m.countdown(a[0])", milliseconds) == said


def test_times_of_the_service_are_told_in_local_time(page: Page) -> None:
    said = run(page, "time", "m.inLocalTime(a[0], a[1])", "by 2026-03-14 11:30, not 2026-03-13 23:30", NOW)
    assert said == "by 12:30, not Sat 14 Mar 00:30".replace("Sat 14 Mar ", "")


def test_the_clock_follows_a_ward_that_runs_faster(page: Page) -> None:
    body = "(() => { const c = new m.ServiceClock(); c.hear(0, 0); c.hear(300000, 5000); return c.at(6000); })()"
    assert run(page, "time", body) == 360_000


def test_the_clock_of_a_real_ward_takes_no_jitter_for_pace_and_is_not_put_back_by_it(page: Page) -> None:
    body = "(() => { const c = new m.ServiceClock(); c.hear(0, 0); c.hear(5000, 5200); return c.at(6200); })()"
    assert run(page, "time", body) == 6_200


def test_a_clock_that_was_put_back_is_followed(page: Page) -> None:
    body = "(() => { const c = new m.ServiceClock(); c.hear(0, 0); c.hear(-5000, 5000); return c.at(6000); })()"
    assert run(page, "time", body) == -4_000


def test_a_message_is_taken_once(page: Page) -> None:
    change = {"patient": "p", "change": "raised", "interrupts": True, "priority": "HIGH", "summary": summary()}
    body = """(() => {
        const unit = { now: "", position: 4, unit: "", patients: [a[0]] };
        const loaded = m.reduce(m.initial(0), { type: "unit", unit });
        const message = { type: "feed", id: 5, event: "alert", data: a[1], local: 1 };
        const once = m.reduce(loaded, message);
        const twice = m.reduce(once, message);
        return [once.beds[0].alerts.length, once.announcements.length, twice.announcements.length];
    })()"""
    assert run(page, "state", body, bed(), change) == [1, 1, 1]


def test_a_snapshot_that_overtakes_a_message_does_not_silence_it(page: Page) -> None:
    change = {"patient": "p", "change": "raised", "interrupts": True, "priority": "HIGH", "summary": summary()}
    body = """(() => {
        const unit = position => ({ type: "unit", unit: { now: "", position, unit: "", patients: [a[0]] } });
        const ahead = m.reduce(m.reduce(m.initial(0), unit(4)), unit(6));
        const next = m.reduce(ahead, { type: "feed", id: 5, event: "alert", data: a[1], local: 1 });
        return [next.beds[0].alerts.length, next.announcements.length];
    })()"""
    assert run(page, "state", body, bed(), change) == [0, 1]


def test_an_older_snapshot_changes_nothing(page: Page) -> None:
    body = """(() => {
        const unit = (position, patients) => ({ type: "unit", unit: { now: "", position, unit: "", patients } });
        return m.reduce(m.reduce(m.initial(0), unit(6, [a[0]])), unit(5, [])).beds.length;
    })()"""
    assert run(page, "state", body, bed()) == 1


def test_a_snapshot_made_before_a_message_does_not_take_it_back(page: Page) -> None:
    body = """(() => {
        const bed = { ...a[0], position: 4 };
        const unit = { type: "unit", unit: { now: "", position: 4, unit: "", patients: [bed] } };
        const patient = { type: "patient", patient: bed };
        const data = { patient: "p", change: "acknowledged", summary: { ...a[0].alerts[0], state: "acknowledged" } };
        const message = { type: "feed", id: 5, event: "alert", data, local: 1 };
        const events = [unit, { type: "open-bed", patient: "p" }, patient, message, unit, patient];
        const state = events.reduce(m.reduce, m.initial(0));
        return [state.beds[0], state.bed.snapshot].map(one => one.alerts[0].state);
    })()"""
    assert run(page, "state", body, bed(summary())) == ["acknowledged", "acknowledged"]


def test_the_feed_counts_as_lost_after_fifteen_seconds(page: Page) -> None:
    body = "[m.blind(m.initial(0), 15000), m.blind(m.initial(0), 15001)]"
    assert run(page, "state", body) == [False, True]


def test_unanswered_comes_before_accepted_and_high_before_medium(page: Page) -> None:
    alerts = [
        summary(id="accepted", priority="HIGH", state="accepted"),
        summary(id="medium"),
        summary(id="seen", priority="HIGH", state="acknowledged"),
        summary(id="high", priority="HIGH"),
        summary(id="gone", priority="HIGH", state="withdrawn"),
    ]
    order = run(page, "alerts", "m.shown(a[0]).map(one => one.id)", alerts)
    assert order == ["high", "seen", "medium", "accepted"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"attention": "asked", "cause": "came back after it was resolved"}, "asks: came back after it was resolved"),
        (
            {"attention": "at rest", "delayed": "came back 4 times in 2 h"},
            "interruption waits: came back 4 times in 2 h",
        ),
        ({"attention": "answered", "cause": "acknowledged by dr-1 (registrar)"}, ""),
        ({"attention": None, "cause": None}, ""),
    ],
)
def test_why_an_alert_asks_or_waits_is_said(page: Page, fields: dict[str, Any], said: str) -> None:
    assert run(page, "alerts", "m.attentionWords(a[0])", summary(**fields)) == said


def test_what_to_fix_first_comes_before_what_to_consider(page: Page) -> None:
    newer = summary(id="newer", raised_at="2026-03-14T08:30:00Z")
    alerts = [newer, summary(id="fix", subject="fix_first"), summary(id="older")]
    assert run(page, "alerts", "m.shown(a[0]).map(one => one.id)", alerts) == ["fix", "newer", "older"]


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ({}, "live"),
        ({"stale": True}, "stale"),
        ({"blind": True, "stale": True}, "blind"),
        ({"newest_at": None}, "blind"),
    ],
)
def test_data_are_live_stale_or_blind(page: Page, data: dict[str, Any], state: str) -> None:
    assert run(page, "beds", "m.tile(a[0], a[1]).data.state", bed(**data), NOW) == state


def test_a_bed_of_which_nothing_is_said_of_data_is_blind(page: Page) -> None:
    assert run(page, "beds", "m.dataState(undefined, a[0]).state", NOW) == "blind"


@pytest.mark.parametrize(
    ("decide_by", "window"),
    [
        ("2026-03-14T09:10:00Z", {"text": "20:00", "closing": False}),
        ("2026-03-14T08:59:00Z", {"text": "9:00", "closing": True}),
        ("2026-03-14T08:49:00Z", {"text": "window closed", "over": True}),
    ],
)
def test_a_window_says_what_is_left_and_when_it_is_closing(page: Page, decide_by: str, window: dict[str, Any]) -> None:
    given = {"state": "open", "decide_by": decide_by, "closes_at": decide_by, "reason": None}
    found = run(page, "beds", "m.windowLeft(a[0], a[1])", given, NOW)
    assert {key: found.get(key) for key in window} == window


@pytest.mark.parametrize(
    ("subject", "headline", "kind", "rest"),
    [
        ("fix_first", "Fix this first: pump stopped", "fix", "pump stopped"),
        ("obtain_data", "Cannot tell whether this is ARDS", "data", "Cannot tell whether this is ARDS"),
        ("vasopressin", "Consider: vasopressin", "consider", "vasopressin"),
        ("ecpr", "Discuss E-CPR", "consider", "E-CPR"),
        ("refractory", "Refractory septic shock: criteria met", None, "Refractory septic shock: criteria met"),
    ],
)
def test_what_an_alert_asks_for_is_told_apart(
    page: Page, subject: str, headline: str, kind: str | None, rest: str
) -> None:
    found = run(page, "alerts", "m.asksFor(a[0])", summary(subject=subject, headline=headline))
    assert (found["kind"], found["headline"]) == (kind, rest)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("PSEUDO(low_dose)", "fix first"), ("SUPPRESSED(goals)", "kept back: goals of care"), ("ACTIVE", "active")],
)
def test_the_verdict_of_an_explanation_is_told_in_words(page: Page, verdict: str, said: str) -> None:
    assert run(page, "alerts", "m.verdictText(a[0])", verdict) == said


def test_a_single_value_is_drawn_only_beside_a_threshold(page: Page) -> None:
    def series(name: str, *limits: float) -> dict[str, Any]:
        thresholds = [{"value": limit, "title": "t", "local": False} for limit in limits]
        return {"signal": name, "title": name, "unit": "1", "points": [[NOW - 60_000, 2]], "thresholds": thresholds}

    signals = [{"signal": name, "at": "2026-03-14T08:49:00Z"} for name in ("lactate", "sodium")]
    trends = {"series": [series("lactate", 3), series("sodium")], "treatments": []}
    body = "(m => [m.rows.map(r => r.key), m.others.map(o => o.signal)])(m.trendModel(a[0], a[1], a[2]))"
    assert run(page, "trends", body, trends, signals, NOW) == [["lactate"], ["sodium"]]


def test_a_stretch_without_data_breaks_the_line(page: Page) -> None:
    points = [[minute * 60_000, 60] for minute in (*range(20), 40, 41)]
    xs, ys = run(page, "chart", "m.columns(a[0], m.usualGap(a[0]))", points)
    assert [x for x, y in zip(xs, ys, strict=True) if y is None] == [19 * 60_000 + 1]


def test_a_threshold_far_away_does_not_flatten_the_values(page: Page) -> None:
    low, high = run(page, "chart", "m.scale(a[0], a[1])", [100, 104], [{"value": 60}, {"value": 3}])
    assert 40 < low < 60
    assert 104 < high < 115


def test_an_infusion_of_unknown_rate_says_so(page: Page) -> None:
    running = {"drug": "d", "title": "D", "kind": "infusion", "rate": None, "unit": "ug/kg/min", "to": None}
    treatments = [{**running, "from": "2026-03-14T08:00:00Z"}]
    (lane,) = run(page, "trends", "m.treatmentLanes(a[0], [0, a[1]])", treatments, NOW)
    assert lane["bars"][0]["label"] == "rate not known"


def test_a_screen_of_one_unit_does_not_speak_of_another(page: Page) -> None:
    change = {"patient": "q", "change": "raised", "interrupts": True, "priority": "HIGH", "summary": summary()}
    body = """(() => {
        const unit = { type: "unit", unit: { now: "", position: 4, unit: "", patients: [a[0]] } };
        const message = { type: "feed", id: 5, event: "alert", data: a[1], local: 1 };
        const all = m.reduce(m.initial(0), unit);
        const one = m.reduce(all, { type: "only" });
        return [all, one].map(state => m.reduce(state, message).announcements.length);
    })()"""
    assert run(page, "state", body, bed(), change) == [1, 0]


def test_a_treatment_that_runs_reaches_to_now(page: Page) -> None:
    running = {"drug": "d", "title": "D", "kind": "infusion", "rate": 0.5, "unit": "ug/kg/min", "to": None}
    treatments = [{**running, "from": "2026-03-14T08:00:00Z"}]
    (lane,) = run(page, "trends", "m.treatmentLanes(a[0], [0, a[1]])", treatments, NOW)
    assert (lane["bars"][0]["to"], lane["bars"][0]["label"], lane["running"]) == (NOW, "0.5 µg/kg/min", True)


def test_findings_of_one_measure_share_a_line_the_newest_first(page: Page) -> None:
    def lactate(value: str, clock: str) -> dict[str, Any]:
        return {"measure": "lactate", "title": "lactate", "text": value, "at": f"2026-03-14T{clock}:00Z", "event": None}

    found = run(page, "card", "m.findingLines(a[0], a[1])", [lactate("4.6", "07:00"), lactate("5.0", "08:00")], NOW)
    assert [(line["name"], [value["text"] for value in line["values"]]) for line in found] == [
        ("lactate", ["5.0", "4.6"])
    ]


def test_text_of_a_message_is_never_markup(serve: Serve, screen: Open) -> None:
    page = screen(serve("07:00", "bed-2"))
    page.route(
        "**/v1/unit",
        lambda route: route.fulfill(
            json={
                "now": "2026-03-14T08:50:00Z",
                "position": 1,
                "unit": "<img src=x>",
                "patients": [{**bed(summary(headline="<img src=x onerror=alert(1)>")), "bed": "<b>bed</b>"}],
            }
        ),
    )
    page.reload()
    expect(page.locator(".headline")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".bed-name")).to_have_text("<b>bed</b>")
    expect(page.locator("img")).to_have_count(0)
