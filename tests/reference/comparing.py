"""Where the engine, or one restored from its snapshot, says something else than the reference, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from rules.engine import PatientEngine
from rules.events import Action, Event
from rules.facts import Answer
from rules.instants import DAY, FOREVER, MINUTE, TICK, to_datetime, to_instant
from rules.outputs import (
    AlertChange,
    AlertChangeKind,
    Change,
    State,
    StatusChange,
    TherapyStatus,
    TherapyWindow,
    encode_change,
)
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.view import View
from tests.reference.history import Course, Said, history, since, weighed
from tests.reference.judging import Counsel, Memory, PlainView, Verdict
from tests.reference.record import Taken

_ANSWERS = {AlertChangeKind.DECLINED: "decline", AlertChangeKind.SNOOZED: "snooze"}


class Compared:
    """A course played through an engine, stopped at some instants to ask the reference.

    At each stop a second engine is restored from its own snapshot; it has to say the same, byte for byte. The reference
    looks wherever the engine says that something changed, and just before, so that it need not look everywhere.

    Args:
        events: in the order in which they were received.
        packs: the pathways.
        settings: the site's.
        sees: how the reference looks at the patient.
        step: how often it looks between the instants at which something becomes true.
    """

    def __init__(
        self,
        events: Sequence[Event],
        packs: Sequence[Pack],
        settings: SiteSettings,
        sees: type[View] = PlainView,
        step: int = MINUTE,
    ) -> None:
        self.engine = PatientEngine(events[0].subject, packs, settings)
        self.changes: list[Change] = []
        self._events = list(events)
        self._packs = packs
        self._settings = settings
        self._sees, self._step = sees, step
        self._fed = 0
        self._reached = min(to_instant(event.received_at) for event in events)
        self._restored = PatientEngine(events[0].subject, packs, settings)
        self._said_restored: list[Change] = []
        self._looks: set[int] = set()
        self._on_screen: dict[str, Answer] = {}

    def differences(self, at: int) -> list[str]:
        """Play on to an instant; where the two then differ."""
        self._play(at)
        if list(map(encode_change, self.changes)) != list(map(encode_change, self._said_restored)):
            return ["the restored engine says something else", *_other(self.changes, self._said_restored)]
        if any(track.dirty is not None for track in self.engine.tracks):
            return []  # late samples wait for the end of the minute
        course = Course(self._events[: self._fed], self._settings, self._answers(), self._sees, self._step)
        found: list[str] = []
        verdicts: list[Verdict] = []
        moments: list[int | None] = []
        for pack, track in zip(self._packs, self.engine.tracks, strict=True):
            # The engine forgets what is older than a day.
            kept = at - DAY if track.entries and track.entries[0].at < at - DAY else -FOREVER
            told = _begun([(entry.at, *_of_engine(entry)) for entry in track.entries])
            said = history(pack, course, at, self._looks)
            mine = _begun([(entry.at, *_of_reference(entry)) for entry in said])
            found += [f"{pack.id}: {line}" for line in _unlike(told, mine, kept)]
            verdicts.append(said[-1].verdict if said else Verdict(State.NOT_APPLICABLE))
            moments.append(since(said) if mine and since(said) >= mine[0][0] else None)
        for pack, verdict, moment in zip(self._packs, weighed(self._packs, verdicts), moments, strict=True):
            status = self._status(pack.id)
            if status is None:
                found += [] if moment is None else [f"{pack.id}: the engine says nothing, the reference {verdict}"]
                continue
            found += [
                f"{pack.id}: at {to_datetime(at)} {name} is {getattr(status, name)}, by the reference {wanted}"
                for name, wanted in _announced(verdict, moment).items()
                if getattr(status, name) != wanted and (name, wanted) != ("effective_from", None)
            ]
        return found

    def _play(self, at: int) -> None:
        self._restored = PatientEngine.restore(self._restored.snapshot(), self._packs, self._settings)
        while self._fed < len(self._events) and to_instant(self._events[self._fed].received_at) <= at:
            event = self._events[self._fed]
            self._pass_time(to_instant(event.received_at))
            self.changes += self.engine.observe(event)
            self._said_restored += self._restored.observe(event)
            self._fed += 1
            self._watch()
        self._pass_time(at)
        self.changes += self.engine.advance(to_datetime(at) + self._settings.lateness)
        self._said_restored += self._restored.advance(to_datetime(at) + self._settings.lateness)
        self._watch()

    def _pass_time(self, until: int) -> None:
        """Let time pass in pieces, so that nothing that changed is forgotten before it is noted."""
        while self._reached + DAY // 2 < until:
            self._reached += DAY // 2
            self.changes += self.engine.advance(to_datetime(self._reached))
            self._said_restored += self._restored.advance(to_datetime(self._reached))
            self._watch()
        self._reached = max(self._reached, until)

    def _watch(self) -> None:
        """Note where the engine says that something changed, and what was answered; it forgets that after a day."""
        for pack in self._packs:
            for fact in self.engine.timeline.facts(f"answer:{pack.id}"):
                self._on_screen[fact.event] = fact.value
        for track in self.engine.tracks:
            self._looks.update(moment for entry in track.entries for moment in (entry.at - TICK, entry.at))

    def _status(self, pathway: str) -> StatusChange | None:
        found = [change for change in self.changes if isinstance(change, StatusChange) and change.pathway == pathway]
        return found[-1] if found else None

    def _answers(self) -> list[Taken]:
        """The answers that the engine took: which ones it takes is a matter of the life of alerts."""
        given = {}
        for event in self._events[: self._fed]:
            if isinstance(event, Action) and event.key not in given:
                given[event.key] = event
        taken: list[Taken] = []
        stages: dict[str, str | None] = {}
        for change in self.changes:
            if isinstance(change, StatusChange):
                stages[change.pathway] = change.stage
            elif isinstance(change, AlertChange) and change.change in _ANSWERS:
                asked = _ANSWERS[change.change]
                keys = [
                    key
                    for key, event in given.items()
                    if event.alert_id == change.id
                    and event.action == asked
                    and event.received_at == change.decided_at
                    and key not in [found.event for found in taken]
                ]
                seen = self._on_screen[keys[0]]
                said = (stages[change.pathway], given[keys[0]].reason, str(change.priority), seen.fixes)
                answer = Answer(change.subject, asked, *said)
                taken.append(Taken(keys[0], change.pathway, answer))
        return taken


def _begun(told: list[tuple[int, Any, Any]]) -> list[tuple[int, Any, Any]]:
    """A history from where something is first said of the pathway: when it began to be looked at does not matter."""
    idle = _of_reference(Said(0, Memory(), Verdict(State.NOT_APPLICABLE)))
    first = next((index for index, (_, *said) in enumerate(told) if tuple(said) != idle), len(told))
    return told[first:]


def _of_engine(entry: Any) -> tuple[Any, Any]:
    fold, verdict = entry.fold, entry.verdict
    counsel = tuple(_therapy(found, _window(found.window)) for found in verdict.counsel)
    memory = (fold.episode, fold.open, fold.resolved, fold.ending, fold.anchors, fold.markers, fold.running)
    said = verdict._asdict()
    return memory, {**{name: said[name] for name in _SAID}, "counsel": counsel}


def _of_reference(entry: Said) -> tuple[Any, Any]:
    memory, verdict = entry.memory, entry.verdict
    counsel = tuple(_therapy(found, _plain_window(found.window)) for found in verdict.counsel)
    remembered = (
        memory.episode,
        memory.open,
        memory.resolved,
        memory.ending,
        memory.anchors,
        memory.markers,
        memory.running,
    )
    return remembered, {**{name: getattr(verdict, name) for name in _SAID}, "counsel": counsel}


_SAID = ("state", "stage", "reasons", "suppressed", "soft", "hushed", "kept_back", "confirmed", "unfixed")


def _therapy(found: Any, window: Any) -> tuple[Any, ...]:
    return (found.therapy, found.advice, found.reasons, found.priority, window, found.unsettled)


def _window(window: Any) -> tuple[Any, ...] | None:
    if window is None:
        return None
    state = "extended" if window.extended else "closed" if window.closed else "open"
    return (window.closes, window.decide_by, state, window.closing, window.extended, window.aim, window.last)


def _plain_window(window: Any) -> tuple[Any, ...] | None:
    if window is None:
        return None
    return (
        window.closes,
        window.decide_by,
        window.state,
        window.closing,
        window.extended,
        window.aim,
        window.last,
    )


def _announced(verdict: Verdict, moment: int | None) -> dict[str, Any]:
    return {
        "state": verdict.state,
        "stage": verdict.stage,
        "reasons": verdict.reasons,
        "suppressed": verdict.suppressed,
        "soft": verdict.soft,
        "therapies": tuple(map(_status, verdict.counsel)),
        "effective_from": None if moment is None else to_datetime(moment),
    }


def _status(found: Counsel) -> TherapyStatus:
    window = found.window
    shown = None
    if window is not None:
        shown = TherapyWindow(
            closes_at=to_datetime(window.closes),
            decide_by=to_datetime(window.decide_by),
            state=window.state,
            reason=window.extended or window.aim,
        )
    return TherapyStatus(
        therapy=found.therapy, advice=found.advice, reasons=found.reasons, priority=found.priority, window=shown
    )


def _unlike(told: Sequence[tuple[Any, Any, Any]], mine: Sequence[tuple[Any, Any, Any]], since: int) -> Iterator[str]:
    """The first instant, of those since one, at which two histories are not the same."""
    for instant in sorted({when for when, *_ in (*told, *mine) if when >= since}):
        ours = next(((memory, said) for when, memory, said in reversed(mine) if when <= instant), None)
        theirs = next(((memory, said) for when, memory, said in reversed(told) if when <= instant), None)
        if ours == theirs:
            continue
        if ours is None or theirs is None:
            yield f"from {to_datetime(instant)} on {theirs or 'nothing'}, by the reference {ours or 'nothing'}"
            return
        if ours[0] != theirs[0]:
            yield f"from {to_datetime(instant)} on it remembers {theirs[0]}, by the reference {ours[0]}"
        yield from (
            f"from {to_datetime(instant)} on {name} is {theirs[1][name]}, by the reference {ours[1][name]}"
            for name in ours[1]
            if ours[1][name] != theirs[1][name]
        )
        return


def _other(whole: Sequence[Change], restored: Sequence[Change]) -> Iterator[str]:
    """The first change that the two do not share."""
    for one, other in zip_longest(whole, restored):
        if one != other:
            yield f"whole: {None if one is None else encode_change(one)}"
            yield f"restored: {None if other is None else encode_change(other)}"
            return
