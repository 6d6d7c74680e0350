"""The life of an alert: one literal table of states, triggers and outcomes. Nothing else changes an alert's state."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from rules.outputs import AlertChangeKind, Attention


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
    ASK = "ask"
    """It interrupts: nobody has answered what it says now."""
    REST = "rest"
    """Nobody has answered, and it is no longer so urgent that anybody is called."""
    ACKNOWLEDGE = "acknowledge"
    ACCEPT = "accept"
    DECLINE = "decline"
    SNOOZE = "snooze"
    RETRY = "retry"
    """Somebody has a patient in whom the monitor had a fault tried again."""


class Outcome(NamedTuple):
    """The next state, what to call the change, and who is wanted then; None where that stays as it was."""

    state: AlertState
    change: AlertChangeKind
    attention: Attention | None


_SHOWN: Final = (AlertState.OPEN, AlertState.ACKNOWLEDGED, AlertState.ACCEPTED)
_CLOSED: Final = (
    AlertState.DECLINED,
    AlertState.SNOOZED,
    AlertState.SUPPRESSED,
    AlertState.WITHDRAWN,
    AlertState.RESOLVED,
    AlertState.EXPIRED,
)
_REST: Final = Attention.AT_REST
_ANSWERED: Final = Attention.ANSWERED


def _into(state: AlertState, attention: Attention | None) -> Outcome:
    """The outcome whose change is called as the state is."""
    return Outcome(state, AlertChangeKind(state), attention)


TRANSITIONS: Final[dict[tuple[AlertState, Trigger], Outcome]] = {
    (AlertState.NEW, Trigger.SUPPORT): Outcome(AlertState.OPEN, AlertChangeKind.RAISED, _REST),
    (AlertState.NEW, Trigger.SUPPRESS): _into(AlertState.SUPPRESSED, _REST),
    **{(state, Trigger.UPDATE): Outcome(state, AlertChangeKind.UPDATED, None) for state in _SHOWN},
    **{(state, Trigger.AMEND): Outcome(state, AlertChangeKind.AMENDED, None) for state in _SHOWN},
    **{(state, Trigger.WITHDRAW): _into(AlertState.WITHDRAWN, _REST) for state in _SHOWN},
    **{(state, Trigger.RESOLVE): _into(AlertState.RESOLVED, _REST) for state in (*_SHOWN, *_CLOSED[:3])},
    **{
        (state, Trigger.SUPPRESS): _into(AlertState.SUPPRESSED, _REST)
        for state in (*_SHOWN, AlertState.SUPPRESSED, AlertState.WITHDRAWN, AlertState.RESOLVED, AlertState.EXPIRED)
    },
    **{(state, Trigger.EXPIRE): _into(AlertState.EXPIRED, _REST) for state in _SHOWN},
    (AlertState.OPEN, Trigger.ESCALATE): Outcome(AlertState.OPEN, AlertChangeKind.ESCALATED, Attention.ASKED),
    **{(state, Trigger.SUPPORT): Outcome(AlertState.OPEN, AlertChangeKind.REOPENED, _REST) for state in _CLOSED},
    (AlertState.OPEN, Trigger.ASK): Outcome(AlertState.OPEN, AlertChangeKind.UPDATED, Attention.ASKED),
    **{
        (state, Trigger.ASK): Outcome(AlertState.OPEN, AlertChangeKind.REOPENED, Attention.ASKED)
        for state in _SHOWN[1:]
    },
    (AlertState.OPEN, Trigger.REST): Outcome(AlertState.OPEN, AlertChangeKind.UPDATED, _REST),
    (AlertState.OPEN, Trigger.ACKNOWLEDGE): _into(AlertState.ACKNOWLEDGED, _ANSWERED),
    **{(state, Trigger.ACCEPT): _into(AlertState.ACCEPTED, _ANSWERED) for state in _SHOWN[:2]},
    **{(state, Trigger.DECLINE): _into(AlertState.DECLINED, _ANSWERED) for state in _SHOWN},
    **{(state, Trigger.SNOOZE): _into(AlertState.SNOOZED, _ANSWERED) for state in _SHOWN},
    **{(state, Trigger.RETRY): _into(AlertState.RESOLVED, _REST) for state in _SHOWN[:2]},
}


def shown(state: AlertState) -> bool:
    """Whether an alert in this state is on the card board."""
    return state in _SHOWN


def follow(state: AlertState, trigger: Trigger) -> Outcome | None:
    """What follows from a trigger, or None where it changes nothing."""
    return TRANSITIONS.get((state, trigger))
