"""One patient in detail, read from a private copy of the engine: signals, what is unknown, trends, explanations."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Final, NamedTuple

from monitor.service.models import Explained, Series, SignalNow, Threshold, Treatment, Trends, Unknowns
from rules import catalogue as catalogues
from rules.cards import build
from rules.catalogue import Signal
from rules.engine import PatientEngine
from rules.facts import Coded, Given
from rules.glance import Last, limit_of, newest_sample
from rules.instants import MINUTE, SECOND, to_datetime, to_instant
from rules.outputs import AlertChange, Card, State
from rules.pathway import Fold
from rules.thresholds import thresholds
from rules.timeline import Fact, Timeline
from rules.track import Track
from rules.wording import plain

_PROCEDURES: Final = ("procedure", "support")
"""The groups of coded facts that are something done to the patient."""


class Span(NamedTuple):
    """A stretch of time in milliseconds, both ends included."""

    since: int
    until: int


def unknowns(engine: PatientEngine) -> tuple[Unknowns, ...]:
    """What the pathways that apply lack."""
    found = []
    for track in engine.tracks:
        if _applies(track):
            explanation = engine.explain(track.pathway.pack.id)
            if explanation.missing:
                pack = track.pathway.pack
                found.append(Unknowns(pathway=pack.id, title=pack.title, missing=explanation.missing))
    return tuple(found)


def explained(engine: PatientEngine, pathway: str) -> Explained:
    """Why the verdict on a pathway is what it is."""
    explanation = engine.explain(pathway)
    return Explained(**dict(explanation), text="\n".join(explanation.lines()))


def card_now(engine: PatientEngine, change: AlertChange) -> Card | None:
    """The card of an alert that is shown, with present values; None while its pathway is not about it."""
    track = next((track for track in engine.tracks if track.pathway.pack.id == change.pathway), None)
    if track is None or track.present is None or engine.reached is None or not track.present.fold.open:
        return None
    return build(track.pathway, engine.timeline, track.present, engine.reached, change.subject)


def signals(engine: PatientEngine, now: datetime) -> tuple[SignalNow, ...]:
    """The newest value of each signal that there is any of or that a pathway that applies was judged by."""
    instant = to_instant(now)
    return tuple(
        found for signal in catalogues.load().signals if (found := _signal_now(engine, signal, instant)) is not None
    )


def trends(engine: PatientEngine, span: Span, names: Sequence[str] | None) -> Trends:
    """Signals over time, by default those that the pathways that apply were judged by, and what was given."""
    chosen = [
        signal
        for signal in catalogues.load().signals
        if (signal.name in names if names is not None else _changes(signal) and _read_by_active(engine, signal.name))
    ]
    series = (
        Series(
            signal=signal.name,
            title=signal.title,
            unit=plain(signal.unit),
            points=tuple(_points(engine.timeline, signal.name, span)),
            thresholds=tuple(
                Threshold(**found._asdict())
                for track in engine.tracks
                if _applies(track)
                for found in thresholds(engine, track, signal.name)
            ),
        )
        for signal in chosen
    )
    drawn = tuple(found for found in series if found.points or names is not None)
    return Trends(series=drawn, treatments=tuple(_treatments(engine, span)))


def _applies(track: Track) -> bool:
    return track.present is not None and track.present.verdict.state is not State.NOT_APPLICABLE


def _changes(signal: Signal) -> bool:
    """Whether it makes sense to draw a signal over time."""
    return signal.group != "patient"


def _read_by_active(engine: PatientEngine, signal: str) -> bool:
    channel = f"signal:{signal}"
    return any(_applies(track) and track.reads(channel) for track in engine.tracks)


def _signal_now(engine: PatientEngine, signal: Signal, now: int) -> SignalNow | None:
    at, value, method = newest_sample(engine.timeline, signal.name)
    judged = _read_by_active(engine, signal.name)
    if at is None and not judged:
        return None
    contexts = {track.pathway.knowledge.context for track in engine.tracks if _applies(track)} or {None}
    limits = [limit for context in contexts if (limit := limit_of(signal.name, method, context)) is not None]
    limit = min(limits, default=None)
    return SignalNow(
        signal=signal.name,
        title=signal.title,
        unit=plain(signal.unit),
        value=value,
        at=None if at is None else to_datetime(min(at, now)),
        stale_after=None if limit is None else limit / SECOND,
        stale=at is None or Last(signal.name, at, limit).stale(now),
    )


def _points(timeline: Timeline, signal: str, span: Span) -> Iterator[tuple[int, float]]:
    """Minutes of what a device sent and values that were charted, oldest first."""
    facts = timeline.facts(f"signal:{signal}")
    within = (fact for fact in facts if span.since <= fact.at <= span.until and fact.value.readable)
    charted = ((fact.at, fact.value.value) for fact in within)
    yield from heapq.merge(_minutes(timeline, signal, span), charted)


def _minutes(timeline: Timeline, signal: str, span: Span) -> Iterator[tuple[int, float]]:
    series = timeline.series(f"signal:{signal}")
    if series is None or series.newest is None:
        return
    for minute in range(span.since // MINUTE, min(span.until // MINUTE, series.newest) + 1):
        value = series.at(minute)
        if value is not None:
            yield (minute + 1) * MINUTE, round(value, 4)


def _treatments(engine: PatientEngine, span: Span) -> Iterator[Treatment]:
    for drug in catalogues.load().drugs:
        yield from _infusions(engine, drug.name, drug.title, drug.rate_unit, span)
        for fact in engine.timeline.facts(f"dose:{drug.name}"):
            given: Given = fact.value
            if span.since <= fact.at <= span.until and given.status == "given":
                unit = None if drug.dose_unit is None else plain(drug.dose_unit) + "/kg" * given.weight_power
                began, ended = to_datetime(given.started or fact.at), to_datetime(fact.at)
                yield Treatment(
                    drug=drug.name, title=drug.title, began=began, to=ended, rate=given.amount, unit=unit, kind="dose"
                )
    for concept in catalogues.load().concepts:
        if concept.group in _PROCEDURES or concept.kind == "event":
            facts = engine.timeline.facts(f"state:{concept.name}")
            yield from _procedures(facts, concept.name, concept.title, span)


def _infusions(engine: PatientEngine, drug: str, title: str, unit: str | None, span: Span) -> Iterator[Treatment]:
    """The rate of a drug step by step; null where it is not known."""
    if not engine.timeline.facts(f"infusion:{drug}"):
        return
    view = engine.tracks[0].pathway.view(engine.timeline, Fold(), span.until)
    steps = view.rate(drug).steps
    for step, following in zip_longest(steps, steps[1:]):
        ended = None if following is None or following.at > span.until else following.at
        if step.high > 0 and step.at <= span.until and (ended is None or ended >= span.since):
            yield Treatment(
                drug=drug,
                title=title,
                began=to_datetime(step.at),
                to=None if ended is None else to_datetime(ended),
                rate=round(step.low, 4) if step.low == step.high else None,
                unit=None if unit is None else plain(unit),
                kind="infusion",
            )


def _procedures(facts: Sequence[Fact], name: str, title: str, span: Span) -> Iterator[Treatment]:
    """What was done at a moment, or lasted from a start to a stop."""
    began: int | None = None
    for fact in facts:
        coded: Coded = fact.value
        if fact.at > span.until:
            break
        if coded.value == "present" and began is None:
            began = fact.at
        elif coded.value == "done":
            yield from _done(name, title, fact.at, fact.at, span)
        elif coded.value == "absent" and began is not None:
            yield from _done(name, title, began, fact.at, span)
            began = None
    if began is not None:
        yield from _done(name, title, began, None, span)


def _done(name: str, title: str, began: int, ended: int | None, span: Span) -> Iterator[Treatment]:
    if ended is None or ended >= span.since:
        to = None if ended is None else to_datetime(ended)
        yield Treatment(drug=name, title=title, began=to_datetime(began), to=to, rate=None, unit=None, kind="procedure")
