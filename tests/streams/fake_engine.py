"""A stand-in for the engine that keeps its contract and has no medicine in it, and makers of events for it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.events import Event, Observations, Procedure, ProcedureAction, Reading
from rules.outputs import (
    AlertChange,
    AlertChangeKind,
    Card,
    Change,
    Evidence,
    PackReference,
    Priority,
    Rejection,
    State,
    StatusChange,
)
from rules.pack import Pack
from rules.settings import SiteSettings

START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
DEADLINE = timedelta(minutes=10)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def vitals(patient: str, minutes: float, *, code: str = "map", readings: int = 1) -> Event:
    """Readings at a minute after the start; a ``code`` that is unknown is refused."""
    return Observations(
        schema_version=1,
        id=f"{patient}-{minutes:g}-{code}",
        source="test",
        subject=patient,
        effective_at=at(minutes),
        received_at=at(minutes),
        kind="observations",
        readings=tuple(Reading(code=code, value=60, unit="mm[Hg]") for _ in range(readings)),
    )


def timer(patient: str, minutes: float) -> Event:
    """Makes the fake engine raise an alert ten minutes later."""
    return Procedure(
        schema_version=1,
        id=f"{patient}-{minutes:g}-timer",
        source="test",
        subject=patient,
        effective_at=at(minutes),
        received_at=at(minutes),
        kind="procedure",
        code="timer",
        action=ProcedureAction.START,
    )


def card(**parts: Any) -> Card:
    texts: dict[str, Any] = {
        "headline": "Ten minutes have passed",
        "findings": (Evidence(measure="map", text="60 mmHg", at=START, event="e1"),),
        "fix_first": (),
        "suggestion": "Consider looking at the clock",
        "evidence": ("Weak: one small trial; two larger trials showed no benefit",),
        "contraindications": (),
        "not_known": (),
        "window": None,
        "goals_of_care": "goals of care not recorded",
        "rule": "test 1.0 (0123456789abcdef), Clock guideline 2026",
        "answers": ("running", "declined"),
        "data_quality": (),
    }
    return Card(**{**texts, **parts})


def alert(patient: str = "p1", **fields: Any) -> AlertChange:
    values: dict[str, Any] = {
        "id": f"alert-{patient}",
        "patient": patient,
        "sequence": 1,
        "change": AlertChangeKind.RAISED,
        "interrupts": True,
        "pathway": "test",
        "episode": 1,
        "stage": "T-1",
        "subject": "clock",
        "verdict": "ELIGIBLE",
        "priority": Priority.MEDIUM,
        "effective_from": START,
        "decided_at": START,
        "card": card(),
        "pack": PackReference(id="test", version="1.0", digest="0123456789abcdef"),
    }
    return AlertChange(**{**values, **fields})


def status(patient: str = "p1", **fields: Any) -> StatusChange:
    values: dict[str, Any] = {
        "patient": patient,
        "sequence": 1,
        "pathway": "test",
        "episode": 1,
        "state": State.ACTIVE,
        "stage": "T-1",
        "effective_from": START,
        "decided_at": START,
    }
    return StatusChange(**{**values, **fields})


class FakeEngine:
    """Takes facts in the order of ``received_at`` when the lateness has passed, and speaks of each and of deadlines."""

    made: int = 0
    advanced: int = 0

    def __init__(self, patient: str, packs: Sequence[Pack], settings: SiteSettings) -> None:
        FakeEngine.made += 1
        self._patient = patient
        self._lateness = settings.lateness
        self._held: dict[str, Event] = {}
        self._deadlines: list[datetime] = []
        self._sequence = 0
        self._clock = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)

    @property
    def due(self) -> datetime | None:
        instant = self._next_instant()
        return instant + self._lateness if instant is not None else None

    def observe(self, event: Event) -> list[Change]:
        self._held[event.id] = event
        self._clock = max(self._clock, event.received_at)
        return self._settle(self._clock - self._lateness)

    def advance(self, to: datetime) -> list[Change]:
        FakeEngine.advanced += 1
        self._clock = max(self._clock, to)
        return self._settle(self._clock - self._lateness)

    def _next_instant(self) -> datetime | None:
        return min([*self._deadlines, *(event.received_at for event in self._held.values())], default=None)

    def _settle(self, to: datetime) -> list[Change]:
        changes: list[Change] = []
        while (due := self._next_instant()) is not None and due <= to:
            if due in self._deadlines:
                self._deadlines.remove(due)
                changes.append(alert(self._patient, sequence=self._next(), decided_at=due))
            ready = [event for event in self._held.values() if event.received_at == due]
            for event in sorted(ready, key=lambda event: event.id):
                del self._held[event.id]
                changes.extend(self._apply(event, due))
        return changes

    def _apply(self, event: Event, now: datetime) -> Iterable[Change]:
        if isinstance(event, Observations) and event.readings[0].code == "unknown":
            yield Rejection(
                patient=self._patient,
                source=event.source,
                event=event.id,
                place="readings.0",
                reason="unknown_code",
                detail="nobody knows 'unknown'",
                decided_at=now,
            )
            return
        if isinstance(event, Procedure):
            self._deadlines.append(event.effective_at + DEADLINE)
        yield status(self._patient, sequence=self._next(), reasons=(event.id,), decided_at=now)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
