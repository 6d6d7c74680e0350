"""Scenarios as data: events with times, and the verdicts expected at or between times.

A scenario is a YAML file; hospitals can test their own packs with it. See ``tests/scenarios`` for examples. Times are
``HH:MM`` or ``HH:MM:SS`` of the first day, or ``d2 HH:MM`` of a later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from rules.engine import PatientEngine
from rules.events import SCHEMA_VERSION, Event
from rules.instants import parse_duration
from rules.lifecycle import AlertState
from rules.outputs import Advice, AlertChange, AlertChangeKind, Change, StatusChange, TherapyStatus
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings

PATIENT: Final = "scenario-patient"
_DAY_ONE: Final = datetime(2026, 3, 1, tzinfo=UTC)
_TOGETHER: Final = timedelta(milliseconds=1)
"""Messages received at the same instant are judged together, as in a ward that waits for stragglers."""
_TIME: Final = re.compile(r"(?:d(?P<day>\d+) )?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?")
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_KINDS: Final = (
    "infusion",
    "dose",
    "fluid",
    "procedure",
    "assessment",
    "culture",
    "seizure",
    "resuscitation",
    "encounter",
    "action",
)


class ScenarioError(ValueError):
    """A scenario file that cannot be used; the text names the file, the place and the reason."""


def _time(text: Any) -> Any:
    if isinstance(text, datetime):
        return text
    match = _TIME.fullmatch(str(text))
    if match is None or int(match["hour"]) > 23 or int(match["minute"]) > 59:  # noqa: PLR2004 - a clock
        msg = f"{text!r} is not a time such as 09:45 or 'd2 14:00:30'"
        raise ValueError(msg)
    days = int(match["day"] or 1) - 1
    return _DAY_ONE + timedelta(
        days=days, hours=int(match["hour"]), minutes=int(match["minute"]), seconds=int(match["second"] or 0)
    )


Time = Annotated[datetime, BeforeValidator(_time)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Happening(_Frozen):
    """One event of a scenario, or the same one again and again from ``at`` until ``until``.

    ``observe`` gives readings as ``name: "value unit"``; the other keys are the event kinds with their fields.
    ``received`` (or a ``lag``) says when it reached us, where that is not at once.
    """

    at: Time
    received: Time | None = None
    lag: str | None = None
    every: str | None = None
    until: Time | None = None
    id: str | None = None
    status: str = "final"
    corrects: str | None = None
    observe: dict[str, str | dict[str, Any]] | None = None
    infusion: dict[str, Any] | None = None
    dose: dict[str, Any] | None = None
    fluid: dict[str, Any] | None = None
    procedure: dict[str, Any] | None = None
    assessment: dict[str, Any] | None = None
    culture: dict[str, Any] | None = None
    seizure: dict[str, Any] | None = None
    resuscitation: dict[str, Any] | None = None
    encounter: dict[str, Any] | None = None
    action: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Happening:
        given = [kind for kind in ("observe", *_KINDS) if getattr(self, kind) is not None]
        if len(given) != 1:
            msg = f"an event has exactly one of observe, {', '.join(_KINDS)}; found {given or 'none'}"
            raise ValueError(msg)
        if (self.every is None) != (self.until is None):
            msg = "'every' and 'until' belong together"
            raise ValueError(msg)
        return self

    def events(self, index: int) -> Iterator[Event]:
        """The wire events."""
        step = timedelta(milliseconds=parse_duration(self.every)) if self.every else None
        lag = timedelta(milliseconds=parse_duration(self.lag)) if self.lag else timedelta(0)
        at, number = self.at, 0
        while True:
            suffix = f"-{number}" if self.every else ""
            received = self.received if self.received is not None else at + lag
            yield _EVENT.validate_python(
                {
                    "schema_version": SCHEMA_VERSION,
                    "id": f"{self.id or f'event-{index}'}{suffix}",
                    "source": "scenario",
                    "subject": PATIENT,
                    "effective_at": at,
                    "received_at": received,
                    "status": self.status,
                    "corrects": self.corrects,
                    **self._body(),
                }
            )
            if step is None or self.until is None or at + step > self.until:
                return
            at, number = at + step, number + 1

    def _body(self) -> dict[str, Any]:
        if self.observe is not None:
            return {"kind": "observations", "readings": [_reading(name, raw) for name, raw in self.observe.items()]}
        kind = next(kind for kind in _KINDS if getattr(self, kind) is not None)
        body = {"kind": kind, **getattr(self, kind)}
        if kind == "assessment":
            body["readings"] = [_reading(name, raw) for name, raw in body.get("readings", {}).items()]
            body["findings"] = [_finding(code, raw) for code, raw in body.get("findings", {}).items()]
        if kind == "encounter":
            for group in ("conditions", "allergies"):
                body[group] = [_finding(code, raw) for code, raw in body.get(group, {}).items()]
        for key in ("started_at", "last_seen_at"):
            if key in body:
                body[key] = _time(body[key])
        return body


def _reading(name: str, raw: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(raw, dict):
        return {"code": name, **raw}
    value, _, unit = str(raw).partition(" ")
    return {"code": name, "value": value, "unit": unit or "1"}


def _finding(code: str, raw: Any) -> dict[str, Any]:
    return {"code": code, "presence": raw}


class Expectation(_Frozen):
    """What must be true at a time, or all the time from the first of two times until before the second."""

    at: Time | None = None
    between: tuple[Time, Time] | None = None
    verdict: str | None = None
    stage: str | None = None
    soft: tuple[str, ...] | None = None
    therapies: dict[str, str | None] = {}
    priority: dict[str, str] = {}
    windows: dict[str, str] = {}
    alerts: dict[str, str | None] = {}
    decided_at: Time | None = None
    effective_from: Time | None = None
    amended: bool | None = None

    @model_validator(mode="after")
    def _when(self) -> Expectation:
        if (self.at is None) == (self.between is None):
            msg = "an expectation has either 'at' or 'between'"
            raise ValueError(msg)
        return self


class Never(_Frozen):
    """What must not happen at any time: a verdict's state, or a suggestion being shown."""

    verdict: str | None = None
    therapy: str | None = None
    interrupts: bool | None = None


class Scenario(_Frozen):
    """A patient's course and what the monitor must say of it."""

    title: str
    source: str
    pathway: str
    settings: SiteSettings = SiteSettings()
    patient: dict[str, Any] = {}
    events: tuple[Happening, ...]
    expect: tuple[Expectation, ...] = ()
    never: tuple[Never, ...] = ()

    def wire_events(self) -> list[Event]:
        """All events in the order in which they were received."""
        events = [event for index, happening in enumerate(self.events) for event in happening.events(index)]
        if self.patient:
            first = min((event.effective_at for event in events), default=_DAY_ONE)
            happening = Happening.model_validate({"at": first, "id": "admission", "encounter": dict(self.patient)})
            events += happening.events(len(self.events))
        return sorted(events, key=lambda event: (event.received_at, event.id))


class Run:
    """A scenario played through an engine: every change, and the status and alerts at any instant."""

    def __init__(self, scenario: Scenario, packs: Sequence[Pack] | None = None) -> None:
        self.scenario = scenario
        settings = scenario.settings.model_copy(update={"lateness": _TOGETHER})
        self.engine = PatientEngine(PATIENT, packs if packs is not None else load_packs(), settings)
        self.changes: list[Change] = []
        events = scenario.wire_events()
        stops = {moment for e in scenario.expect for moment in (e.at, *(e.between or ())) if moment is not None}
        instants = sorted(stops | {event.received_at for event in events})
        position = 0
        for instant in instants:
            while position < len(events) and events[position].received_at <= instant:
                self.changes += self.engine.observe(events[position])
                position += 1
            self.changes += self.engine.advance(instant + _TOGETHER)

    def statuses(self, upto: datetime | None = None) -> list[StatusChange]:
        """Status changes of the scenario's pathway, decided by an instant."""
        return [
            change
            for change in self.changes
            if isinstance(change, StatusChange)
            and change.pathway == self.scenario.pathway
            and (upto is None or change.decided_at <= upto)
        ]

    def alerts(self, upto: datetime | None = None) -> dict[str, AlertChange]:
        """The last change of each alert by subject, decided by an instant."""
        return {
            change.subject: change
            for change in self.changes
            if isinstance(change, AlertChange)
            and change.pathway == self.scenario.pathway
            and (upto is None or change.decided_at <= upto)
        }

    def failures(self) -> list[str]:
        """What was expected and did not come out, in words."""
        found = [failure for expectation in self.scenario.expect for failure in self._check(expectation)]
        return found + [failure for never in self.scenario.never for failure in self._check_never(never)]

    def _check(self, expected: Expectation) -> Iterator[str]:
        if expected.at is not None:
            yield from self._compare(expected, expected.at)
        elif expected.between is not None:
            start, end = expected.between
            moments = {start, *(s.decided_at for s in self.statuses() if start < s.decided_at < end)}
            for moment in sorted(moments):
                yield from self._compare(expected, moment)

    def _compare(self, expected: Expectation, moment: datetime) -> Iterator[str]:
        statuses = self.statuses(moment)
        status = statuses[-1] if statuses else None
        place = f"at {moment:%d %H:%M:%S}"
        verdict = status.verdict if status else "NOT_APPLICABLE"
        if expected.verdict is not None and not matches(expected.verdict, verdict):
            yield f"{place}: expected {expected.verdict}, got {verdict}"
        if expected.stage is not None and (status is None or status.stage != expected.stage):
            yield f"{place}: expected stage {expected.stage}, got {status.stage if status else None}"
        if expected.soft is not None and (status is None or set(status.soft) != set(expected.soft)):
            found = sorted(status.soft) if status else []
            yield f"{place}: expected soft findings {sorted(expected.soft)}, got {found}"
        therapies = {t.therapy: t for t in status.therapies} if status else {}
        for name, advice in expected.therapies.items():
            given = therapies.get(name)
            words = None if given is None else _words(given.advice, given.reasons)
            if (advice is None) != (words is None) or (advice and words and not matches(advice, words)):
                yield f"{place}: expected {name} {advice}, got {words}"
        for name, priority in expected.priority.items():
            given = therapies.get(name)
            if given is None or given.priority != priority:
                yield f"{place}: expected {name} with priority {priority}, got {given.priority if given else None}"
        for name, window in expected.windows.items():
            got = _window_of(therapies.get(name), moment)
            yield from [f"{place}: expected {name} with {window}, got {got}"] * (got != window)
        yield from self._compare_alerts(expected, moment, place)
        for field in ("decided_at", "effective_from"):
            wanted = getattr(expected, field)
            if wanted is not None and (status is None or getattr(status, field) != wanted):
                yield f"{place}: expected {field} {wanted:%d %H:%M}, got {getattr(status, field, None)}"
        if expected.amended is not None and (status is None or bool(status.amends) != expected.amended):
            yield f"{place}: expected amended {expected.amended}, got {bool(status and status.amends)}"

    def _compare_alerts(self, expected: Expectation, moment: datetime, place: str) -> Iterator[str]:
        alerts = self.alerts(moment)
        for subject, state in expected.alerts.items():
            change = alerts.get(subject)
            got = None if change is None else _SHOWN_AS[change.change]
            if got != state:
                yield f"{place}: expected alert {subject} {state}, got {got}"

    def _check_never(self, never: Never) -> Iterator[str]:
        for status in self.statuses():
            place = f"at {status.decided_at:%d %H:%M:%S}"
            if never.verdict is not None and matches(never.verdict, status.verdict):
                yield f"{place}: {status.verdict} must never be the verdict"
            shown = {t.therapy for t in status.therapies if t.advice in (Advice.ELIGIBLE, Advice.CAUTION)}
            if never.therapy in shown:
                yield f"{place}: {never.therapy} must never be suggested"
        if never.interrupts:
            for change in self.changes:
                if isinstance(change, AlertChange) and change.interrupts:
                    yield f"at {change.decided_at:%d %H:%M:%S}: {change.subject} must not interrupt"


_SHOWN_AS: Final[dict[AlertChangeKind, str]] = {
    AlertChangeKind.RAISED: AlertState.OPEN,
    AlertChangeKind.UPDATED: AlertState.OPEN,
    AlertChangeKind.AMENDED: AlertState.OPEN,
    AlertChangeKind.REOPENED: AlertState.OPEN,
    AlertChangeKind.WITHDRAWN: AlertState.WITHDRAWN,
    AlertChangeKind.RESOLVED: AlertState.RESOLVED,
    AlertChangeKind.SUPPRESSED: AlertState.SUPPRESSED,
    AlertChangeKind.ACKNOWLEDGED: AlertState.ACKNOWLEDGED,
    AlertChangeKind.ACCEPTED: AlertState.ACCEPTED,
    AlertChangeKind.DECLINED: AlertState.DECLINED,
    AlertChangeKind.SNOOZED: AlertState.SNOOZED,
}


def matches(expected: str, actual: str) -> bool:
    """Whether a verdict is the expected one: the same word and, where given, the same reasons (by their beginnings)."""
    word, _, reasons = expected.partition("(")
    actual_word, _, actual_reasons = actual.partition("(")
    if word != actual_word:
        return False
    if not reasons:
        return True
    wanted = _split(reasons[:-1])
    given = _split(actual_reasons[:-1])
    return len(wanted) == len(given) and all(any(g.startswith(w) for g in given) for w in wanted)


def _split(reasons: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", reasons)]


def _window_of(status: TherapyStatus | None, moment: datetime) -> str | None:
    return None if status is None or status.window is None else status.window.text(moment)


def _words(advice: Advice, reasons: tuple[str, ...]) -> str:
    return f"{advice}({', '.join(reasons)})" if reasons else str(advice)


class _Loader(yaml.SafeLoader):
    """YAML without sexagesimal numbers, so that 10:30 stays a time."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+\.\d*$"), list("-+0123456789"))


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ScenarioError: naming the file, the place and the reason.
    """
    try:
        raw = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
        return Scenario.model_validate(raw)
    except yaml.YAMLError as error:
        msg = f"{path}: not YAML: {error}"
    except ValidationError as error:
        msg = "\n".join(f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
    raise ScenarioError(msg)
