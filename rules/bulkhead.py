"""A fault of the monitor in one patient: who is set aside, what is said of it, and when it is tried again.

A fault is a mistake in the rules or in the engine, never an answer to a fact: what cannot be read is refused or
unknown. The patient is set aside, and nobody else. The facts go on being kept, the alerts stay as they were, and one
notice says at the highest priority that nobody is watching. It asks as the site's escalation says, until somebody has
the patient tried again or a version of the monitor other than the one that failed does so by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple

from rules import VERSION
from rules.alert import Alert, Policy, alert_id, escalate, move, note_move, overtaken, tell
from rules.events import Action
from rules.facts import Refusal
from rules.instants import clock_time
from rules.lifecycle import AlertState, Trigger, follow
from rules.outputs import AlertChange, Card, PackReference, Priority

MONITOR: Final = "monitor"
"""The pathway of what the monitor says of itself."""
NOT_WATCHED: Final = "not_watched"
STAGE: Final = "FAULT"
RETRY: Final = "retry"

ANSWERS: Final = ("acknowledge", RETRY)
"""How the notice can be answered."""

_DEEPEST: Final = 12
"""Places of the code that are named."""
_LONGEST: Final = 40
"""Characters of the name of an exception that are said."""


class Fault(NamedTuple):
    """What went wrong, without anything of the message that brought it about.

    ``during`` says at what, ``kind`` is the name of the exception, ``trace`` names places of the code, the innermost
    last, and ``by`` is the version that failed.
    """

    at: int
    during: str
    kind: str
    trace: tuple[str, ...] = ()
    by: str = VERSION

    @classmethod
    def of(cls, error: Exception, during: str, at: int) -> Fault:
        """The fault that an exception shows."""
        return cls(at, during, type(error).__name__[:_LONGEST], tuple(_places(error.__traceback__))[-_DEEPEST:])


@dataclass(slots=True)
class Bulkhead:
    """Whether a patient is set aside, and the notice that says so."""

    patient: str
    policy: Policy
    fault: Fault | None = None
    alert: Alert | None = None
    count: int = 0
    """How many faults there have been: each has a notice of its own."""

    @property
    def due(self) -> int | None:
        """When the notice is next to be brought before another role."""
        return None if self.alert is None else self.alert.due

    @property
    def failed_before(self) -> bool:
        """Whether another version than this one failed: this one is to try again."""
        return self.fault is not None and self.fault.by != VERSION

    def moved(self, change: AlertChange) -> None:
        """A change has got its sequence number."""
        note_move(self.alert, change)

    def set_aside(self, fault: Fault) -> Iterator[AlertChange]:
        """Set the patient aside; a further fault of one who is changes nothing."""
        if self.fault is not None:
            return
        self.fault = fault
        self.count += 1
        self.alert = Alert(
            id=alert_id(self.patient, MONITOR, str(self.count)),
            subject=NOT_WATCHED,
            stage=STAGE,
            episode=self.count,
            state=AlertState.NEW,
            verdict=f"FAULT({fault.kind})",
            priority=Priority.HIGH,
            effective_from=fault.at,
            supported=True,
        )
        yield self._say(self.alert, (Trigger.SUPPORT, Trigger.ASK), None, fault.at)

    def remind(self, now: int) -> Iterator[AlertChange]:
        """Bring the notice before the next role where nobody has answered in time."""
        alert = self.alert
        while alert is not None and alert.due is not None and alert.due <= now:
            yield self._say(alert, (Trigger.ESCALATE,), escalate(alert), now)

    def objection(self, action: Action) -> Refusal | None:
        """Why the notice cannot be answered so, if it cannot."""
        alert = self.alert
        if alert is None or follow(alert.state, Trigger(action.action)) is None or action.action not in ANSWERS:
            return Refusal("action", "not_possible", f"{NOT_WATCHED} is {'over' if alert is None else alert.state}")
        changed = overtaken(alert, action)
        return Refusal("based_on", "conflict", f"{NOT_WATCHED} has changed since") if changed else None

    def answer(self, action: Action, words: str, now: int) -> Iterator[AlertChange]:
        """An answer to which :meth:`objection` has none; ``retry`` ends the fault."""
        if action.action == RETRY:
            yield from self.try_again(words, now, Trigger.RETRY)
        elif self.alert is not None:
            yield self._say(self.alert, (Trigger(action.action),), words, now)

    def try_again(self, why: str, now: int, trigger: Trigger = Trigger.RESOLVE) -> Iterator[AlertChange]:
        """The patient is watched again; the caller judges what was not judged meanwhile."""
        alert, self.fault, self.alert = self.alert, None, None
        if alert is not None:
            yield self._say(alert, (trigger,), why, now)

    def _say(self, alert: Alert, triggers: tuple[Trigger, ...], cause: str | None, now: int) -> AlertChange:
        kind = move(alert, triggers, cause, now, self.policy)
        assert kind is not None  # noqa: S101 - only what the table has is asked for
        return tell(alert, self.patient, REFERENCE, kind, triggers, now, self._card(alert))

    def _card(self, alert: Alert) -> Card:
        since = clock_time(alert.effective_from)
        told = "" if self.fault is None else f" ({self.fault.kind} while {self.fault.during})"
        if self.fault is None:
            headline, suggestion = "Watched again", "What was not judged meanwhile is judged now."
        else:
            headline = f"NOT WATCHED since {since}: fault in the monitor"
            suggestion = (
                "Watch this patient without the monitor: no alert comes, and those that are shown say what was so "
                f"before {since}. Tell whoever runs the monitor."
            )
        return Card(
            headline=headline,
            findings=(),
            fix_first=(),
            suggestion=suggestion,
            evidence=(),
            contraindications=(),
            not_known=() if self.fault is None else ("Everything that the monitor would say of this patient.",),
            window=None,
            goals_of_care="not read",
            rule=f"{MONITOR} {VERSION}",
            answers=ANSWERS,
            data_quality=(f"The monitor has a fault in this patient only{told}. What arrives goes on being kept.",)
            if self.fault is not None
            else (),
        )


REFERENCE: Final = PackReference(id=MONITOR, version=VERSION, digest=VERSION)


def _places(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
