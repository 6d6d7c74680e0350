"""Three-valued logic with evidence: what a condition evaluates to."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Truth(Enum):
    """Kleene's three values; UNKNOWN never counts as normal and never as zero."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        msg = "a three-valued truth has no plain truth value; compare it with Truth.MET"
        raise TypeError(msg)


MET, NOT_MET, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN

ANY = "any of"
"""The label of a disjunction that has no words of its own."""


class Finding(NamedTuple):
    """One piece of evidence: a measure, what it said in words, when that was true, and the event it came from."""

    measure: str
    text: str
    at: int | None = None
    event: str | None = None


class Evaluation(NamedTuple):
    """The truth of a condition with what it rests on and what is missing."""

    truth: Truth
    label: str = ""
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    parts: tuple[Evaluation, ...] = ()

    def all_findings(self) -> tuple[Finding, ...]:
        """Findings of this condition and its parts, each once, in order."""
        found = dict.fromkeys(self.findings)
        for part in self.parts:
            found.update(dict.fromkeys(part.all_findings()))
        return tuple(found)


def conjunction(parts: Iterable[Evaluation], label: str, *, stop_early: bool) -> Evaluation:
    """All of ``parts``: not met if one is not met, else unknown if one is unknown, else met."""
    seen: list[Evaluation] = []
    truth = MET
    for part in parts:
        seen.append(part)
        if part.truth is NOT_MET:
            truth = NOT_MET
            if stop_early:
                break
        elif part.truth is UNKNOWN and truth is MET:
            truth = UNKNOWN
    return Evaluation(truth, label, (), _missing(truth, seen), tuple(seen))


def disjunction(parts: Iterable[Evaluation], label: str, *, stop_early: bool) -> Evaluation:
    """Any of ``parts``: met if one is met, else unknown if one is unknown, else not met."""
    seen: list[Evaluation] = []
    truth = NOT_MET
    for part in parts:
        seen.append(part)
        if part.truth is MET:
            truth = MET
            if stop_early:
                break
        elif part.truth is UNKNOWN and truth is NOT_MET:
            truth = UNKNOWN
    return Evaluation(truth, label, (), _missing(truth, seen), tuple(seen))


def negation(part: Evaluation, label: str) -> Evaluation:
    """The opposite; unknown stays unknown."""
    truth = UNKNOWN if part.truth is UNKNOWN else (NOT_MET if part.truth is MET else MET)
    return Evaluation(truth, label, (), part.missing, (part,))


def quorum(parts: Iterable[Evaluation], needed: int, label: str) -> Evaluation:
    """At least ``needed`` of ``parts``."""
    seen = tuple(parts)
    met = sum(part.truth is MET for part in seen)
    possible = met + sum(part.truth is UNKNOWN for part in seen)
    truth = MET if met >= needed else UNKNOWN if possible >= needed else NOT_MET
    return Evaluation(truth, label, (), _missing(truth, seen), seen)


def _missing(truth: Truth, parts: Iterable[Evaluation]) -> tuple[str, ...]:
    if truth is not UNKNOWN:
        return ()
    return tuple(dict.fromkeys(item for part in parts if part.truth is UNKNOWN for item in part.missing))
