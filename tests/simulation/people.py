"""Two clinicians who look at their screens now and then, and answer the same alert at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from rules.events import Action
from rules.outputs import AlertChange, AlertChangeKind
from streams.embedded.entries import STATE_AFTER, Entry
from streams.embedded.offers import Receipt
from streams.provenance import OWN
from tests.simulation.world import Fault, World, demand

_NAMES = ("dr-1", "dr-2")
_REASONS = ("other plan", "not applicable")


class Answered(NamedTuple):
    """An answer that was taken, and what the alert was on the screen."""

    action: Action
    shown: AlertChange


class People:
    """What both see and do.

    Attributes:
        said: every answer that was given, whatever came of it, by its id.
        taken: those that were accepted.
    """

    def __init__(self, world: World, source: str = OWN) -> None:
        self.said: dict[str, Action] = {}
        self.taken: list[Answered] = []
        self._world = world
        self._seen = 0
        self._source = source

    def look(self, told: Sequence[Entry]) -> None:
        """See what has been told by now."""
        self._seen = len(told)

    def answers(self, told: Sequence[Entry], now: datetime, chance: Random) -> list[Answered]:
        """What both answer to one alert of their screens, which may be old by now."""
        shown = {
            entry.change.id: entry.change
            for entry in told[: self._seen]
            if isinstance(entry.change, AlertChange) and not entry.over
        }
        over = {entry.change.id for entry in told[: self._seen] if isinstance(entry.change, AlertChange) and entry.over}
        there = [change for name, change in shown.items() if name not in over] or list(shown.values())
        if not there:
            return []
        change = chance.choice(there)
        return [Answered(self._action(change, actor, now, chance), change) for actor in _NAMES]

    def told(self, given: Sequence[Answered], receipts: Sequence[Receipt]) -> None:
        """What came of two answers that were given at once."""
        self._world.inject(Fault.TWO_ANSWERS)
        good = [one for one, receipt in zip(given, receipts, strict=True) if receipt.status == "accepted"]
        demand(len(good) <= 1, "of two who answer at once, one counts, and who was slower is told so")
        self.taken += good

    def check(self, told: Sequence[Entry]) -> None:
        """An answer covers what was on the screen, and nothing later."""
        for action, shown in self.taken:
            own = [
                entry.change
                for entry in told
                if isinstance(entry.change, AlertChange)
                and entry.change.id == shown.id
                and entry.change.cause is not None
                and action.actor in entry.change.cause
                and entry.change.decided_at >= action.received_at
            ]
            demand(own, "an answer that was taken is said")
            between = [
                entry.change
                for entry in told
                if isinstance(entry.change, AlertChange)
                and entry.change.id == shown.id
                and shown.sequence < entry.change.sequence < own[0].sequence
            ]
            demand(
                not any(_is_new(change) for change in between),
                f"an answer is given to what was on the screen: {action.action} of {shown.sequence}, but "
                f"{[(change.sequence, change.change.value) for change in between]} came since",
            )

    def _action(self, change: AlertChange, actor: str, now: datetime, chance: Random) -> Action:
        what = chance.choice(("acknowledge", "accept", "decline", "snooze"))
        if change.pathway == "monitor":
            what = chance.choice(("acknowledge", "retry"))
        fields: dict[str, Any] = {"action": what, "reason": chance.choice(_REASONS) if what == "decline" else None}
        action = Action(
            schema_version=1,
            id=f"answer-{len(self.said)}",
            source=self._source,
            subject=change.patient,
            effective_at=now,
            received_at=now,
            kind="action",
            alert_id=change.id,
            actor=actor,
            role="registrar",
            based_on=change.sequence,
            **fields,
        )
        self.said[action.id] = action
        return action


def _is_new(change: AlertChange) -> bool:
    """Whether whoever has not seen this does not know what the alert is."""
    if change.change is AlertChangeKind.ESCALATED:
        return False  # the same is put before somebody else
    return change.interrupts or change.change in STATE_AFTER
