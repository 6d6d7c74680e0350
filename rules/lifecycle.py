"""The life of an alert: one literal table of states, triggers and outcomes. Nothing else changes an alert's state."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rules.outputs import AlertChangeKind


class AlertState(StrEnum):
    """Where an alert is in its life."""

    NEW = "new"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"
    EXPIRED = "expired"


class Trigger(StrEnum):
    """What can happen to an alert."""

    SUPPORT = "support"
    """The rules stand behind it (again)."""
    UPDATE = "update"
    """What it says has changed."""
    AMEND = "amend"
    """Late or corrected data changed the past it rests on; it still stands, from another time."""
    WITHDRAW = "withdraw"
    """It should not have been raised, or something else must be fixed first."""
    RESOLVE = "resolve"
    """Its cause has ended."""
    SUPPRESS = "suppress"
    """It would stand, but for a cause that keeps it back."""
    EXPIRE = "expire"
    """The time in which it could be acted on is over."""
    ESCALATE = "escalate"
    """Nobody has answered in the time that the site allows: the next role is asked."""
    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    DECLINE = "decline"
    SNOOZE = "snooze"


_SHOWN: Final = (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.ACCEPTED)
_CLOSED: Final = (
    AlertState.DECLINED,
    AlertState.SNOOZED,
    AlertState.SUPPRESSED,
    AlertState.WITHDRAWN,
    AlertState.RESOLVED,
    AlertState.EXPIRED,
)

TRANSITIONS: Final[dict[tuple[AlertState, Trigger], tuple[AlertState, AlertChangeKind]]] = {
    (AlertState.NEW, Trigger.SUPPORT): (AlertState.OPEN, AlertChangeKind.RAISED),
    (AlertState.NEW, Trigger.SUPPRESS): (AlertState.SUPPRESSED, AlertChangeKind.SUPPRESSED),
    **{(state, Trigger.UPDATE): (state, AlertChangeKind.UPDATED) for state in _SHOWN},
    **{(state, Trigger.AMEND): (state, AlertChangeKind.AMENDED) for state in _SHOWN},
    **{(state, Trigger.WITHDRAW): (AlertState.WITHDRAWN, AlertChangeKind.WITHDRAWN) for state in _SHOWN},
    **{(state, Trigger.RESOLVE): (AlertState.RESOLVED, AlertChangeKind.RESOLVED) for state in (*_SHOWN, *_CLOSED[:3])},
    **{
        (state, Trigger.SUPPRESS): (AlertState.SUPPRESSED, AlertChangeKind.SUPPRESSED)
        for state in (*_SHOWN, AlertState.SUPPRESSED, AlertState.WITHDRAWN, AlertState.RESOLVED, AlertState.EXPIRED)
    },
    **{(state, Trigger.EXPIRE): (AlertState.EXPIRED, AlertChangeKind.EXPIRED) for state in _SHOWN},
    (AlertState.OPEN, Trigger.ESCALATE): (AlertState.OPEN, AlertChangeKind.ESCALATED),
    **{(state, Trigger.SUPPORT): (AlertState.OPEN, AlertChangeKind.REOPENED) for state in _CLOSED},
    (AlertState.OPEN, Trigger.ACKNOWLEDGE): (AlertState.ACKNOWLEDGED, AlertChangeKind.ACKNOWLEDGED),
    **{(state, Trigger.ACCEPT): (AlertState.ACCEPTED, AlertChangeKind.ACCEPTED) for state in _SHOWN[:2]},
    **{(state, Trigger.DECLINE): (AlertState.DECLINED, AlertChangeKind.DECLINED) for state in _SHOWN},
    **{(state, Trigger.SNOOZE): (AlertState.SNOOZED, AlertChangeKind.SNOOZED) for state in _SHOWN},
}


def shown(state: AlertState) -> bool:
    """Whether an alert in this state is on the card board."""
    return state in _SHOWN


def follow(state: AlertState, trigger: Trigger) -> tuple[AlertState, AlertChangeKind] | None:
    """The next state and what to call the change, or None where the trigger changes nothing."""
    return TRANSITIONS.get((state, trigger))
