"""A condition on sparse samples that holds from a first to a last of them, such as criteria read off blood gases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple

from pydantic import Field, model_validator
from typing_extensions import override

from rules.conditions.node import Node
from rules.instants import HOUR, MINUTE, TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth
from rules.lookback import Term
from rules.view import View

if TYPE_CHECKING:
    from rules.conditions import Condition

BRIDGED: Final = 12 * HOUR
"""How much longer a run is followed back for what bridges its gaps (local setting)."""


class _Judged(NamedTuple):
    """One sample: when it was taken, whether it qualifies, and its evidence."""

    at: int
    truth: Truth
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]


class Lasted(Node):
    """Sparse samples that all qualify lie a duration apart, the first from the last.

    A sample is what was measured of all ``sampled`` at one instant; it qualifies if ``where`` is met at that instant.
    Between the first and the last no sample is out of it, and no gap is longer than ``max_gap``; where ``bridge`` is
    met at some moments within a longer gap, these break it up, but they never begin or end a run. Samples of which it
    cannot be told neither qualify nor break. Give ``longer_than``, ``at_least``, or the number of ``samples`` that
    make a beginning. Once the newest sample is too old, the answer is unknown. A run is not followed further back than
    it has to last, by two gaps and what is bridged.
    """

    judges_the_past: ClassVar[bool] = True

    type: Literal["lasted"]
    sampled: Annotated[tuple[str, ...], Field(min_length=1)]
    where: Condition
    longer_than: str | None = None
    at_least: str | None = None
    samples: Annotated[int | None, Field(ge=2)] = None
    max_gap: str
    bridge: Condition | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Lasted:
        if sum(limit is not None for limit in (self.longer_than, self.at_least, self.samples)) != 1:
            msg = "give exactly one of 'longer_than', 'at_least' and 'samples'"
            raise ValueError(msg)
        return self

    @override
    def evaluate(self, view: View) -> Evaluation:
        measure = self.sampled[0]
        label = (self.label or f"{measure}: samples {self._limit(view)}") if view.full else ""
        instants = view.sampled(measure)
        if not instants:
            return Evaluation(UNKNOWN, label, (), (measure,))
        chain = self._chain(view, instants)
        fresh = any(finding.at == instants[-1] for finding in view.value(measure).findings)
        old = (self._old(view, measure, instants[-1]),)
        if not fresh:
            return Evaluation(UNKNOWN, label, (), old)
        sure = self._run(view, [sample for sample in chain if sample.truth is MET])
        found = self._told(view, sure)
        if self._enough(view, sure):
            link = self._last_link(view, sure[0].at, view.at)
            if link is not None:
                view.note(link + view.duration(self.max_gap) + TICK)
                return Evaluation(MET, label, found)
            return Evaluation(UNKNOWN, label, found, old)
        possible = self._run(view, chain)
        if self._enough(view, possible):
            missing = (item for sample in possible for item in sample.missing)
            return Evaluation(UNKNOWN, label, found, tuple(dict.fromkeys(missing)) or (measure,))
        return Evaluation(NOT_MET, label, found or (chain[0].findings if chain else ()))

    def _old(self, view: View, measure: str, last: int) -> str:
        """What is missing, with when it was there last, while that is certainly remembered."""
        if view.at - last > self._span(view):
            return measure
        view.note(last + self._span(view) + TICK)
        return f"{measure} (last {clock_time(last)})"

    def _span(self, view: View) -> int:
        return sum(view.duration(term) if isinstance(term, str) else term for term in self.looks_back())

    def _limit(self, view: View) -> str:
        if self.samples is not None:
            return f"≥ {self.samples}"
        sign = ">" if self.longer_than else "≥"
        return f"over {sign} {format_duration(self._wanted(view))}"

    def _wanted(self, view: View) -> int:
        return view.duration(self.longer_than or self.at_least or "")

    def _chain(self, view: View, instants: list[int]) -> list[_Judged]:
        """The samples since the last that does not qualify, newest first."""
        chain: list[_Judged] = []
        begin = instants[-1] - self._span(view)
        for at in reversed(instants):
            if at < begin:
                break
            sample = self._judge(view, at)
            if sample.truth is NOT_MET:
                break
            chain.append(sample)
        return chain

    def _judge(self, view: View, at: int) -> _Judged:
        past = view.past(at)
        values = {name: past.value(name) for name in self.sampled}
        lacking = [name for name, value in values.items() if all(found.at != at for found in value.findings)]
        if lacking:
            past = view.as_of(at)
            for name in lacking:
                past.mask(name)
        answer = self.where.evaluate(past)
        findings = tuple(finding for value in values.values() for finding in value.findings)
        return _Judged(at, answer.truth, findings, answer.missing)

    def _run(self, view: View, samples: list[_Judged]) -> list[_Judged]:
        """The newest of the samples, as far back as there is no gap; where they are too few anyway, only to explain."""
        if not view.full and not self._enough(view, samples):
            return []
        kept = samples[:1]
        for sample in samples[1:]:
            if self._last_link(view, sample.at, kept[-1].at) is None:
                break
            kept.append(sample)
        return kept

    def _last_link(self, view: View, earlier: int, later: int) -> int | None:
        """The last of the instants that connect two, none further than ``max_gap`` from the next; None if they do not.

        Where they do not, time alone does not change it: nothing bridged the gap while it could be bridged.
        """
        limit = view.duration(self.max_gap)
        here = earlier
        while later - here > limit:
            reached = next(self._bridges(view, here, here + limit), None)
            if reached is None:
                return None
            here = reached
        return here

    def _bridges(self, view: View, after: int, until: int) -> Iterator[int]:
        """Whole minutes at which ``bridge`` is met, the latest first."""
        if self.bridge is None:
            return
        for at in range(until // MINUTE * MINUTE, after, -MINUTE):
            if self.bridge.evaluate(view.past(at)).truth is MET:
                yield at

    def _enough(self, view: View, samples: list[_Judged]) -> bool:
        if self.samples is not None:
            return len(samples) >= self.samples
        if not samples:
            return False
        span, wanted = samples[0].at - samples[-1].at, self._wanted(view)
        return span > wanted if self.longer_than else span >= wanted

    def _told(self, view: View, samples: list[_Judged]) -> tuple[Finding, ...]:
        """The samples with their values, and how long they last; while not long enough, when they would be."""
        if not samples:
            return ()
        last, first = samples[0].at, samples[-1].at
        text = f"{len(samples)} samples over {format_duration(last - first)} from {clock_time(first)}"
        if self.samples is None and not self._enough(view, samples):
            limit = self._wanted(view)
            relation = "more than" if self.longer_than else "at least"
            when = "a sample after" if self.longer_than else "a sample from"
            text += f"; {relation} {format_duration(limit)} needed: {when} {clock_time(first + limit)}"
        values = (finding for sample in reversed(samples) for finding in sample.findings)
        event = next((finding.event for finding in samples[0].findings if finding.at == last), None)
        return (*dict.fromkeys(values), Finding(self.sampled[0], text, last, event))

    @override
    def children(self) -> tuple[Node, ...]:
        return (self.where, self.bridge) if self.bridge is not None else (self.where,)

    @override
    def measures(self) -> tuple[str, ...]:
        return self.sampled

    @override
    def durations(self) -> tuple[str, ...]:
        return tuple(name for name in (self.longer_than, self.at_least, self.max_gap) if name)

    @override
    def looks_back(self) -> tuple[Term, ...]:
        lasting = self.longer_than or self.at_least
        wanted = (lasting,) if lasting else (self.max_gap,) * ((self.samples or 1) - 1)
        return (*wanted, self.max_gap, self.max_gap, *((BRIDGED,) if self.bridge is not None else ()))
