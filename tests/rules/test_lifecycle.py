"""The table of an alert's life: closed, complete, and without ways out of nowhere."""

from itertools import product

import pytest

from rules.lifecycle import TRANSITIONS, AlertState, Trigger, follow, shown
from rules.outputs import AlertChangeKind, Attention

CLINICIAN = (Trigger.ACKNOWLEDGE, Trigger.ACCEPT, Trigger.DECLINE, Trigger.SNOOZE)


def reachable(start: AlertState) -> set[AlertState]:
    found, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        for (before, _), outcome in TRANSITIONS.items():
            if before is state and outcome.state not in found:
                found.add(outcome.state)
                waiting.append(outcome.state)
    return found


def test_every_state_is_reached_from_new() -> None:
    assert reachable(AlertState.NEW) == set(AlertState)


def test_nothing_leads_back_to_new() -> None:
    assert AlertState.NEW not in {outcome.state for outcome in TRANSITIONS.values()}


@pytest.mark.parametrize("state", [state for state in AlertState if state is not AlertState.NEW])
def test_no_state_is_a_dead_end_as_long_as_the_rules_can_change_their_mind(state: AlertState) -> None:
    assert AlertState.OPEN in reachable(state)
    assert AlertState.RESOLVED in reachable(state)


def test_a_new_alert_can_only_be_raised_or_suppressed() -> None:
    triggers = {trigger for state, trigger in TRANSITIONS if state is AlertState.NEW}
    assert triggers == {Trigger.SUPPORT, Trigger.SUPPRESS}


def test_every_trigger_and_every_change_is_used() -> None:
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)
    assert {outcome.change for outcome in TRANSITIONS.values()} == set(AlertChangeKind)


@pytest.mark.parametrize(("state", "trigger"), [(s, t) for s, t in product(AlertState, CLINICIAN) if not shown(s)])
def test_a_clinician_answers_only_what_is_shown(state: AlertState, trigger: Trigger) -> None:
    assert follow(state, trigger) is None


@pytest.mark.parametrize("state", [state for state in AlertState if shown(state)])
def test_whatever_is_shown_can_be_updated_amended_withdrawn_resolved_suppressed_declined(state: AlertState) -> None:
    for trigger in (
        Trigger.UPDATE,
        Trigger.AMEND,
        Trigger.WITHDRAW,
        Trigger.RESOLVE,
        Trigger.SUPPRESS,
        Trigger.DECLINE,
        Trigger.SNOOZE,
    ):
        assert follow(state, trigger) is not None


@pytest.mark.parametrize("trigger", [Trigger.UPDATE, Trigger.AMEND])
def test_saying_something_else_leaves_the_answer_in_place(trigger: Trigger) -> None:
    for state in (state for state in AlertState if shown(state)):
        outcome = follow(state, trigger)
        assert outcome is not None
        assert outcome.state is state
        assert outcome.attention is None


def test_an_alert_that_comes_back_is_open_and_says_reopened() -> None:
    for state in AlertState:
        if state is not AlertState.NEW and not shown(state):
            back = follow(state, Trigger.SUPPORT)
            assert back is not None
            assert back[:2] == (AlertState.OPEN, AlertChangeKind.REOPENED)


def test_only_new_alerts_are_raised() -> None:
    assert [key for key, outcome in TRANSITIONS.items() if outcome.change is AlertChangeKind.RAISED] == [
        (AlertState.NEW, Trigger.SUPPORT)
    ]


def test_a_withdrawn_or_resolved_alert_is_not_resolved_again() -> None:
    assert follow(AlertState.WITHDRAWN, Trigger.RESOLVE) is None
    assert follow(AlertState.RESOLVED, Trigger.RESOLVE) is None
    assert follow(AlertState.RESOLVED, Trigger.WITHDRAW) is None


def test_whatever_has_been_answered_is_answered_and_whatever_is_off_the_board_is_at_rest() -> None:
    for (_, trigger), outcome in TRANSITIONS.items():
        if trigger in CLINICIAN:
            assert outcome.attention is Attention.ANSWERED
        elif not shown(outcome.state):
            assert outcome.attention is Attention.AT_REST


def test_who_asks_is_open_and_waits_for_an_answer_whatever_was_answered_before() -> None:
    for state in (state for state in AlertState if shown(state)):
        outcome = follow(state, Trigger.ASK)
        assert outcome is not None
        assert (outcome.state, outcome.attention) == (AlertState.OPEN, Attention.ASKED)
        answered = state is not AlertState.OPEN
        assert outcome.change is (AlertChangeKind.REOPENED if answered else AlertChangeKind.UPDATED)


def test_only_what_asks_or_is_escalated_is_asked() -> None:
    asking = {trigger for (_, trigger), outcome in TRANSITIONS.items() if outcome.attention is Attention.ASKED}
    assert asking == {Trigger.ASK, Trigger.ESCALATE}
