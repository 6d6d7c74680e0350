"""Where everybody stands, as it is shown: kept up to date by what has become durable, read by every request."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from monitor.service.models import AlertSummary, Bed, DataAge, PathwayStanding, Why
from monitor.service.naming import Names
from rules import catalogue as catalogues
from rules.glance import Glance
from rules.instants import to_datetime, to_instant
from rules.lifecycle import AlertState
from rules.outputs import BY_REACH, AlertChange, Priority, State, StatusChange, TherapyWindow
from rules.pathway import FIX_FIRST
from streams.embedded.entries import Entry, Present
from streams.embedded.stays import Stay

LATELY: Final = timedelta(minutes=30)
"""How long an alert that has ended is still shown."""

_PRIORITIES: Final = tuple(Priority)
_WAITING: Final = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
_NEVER: Final = float("inf")
_NOTHING: Final = (_NEVER,)
"""Less urgent than every alert."""


class Board:
    """Verdicts, alerts and stays of all patients.

    Args:
        names: what things are called.
        present: the verdicts and alerts to begin with; kept by the board from now on.
        stays: where patients lie.
    """

    def __init__(self, names: Names, present: Present, stays: Mapping[str, Stay]) -> None:
        self.names = names
        self._present = Present()
        self._verdicts: defaultdict[str, dict[str, StatusChange]] = defaultdict(dict)
        self._alerts: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        self._stays = dict(stays)
        self._versions: Counter[str] = Counter()
        for verdict in present.verdicts.values():
            self._verdicts[verdict.patient][verdict.pathway] = verdict
            self._present.verdicts[verdict.patient, verdict.pathway] = verdict
        for entry in present.alerts.values():
            self._add_alert(entry)

    def add(self, entries: Iterable[Entry], stays: Mapping[str, Stay]) -> None:
        """Take in what has become durable."""
        self._stays.update(stays)
        self._versions.update(stays.keys())
        for entry in entries:
            change = entry.change
            self._versions[change.patient] += 1
            if isinstance(change, StatusChange):
                self._verdicts[change.patient][change.pathway] = change
                self._present.add(entry)
            elif isinstance(change, AlertChange):
                self._add_alert(entry)

    def summary(self, entry: Entry, *, then: bool = False) -> AlertSummary:
        """An alert at an entry of the feed, with the window as it is now, or as it was ``then``."""
        change, beside = entry.change, entry.beside
        if not isinstance(change, AlertChange) or beside is None:
            raise TypeError("not the entry of an alert")
        window = beside.window if then else self._present.window(change) or beside.window
        return self._summary(change, beside.state, beside.raised_at, window)

    def alert(self, name: str) -> Entry | None:
        """The newest entry of an alert that is not over, or was until lately."""
        return self._present.alerts.get(name)

    def version(self, patient: str) -> int:
        """Another one after every change in what is shown of a patient, but for what a look at the engine tells."""
        return self._versions[patient]

    def bed(self, patient: str, look: Glance | None, now: datetime) -> Bed:
        """One patient for the view of the unit."""
        return Bed.model_construct(**self.fields(patient, look, now))

    def fields(
        self, patient: str, look: Glance | None, now: datetime, *, ended: bool = False, doubted: bool = False
    ) -> dict[str, Any]:
        """What is shown of a patient; with those alerts that ``ended`` lately if that is wanted.

        ``doubted`` where nothing says how old the data are.
        """
        stay = self._stays.get(patient, Stay())
        verdicts = sorted(self._verdicts[patient].values(), key=_by_state)
        entries = [
            entry
            for entry in self._alerts[patient].values()
            if not entry.over or (ended and now - entry.decided_at <= LATELY)
        ]
        return {
            "patient": patient,
            "bed": stay.bed.name if stay.bed is not None else None,
            "age_years": look.age if look is not None else None,
            "goals_of_care": look.goals if look is not None else None,
            "pathways": tuple(self._standing(found) for found in verdicts if found.state is not State.NOT_APPLICABLE),
            "alerts": tuple(sorted(map(self.summary, entries), key=_urgency_of_alert)),
            "data": data_age(look, now, doubted=doubted),
        }

    def in_unit(self, patient: str, unit: str | None) -> bool:
        """Whether a patient lies in a unit; true for all if none is named."""
        stay = self._stays.get(patient, Stay())
        return unit is None or (stay.unit is not None and stay.unit.name == unit)

    def _add_alert(self, entry: Entry) -> None:
        self._present.add(entry)
        self._alerts[entry.change.patient][_id(entry)] = entry

    def forget(self, now: datetime) -> None:
        """Forget alerts that ended some time ago."""
        for alerts in self._alerts.values():
            for name, entry in list(alerts.items()):
                if entry.over and now - entry.decided_at > LATELY:
                    del alerts[name]
                    self._present.alerts.pop(name, None)

    def _standing(self, verdict: StatusChange) -> PathwayStanding:
        names = self.names
        return PathwayStanding(
            pathway=verdict.pathway,
            title=names.pathway(verdict.pathway),
            state=verdict.state,
            stage=verdict.stage,
            stage_title=names.stage(verdict.pathway, verdict.stage),
            reasons=tuple(Why(id=reason, title=names.reason(verdict, reason)) for reason in verdict.reasons),
            suppressed=verdict.suppressed,
            effective_from=verdict.effective_from,
        )

    def _summary(
        self, change: AlertChange, state: AlertState, raised_at: datetime, window: TherapyWindow | None
    ) -> AlertSummary:
        return AlertSummary(
            id=change.id,
            patient=change.patient,
            pathway=change.pathway,
            pathway_title=self.names.pathway(change.pathway),
            subject=change.subject,
            title=self.names.subject(change),
            headline=change.card.headline,
            verdict=change.verdict,
            priority=change.priority,
            state=state,
            attention=change.attention,
            delayed=change.delayed,
            asked=change.asked,
            cause=change.cause,
            stage=change.stage,
            effective_from=change.effective_from,
            raised_at=raised_at,
            changed_at=change.decided_at,
            sequence=change.sequence,
            window=window,
        )


def data_age(look: Glance | None, now: datetime, *, doubted: bool) -> DataAge:
    """How old a patient's data are; ``doubted`` where nothing says that, so the bed is not watched."""
    if look is None:
        return DataAge(newest_at=None, stale=False, blind=True, doubted=doubted, stale_signals=())
    instant = to_instant(now)
    stale = tuple(map(_title, look.stale(instant)))
    newest = None if look.newest is None else to_datetime(min(look.newest, instant))
    blind = doubted or look.blind(instant)
    return DataAge(newest_at=newest, stale=bool(stale), blind=blind, doubted=doubted, stale_signals=stale)


@cache
def _title(signal: str) -> str:
    return catalogues.load().signal(signal).title


class Urgency(NamedTuple):
    """By what beds are ordered: what waits for an answer, then who is not watched, then the rest."""

    waiting: tuple[Any, ...]
    watched: bool
    rest: tuple[Any, ...]


def urgency(bed: Bed) -> Urgency:
    """How urgent a bed is, the most urgent being the least; who is not watched comes before whoever has no alert."""
    alerts = [_urgency_of_alert(alert) for alert in bed.alerts if alert.state in _WAITING]
    accepted = [_urgency_of_alert(alert) for alert in bed.alerts if alert.state is AlertState.ACCEPTED]
    reached = [BY_REACH.index(State.ACTIVE if found.suppressed else found.state) for found in bed.pathways]
    rest = (min(accepted, default=_NOTHING), -max(reached, default=-1))
    return Urgency(min(alerts, default=_NOTHING), not bed.data.blind, rest)


def _urgency_of_alert(alert: AlertSummary) -> tuple[Any, ...]:
    """By whether it is on the board and waits for an answer, priority, how soon it must be decided, what to fix first.

    Of two that are equal in all that, the newer comes first.
    """
    board = 0 if alert.state in _WAITING else 1 if alert.state is AlertState.ACCEPTED else 2
    decide_by = alert.window.decide_by.timestamp() if alert.window is not None else _NEVER
    return (
        board,
        _PRIORITIES.index(alert.priority),
        alert.state is not AlertState.OPEN,
        decide_by,
        alert.subject != FIX_FIRST,
        -alert.raised_at.timestamp(),
        alert.id,
    )


def _by_state(verdict: StatusChange) -> tuple[int, str]:
    return -BY_REACH.index(verdict.state), verdict.pathway


def _id(entry: Entry) -> str:
    assert isinstance(entry.change, AlertChange)  # noqa: S101 - for the type checker: callers have looked
    return entry.change.id
