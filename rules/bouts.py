"""The seizures on record, and the stretches of time in which there were any, kept up to date.

What is recorded of seizures, and each ten-minute value of an EEG that shows some, is followed in the order of time up
to an instant. What a later fact changes is little, and can be taken back: so a look at the past, or a late fact, costs
what lies between, and a look at the present what is new.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.eeg import BIN, Span
from rules.facts import SeizureEvent
from rules.instants import FOREVER

if TYPE_CHECKING:
    from rules.timeline import Fact

ELECTROGRAPHIC: Final = "electrographic"

_AT: Final = attrgetter("at")
_END: Final = attrgetter("end")

Recovered = Callable[[int, int], bool]
"""Whether consciousness is known to have come back between two instants."""

Hidden = Callable[[Sequence[int]], Collection[int]]
"""Of the instants at which seizures were recorded as over, those at which nobody could see it: these end nothing."""


class Bout(NamedTuple):
    """One seizure on record.

    Attributes:
        start: when it began.
        event: by which event.
        looked: each way it looked, with when it first did.
        seen: when it was last recorded as going on, and how it looked.
        stop: when it ended, if that is known.
    """

    start: int
    event: str
    looked: tuple[tuple[str, int], ...]
    seen: tuple[int, str]
    stop: int | None = None

    @property
    def last_seen(self) -> int:
        """When it was last recorded as going on."""
        return self.seen[0]

    @property
    def end(self) -> int:
        """When it ended, or was last seen."""
        return self.last_seen if self.stop is None else self.stop


class Stretch(NamedTuple):
    """An unbroken stretch with seizures; ``onset`` is when the run without recovery began that it belongs to."""

    start: int
    end: int
    onset: int


class _Step(NamedTuple):
    """What one fact changed: the seizures known before it, how many stretches it left alone, and those it joined."""

    at: int
    known: tuple[tuple[Bout, ...], tuple[Bout, ...]]
    alone: int
    joined: list[Stretch]


class Bouts:
    """The seizures on record as known at an instant.

    Args:
        forgotten: how long after the last word of a seizure a new start begins another one.
        close: how long after another a seizure may begin and still be of the same run, where there was no recovery.

    Attributes:
        known: the newest two of those seen, and of those of the EEG, the newest last.
        stretches: those with seizures, up to the last word of each, oldest first.
        compared: when recovery was asked for, since a seizure began close to another.
    """

    __slots__ = ("_at", "_close", "_forgotten", "_hidden", "_steps", "_stops", "compared", "known", "stretches")

    def __init__(self, forgotten: int, close: int) -> None:
        self.known: tuple[tuple[Bout, ...], tuple[Bout, ...]] = (), ()
        self.stretches: list[Stretch] = []
        self.compared: list[int] = []
        self._forgotten = forgotten
        self._close = close
        self._stops: list[int] = []
        """When a seizure that was seen was recorded as over."""
        self._hidden: set[int] = set()
        """Of these, those at which nobody could see it."""
        self._at = -FOREVER
        self._steps: list[_Step] = []

    def rewind(self, since: int) -> Bouts:
        """Take back what came of the facts from an instant on."""
        while self._steps and self._steps[-1].at >= since:
            _, self.known, alone, joined = self._steps.pop()
            self.stretches[alone:] = joined
        for instants in (self._stops, self.compared):
            del instants[bisect_left(instants, since) :]
        self._hidden = {instant for instant in self._hidden if instant < since}
        self._at = min(self._at, since - 1)
        return self

    def follow(
        self, words: Sequence[Fact], values: Sequence[Fact], at: int, recovered: Recovered, hidden: Hidden
    ) -> Bouts:
        """Follow up to an instant what was recorded, and the ten-minute values; what was followed is as it was.

        Args:
            words: what was recorded of seizures.
            values: the ten-minute values.
            at: the instant.
            recovered: whether there was recovery.
            hidden: which stops end nothing.
        """
        self.rewind(min(at, self._at) + 1)  # what is later, or was broken off by a fault
        if self._stops:
            others = {*hidden(self._stops)} ^ self._hidden
            self.rewind(min(others, default=at + 1))
        new = [
            fact
            for facts in (words, values)
            for fact in facts[bisect_right(facts, self._at, key=_AT) : bisect_right(facts, at, key=_AT)]
        ]
        for fact in sorted(new, key=_AT):
            self._take(fact, recovered, hidden)
        self._at = at
        return self

    def present(self, spans: Collection[Span], recovered: Recovered) -> tuple[int, Stretch | None]:
        """The newest stretch, with what goes on now besides; and how many there are before it."""
        if spans:
            return self._joining(Span(min(span.start for span in spans), max(span.end for span in spans)), recovered)
        return max(len(self.stretches) - 1, 0), self.stretches[-1] if self.stretches else None

    def _take(self, fact: Fact, recovered: Recovered, hidden: Hidden) -> None:
        seen, recorded = known = self.known
        if not isinstance(fact.value, SeizureEvent):
            if fact.value.bounds[0] <= 0:
                return
            span = Span(fact.at - BIN, fact.at)
        elif fact.value.semiology == ELECTROGRAPHIC:
            known = seen, self._after(recorded, fact, ends=True)
            span = Span(known[1][-1].start if known[1] else fact.at, fact.at)
        else:
            if fact.value.action == "stop" and seen and seen[-1].stop is None:
                self._stops.append(fact.at)
                self._hidden.update(hidden((fact.at,)))
            known = self._after(seen, fact, ends=fact.at not in self._hidden), recorded
            span = Span(known[0][-1].start if known[0] else fact.at, fact.at)
        if known == self.known and isinstance(fact.value, SeizureEvent):
            return  # the end of nothing
        alone, stretch = self._joining(span, recovered)
        if alone and stretch.start - self.stretches[alone - 1].end <= self._close:
            self.compared.append(fact.at)
        self._steps.append(_Step(fact.at, self.known, alone, self.stretches[alone:]))
        self.known = known
        self.stretches[alone:] = [stretch]

    def _after(self, bouts: tuple[Bout, ...], fact: Fact, *, ends: bool) -> tuple[Bout, ...]:
        """The newest seizures of a kind after a word of it, which ``ends`` one if it says so."""
        action, kind = fact.value
        going = bouts[-1] if bouts and bouts[-1].stop is None else None
        if action == "stop":
            return (*bouts[:-1], going._replace(stop=fact.at)) if ends and going is not None else bouts
        if going is None or (action == "start" and fact.at - going.last_seen > self._forgotten):
            return (*bouts[-1:], Bout(fact.at, fact.event, ((kind, fact.at),), (fact.at, kind)))
        looked = going.looked if any(kind == known for known, _ in going.looked) else (*going.looked, (kind, fact.at))
        return (*bouts[:-1], going._replace(looked=looked, seen=(fact.at, kind)))

    def _joining(self, span: Span, recovered: Recovered) -> tuple[int, Stretch]:
        """The stretch that a span is part of, where nothing ends later; and how many stretches there are before it."""
        alone = bisect_left(self.stretches, span.start, key=_END)
        start = min([span.start, *(stretch.start for stretch in self.stretches[alone : alone + 1])])
        before = self.stretches[alone - 1] if alone else None
        same = before is not None and start - before.end <= self._close and not recovered(before.end, start)
        return alone, Stretch(start, span.end, before.onset if before is not None and same else start)
