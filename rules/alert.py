"""An alert: what it is about, where it is in its life, and how it moves there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from rules.attention import NEVER_ASKED, Asking
from rules.events import Action
from rules.instants import format_duration, to_datetime, to_instant
from rules.lifecycle import AlertState, Trigger, follow, shown
from rules.outputs import AlertChange, AlertChangeKind, Attention, Card, PackReference, Priority
from rules.settings import SiteSettings
from rules.steps import earliest

CLINICAL_ANSWERS: Final = ("acknowledge", "accept", "decline", "snooze")
"""How an alert about the patient can be answered."""

_ANSWERS = (Trigger.ACKNOWLEDGE, Trigger.ACCEPT)
_STAYING = frozenset((AlertChangeKind.UPDATED, AlertChangeKind.AMENDED, AlertChangeKind.ESCALATED))
"""Changes after which an alert can be answered as before, unless they interrupt."""


def alert_id(*about: str) -> str:
    """The id of the alert about something: the same in every replay."""
    return str(uuid5(NAMESPACE_URL, f"rescue-monitor:alert:{'|'.join(about)}"))


@dataclass(slots=True)
class Alert:
    """One alert and where it is in its life."""

    id: str
    subject: str
    stage: str
    episode: int
    state: AlertState
    verdict: str
    priority: Priority
    effective_from: int
    cause: str | None = None
    attention: Attention = Attention.AT_REST
    asking: Asking = NEVER_ASKED
    supported: bool = False
    """Whether the rules stand behind it at present: where they do not, nobody is called."""
    said: str = ""
    headline: str = ""
    """The headline of the card when the rules last stood behind it."""
    steps: tuple[tuple[str, int], ...] = ()
    """Roles to ask in turn while nobody answers, each with the time since ``asked_at``: the site's policy by then."""
    asked_at: int | None = None
    """When it last interrupted; None where it does not wait for an answer."""
    taken: int = 0
    """How many of the steps have been taken."""
    moved: int = 0
    """The sequence number of the change after which it is to be answered: an older answer answers something else."""
    moved_at: int = 0
    """When that was decided."""

    @property
    def due(self) -> int | None:
        """When the next role is to be asked, or a damped interruption comes."""
        if not self.supported:
            return None
        waits = self.asked_at is not None and self.taken < len(self.steps)
        escalates = self.asked_at + self.steps[self.taken][1] if self.asked_at is not None and waits else None
        return earliest(escalates, self.asking.until)


Policy = Mapping[Priority, tuple[tuple[str, int], ...]]
"""By priority, whom to ask in turn, each with the milliseconds since the alert interrupted."""


def policy(settings: SiteSettings) -> Policy:
    """The site's policy of escalation."""
    return {
        Priority(priority): tuple((step.role, round(step.after.total_seconds() * 1000)) for step in steps)
        for priority, steps in settings.escalation.items()
    }


def overtaken(alert: Alert, action: Action) -> bool:
    """Whether an answer was given to what the alert said before it last moved."""
    if action.based_on is not None:
        return action.based_on < alert.moved
    return to_instant(action.effective_at) < alert.moved_at


def note_move(alert: Alert | None, change: AlertChange) -> None:
    """Keep of an alert the change after which it is to be answered, where this is one."""
    asks = change.interrupts and change.change is not AlertChangeKind.ESCALATED
    if alert is not None and alert.id == change.id and (asks or change.change not in _STAYING):
        alert.moved, alert.moved_at = change.sequence, to_instant(change.decided_at)


def escalate(alert: Alert) -> str:
    """Take the next step of an alert that nobody has answered; why it calls, in words."""
    role, after = alert.steps[alert.taken]
    alert.taken += 1
    return f"not answered for {format_duration(after)}: now before {role}"


def move(
    alert: Alert, triggers: tuple[Trigger, ...], cause: str | None, now: int, policy: Policy
) -> AlertChangeKind | None:
    """Follow triggers that come at once: what the change is called, after the first or that it is open again."""
    kinds: list[AlertChangeKind] = []
    for trigger in triggers:
        outcome = follow(alert.state, trigger)
        if outcome is None:
            return None
        alert.state, kind, attention = outcome
        alert.attention = alert.attention if attention is None else attention
        kinds.append(kind)
    alert.cause = cause
    if Trigger.ASK in triggers:
        alert.asking = alert.asking.interrupted(alert.priority, now)
        alert.steps, alert.asked_at, alert.taken = policy.get(alert.priority, ()), now, 0
    elif alert.attention is not Attention.ASKED:
        alert.asked_at, alert.taken = None, 0
    if not shown(alert.state):
        alert.asking, alert.supported = alert.asking.left(), False
    elif alert.attention is Attention.ANSWERED and triggers[0] in _ANSWERS:
        alert.asking = alert.asking.was_answered(alert.priority)
    return AlertChangeKind.REOPENED if AlertChangeKind.REOPENED in kinds else kinds[0]


def tell(
    alert: Alert,
    patient: str,
    pack: PackReference,
    kind: AlertChangeKind,
    triggers: tuple[Trigger, ...],
    now: int,
    card: Card,
) -> AlertChange:
    """An alert that has moved, as it is announced; its number is still to be given."""
    return AlertChange(
        id=alert.id,
        patient=patient,
        sequence=0,
        change=kind,
        interrupts=not {Trigger.ASK, Trigger.ESCALATE}.isdisjoint(triggers),
        asked=alert.steps[alert.taken - 1][0] if alert.taken else None,
        attention=alert.attention,
        delayed=alert.asking.delayed,
        cause=alert.cause,
        pathway=pack.id,
        episode=alert.episode,
        stage=alert.stage,
        subject=alert.subject,
        verdict=alert.verdict,
        priority=alert.priority,
        effective_from=to_datetime(alert.effective_from),
        decided_at=to_datetime(now),
        card=card,
        pack=pack,
    )
