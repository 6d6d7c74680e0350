"""The state of an engine as bytes: versioned, checksummed, small; loads completely or fails closed."""

from __future__ import annotations

import hashlib
import heapq
import json
import zlib
from collections.abc import Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Final

from rules.alert import Alert
from rules.attention import Asking
from rules.bulkhead import Fault
from rules.events import decode, encode
from rules.facts import Answer, ArrestEvent, Coded, CultureResult, Flow, Given, Move, Sample, SeizureEvent, Volume
from rules.instants import MINUTE, to_instant
from rules.lifecycle import AlertState
from rules.minutes import MinuteSeries
from rules.outputs import Advice, Attention, Priority, State
from rules.pathway import Counsel, Fold, Verdict, Window
from rules.settings import settings_digest
from rules.timeline import Fact
from rules.track import Entry

if TYPE_CHECKING:
    from rules.engine import PatientEngine
    from rules.pack import Pack
    from rules.settings import SiteSettings

MAGIC: Final = b"RMS"
VERSION: Final = 5
_HEADER: Final = len(MAGIC) + 1 + 32


class SnapshotError(ValueError):
    """Bytes that are not a snapshot this engine can continue from."""


def dump(engine: PatientEngine) -> bytes:
    """The snapshot of an engine: magic, version, SHA-256 of the body, and the deflated JSON body."""
    timeline = engine.timeline
    names = sorted({name for track in engine.tracks for name in (*(track.read or ()), *track.read_until)})
    place = {name: index for index, name in enumerate(names)}
    body = {
        "patient": engine.patient,
        "packs": [_identity(track.pathway.pack) for track in engine.tracks],
        "settings": settings_digest(engine.settings),
        "clock": engine.clock,
        "now": engine.reached,
        "pruned": engine.pruned,
        "sequence": engine.sequence,
        "refused": list(engine.refused.items()),
        "pending": [encode(event) for _, _, event in sorted(engine.pending, key=lambda item: item[:2])],
        "channels": {name: [_fact(fact) for fact in facts] for name, facts in sorted(timeline.channels.items())},
        "dense": {name: _dense(series) for name, series in sorted(timeline.dense.items())},
        "settled": timeline.settled,
        "bulkhead": {
            "fault": engine.bulkhead.fault,
            "alert": None if engine.bulkhead.alert is None else _alert_fields(engine.bulkhead.alert),
            "count": engine.bulkhead.count,
        },
        "names": names,
        "tracks": [
            {
                "due": track.due,
                "dirty": track.dirty,
                "read": None if track.read is None else sorted(place[name] for name in track.read),
                "read_until": sorted([until, place[name]] for name, until in track.read_until.items()),
                "entries": [[entry.at, entry.fold, entry.verdict] for entry in track.entries],
                "alerts": [_alert_fields(alert) for _, alert in sorted(book.alerts.items())],
            }
            for track, book in zip(engine.tracks, engine.books, strict=True)
        ],
    }
    raw = json.dumps(body, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    packed = zlib.compress(raw)
    return MAGIC + bytes([VERSION]) + hashlib.sha256(packed).digest() + packed


def load(data: bytes, packs: Sequence[Pack], settings: SiteSettings) -> PatientEngine:
    """The engine of a snapshot.

    Raises:
        SnapshotError: saying what does not fit.
    """
    from rules.engine import PatientEngine  # noqa: PLC0415 - the engine is made from its snapshot here

    body = _open(data)
    engine = PatientEngine(body["patient"], packs, settings)
    taken_with, given = body["packs"], [_identity(track.pathway.pack) for track in engine.tracks]
    if taken_with != given:
        msg = f"snapshot was taken with packs {_names(taken_with)}, not with {_names(given)}"
        raise SnapshotError(msg)
    if body["settings"] != settings_digest(settings):
        msg = "snapshot was taken with other site settings"
        raise SnapshotError(msg)
    engine.clock, engine.reached, engine.pruned = body["clock"], body["now"], body["pruned"]
    engine.sequence, engine.refused = body["sequence"], dict(map(tuple, body["refused"]))
    for line in body["pending"]:
        event = decode(line)
        key = event.key
        engine.waiting.add(key)
        heapq.heappush(engine.pending, (to_instant(event.received_at), key, event))
    timeline = engine.timeline
    for channel, facts in body["channels"].items():
        kind = _value_type(channel)
        timeline.channels[channel] = [
            Fact(at, received, event, _value(kind, raw)) for at, received, event, raw in facts
        ]
        timeline.seen.update({event: at for at, _, event, _ in facts})
        timeline.newest = max(timeline.newest, *(at for at, *_ in facts))
    timeline.settled = body["settled"]
    timeline.dense = {name: _series(raw, timeline.keeps(name)) for name, raw in body["dense"].items()}
    for track, book, raw in zip(engine.tracks, engine.books, body["tracks"], strict=True):
        track.due, track.dirty = raw["due"], raw["dirty"]
        track.read = None if raw["read"] is None else {body["names"][place] for place in raw["read"]}
        track.read_until = {body["names"][place]: until for until, place in raw["read_until"]}
        track.entries = [Entry(at, _fold(fold), _verdict(verdict)) for at, fold, verdict in raw["entries"]]
        book.alerts = {alert.subject: alert for alert in map(_alert, raw["alerts"])}
    bulkhead, raw = engine.bulkhead, body["bulkhead"]
    bulkhead.count = raw["count"]
    bulkhead.fault = None if raw["fault"] is None else _fault(*raw["fault"])
    bulkhead.alert = None if raw["alert"] is None else _alert(raw["alert"])
    engine.settle()
    return engine


def _open(data: bytes) -> dict[str, Any]:
    if len(data) < _HEADER or not data.startswith(MAGIC):
        msg = "not a snapshot"
        raise SnapshotError(msg)
    version = data[len(MAGIC)]
    if version != VERSION:
        msg = f"snapshot version {version} is not known here (known: {VERSION})"
        raise SnapshotError(msg)
    digest, packed = data[len(MAGIC) + 1 : _HEADER], data[_HEADER:]
    if hashlib.sha256(packed).digest() != digest:
        msg = "snapshot is damaged: its checksum does not fit"
        raise SnapshotError(msg)
    body: dict[str, Any] = json.loads(zlib.decompress(packed))
    return body


def _identity(pack: Pack) -> list[str]:
    return [pack.id, pack.version, pack.digest]


def _names(identities: list[list[str]]) -> str:
    return ", ".join(" ".join(identity) for identity in identities) or "none"


def _fact(fact: Fact) -> list[Any]:
    """A fact as JSON has it, which knows no number for what could not be read."""
    if isinstance(fact.value, Sample) and not fact.value.readable:
        return [*fact[:3], fact.value._replace(value=None)]  # type: ignore[arg-type] # written as null
    return list(fact)


def _dense(series: MinuteSeries) -> dict[str, Any]:
    """Runs of consecutive minutes, and the samples of minutes that have not settled.

    Of each such minute, times from its beginning and values stand apart: so they take up the least room.
    """
    unsettled = []
    for minute, (settles, samples) in sorted(series.unsettled.items()):
        begin, times = minute * MINUTE, sorted(samples)
        values = [None if isnan(samples[at]) else samples[at] for at in times]
        unsettled.append([minute, settles - begin, [at - begin for at in times], values])
    return {"edge": series.edge, "runs": list(series.runs()), "unsettled": unsettled}


def _series(raw: dict[str, Any], kept: int) -> MinuteSeries:
    series = MinuteSeries(kept)
    if raw["edge"] is not None:
        minute, value = raw["edge"]
        series.edge = minute, value
    for start, values in raw["runs"]:
        series.fill(start, values)
    for minute, settles, times, values in raw["unsettled"]:
        begin = minute * MINUTE
        read = [nan if value is None else value for value in values]
        samples = {begin + after: value for after, value in zip(times, read, strict=True)}
        series.unsettled[minute] = (begin + settles, samples)
        series.newest = minute if series.newest is None else max(series.newest, minute)
    return series


_VALUE_TYPES: Final[dict[str, Any]] = {
    "signal": Sample,
    "infusion": Flow,
    "dose": Given,
    "fluid": Volume,
    "state": Coded,
    "culture": CultureResult,
    "seizure": SeizureEvent,
    "resuscitation": ArrestEvent,
    "answer": Answer,
    "stay": Move,
}


def _value_type(channel: str) -> Any:
    return _VALUE_TYPES[channel.partition(":")[0]]


def _value(kind: Any, raw: list[Any]) -> Any:
    if kind is CultureResult:
        return CultureResult(raw[0], raw[1], raw[2], tuple((drug, result) for drug, result in raw[3]), raw[4])
    if kind is Answer:
        answer = Answer(*raw)
        return answer._replace(fixes=None if answer.fixes is None else tuple(answer.fixes))
    if kind is Sample and raw[0] is None:
        return Sample(nan, *raw[1:])
    return kind(*raw)


def _alert_fields(alert: Alert) -> list[Any]:
    return [getattr(alert, name) for name in Alert.__slots__]


def _alert(fields: list[Any]) -> Alert:
    alert = Alert(*fields)
    alert.state, alert.priority = AlertState(alert.state), Priority(alert.priority)
    alert.steps = tuple((role, after) for role, after in alert.steps)
    alert.attention, alert.asking = Attention(alert.attention), _asking(alert.asking)
    return alert


def _fault(at: int, during: str, kind: str, trace: list[str], by: str) -> Fault:
    return Fault(at, during, kind, tuple(trace), by)


def _asking(raw: Any) -> Asking:
    asking = Asking(*raw)
    level, answered, peak = (
        None if found is None else Priority(found) for found in (asking.level, asking.answered, asking.peak)
    )
    return asking._replace(
        level=level, answered=answered, peak=peak, fixes=tuple(asking.fixes), returns=tuple(asking.returns)
    )


def _fold(raw: list[Any]) -> Fold:
    episode, is_open, resolved, ending, anchors, markers, running = raw
    return Fold(
        episode,
        is_open,
        resolved,
        ending,
        tuple((name, at) for name, at in anchors),
        tuple(markers),
        tuple((therapy, since) for therapy, since in running),
    )


def _verdict(raw: list[Any]) -> Verdict:
    state, stage, reasons, suppressed, soft, counsel, hushed, kept_back, confirmed, unfixed = raw
    advised = tuple(
        Counsel(
            therapy,
            Advice(advice),
            tuple(why),
            Priority(priority),
            None if window is None else Window(*window),
            tuple(also),
            tuple(filled),
            unsettled,
        )
        for therapy, advice, why, priority, window, also, filled, unsettled in counsel
    )
    return Verdict(
        State(state),
        stage,
        tuple(reasons),
        suppressed,
        tuple(soft),
        advised,
        hushed,
        tuple((subject, why) for subject, why in kept_back),
        confirmed,
        tuple(unfixed),
    )
