"""Everything known of one patient at an instant: plain lists, made from the events received by then.

Nothing is forgotten, thinned or brought up to date: it is what the engine's timeline would be, had it all the time and
room in the world. Conditions read it through a view exactly as they read the timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from functools import cache
from math import isnan, nan
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar, cast

from rules import catalogue as catalogues
from rules.events import Action, Assessment, Event, Observations, Status
from rules.facts import Answer, Refusal, Sample, Translator
from rules.instants import FOREVER, MINUTE, to_instant
from rules.settings import SiteSettings
from rules.timeline import Fact

T = TypeVar("T")

SETTLING: Final = 5 * MINUTE
"""A minute of a dense signal takes samples until so long after its end, but for a minute from its first one on."""


class Taken(NamedTuple):
    """An answer that was taken: which event gave it, to which pathway, and what it said."""

    event: str
    pathway: str
    answer: Answer


class Told(NamedTuple):
    """A fact with its channel."""

    channel: str
    fact: Fact


class Minutes:
    """A dense signal: of each minute the samples by their instants."""

    def __init__(self) -> None:
        self.samples: dict[int, dict[int, float]] = {}
        self._settles: dict[int, int] = {}

    def take(self, at: int, value: float, received: int) -> None:
        """Add a sample, unless its minute has settled; of two at one instant the first counts."""
        minute = at // MINUTE
        settles = self._settles.setdefault(minute, max((minute + 1) * MINUTE + SETTLING, received + MINUTE))
        if received < settles:
            self.samples.setdefault(minute, {}).setdefault(at, value)

    def take_back(self, at: int, received: int) -> None:
        """Take back a sample; of a minute that has settled only the median is known, so all of it is given up."""
        minute = at // MINUTE
        samples = self.samples.get(minute, {})
        if received < self._settles.get(minute, 0):
            samples.pop(at, None)
        else:
            samples.clear()
        if not samples:
            self.samples.pop(minute, None)
            self._settles.pop(minute, None)

    def at(self, minute: int) -> float | None:
        """The median of what could be read in a minute, or None where there is nothing."""
        return _median(self.samples.get(minute, {}).values())

    def window(self, end: int, length: int) -> list[float]:
        """Medians of the whole minutes in ``[end - length, end)`` that have one."""
        last = end // MINUTE
        return [value for minute in range(last - length // MINUTE, last) if (value := self.at(minute)) is not None]

    def so_far(self, at: int, after: int = -FOREVER) -> float | None:
        """The median of the minute that goes on at an instant, up to then, of the samples after another instant."""
        return _median(value for moment, value in self.samples.get(at // MINUTE, {}).items() if after < moment <= at)

    def newest_sent(self, at: int, age: int) -> int | None:
        """The last whole minute with samples that ended by an instant, and at most ``age`` milliseconds before it."""
        ended = [minute for minute in self.samples if (minute + 1) * MINUTE <= at <= (minute + 1) * MINUTE + age]
        return max(ended, default=None)

    def newest_before(self, at: int, age: int) -> int | None:
        """That minute, or None where none of its samples could be read."""
        last = self.newest_sent(at, age)
        return None if last is None or self.at(last) is None else last

    @staticmethod
    def next_end(after: int) -> None:
        """Nobody asks the reference when to look again."""

    @staticmethod
    def next_sample(after: int) -> None:
        """Nor for that."""


class Record:
    """What was known of the patient at an instant: facts by channel, in the order in which they were true.

    Args:
        events: everything received by then, in any order, also twice.
        settings: the site's.
        answers: the answers that were taken; which ones are is not for the reference to say.
    """

    def __init__(self, events: Iterable[Event], settings: SiteSettings, answers: Iterable[Taken] = ()) -> None:
        self.channels: dict[str, list[Fact]] = {}
        self.dense: dict[str, Minutes] = {}
        self.received: list[tuple[int, int]] = []
        """Of each fact when it was received, and when it was true; of a dense sample, when its minute was over."""
        self._made: dict[Hashable, tuple[int, Any]] = {}
        taken = {found.event: found for found in answers}
        used = list(_used(events, settings))
        back = {f"{event.source} {event.corrects}" for event in used if event.corrects is not None}
        before: dict[str, Event] = {}
        corrected: set[str] = set()
        told: list[Told] = []
        for event in used:
            if event.key in before:
                if event.key not in corrected and event.corrects is None:
                    self._take_again(event)
                continue
            if event.corrects is not None:
                corrected.add(f"{event.source} {event.corrects}")
                self._take_back(before.get(f"{event.source} {event.corrects}"), to_instant(event.received_at))
            before[event.key] = event
            if event.key in corrected:
                continue
            if event.status != Status.ENTERED_IN_ERROR:
                told += self._told(event, taken.get(event.key), gone=event.key in back)
                if event.corrects is not None and event.key not in back:
                    told += _unsaid(event, before.get(f"{event.source} {event.corrects}"))
        for channel, fact in sorted(told, key=lambda found: (found.fact.at, found.fact.received, found.fact.event)):
            self.channels.setdefault(channel, []).append(fact)

    def _told(self, event: Event, taken: Taken | None, *, gone: bool) -> Iterator[Told]:
        """The facts of an event that are not ``gone``; samples of dense signals are put in their places.

        Samples go there although they are taken back later: until then they held their minute open.
        """
        at, received = happened(event), to_instant(event.received_at)
        if isinstance(event, Action):
            if taken is not None:
                self.received.append((received, at))
                yield Told(f"answer:{taken.pathway}", Fact(at, received, event.key, taken.answer))
            return
        translator = _translator()
        for outcome in translator.facts(event, at):
            if isinstance(outcome, Refusal):
                continue
            channel, value = outcome
            if channel in translator.dense and not isinstance(value, Sample):
                self.received.append((received, (at // MINUTE + 1) * MINUTE))
                self.dense.setdefault(channel, Minutes()).take(at, value, received)
            else:
                self.received.append((received, at))
                if not gone:
                    yield Told(channel, Fact(at, received, event.key, value))

    def _take_again(self, event: Event) -> None:
        """A sample of a dense signal is known by its instant: said again, it says something of a minute given up."""
        at, received, translator = happened(event), to_instant(event.received_at), _translator()
        for outcome in translator.facts(event, at):
            if isinstance(outcome, Refusal) or outcome[0] not in translator.dense or isinstance(outcome[1], Sample):
                continue
            minutes = self.dense.get(outcome[0])
            if minutes is not None and at // MINUTE not in minutes.samples:
                self.received.append((received, (at // MINUTE + 1) * MINUTE))
                minutes.take(at, outcome[1], received)

    def _take_back(self, target: Event | None, received: int) -> None:
        """Take back what a corrected event said of dense signals, and note that what it said is doubtful from then."""
        if target is None:
            return
        self.received.append((received, happened(target)))
        for outcome in _translator().facts(target):
            if isinstance(outcome, Refusal) or isinstance(outcome[1], Sample):
                continue
            if outcome[0] in self.dense:
                self.dense[outcome[0]].take_back(happened(target), received)

    def instants(self, channels: Container[str] | None = None) -> Iterator[int]:
        """When something became true, at all or in some channels: each fact, and each end of a minute with samples.

        If all is asked for, that is each sample too.
        """
        for channel, facts in self.channels.items():
            if channels is None or channel in channels:
                yield from (fact.at for fact in facts)
        for channel, minutes in self.dense.items():
            if channels is None or channel in channels:
                yield from ((minute + 1) * MINUTE for minute in minutes.samples)
            if channels is None:
                yield from (at for samples in minutes.samples.values() for at in samples)

    # What conditions ask for.

    def facts(self, channel: str) -> Sequence[Fact]:
        """All facts of a channel, also those that become true later, oldest first."""
        return self.channels.get(channel, ())

    def series(self, channel: str) -> Minutes | None:
        """The minutes of a dense signal."""
        return self.dense.get(channel)

    def upto(self, channel: str, at: int) -> list[Fact]:
        """Facts of a channel that were true at or before an instant, oldest first."""
        return [fact for fact in self.channels.get(channel, ()) if fact.at <= at]

    def latest(self, channel: str, at: int) -> Fact | None:
        """The newest fact of a channel at or before an instant."""
        return next((fact for fact in reversed(self.channels.get(channel, ())) if fact.at <= at), None)

    @staticmethod
    def listen_apart(reads: set[str]) -> set[str]:
        """Nobody listens to the reference."""
        return reads

    @staticmethod
    def heard(reads: Container[str]) -> None:
        """Nor is it told what was read."""

    def memo(
        self,
        key: Hashable,
        channels: tuple[str, ...],
        build: Callable[[], T],
        extend: Callable[[T, int], T] | None = None,
    ) -> T:
        """A value derived from whole channels, which never change here.

        It is worked out anew at the first, second, fourth, eighth ... look, lest it depend on what is not in its key.
        """
        looks, value = self._made.get(key, (0, None))
        if looks & looks - 1 == 0:
            value = build() if extend is None else extend(build(), -FOREVER)
        made = cast("T", value)
        self._made[key] = looks + 1, made
        return made


def _median(samples: Iterable[float]) -> float | None:
    read = [sample for sample in samples if not isnan(sample)]
    return median(read) if read else None


def happened(event: Event) -> int:
    """When an event was true of the patient."""
    return to_instant(event.happened_at)


def _used(events: Iterable[Event], settings: SiteSettings) -> Iterator[Event]:
    """The events in the order in which they were received, without those from the future."""
    for event in sorted(events, key=lambda event: (to_instant(event.received_at), event.key)):
        if event.happened_at <= event.received_at + settings.future_skew:
            yield event


def _unsaid(correction: Event, target: Event | None) -> Iterator[Told]:
    """Results that a correction takes back and says nothing of: they are not known since the time they were of."""
    if target is None or not isinstance(correction, Observations | Assessment):
        return
    said = {found[0] for found in _translator().facts(correction) if not isinstance(found, Refusal)}
    for outcome in _translator().facts(target):
        if not isinstance(outcome, Refusal) and isinstance(outcome[1], Sample) and outcome[0] not in said:
            at = happened(target)
            yield Told(outcome[0], Fact(at, to_instant(correction.received_at), correction.key, Sample(nan)))


@cache
def _translator() -> Translator:
    """What turns events into facts, of every signal, whether a rule reads it or not."""
    catalogue = catalogues.load()
    return Translator(catalogue, frozenset(f"signal:{signal.name}" for signal in catalogue.signals))
