"""What a look at all beds needs of a patient's engine: how old the data are that its verdicts were read from."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Final, NamedTuple

from rules import catalogue as catalogues
from rules.catalogue import AgeContext
from rules.engine import PatientEngine
from rules.facts import BY_HAND, Coded, Sample
from rules.instants import FOREVER, MINUTE
from rules.timeline import Timeline

BLIND_AFTER: Final = timedelta(minutes=5)
"""Without any sample for so long, nobody watches the bed: the time in which a minute of a dense signal settles."""

_SIGNAL: Final = "signal:"


class Last(NamedTuple):
    """The newest sample of a signal, and how long it can be used; milliseconds, None without limit."""

    signal: str
    at: int
    lasts: int | None

    def stale(self, now: int) -> bool:
        """Whether it is too old."""
        return self.lasts is not None and now - self.at > self.lasts


class Glance(NamedTuple):
    """One patient.

    Attributes:
        newest: when the newest sample of any signal was taken, in milliseconds.
        signals: the newest samples of the signals that pathways with an open episode were judged by.
        goals: of care, as recorded last in this stay.
        age: in years.
        admitted: false once discharged.
    """

    newest: int | None
    signals: tuple[Last, ...]
    goals: str | None
    age: float | None
    admitted: bool

    def stale(self, now: int) -> tuple[str, ...]:
        """The signals that are too old to be used, but for those that a better one stands in for."""
        fresh = {last.signal for last in self.signals if not last.stale(now)}
        return tuple(
            last.signal for last in self.signals if last.signal not in fresh and _better(last.signal) not in fresh
        )

    def blind(self, now: int) -> bool:
        """Whether nothing has been measured for so long that the bed is not watched."""
        return self.newest is None or now - self.newest > BLIND_AFTER // timedelta(milliseconds=1)


AWAY: Final = Glance(None, (), None, None, admitted=False)
"""Somebody who has been discharged: of whom nothing is looked at."""


def glance(engine: PatientEngine) -> Glance:
    """A look at a patient."""
    timeline = engine.timeline
    lasts = {name: newest_sample(timeline, name) for name in _signals()}
    times = [at for at, _, _ in lasts.values() if at is not None]
    judged = [track for track in engine.tracks if track.present is not None and track.present.fold.open]
    signals = []
    for name, (at, _, method) in lasts.items():
        if at is None:
            continue
        contexts = [track.pathway.knowledge.context for track in judged if track.reads(_SIGNAL + name)]
        if contexts:
            limits = [limit for context in contexts if (limit := limit_of(name, method, context)) is not None]
            signals.append(Last(name, at, min(limits, default=None)))
    now = FOREVER if engine.reached is None else engine.reached
    cares = [track.pathway.care(timeline, now)[0] for track in engine.tracks]
    return Glance(
        newest=max(times, default=None),
        signals=tuple(signals),
        goals=_goals(timeline, max((care.former or -FOREVER for care in cares), default=-FOREVER)),
        age=age_of(timeline),
        admitted=not cares or any(care.here for care in cares),
    )


def newest_sample(timeline: Timeline, signal: str) -> tuple[int | None, float | None, str | None]:
    """The newest sample of a signal, sent or charted: when, how much, and by which method."""
    facts, series = timeline.facts(_SIGNAL + signal), timeline.series(_SIGNAL + signal)
    charted: Sample | None = facts[-1].value if facts else None
    if series is not None and series.newest is not None:
        end, value = (series.newest + 1) * MINUTE, series.at(series.newest)
        if value is not None and (charted is None or facts[-1].at <= end):
            return end, value, None
    if charted is None:
        return None, None, None
    return facts[-1].at, charted.value if charted.readable else None, charted.method


@cache
def limit_of(signal: str, method: str | None, context: AgeContext | None) -> int | None:
    """How old a value of a signal may be, in milliseconds."""
    limit = catalogues.load().signal(signal).age_limit(charted=method in BY_HAND, when=context)
    return None if limit is None else round(limit.total_seconds() * 1000)


def age_of(timeline: Timeline) -> float | None:
    """The age in years, as recorded last."""
    ages = timeline.facts("signal:age")
    return ages[-1].value.value if ages and ages[-1].value.readable else None


def _goals(timeline: Timeline, former: int) -> str | None:
    facts = timeline.facts("state:goals_of_care")
    if not facts or facts[-1].at <= former:
        return None
    coded: Coded = facts[-1].value
    return coded.value


@cache
def _signals() -> tuple[str, ...]:
    """The signals that are measured again and again; whoever was weighed once is not watched by that."""
    return tuple(signal.name for signal in catalogues.load().signals if signal.group != "patient")


def _better(signal: str) -> str | None:
    return catalogues.load().signal(signal).superseded_by
