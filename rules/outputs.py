"""What the engine says: status changes, alert changes and rejections, as frozen models with a stable JSON form."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

OUTPUT_SCHEMA_VERSION: Final = 1


class State(StrEnum):
    """Verdict on a pathway."""

    NOT_APPLICABLE = "NOT_APPLICABLE"
    ACTIVE = "ACTIVE"
    PSEUDO = "PSEUDO"
    INDETERMINATE = "INDETERMINATE"
    SUSPECTED = "SUSPECTED"
    CONFIRMED = "CONFIRMED"
    RESOLVED = "RESOLVED"


BY_REACH: Final = (
    State.NOT_APPLICABLE,
    State.RESOLVED,
    State.ACTIVE,
    State.INDETERMINATE,
    State.PSEUDO,
    State.SUSPECTED,
    State.CONFIRMED,
)
"""The states by how far they go, the furthest last; a suppressed verdict has whichever it would have."""


class Advice(StrEnum):
    """Verdict on one therapy; a therapy whose trigger is not met has no status at all."""

    ELIGIBLE = "ELIGIBLE"
    CAUTION = "CAUTION"
    BLOCKED = "BLOCKED"
    PSEUDO = "PSEUDO"
    INDETERMINATE = "INDETERMINATE"
    SUPPRESSED = "SUPPRESSED"


class Priority(StrEnum):
    """Priority of an alert after the result x onset table of IEC 60601-1-8; LOW and INFORMATION never interrupt."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    INFORMATION = "INFORMATION"

    @property
    def interrupts(self) -> bool:
        """Whether an alert of this priority is counted as an interruption."""
        return self in (Priority.HIGH, Priority.MEDIUM)

    @property
    def urgency(self) -> int:
        """The more urgent, the higher."""
        return -_BY_URGENCY.index(self)


_BY_URGENCY: Final = tuple(Priority)


class Attention(StrEnum):
    """Who is wanted: somebody to answer, nobody any more because somebody has, or nobody."""

    ASKED = "asked"
    ANSWERED = "answered"
    AT_REST = "at rest"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)


class Evidence(_Frozen):
    """One value that a verdict rests on: what (and its title), when, how much, and the event it came from."""

    measure: str
    title: str | None = None
    text: str
    at: AwareDatetime | None = None
    event: str | None = None


class TherapyWindow(_Frozen):
    """Until when a therapy can be in effect, until when it must be decided for that, and what holds at the moment.

    ``reason`` is why it has no end now or, while it is open, the shorter limit aimed at by which ``decide_by`` counts.
    """

    closes_at: AwareDatetime
    decide_by: AwareDatetime
    state: Literal["open", "closed", "extended"]
    reason: str | None = None

    def text(self, at: datetime) -> str:
        """The window as seen at an instant: ``WINDOW(21 min)``, ``WINDOW(the exception)`` or ``WINDOW_CLOSED``."""
        if self.state == "extended":
            return f"WINDOW({self.reason})"
        if self.state == "closed" or at > self.decide_by:
            return "WINDOW_CLOSED"
        return f"WINDOW({(self.decide_by - at) // timedelta(minutes=1)} min)"


class TherapyStatus(_Frozen):
    """Advice on one therapy, with its reasons (contraindications, missing items, or the cause of suppression)."""

    therapy: str
    advice: Advice
    reasons: tuple[str, ...] = ()
    priority: Priority | None = None
    window: TherapyWindow | None = None


class Amendment(_Frozen):
    """A stretch of the past whose announced verdict turned out otherwise.

    ``suggested`` are therapies that should have been suggested then and were not, ``not_suggested`` those that were.
    """

    start: AwareDatetime
    end: AwareDatetime
    was: State
    was_stage: str | None
    now: State
    now_stage: str | None
    suggested: tuple[str, ...] = ()
    not_suggested: tuple[str, ...] = ()


class StatusChange(_Frozen):
    """The verdict on a pathway changed, or a past verdict was amended."""

    kind: Literal["status"] = "status"
    schema_version: Literal[1] = OUTPUT_SCHEMA_VERSION
    patient: str
    sequence: int
    pathway: str
    episode: int | None
    state: State
    stage: str | None
    reasons: tuple[str, ...] = ()
    suppressed: str | None = None
    soft: tuple[str, ...] = ()
    therapies: tuple[TherapyStatus, ...] = ()
    effective_from: AwareDatetime
    decided_at: AwareDatetime
    amends: tuple[Amendment, ...] = ()
    cause: str | None = None

    @property
    def verdict(self) -> str:
        """The verdict in one phrase, e.g. ``PSEUDO(infusion_interrupted)`` or ``SUPPRESSED(goals)``."""
        if self.suppressed:
            return f"SUPPRESSED({self.suppressed})"
        return f"{self.state}({', '.join(self.reasons)})" if self.reasons else str(self.state)


class AlertChangeKind(StrEnum):
    """What happened to an alert."""

    RAISED = "raised"
    UPDATED = "updated"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"
    REOPENED = "reopened"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SNOOZED = "snoozed"
    ESCALATED = "escalated"
    EXPIRED = "expired"


class Card(_Frozen):
    """The ten parts that every alert shows."""

    headline: str
    findings: tuple[Evidence, ...]
    fix_first: tuple[str, ...]
    suggestion: str
    evidence: tuple[str, ...]
    contraindications: tuple[str, ...]
    not_known: tuple[str, ...]
    window: str | None
    goals_of_care: str
    rule: str
    answers: tuple[str, ...]
    data_quality: tuple[str, ...]


class PackReference(_Frozen):
    """The exact rule pack behind an alert."""

    id: str
    version: str
    digest: str


class AlertChange(_Frozen):
    """An alert was raised or changed; the last change of an id is its present state.

    ``asked`` is the role that has been asked to answer because nobody else did; None while those at the bedside are.
    ``attention`` says whether an answer is wanted; None only in what was written before it was said. ``delayed`` is why
    an interruption that is due does not come yet.
    """

    kind: Literal["alert"] = "alert"
    schema_version: Literal[1] = OUTPUT_SCHEMA_VERSION
    id: str
    patient: str
    sequence: int
    change: AlertChangeKind
    interrupts: bool
    asked: str | None = None
    attention: Attention | None = None
    delayed: str | None = None
    cause: str | None = None
    pathway: str
    episode: int
    stage: str
    subject: str
    verdict: str
    priority: Priority
    effective_from: AwareDatetime
    decided_at: AwareDatetime
    card: Card
    pack: PackReference


RefusalReason = Literal[
    "unknown_code",
    "unknown_unit",
    "implausible",
    "invalid_quality",
    "unreadable",
    "future",
    "fault",
    "unknown_target",
    "not_possible",
    "conflict",
]
"""Why an event or a part of it is refused."""


class Rejection(_Frozen):
    """An event, or one reading of it, that was refused, and why; everything else in the event was used.

    ``source`` and ``event`` say which event; ``source`` is None only in what was written before it was said.
    """

    kind: Literal["rejection"] = "rejection"
    schema_version: Literal[1] = OUTPUT_SCHEMA_VERSION
    patient: str
    source: str | None = None
    event: str
    place: str | None
    reason: RefusalReason
    detail: str
    decided_at: AwareDatetime


Change = StatusChange | AlertChange | Rejection


def encode_change(change: Change) -> str:
    """One line of JSON; equal changes give equal bytes."""
    return change.model_dump_json()


AnyChange = Annotated[Change, Field(discriminator="kind")]
