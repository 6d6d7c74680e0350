"""What was said, as it is kept and shown: changes with their place in the feed, and the present state of each alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from rules.lifecycle import TRANSITIONS, AlertState
from rules.outputs import AlertChange, AlertChangeKind, AnyChange, Change, Rejection, StatusChange, TherapyWindow

_OUTCOMES: Final = {
    kind: {outcome.state for outcome in TRANSITIONS.values() if outcome.change is kind} for kind in AlertChangeKind
}
STATE_AFTER: Final[Mapping[AlertChangeKind, AlertState]] = {
    kind: states.pop() for kind, states in _OUTCOMES.items() if len(states) == 1
}
"""The state of an alert after a change; the other changes leave it as it was."""

_OVER: Final = (AlertState.WITHDRAWN, AlertState.RESOLVED, AlertState.EXPIRED)
_CHANGES: Final[TypeAdapter[Change]] = TypeAdapter(AnyChange)


class Beside(BaseModel):
    """What belongs to a change of an alert and is not in it.

    Attributes:
        state: of the alert after it.
        raised_at: when the alert was first said, or first kept back.
        window: of the therapy, as it was then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: AlertState
    raised_at: AwareDatetime
    window: TherapyWindow | None = None


class Entry(NamedTuple):
    """One change at its place in the feed; ``beside`` is there for changes of alerts."""

    position: int
    change: Change
    beside: Beside | None = None

    @property
    def over(self) -> bool:
        """Whether it is about an alert that is over."""
        return self.beside is not None and self.beside.state in _OVER

    @property
    def decided_at(self) -> datetime:
        """When it was decided."""
        return self.change.decided_at


def read_entry(position: int, said: str, beside: str | None) -> Entry:
    """An entry from what is kept of it."""
    return Entry(position, _CHANGES.validate_json(said), None if beside is None else Beside.model_validate_json(beside))


class Present:
    """Where every alert and every pathway stands: what the next entry has beside it follows from it."""

    def __init__(self) -> None:
        self.alerts: dict[str, Entry] = {}
        self.verdicts: dict[tuple[str, str], StatusChange] = {}

    def add(self, entry: Entry) -> None:
        """Take in an entry; they come in order."""
        match entry.change:
            case AlertChange(id=name):
                self.alerts[name] = entry
            case StatusChange(patient=patient, pathway=pathway):
                self.verdicts[patient, pathway] = entry.change
            case Rejection():
                pass

    def next(self, position: int, change: Change) -> Entry:
        """The entry of a further change."""
        entry = Entry(position, change, self._beside(change) if isinstance(change, AlertChange) else None)
        self.add(entry)
        return entry

    def window(self, change: AlertChange) -> TherapyWindow | None:
        """The window of the therapy that an alert is about, as it is now."""
        verdict = self.verdicts.get((change.patient, change.pathway))
        therapies = () if verdict is None else verdict.therapies
        return next((found.window for found in therapies if found.therapy == change.subject), None)

    def _beside(self, change: AlertChange) -> Beside:
        before = self.alerts.get(change.id)
        was = None if before is None else before.beside
        state = STATE_AFTER.get(change.change) or (was.state if was is not None else AlertState.OPEN)
        return Beside(
            state=state, raised_at=change.decided_at if was is None else was.raised_at, window=self.window(change)
        )
