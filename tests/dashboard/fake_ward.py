"""The demo's ward behind the HTTP contract: the real engine decides, and a test moves its clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from monitor.demo.build import LOG
from rules import catalogue
from rules.conditions import Node
from rules.engine import PatientEngine
from rules.events import Event, Infusion, Observations, decode
from rules.explanation import Explanation
from rules.outputs import AlertChange, Change, Rejection, State, StatusChange
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.logfile import read_log
from streams.processor import Ward

Body = dict[str, Any]

STATES: Final = {
    "raised": "open",
    "reopened": "open",
    "withdrawn": "withdrawn",
    "resolved": "resolved",
    "suppressed": "suppressed",
    "acknowledged": "acknowledged",
    "accepted": "accepted",
    "declined": "declined",
    "snoozed": "snoozed",
    "expired": "expired",
}
SHOWN: Final = ("open", "acknowledged", "accepted")
RANKS: Final = ("HIGH", "MEDIUM", "LOW", "INFORMATION")
KEPT_VISIBLE: Final = timedelta(minutes=30)
BLIND_AFTER: Final = timedelta(minutes=5)


def iso(moment: datetime) -> str:
    """A time as the wire carries it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def demo_events() -> tuple[Event, ...]:
    """The bundled log."""
    with read_log(str(LOG), lambda bad: None) as events:
        return tuple(event for _, event in events)


@cache
def packs() -> dict[str, Pack]:
    return {pack.id: pack for pack in load_packs()}


@dataclass
class Alert:
    """The present state of one alert and how it came to it."""

    state: str
    change: AlertChange
    raised_at: datetime
    history: list[AlertChange] = field(default_factory=list)


class Conflict(Exception):  # noqa: N818 - the name of the answer it becomes
    """An answer that the engine refused."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class FakeWard:
    """Beds of the demo (all ten unless named) at one instant; :meth:`play` moves it on.

    ``silent`` beds send nothing after the given time. What the live feed says is in ``feed``.
    """

    def __init__(self, *beds: str, silent: dict[str, datetime] | None = None) -> None:
        self._settings = SiteSettings()
        self._engines: dict[str, PatientEngine] = {}
        self._ward = Ward(tuple(packs().values()), self._settings, self._make)
        ends = silent or {}
        self._events = [
            event
            for event in demo_events()
            if (not beds or event.subject in beds) and event.received_at <= ends.get(event.subject, event.received_at)
        ]
        self._next = 0
        self._extra = 0
        self.now = self._events[0].received_at
        self.position = 0
        self.heard: dict[str, list[Event]] = {}
        self.alerts: dict[str, Alert] = {}
        self.statuses: dict[tuple[str, str], StatusChange] = {}
        self.feed: list[tuple[int, str, Body]] = []

    def _make(self, patient: str, wanted: Any, settings: SiteSettings) -> PatientEngine:
        engine = self._engines[patient] = PatientEngine(patient, wanted, settings)
        return engine

    def play(self, until: datetime) -> None:
        """Feed the log up to a time."""
        while self._next < len(self._events) and self._events[self._next].received_at <= until:
            event = self._events[self._next]
            self._next += 1
            self.heard.setdefault(event.subject, []).append(event)
            self._take(self._ward.feed(event))
        self.now = max(self.now, until)
        self._take(self._ward.advance(until + self._settings.lateness + timedelta(milliseconds=2)))

    def send(self, body: Body) -> list[Change]:
        """Feed one more event at the present time."""
        self._extra += 1
        envelope = {
            "schema_version": 1,
            "id": f"test-{self._extra}",
            "source": "test",
            "effective_at": iso(self.now),
            "received_at": iso(self.now),
        }
        event = decode(json.dumps({**envelope, **body}))
        self.heard.setdefault(event.subject, []).append(event)
        changes = self._ward.feed(event)
        changes += self._ward.advance(self.now + self._settings.lateness + timedelta(seconds=self._extra))
        self._take(changes)
        return changes

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            self.position += 1
            body = change.model_dump(mode="json")
            match change:
                case StatusChange():
                    self.statuses[change.patient, change.pathway] = change
                case AlertChange():
                    state = STATES.get(change.change.value)
                    known = self.alerts.get(change.id)
                    if known is None:
                        known = self.alerts[change.id] = Alert(state or "open", change, change.decided_at)
                    known.state, known.change = state or known.state, change
                    known.history.append(change)
                    body["summary"] = self.summary(change.id)
                case Rejection():
                    pass
            self.feed.append((self.position, change.kind, body))

    def summary(self, name: str) -> Body:
        """One alert as lists show it."""
        alert = self.alerts[name]
        change, pack = alert.change, packs()[alert.change.pathway]
        therapy = next((found for found in pack.therapies if found.id == change.subject), None)
        status = self.statuses.get((change.patient, change.pathway))
        windows = [t.window for t in status.therapies if t.therapy == change.subject] if status else []
        window = windows[0] if windows and windows[0] is not None else None
        return {
            "id": change.id,
            "patient": change.patient,
            "pathway": change.pathway,
            "pathway_title": pack.title,
            "subject": change.subject,
            "title": therapy.title if therapy else change.subject.replace("_", " "),
            "headline": change.card.headline,
            "verdict": change.verdict,
            "priority": change.priority.value,
            "state": alert.state,
            "asked": change.asked,
            "cause": change.cause,
            "stage": change.stage,
            "effective_from": iso(change.effective_from),
            "raised_at": iso(alert.raised_at),
            "changed_at": iso(change.decided_at),
            "sequence": change.sequence,
            "window": None if window is None else window.model_dump(mode="json"),
        }

    def detail(self, name: str) -> Body:
        """One alert with its card, its history, and how it can be answered."""
        alert = self.alerts[name]
        shown = alert.state in SHOWN
        answers = [answer.partition(": ") for answer in alert.change.card.answers] if shown else []
        actions: dict[str, list[str]] = {}
        for action, _, reason in answers:
            if not (action == "acknowledge" and alert.state != "open") and not (
                action == "accept" and alert.state == "accepted"
            ):
                actions.setdefault(action, []).extend([reason] if action == "decline" else [])
        return {
            **self.summary(name),
            "card": alert.change.card.model_dump(mode="json"),
            "history": [change.model_dump(mode="json") for change in alert.history],
            "actions": [{"action": action, "reasons": reasons} for action, reasons in actions.items()],
        }

    def answer(self, name: str, body: Body, actor: str, role: str) -> Body:
        """Answer an alert.

        Raises:
            Conflict: if the engine refuses it.
        """
        asked = {key: body[key] for key in ("action", "reason", "comment", "based_on") if body.get(key) is not None}
        patient = self.alerts[name].change.patient
        action = {"kind": "action", "alert_id": name, "subject": patient, "actor": actor, "role": role, **asked}
        for change in self.send(action):
            if isinstance(change, Rejection):
                raise Conflict(409 if change.reason in ("conflict", "not_possible") else 422, change.detail)
        return self.summary(name)

    def unit(self) -> Body:
        """All beds, most urgent first."""
        beds = [self.bed(patient) for patient in self.heard]
        return {
            "now": iso(self.now),
            "position": self.position,
            "unit": "ICU 1",
            "patients": sorted(beds, key=self._urgency),
        }

    def _urgency(self, bed: Body) -> tuple[Any, ...]:
        shown = [a for a in bed["alerts"] if a["state"] in SHOWN]
        worst = min((RANKS.index(a["priority"]) + 4 * (a["state"] == "accepted") for a in shown), default=9)
        number = bed["bed"].rpartition("-")[2]
        return worst, not bed["data"]["blind"], not bed["data"]["stale"], int(number) if number.isdigit() else 0

    def bed(self, patient: str) -> Body:
        """One bed as the unit view shows it."""
        events = self.heard[patient]
        signals = self.signals(patient)
        newest = max((e.effective_at for e in events if isinstance(e, Observations)), default=None)
        live = [s for s in signals if catalogue.load().signal(s["signal"]).dense]
        goals = [e.goals_of_care for e in events if e.kind == "encounter" and e.goals_of_care is not None]
        ages = [e.age_years for e in events if e.kind == "encounter" and e.age_years is not None]
        return {
            "patient": patient,
            "bed": patient,
            "age_years": ages[-1] if ages else None,
            "goals_of_care": str(goals[-1]) if goals else None,
            "pathways": [self._pathway(s) for (p, _), s in self.statuses.items() if p == patient and _applies(s)],
            "alerts": [self.summary(a.change.id) for a in self.alerts.values() if self._listed(a, patient)],
            "data": {
                "newest_at": None if newest is None else iso(newest),
                "stale": any(s["stale"] for s in live),
                "blind": newest is None or self.now - newest > BLIND_AFTER,
                "stale_signals": [s["title"] for s in live if s["stale"]],
            },
        }

    def _listed(self, alert: Alert, patient: str) -> bool:
        return alert.change.patient == patient and (alert.state in SHOWN or alert.state in ("declined", "snoozed"))

    def patient(self, patient: str) -> Body:
        """One bed with its signals, unknowns, and what was taken back lately."""
        bed = self.bed(patient)
        recent = [
            self.summary(a.change.id)
            for a in self.alerts.values()
            if a.change.patient == patient
            and a.state in ("withdrawn", "expired", "resolved")
            and self.now - a.change.decided_at <= KEPT_VISIBLE
        ]
        unknowns = [
            {"pathway": p["pathway"], "missing": list(self.explain(patient, p["pathway"]).missing)}
            for p in bed["pathways"]
        ]
        return {
            **bed,
            "alerts": [*bed["alerts"], *recent],
            "unknowns": [u for u in unknowns if u["missing"]],
            "signals": self.signals(patient),
        }

    def _pathway(self, status: StatusChange) -> Body:
        pack = packs()[status.pathway]
        stage = next((s for s in pack.stages if s.id == status.stage), None)
        titles = {check.id: check.title for check in pack.checks}
        return {
            "pathway": status.pathway,
            "title": pack.title,
            "state": status.state.value,
            "stage": status.stage,
            "stage_title": stage.title if stage else None,
            "reasons": [{"id": r, "title": titles.get(r, r.replace("_", " "))} for r in status.reasons],
            "suppressed": status.suppressed,
            "effective_from": iso(status.effective_from),
        }

    def explain(self, patient: str, pathway: str) -> Explanation:
        """What the engine says of a pathway now."""
        return self._engines[patient].explain(pathway)

    def _readings(self, patient: str) -> dict[str, list[tuple[datetime, float]]]:
        found: dict[str, list[tuple[datetime, float]]] = {}
        for event in self.heard[patient]:
            for reading in getattr(event, "readings", None) or ():
                if isinstance(reading.value, int | float):
                    found.setdefault(reading.code, []).append((event.effective_at, float(reading.value)))
        return {code: sorted(points) for code, points in found.items()}

    def signals(self, patient: str) -> list[Body]:
        """The newest value of each signal, and whether it is too old to be used."""
        listed = []
        for code, points in self._readings(patient).items():
            signal = catalogue.load().signal(code)
            at, value = points[-1]
            limit = signal.age_limit(charted=False)
            until = None if limit is None else at + limit
            listed.append(
                {
                    "signal": code,
                    "title": signal.title,
                    "unit": signal.unit,
                    "value": value,
                    "at": iso(at),
                    "stale_after": None if limit is None else limit.total_seconds(),
                    "stale": until is not None and self.now > until,
                }
            )
        return listed

    def trends(self, patient: str) -> Body:
        """The last twelve hours of what the active pathways read, with thresholds and treatments."""
        active = [packs()[p["pathway"]] for p in self.bed(patient)["pathways"]]
        series = []
        for code, points in self._readings(patient).items():
            thresholds = [found for pack in active for found in _thresholds(pack, code)]
            signal = catalogue.load().signal(code)
            if thresholds or signal.dense:
                series.append(
                    {
                        "signal": code,
                        "title": signal.title,
                        "unit": signal.unit,
                        "points": [[int(at.timestamp() * 1000), value] for at, value in points],
                        "thresholds": thresholds,
                    }
                )
        return {"series": series, "treatments": list(self._treatments(patient))}

    def _treatments(self, patient: str) -> Iterator[Body]:
        running: dict[str, Body] = {}
        for event in self.heard[patient]:
            if isinstance(event, Infusion):
                yield from self._infusion(event, running)
            elif event.kind in ("dose", "procedure"):
                name = event.drug if event.kind == "dose" else event.code
                yield {
                    "drug": name,
                    "title": name.replace("_", " ").capitalize(),
                    "from": iso(event.effective_at),
                    "to": iso(event.effective_at),
                    "rate": event.dose if event.kind == "dose" else None,
                    "unit": event.unit if event.kind == "dose" else None,
                    "kind": event.kind,
                }
        yield from running.values()

    def _infusion(self, event: Infusion, running: dict[str, Body]) -> Iterator[Body]:
        now = running.get(event.drug)
        same = now is not None and event.rate in (None, now["rate"]) and event.action in ("rate", "resume", "alarm")
        if same:
            return
        if now is not None:
            yield {**running.pop(event.drug), "to": iso(event.effective_at)}
        rate = event.rate if event.rate is not None else now["rate"] if now else None
        if event.action not in ("pause", "stop"):
            running[event.drug] = {
                "drug": event.drug,
                "title": event.drug.capitalize(),
                "from": iso(event.effective_at),
                "to": None,
                "rate": rate,
                "unit": event.unit or (now and now["unit"]),
                "kind": "infusion",
            }


def _applies(status: StatusChange) -> bool:
    return status.state is not State.NOT_APPLICABLE


def _thresholds(pack: Pack, code: str) -> Iterator[Body]:
    measures = {code, "mean_arterial_pressure"} if code == "map_invasive" else {code}
    seen = set()
    for _, root in pack.roots():
        for node in root.walk():
            name = _compared(node, measures)
            if name is not None and name not in seen:
                seen.add(name)
                parameter = pack.parameters[name]
                value = parameter.value if parameter.value is not None else parameter.by_age[0].value
                if isinstance(value, int | float):
                    yield {
                        "pathway": pack.id,
                        "parameter": name,
                        "title": parameter.title,
                        "value": value,
                        "source": pack.sources[parameter.source].text,
                        "local": parameter.overridden or parameter.strength == "D",
                    }


def _compared(node: Node, measures: set[str]) -> str | None:
    threshold = getattr(node, "threshold", None)
    return threshold if getattr(node, "measure", None) in measures and isinstance(threshold, str) else None
