"""The HTTP API over a real socket: what is answered, page by page, and what is turned away."""

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.demo.build import LOG as DEMO_LOG
from monitor.explaining import explain_at
from monitor.service.board import urgency
from monitor.service.models import Bed
from rules.events import encode
from rules.outputs import AlertChange
from rules.settings import SiteSettings
from streams.replay import in_stream_order
from tests.service.running import LINES, Running, running
from tests.streams.stream import events_of, packs

pytestmark = pytest.mark.xdist_group("service")


def get(service: Running, path: str, **params: Any) -> Any:
    response = service.client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def problem(response: httpx.Response, status: int) -> str:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    return str(body.get("detail"))


class TestUnit:
    def test_holds_every_bed_the_most_urgent_first(self, ward: Running) -> None:
        unit = get(ward, "/v1/unit")
        beds = [bed["patient"] for bed in unit["patients"]]
        assert sorted(beds) == sorted(f"bed-{number}" for number in range(1, 11))
        waiting = [any(alert["state"] == "open" for alert in bed["alerts"]) for bed in unit["patients"]]
        assert waiting == sorted(waiting, reverse=True)
        assert unit["unit"] == "ICU 1"

    def test_puts_who_is_not_watched_before_who_has_no_open_alert(self, ward: Running) -> None:
        beds = [Bed.model_validate(bed) for bed in get(ward, "/v1/unit")["patients"]]
        quiet = next(bed for bed in beds if not any(alert.state == "open" for alert in bed.alerts))
        kept_back = [alert.model_copy(update={"state": "suppressed"}) for bed in beds for alert in bed.alerts]
        blind = quiet.model_copy(update={"alerts": (), "data": quiet.data.model_copy(update={"blind": True})})
        watched = quiet.model_copy(update={"alerts": tuple(kept_back)})
        waiting = next(bed for bed in beds if any(alert.state == "open" for alert in bed.alerts))
        assert urgency(waiting) < urgency(blind) < urgency(watched)

    def test_leaves_out_pathways_that_do_not_apply(self, ward: Running) -> None:
        states = {p["state"] for bed in get(ward, "/v1/unit")["patients"] for p in bed["pathways"]}
        assert states
        assert "NOT_APPLICABLE" not in states

    def test_names_stages_pathways_and_reasons_for_people(self, ward: Running) -> None:
        beds = {bed["patient"]: bed for bed in get(ward, "/v1/unit")["patients"]}
        (shock,) = beds["bed-1"]["pathways"]
        assert (shock["title"], shock["stage_title"]) == ("Septic shock", "Refractory septic shock")

    def test_can_be_asked_for_one_unit_of_several(self, ward: Running) -> None:
        assert get(ward, "/v1/unit", unit="nowhere")["patients"] == []


class TestPatient:
    def test_has_stages_unknowns_and_the_age_of_every_signal(self, ward: Running) -> None:
        bed = get(ward, "/v1/patients/bed-1")
        assert bed["age_years"] == 58
        assert bed["goals_of_care"] == "full"
        signals = {signal["signal"]: signal for signal in bed["signals"]}
        assert signals["lactate"]["unit"] == "mmol/L"
        assert signals["lactate"]["stale_after"] == 4 * 3600
        assert all(set(entry) == {"pathway", "title", "missing"} for entry in bed["unknowns"])
        assert {entry["pathway"] for entry in bed["judged"]} == {pack.id for pack in packs()}

    def test_shows_alerts_that_ended_lately_which_the_unit_does_not(self, ward: Running) -> None:
        ended = {"withdrawn", "resolved", "expired"}
        unit = {bed["patient"]: bed for bed in get(ward, "/v1/unit")["patients"]}
        assert not {alert["state"] for alert in unit["bed-9"]["alerts"]} & ended
        assert {alert["state"] for alert in get(ward, "/v1/patients/bed-9")["alerts"]} & ended

    def test_that_nobody_knows_is_not_found(self, ward: Running) -> None:
        for path in ("", "/trends", "/explain?pathway=ards"):
            problem(ward.client.get(f"/v1/patients/nobody{path}"), 404)


class TestTrends:
    def test_have_the_thresholds_that_rules_compare_with(self, ward: Running) -> None:
        trends = get(ward, "/v1/patients/bed-1/trends", signals="map_invasive,lactate")
        by_signal = {series["signal"]: series for series in trends["series"]}
        target = by_signal["map_invasive"]["thresholds"]
        assert ("septic-shock", "map_target", 65.0) in [(t["pathway"], t["parameter"], t["value"]) for t in target]
        points = by_signal["map_invasive"]["points"]
        assert points == sorted(points)
        assert all(20 < value < 150 for _, value in points)

    def test_leave_out_the_thresholds_that_decide_nothing_now(self, ward: Running) -> None:
        def drawn(bed: str, signal: str) -> set[str]:
            (series,) = get(ward, f"/v1/patients/{bed}/trends", signals=signal)["series"]
            return {limit["parameter"] for limit in series["thresholds"]}

        # Sodium speaks against therapies that are thought of at bed-1; nobody thinks of a ketogenic diet at bed-8.
        assert drawn("bed-1", "sodium") == {"sodium_high", "sodium_low"}
        assert drawn("bed-8", "lipase") == drawn("bed-8", "triglycerides") == set()

    def test_cover_by_default_what_active_pathways_read(self, ward: Running) -> None:
        series = {found["signal"] for found in get(ward, "/v1/patients/bed-1/trends")["series"]}
        assert {"map_invasive", "lactate"} <= series

    def test_have_treatments_with_their_rates(self, ward: Running) -> None:
        treatments = get(ward, "/v1/patients/bed-1/trends")["treatments"]
        norepinephrine = [found for found in treatments if found["drug"] == "norepinephrine"]
        assert {found["kind"] for found in norepinephrine} == {"infusion"}
        assert {found["unit"] for found in norepinephrine} == {"µg/kg/min"}
        assert norepinephrine[-1]["to"] is None or norepinephrine[-1]["rate"] is not None

    def test_of_more_time_than_is_kept_are_turned_away(self, ward: Running) -> None:
        response = ward.client.get("/v1/patients/bed-1/trends", params={"since": "2020-01-01T00:00Z"})
        assert "since" in problem(response, 422)


class TestExplain:
    def test_says_why_in_structure_and_in_text(self, ward: Running) -> None:
        found = get(ward, "/v1/patients/bed-1/explain", pathway="septic-shock")
        assert found["verdict"] == "CONFIRMED"
        assert found["text"].splitlines()[1] == "Verdict: CONFIRMED, stage: refractory septic shock (SEP-3)"

    def test_says_it_of_an_earlier_time_as_a_replay_does(self, ward: Running) -> None:
        at = events_of()[1500].received_at
        (wanted,), _ = explain_at(str(DEMO_LOG), "bed-1", at, packs(), SiteSettings(), ["septic-shock"])
        found = get(ward, "/v1/patients/bed-1/explain", pathway="septic-shock", at=at.isoformat())
        assert found["text"].splitlines() == list(wanted.lines())

    def test_of_a_time_before_the_patient_came_is_not_found(self, ward: Running) -> None:
        params = {"pathway": "septic-shock", "at": "2026-01-01T00:00:00Z"}
        assert "nothing" in problem(ward.client.get("/v1/patients/bed-1/explain", params=params), 404)

    def test_of_a_pathway_that_nobody_loaded_is_not_found(self, ward: Running) -> None:
        problem(ward.client.get("/v1/patients/bed-1/explain", params={"pathway": "gout"}), 404)


class TestAlerts:
    def test_come_in_pages_without_gaps_or_repeats(self, ward: Running) -> None:
        whole = get(ward, "/v1/alerts", limit=500)["alerts"]
        found, cursor = [], None
        while True:
            page = get(ward, "/v1/alerts", limit=3, **({"cursor": cursor} if cursor else {}))
            assert len(page["alerts"]) <= 3
            found += page["alerts"]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == whole
        assert len({alert["id"] for alert in found}) == len(found) > 20

    @pytest.mark.parametrize(
        ("name", "value"),
        [("patient", "bed-1"), ("pathway", "ards"), ("priority", "HIGH"), ("state", "suppressed")],
    )
    def test_are_filtered(self, ward: Running, name: str, value: str) -> None:
        whole = get(ward, "/v1/alerts", limit=500)["alerts"]
        some = get(ward, "/v1/alerts", limit=500, **{name: value})["alerts"]
        assert some == [alert for alert in whole if alert[name] == value]

    def test_since_a_time_are_those_that_changed_since(self, ward: Running) -> None:
        whole = get(ward, "/v1/alerts", limit=500)["alerts"]
        middle = sorted(alert["changed_at"] for alert in whole)[len(whole) // 2]
        some = get(ward, "/v1/alerts", limit=500, since=middle)["alerts"]
        assert {alert["id"] for alert in some} == {a["id"] for a in whole if a["changed_at"] >= middle}

    def test_have_their_evidence_and_history(self, ward: Running) -> None:
        name = get(ward, "/v1/alerts", patient="bed-1", state="open")["alerts"][0]["id"]
        alert = get(ward, f"/v1/alerts/{name}")
        history = [AlertChange.model_validate(change) for change in alert["history"]]
        assert history[0].change == "raised"
        assert history[-1].sequence == alert["sequence"]
        assert alert["card"]["headline"] == alert["headline"]
        assert alert["raised_at"] == alert["history"][0]["decided_at"]

    def test_say_how_they_can_be_answered(self, ward: Running) -> None:
        name = get(ward, "/v1/alerts", patient="bed-1", state="open")["alerts"][0]["id"]
        actions = {found["action"]: found["reasons"] for found in get(ward, f"/v1/alerts/{name}")["actions"]}
        assert {"acknowledge", "accept", "decline"} <= set(actions)
        assert "not applicable" in actions["decline"]
        assert actions["accept"] == ["running", "done"]
        over = get(ward, "/v1/alerts", state="resolved")["alerts"][0]["id"]
        assert get(ward, f"/v1/alerts/{over}")["actions"] == []

    def test_that_nobody_raised_are_not_found(self, ward: Running) -> None:
        problem(ward.client.get("/v1/alerts/none"), 404)
        problem(ward.client.post("/v1/alerts/none/actions", json={"action": "accept"}), 404)


class TestAnswers:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Any:
        with running(tmp_path / "service.db") as service:
            service.send(list(in_stream_order(events_of(DEMO_LOG, "bed-1"))))
            yield service

    def open_alert(self, service: Running) -> dict[str, Any]:
        found: dict[str, Any] = get(service, "/v1/alerts", state="open")["alerts"][0]
        return found

    def answer(self, service: Running, alert: dict[str, Any], **body: Any) -> httpx.Response:
        return service.client.post(f"/v1/alerts/{alert['id']}/actions", json=body)

    def test_change_the_alert_for_everybody_at_once(self, service: Running) -> None:
        alert = self.open_alert(service)
        response = self.answer(service, alert, action="acknowledge", based_on=alert["sequence"])
        assert response.status_code == 201
        after = response.json()
        assert (after["state"], after["cause"]) == ("acknowledged", "acknowledged by local (clinician)")
        assert get(service, f"/v1/alerts/{alert['id']}")["state"] == "acknowledged"
        (bed,) = get(service, "/v1/unit")["patients"]
        assert after in bed["alerts"]

    def test_that_come_too_late_are_told_who_was_faster(self, service: Running) -> None:
        alert = self.open_alert(service)
        assert self.answer(service, alert, action="accept", based_on=alert["sequence"]).status_code == 201
        late = self.answer(service, alert, action="acknowledge", based_on=alert["sequence"])
        assert "is accepted: accepted by local (clinician)" in problem(late, 409)
        blind = self.answer(service, alert, action="acknowledge")
        assert "is accepted" in problem(blind, 409)

    def test_that_decline_need_a_reason_of_the_pack(self, service: Running) -> None:
        alert = self.open_alert(service)
        assert "needs a reason" in problem(self.answer(service, alert, action="decline"), 422)
        other = self.answer(service, alert, action="decline", reason="because")
        assert "is none of" in problem(other, 422)
        declined = self.answer(service, alert, action="decline", reason="not applicable", comment="seen at the bedside")
        assert declined.json()["state"] == "declined"

    def test_of_another_kind_are_turned_away(self, service: Running) -> None:
        alert = self.open_alert(service)
        for body in ({"action": "delete"}, {}, {"action": "accept", "actor": "somebody else"}):
            problem(self.answer(service, alert, **body), 422)


class TestEvents:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Any:
        with running(tmp_path / "service.db") as service:
            yield service

    def post(self, service: Running, content: bytes, kind: str = "application/json") -> httpx.Response:
        return service.client.post("/v1/events", content=content, headers={"Content-Type": kind})

    @pytest.mark.parametrize("form", ["one", "pretty", "array", "lines"])
    def test_come_alone_in_an_array_or_on_lines(self, service: Running, form: str) -> None:
        events = events_of(DEMO_LOG, "bed-4")[:3]
        lines = [encode(event) for event in events]
        bodies = {
            "one": (lines[0], "application/json"),
            "pretty": (json.dumps(json.loads(lines[0]), indent=2), "application/json; charset=utf-8"),
            "array": (f"[{','.join(lines)}]", "application/json"),
            "lines": ("\n".join([*lines, "", ""]), "application/x-ndjson"),
        }
        body, kind = bodies[form]
        sent = events[:1] if form in ("one", "pretty") else events
        results = self.post(service, body.encode(), kind).json()["results"]
        assert results == [
            {"index": index, "id": event.id, "status": "accepted", "reasons": []} for index, event in enumerate(sent)
        ]

    def test_are_answered_one_by_one(self, service: Running) -> None:
        good = encode(events_of(DEMO_LOG, "bed-4")[0])
        deep = "[" * 5000 + "]" * 5000
        lines = [good, "nonsense", good, deep, "{}", json.dumps({**json.loads(good), "id": "x", "readings": "many"})]
        results = service.client.post("/v1/events", content="\n".join(lines), headers=LINES).json()["results"]
        assert [(found["index"], found["status"]) for found in results] == [
            (0, "accepted"),
            (1, "rejected"),
            (2, "duplicate"),
            (3, "rejected"),
            (4, "rejected"),
            (5, "rejected"),
        ]
        assert all(found["reasons"] for found in results if found["status"] == "rejected")

    @pytest.mark.parametrize(
        ("sound", "faulty"),
        [
            ('"value":4.6', '"value":4.6,"value":1.0'),
            ('"schema_version":1', '"id":"other","schema_version":1'),
            ('"value":4.6', '"value":"\\ud800"'),
            ('"value":4.6', f'"value":{"[" * 5000}{"]" * 5000}'),
            ('"value":4.6', f'"value":{"9" * 5000}'),
            ('"value":4.6', '"value":4.6.1'),
            ('"bed-4"', '"bed-\xff"'),
        ],
        ids=("key twice", "id twice", "half a pair", "deep", "many digits", "no number", "not UTF-8"),
    )
    def test_in_an_array_are_read_as_strictly_as_alone_and_cost_no_others(
        self, service: Running, sound: str, faulty: str
    ) -> None:
        reading = {"code": "lactate", "value": 4.6, "unit": "mmol/L"}
        times = dict.fromkeys(("effective_at", "received_at"), "2026-03-14T07:00:00Z")
        event = {"schema_version": 1, "id": "e", "source": "lab", "subject": "bed-4", **times, "kind": "observations"}
        good = json.dumps({**event, "readings": [reading]}, separators=(",", ":"))
        bad = good.replace(sound, faulty)
        assert bad != good
        body = f"[{bad},{good}]".encode("latin-1")
        first, second = self.post(service, body).json()["results"]
        (alone,) = self.post(service, bad.encode("latin-1")).json()["results"]
        assert (first["status"], first["reasons"]) == ("rejected", alone["reasons"])
        assert second == {"index": 1, "id": "e", "status": "accepted", "reasons": []}

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"[", "application/json", 400),
            (b"[1", "application/json", 400),
            (b"[1] [", "application/json", 400),
            (b"[" + b"[]" * 4_000_000 + b"]", "application/json", 400),
            (b"[" + b"," * 8_000_000 + b"]", "application/json", 413),
            (b"[" * 100_000, "application/json", 400),
            (b"{}", "text/plain", 415),
            (b"{}", "", 415),
            (b"[" + b"1," * 10_000 + b"1]", "application/json", 413),
            (b"{}\n" * 10_001, "application/x-ndjson", 413),
            (b" " * ((8 << 20) + 1), "application/json", 413),
        ],
        ids=(
            "cut",
            "cut later",
            "followed",
            "many lists",
            "many commas",
            "deep",
            "text",
            "untyped",
            "many items",
            "many lines",
            "large",
        ),
    )
    def test_that_are_too_much_or_nothing_are_turned_away(
        self, service: Running, content: bytes, kind: str, status: int
    ) -> None:
        problem(self.post(service, content, kind), status)

    def test_that_are_packed_are_turned_away_and_not_called_invalid(self, service: Running) -> None:
        packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        problem(service.client.post("/v1/events", content=gzip.compress(b"{}"), headers=packed), 415)

    @pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
    def test_may_begin_with_a_byte_order_mark(self, service: Running, kind: str) -> None:
        (result,) = self.post(service, codecs.BOM_UTF8 + b"{}", kind).json()["results"]
        assert result["reasons"] == self.post(service, b"{}", kind).json()["results"][0]["reasons"]

    def test_of_unknown_length_are_limited_too(self, service: Running) -> None:
        chunks = (b"x" * (1 << 20) for _ in range(10))
        response = service.client.post("/v1/events", content=chunks, headers=LINES)
        problem(response, 413)

    def test_of_no_number_change_nothing(self, service: Running) -> None:
        assert self.post(service, b"[]").json() == {"results": []}
        assert self.post(service, b"", "application/x-ndjson").json() == {"results": []}

    def test_survive_the_service(self, tmp_path: Path) -> None:
        events = list(in_stream_order(events_of(DEMO_LOG, "bed-4")))
        with running(tmp_path / "service.db") as service:
            service.send(events[:200])
        with running(tmp_path / "service.db") as service:
            assert {found["status"] for found in service.send(events[:200]).json()["results"]} == {"duplicate"}
            assert [bed["patient"] for bed in get(service, "/v1/unit")["patients"]] == ["bed-4"]


class TestOperations:
    def test_say_that_it_lives_and_is_ready(self, ward: Running) -> None:
        assert ward.client.get("/livez").text == "ok\n"
        assert ward.client.get("/readyz").text == "ok\n"

    def test_have_figures_about_nobody(self, ward: Running) -> None:
        text = ward.client.get("/metrics").text
        assert 'rescue_monitor_events_total{outcome="used",topic="icu.vitals"}' in text
        assert "bed-" not in text

    def test_say_who_is_asking(self, ward: Running) -> None:
        assert get(ward, "/v1/me") == {"actor": "local", "role": "clinician"}

    def test_unknown_paths_are_problems(self, ward: Running) -> None:
        problem(ward.client.get("/v1/nothing"), 404)
        problem(ward.client.delete("/v1/unit"), 405)
