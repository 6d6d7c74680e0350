"""Scenario files: events with times, and what is expected at or between times. Times are ``HH:MM`` or ``d2 HH:MM``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from rules.events import SCHEMA_VERSION, Action, Event
from rules.instants import parse_duration
from rules.settings import SiteSettings
from rules.yamltext import LOADER

PATIENT: Final = "scenario-patient"
_DAY_ONE: Final = datetime(2026, 3, 1, tzinfo=UTC)
SUFFIX: Final = ".scenario.yaml"
"""How the names of scenario files end."""
_ALERT_ABOUT: Final = "alert-about"
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


def read_time(text: Any) -> Any:
    """A time of a scenario, such as ``09:45`` or ``d2 14:00:30``."""
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


Time = Annotated[
    datetime,
    BeforeValidator(read_time),
    WithJsonSchema({"type": "string", "pattern": r"^(d\d+ )?\d{1,2}:\d{2}(:\d{2})?$", "examples": ["09:45"]}),
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Happening(_Frozen):
    """One event of a scenario, or the same one again and again from ``at`` until ``until``.

    ``observe`` gives readings as ``name: "value unit"``; the other keys are the event kinds with their fields.
    ``received`` (or a ``lag``) says when it reached us, where that is not at once. An ``action`` may name its alert by
    ``subject`` (and ``pathway``) instead of ``alert_id``.
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

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in ("observe", *_KINDS)]})

    @model_validator(mode="after")
    def _one_kind(self) -> Happening:
        given = [kind for kind in ("observe", *_KINDS) if getattr(self, kind) is not None]
        if len(given) != 1:
            msg = f"an event has exactly one of observe, {', '.join(_KINDS)}; found {given or 'none'}"
            raise ValueError(msg)
        if (self.every is None) != (self.until is None):
            msg = "'every' and 'until' belong together"
            raise ValueError(msg)
        if self.every is not None and parse_duration(self.every) <= 0:
            msg = "'every' must be longer than zero"
            raise ValueError(msg)
        if self.lag is not None:
            parse_duration(self.lag)
        return self

    def events(self, index: int) -> Iterator[Event]:
        """The wire events.

        Raises:
            ScenarioError: if one is not an event; the text names its number, the field and the reason.
        """
        step = timedelta(milliseconds=parse_duration(self.every)) if self.every else None
        lag = timedelta(milliseconds=parse_duration(self.lag)) if self.lag else timedelta(0)
        at, number = self.at, 0
        while True:
            suffix = f"-{number}" if self.every else ""
            received = self.received if self.received is not None else at + lag
            yield self._event(index, f"{self.id or f'event-{index}'}{suffix}", at, received)
            if step is None or self.until is None or at + step > self.until:
                return
            at, number = at + step, number + 1

    def _event(self, index: int, name: str, at: datetime, received: datetime) -> Event:
        try:
            return _EVENT.validate_python(
                {
                    "schema_version": SCHEMA_VERSION,
                    "id": name,
                    "source": "scenario",
                    "subject": PATIENT,
                    "effective_at": at,
                    "received_at": received,
                    "status": self.status,
                    "corrects": self.corrects,
                    **self._body(),
                }
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            msg = f"events.{index}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        except ValueError as error:
            msg = f"events.{index}: {error}"
        raise ScenarioError(msg)

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
        if kind == "action" and "subject" in body:
            if "alert_id" in body:
                msg = "an action names its alert by 'subject' or by 'alert_id', not both"
                raise ValueError(msg)
            body["alert_id"] = f"{_ALERT_ABOUT}|{body.pop('pathway', '')}|{body.pop('subject')}"
        for key in ("started_at", "last_seen_at"):
            if key in body:
                body[key] = read_time(body[key])
        return body


def alert_asked_for(event: Event) -> tuple[str | None, str] | None:
    """The pathway, if given, and the subject of the alert that an action answers without knowing its id."""
    if not isinstance(event, Action) or not event.alert_id.startswith(f"{_ALERT_ABOUT}|"):
        return None
    _, pathway, subject = event.alert_id.split("|", 2)
    return pathway or None, subject


def _reading(name: str, raw: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(raw, dict):
        return {"code": name, **raw}
    value, _, unit = str(raw).partition(" ")
    return {"code": name, "value": value, "unit": unit or "1"}


def _finding(code: str, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        return {"code": code, "presence": raw}
    since = raw.get("since")
    began = read_time(since) if isinstance(since, str) and _TIME.fullmatch(since) else since
    return {"code": code, **raw, **({} if since is None else {"since": began})}


class CardText(_Frozen):
    """What the card of an alert must say, and must not."""

    subject: str
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()


class Expectation(_Frozen):
    """What must be true at a time, or all the time from the first of two times until before the second.

    ``fix_first`` are the checks that the verdict says to fix first; ``interrupts`` says of a subject whether a change
    of its alert that was decided then interrupted.
    """

    at: Time | None = None
    between: tuple[Time, Time] | None = None
    pathway: str | None = None
    verdict: str | None = None
    stage: str | None = None
    soft: tuple[str, ...] | None = None
    fix_first: tuple[str, ...] | None = None
    therapies: dict[str, str | None] = {}
    priority: dict[str, str] = {}
    windows: dict[str, str] = {}
    alerts: dict[str, str | None] = {}
    interrupts: dict[str, bool] = {}
    card: CardText | tuple[CardText, ...] = ()
    decided_at: Time | None = None
    effective_from: Time | None = None
    amended: bool | None = None

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["at"]}, {"required": ["between"]}]})

    @model_validator(mode="after")
    def _when(self) -> Expectation:
        if (self.at is None) == (self.between is None):
            msg = "an expectation has either 'at' or 'between'"
            raise ValueError(msg)
        return self

    @property
    def cards(self) -> tuple[CardText, ...]:
        """The texts of cards that are expected."""
        return (self.card,) if isinstance(self.card, CardText) else self.card


class Never(_Frozen):
    """What must not happen at any time: a verdict's state, or a suggestion being shown, or an interruption."""

    pathway: str | None = None
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

    def times(self) -> set[datetime]:
        """The times at which something is expected."""
        given = (moment for expected in self.expect for moment in (expected.at, *(expected.between or ())))
        return {moment for moment in given if moment is not None}


class _Loader(LOADER):  # type: ignore[misc]  # which of two classes depends on the library
    """YAML without sexagesimal numbers, so that 10:30 stays a time."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float", ":timestamp"))]
    for first, resolvers in LOADER.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+\.\d*$"), list("-+0123456789"))


def read_yaml(text: str) -> Any:
    """The content of a scenario file, with times as they are written.

    Raises:
        yaml.YAMLError: if it is not YAML.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ScenarioError: naming the file, the place and the reason.
    """
    try:
        return Scenario.model_validate(read_yaml(path.read_text("utf-8")))
    except OSError as error:
        msg = f"{path}: {error.strerror}"
    except UnicodeDecodeError:
        msg = f"{path}: not UTF-8 text"
    except yaml.YAMLError as error:
        msg = f"{path}: not YAML: {error}"
    except ValidationError as error:
        msg = "\n".join(f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
    raise ScenarioError(msg)
