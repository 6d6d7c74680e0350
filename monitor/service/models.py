"""What the service answers, as frozen models; times are UTC, fields have the units that their names or titles say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.explanation import Explanation
from rules.lifecycle import AlertState
from rules.outputs import AlertChange, Attention, Card, Priority, State, TherapyWindow

Role = Literal["viewer", "clinician", "operator"]
ActionKind = Literal["acknowledge", "accept", "decline", "snooze", "retry"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(_Frozen):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None


class ItemResult(_Frozen):
    """What became of one event; ``reasons`` says why it, or a part of it, cannot be used."""

    index: int
    id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    reasons: tuple[str, ...]


class Results(_Frozen):
    """What became of each event, in the order in which they were sent; all that was accepted is durable."""

    results: tuple[ItemResult, ...]


class AlertSummary(_Frozen):
    """One alert as it stands.

    ``attention`` says whether an answer is wanted, ``delayed`` why an interruption that is due does not come yet.
    """

    id: str
    patient: str
    pathway: str
    pathway_title: str
    subject: str
    title: str
    headline: str
    verdict: str
    priority: Priority
    state: AlertState
    attention: Attention | None
    delayed: str | None
    asked: str | None
    cause: str | None
    stage: str
    effective_from: datetime
    raised_at: datetime
    changed_at: datetime
    sequence: int
    window: TherapyWindow | None


class Why(_Frozen):
    """A reason of a verdict."""

    id: str
    title: str


class PathwayStanding(_Frozen):
    """Where a patient stands on one pathway."""

    pathway: str
    title: str
    state: State
    stage: str | None
    stage_title: str | None
    reasons: tuple[Why, ...]
    suppressed: str | None
    effective_from: datetime


class DataAge(_Frozen):
    """How old the data are: ``stale`` if a signal that an active pathway reads is, ``blind`` if nothing comes.

    ``stale_signals`` are the titles of those that are too old. Where clocks are ``doubted`` nobody can tell.
    """

    newest_at: datetime | None
    stale: bool
    blind: bool
    doubted: bool
    stale_signals: tuple[str, ...]


class Bed(_Frozen):
    """One patient in the view of the unit."""

    patient: str
    bed: str | None
    age_years: float | None
    goals_of_care: str | None
    pathways: tuple[PathwayStanding, ...]
    alerts: tuple[AlertSummary, ...]
    data: DataAge


InputState = Literal["waiting", "reading", "ended", "failed", "silent"]


class InputStatus(_Frozen):
    """One input: a file that is followed, or a sender over HTTP by its token.

    ``waiting`` for a file that is not there, ``reading``, ``ended`` where nothing more comes, ``failed``, or ``silent``
    where nothing came for longer than the ``expected`` seconds. ``ready`` if events come as they should, ``reason`` if
    not. Nothing came after ``since``: ``heard_at``, or when the service began.
    """

    name: str
    state: InputState
    ready: bool
    reason: str
    since: datetime
    heard_at: datetime | None
    expected: float | None


class ClockStatus(_Frozen):
    """How this machine's clock stands to its senders'.

    ``skew`` is by how many seconds it is ahead, null where that is not known; ``warning`` says so once it matters.
    ``doubted`` where no time that senders state can be used: then every bed is ``blind``.
    """

    skew: float | None
    doubted: bool
    warning: str


class Unit(_Frozen):
    """All patients, the most urgent first; ``position`` is that of the feed."""

    now: datetime
    position: int
    unit: str
    clock: ClockStatus
    inputs: tuple[InputStatus, ...]
    patients: tuple[Bed, ...]


class SignalNow(_Frozen):
    """The newest value of a signal; ``stale_after`` seconds it cannot be used any more (null: without limit)."""

    signal: str
    title: str
    unit: str
    value: float | None
    at: datetime | None
    stale_after: float | None
    stale: bool


class Unknowns(_Frozen):
    """What a pathway lacks, in words."""

    pathway: str
    title: str
    missing: tuple[str, ...]


class Judged(_Frozen):
    """A pathway that is judged, whether or not it applies."""

    pathway: str
    title: str


class PatientView(Bed):
    """One patient in detail; ``alerts`` holds those too that ended in the last 30 minutes."""

    now: datetime
    position: int
    judged: tuple[Judged, ...]
    unknowns: tuple[Unknowns, ...]
    signals: tuple[SignalNow, ...]


class Threshold(_Frozen):
    """A number that a rule compares a signal with; ``local`` if it is the site's own or a design choice."""

    pathway: str
    parameter: str
    title: str
    value: float
    source: str
    local: bool


class Series(_Frozen):
    """A signal over time: pairs of milliseconds since 1970 and value."""

    signal: str
    title: str
    unit: str
    points: tuple[tuple[int, float], ...]
    thresholds: tuple[Threshold, ...]


class Treatment(_Frozen):
    """Something given or done; ``to`` is null while it goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True)

    drug: str
    title: str
    began: Annotated[datetime, Field(serialization_alias="from")]
    to: datetime | None
    rate: float | None
    unit: str | None
    kind: Literal["infusion", "dose", "procedure"]


class Trends(_Frozen):
    """Signals and treatments over time."""

    series: tuple[Series, ...]
    treatments: tuple[Treatment, ...]


class Explained(Explanation):
    """An explanation, and the same as lines of text."""

    text: str


class Alerts(_Frozen):
    """Alerts, the one that changed last first; ``next`` is the cursor of the following page."""

    alerts: tuple[AlertSummary, ...]
    next: str | None


class Answerable(_Frozen):
    """How an alert can be answered now; ``reasons`` are those that go with it, of which a decline must name one."""

    action: ActionKind
    reasons: tuple[str, ...] = ()


class AlertView(AlertSummary):
    """One alert with its full evidence and its history."""

    card: Card
    history: tuple[AlertChange, ...]
    actions: tuple[Answerable, ...]


class Answer(_Frozen):
    """What a clinician answers; ``based_on`` is the sequence number of the change that was on the screen."""

    action: ActionKind
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    based_on: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class Me(_Frozen):
    """Who is asking."""

    actor: str
    role: Role


class Login(_Frozen):
    """How people sign in: not at all, with a token that they have, or at an OpenID Connect provider.

    For the last, by an authorization code with PKCE (RFC 7636): ``authorize`` and ``token`` are the provider's
    addresses, ``client`` is the dashboard's public client there.
    """

    kind: Literal["none", "token", "oidc"]
    issuer: str | None = None
    client: str | None = None
    authorize: str | None = None
    token: str | None = None
    scope: str | None = None


class Beat(_Frozen):
    """A sign of life of the live feed."""

    now: datetime
    position: int
