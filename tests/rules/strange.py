"""Courses that no ward would send, though each event is well formed: odd times, odd numbers, odd corrections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from rules import catalogue
from rules.engine import PatientEngine
from rules.events import Event, MalformedEventError, decode
from rules.outputs import AlertChange, Change
from tests.rules.strategies import DAY, PATIENT, SITE, START, packs

_CATALOGUE: Final = catalogue.load()
_SIGNALS: Final = _CATALOGUE.signals
_DRUGS: Final = _CATALOGUE.drugs
_CONCEPTS: Final = tuple(concept.name for concept in _CATALOGUE.concepts)
_KINDS: Final = (
    *("observations",) * 6,
    *("infusion", "seizure", "resuscitation", "encounter", "action", "assessment") * 2,
    *("dose", "fluid", "procedure", "culture"),
)
_STEPS: Final = (0.0, 0.0005, 1, 10, 60, 60, 600, 3600, 86_400)
_LATE: Final = (0, 0, 0, 0, 1, 59, 60, 3600, 86_399, 86_401, 14 * 86_400, -30, -60, -61)
_AMOUNTS: Final = (5e-324, 0.05, 1, 5, 100, 1e9, 1e308)
_PRESENCES: Final = ("present", "present", "absent", "unknown")


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def strange_course(seeds: Sequence[int]) -> list[dict[str, Any]]:
    """One event for each seed, as it goes over the wire; what an action answers is settled when it is played."""
    events: list[dict[str, Any]] = []
    now = START
    for number, seed in enumerate(seeds):
        chance = Random(seed)
        now += timedelta(seconds=chance.choice(_STEPS))
        received = now + timedelta(seconds=chance.choice((0, 0, 0, -4, 4.999, -6)))
        effective = received - timedelta(seconds=chance.choice(_LATE))
        event = {
            "schema_version": 1,
            "id": f"e{number if chance.random() < 0.9 else chance.randrange(number + 1)}",
            "source": chance.choice(("monitor", "monitor", "laboratory")),
            "subject": PATIENT,
            "effective_at": _stamp(effective),
            "received_at": _stamp(received),
            "kind": chance.choice(_KINDS),
        }
        if chance.random() < 0.15:
            event["status"] = chance.choice(("corrected", "entered-in-error"))
            event["corrects"] = f"e{chance.randrange(number + 2)}"
        events.append({**event, **_body(chance, event["kind"], effective)})
    return events


def _body(chance: Random, kind: Any, at: datetime) -> dict[str, Any]:  # noqa: PLR0911 - one for each kind
    earlier = _stamp(at - timedelta(seconds=chance.choice((0, 1, 60, 3600, 20 * 86_400))))
    coded = {"code": chance.choice(_CONCEPTS), "presence": chance.choice(_PRESENCES)}
    drug = chance.choice(_DRUGS)
    match kind:
        case "observations":
            return {"readings": [_reading(chance) for _ in range(chance.choice((1, 1, 3, 8)))]}
        case "infusion":
            action = chance.choice(("start", "rate", "rate", "pause", "resume", "stop", "bag_change", "alarm"))
            body: dict[str, Any] = {
                "drug": drug.name,
                "action": action,
                "line": chance.choice(("main", "main", "second")),
            }
            if action in ("start", "rate"):
                body |= {"rate": chance.choice((0, *_AMOUNTS)), "unit": drug.rate_unit or "mg/h"}
            return body | ({"alarm": chance.choice(("occlusion", "extravasation"))} if action == "alarm" else {})
        case "dose":
            status = chance.choice(("given", "given", "ordered", "held"))
            amount = {"dose": chance.choice(_AMOUNTS), "unit": drug.dose_unit or "mg"}
            return {"drug": drug.name, **amount, "dose_status": status, "completed": chance.random() < 0.8}
        case "fluid":
            return {"fluid": "crystalloid", "volume": chance.choice(_AMOUNTS), "unit": "mL", "started_at": earlier}
        case "procedure":
            return {"code": coded["code"], "action": chance.choice(("start", "stop", "done"))}
        case "assessment":
            since = {"since": earlier} if chance.random() < 0.2 else {}
            return {"examination": "echo", "findings": [coded | since], "readings": [_reading(chance)]}
        case "culture":
            tested = [{"drug": drug.name, "result": chance.choice("SIR")}]
            organism = chance.choice((None, "Escherichia coli", "\u202e\x00"))
            return {"specimen_type": "blood", "organism": organism, "susceptibilities": tested}
        case "seizure":
            looks = chance.choice(("tonic_clonic", "electrographic", "unspecified"))
            return {"action": chance.choice(("start", "stop", "ongoing")), "semiology": looks}
        case "resuscitation":
            acts = ("collapse", "found", "cpr_start", "cpr_stop", "shock", "rhythm", "rosc", "rearrest", "ecmo_flow")
            shown = {"rhythm": chance.choice(("vf", "pea", "asystole", "organised"))}
            act = chance.choice(acts)
            return {"action": act, **(shown if act == "rhythm" or chance.random() < 0.5 else {})}
        case "encounter":
            said = {
                "event": chance.choice(("admission", "update", "update", "discharge")),
                "age_years": chance.choice((17.9, 18, 58, 130)),
                "weight_kg": chance.choice((5e-324, 70, 1e308)),
                "height_cm": chance.choice((170, 1e308)),
                "goals_of_care": chance.choice(("full", "dnr", "comfort")),
            }
            kept = {name: value for name, value in said.items() if name == "event" or chance.random() < 0.4}
            infection = {"code": "suspected_infection", "presence": chance.choice(_PRESENCES)}
            return {**kept, "conditions": [coded, infection]}
    action = chance.choice(("acknowledge", "accept", "decline", "snooze"))
    reason = {"reason": "not applicable"} if action == "decline" else {}
    answers = {"alert_id": str(chance.randrange(30)), "action": action, "actor": "dr-1", "role": "physician"}
    return {**answers, **reason, **({"based_on": 10**6} if chance.random() < 0.3 else {})}


def _reading(chance: Random) -> dict[str, Any]:
    signal = chance.choice(_SIGNALS)
    low, high = signal.plausible
    value = chance.choice((low, high, *(chance.uniform(low, high) for _ in range(5)), -1.7e308, 5e-324))
    method = {"method": chance.choice(("charted", "device"))} if chance.random() < 0.3 else {}
    specimen = {"specimen": chance.choice(("arterial", "venous"))} if chance.random() < 0.3 else {}
    return {"code": signal.name, "value": value, "unit": signal.unit, **method, **specimen}


class Ward:
    """One patient of whom strange events are heard; it knows the alerts, so that actions can answer them."""

    def __init__(self) -> None:
        self.engine = PatientEngine(PATIENT, packs(), SITE)
        self.said: list[Change] = []

    def hear(self, raw: dict[str, Any]) -> Event | None:
        """Take in one event; None if it is malformed."""
        if raw["kind"] == "action":
            alerts = [change.id for change in self.said if isinstance(change, AlertChange)]
            raw = raw | {"alert_id": alerts[int(raw["alert_id"]) % len(alerts)] if alerts else "none"}
        try:
            event = decode(json.dumps(raw))
        except MalformedEventError:
            return None
        self.said += self.engine.observe(event)
        return event

    def restore(self) -> None:
        """Go on with an engine made from the snapshot of this one."""
        self.engine = PatientEngine.restore(self.engine.snapshot(), packs(), SITE)

    def end(self) -> None:
        """Let two days pass after the last event."""
        self.said += self.engine.advance(START + 400 * DAY)
