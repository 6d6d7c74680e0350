"""Antimicrobials as given: which dose began when, at what interval, what covers now, and what was only ordered."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.facts import Flow, Given
from rules.instants import HOUR, TICK
from rules.timeline import Fact
from rules.view import names_of

if TYPE_CHECKING:
    from rules.view import View

ANTIMICROBIAL: Final = "antimicrobial"
KINDS: Final = ("antibacterial", "antifungal", "antiviral", "antimycobacterial")
"""The classes that say on what kind of organism a drug acts."""

_NO_FAMILY: Final = frozenset((ANTIMICROBIAL, *KINDS, "anaerobe_active", "proconvulsant", "enzyme_inducer"))
_ONE_DOSE: Final = HOUR
"""What begins within this time is one dose, charted by pump and chart, or loading dose and infusion (local setting)."""


class Begun(NamedTuple):
    """A dose, or an infusion, of a drug: when it began, and the fact that says so."""

    drug: str
    at: int
    fact: Fact


class Course(NamedTuple):
    """All that is known of one drug up to now: its doses by their beginnings, and when it was last seen to be given."""

    doses: tuple[Begun, ...]
    seen: tuple[Fact, ...]

    def gaps(self) -> list[int]:
        """Milliseconds between the beginnings of its doses, oldest first."""
        return [after.at - before.at for before, after in zip(self.doses, self.doses[1:], strict=False)]


def courses(view: View) -> dict[str, Course]:
    """What was given of each antimicrobial up to now; a drug of which nothing was is not among them."""
    return view.once("antimicrobial courses", _courses)


def _courses(view: View) -> dict[str, Course]:
    timeline = view.timeline

    def build() -> dict[str, tuple[Sequence[Fact], Sequence[Fact], Course]]:
        found = {}
        for name in names_of(view.catalogue, ANTIMICROBIAL):
            given, flows = timeline.facts(f"dose:{name}"), timeline.facts(f"infusion:{name}")
            if given or flows:
                found[name] = (given, flows, _course(name, given, flows))
        return found

    known = timeline.memo("antimicrobial courses", ("dose:", "infusion:"), build)
    now = {
        name: whole if _past(given, view.at) and _past(flows, view.at) else _course(name, *_upto(view, given, flows))
        for name, (given, flows, whole) in known.items()
    }
    return {name: course for name, course in now.items() if course.seen}


def _past(facts: Sequence[Fact], at: int) -> bool:
    return not facts or facts[-1].at <= at


def _upto(view: View, *channels: Sequence[Fact]) -> Iterator[list[Fact]]:
    return ([fact for fact in facts if fact.at <= view.at] for facts in channels)


def _course(name: str, doses: Sequence[Fact], flows: Sequence[Fact]) -> Course:
    given = [fact for fact in doses if fact.value.status == "given"]
    begun = [Begun(name, _began(fact), fact) for fact in given]
    begun += (Begun(name, fact.at, fact) for fact in _starts(flows))
    flowing = [fact for fact in flows if fact.value.action in ("start", "rate", "resume") and fact.value.rate != 0]
    kept: list[Begun] = []
    for dose in sorted(begun, key=lambda dose: (dose.at, dose.fact.event)):
        if not kept or dose.at - kept[-1].at >= _ONE_DOSE:
            kept.append(dose)
    return Course(tuple(kept), tuple(sorted((*given, *flowing), key=lambda fact: (fact.at, fact.event))))


def _began(fact: Fact) -> int:
    given: Given = fact.value
    return fact.at if given.started is None else min(given.started, fact.at)


def _starts(flows: Sequence[Fact]) -> Iterator[Fact]:
    """The facts that begin an infusion: a start, or a rate where none ran. One that confirms a rate begins nothing."""
    going: set[str] = set()
    for fact in flows:
        flow: Flow = fact.value
        if flow.action == "stop" or (flow.action in ("start", "rate") and flow.rate == 0):
            going.discard(flow.line)
        elif flow.action == "start" or (flow.action in ("rate", "resume") and flow.line not in going):
            going.add(flow.line)
            yield fact


def doses(view: View) -> list[Begun]:
    """Every dose of every antimicrobial up to now, oldest first."""
    found = (dose for course in courses(view).values() for dose in course.doses)
    return sorted(found, key=lambda dose: (dose.at, dose.fact.event))


def orders(view: View) -> list[tuple[str, Fact]]:
    """Antimicrobials that were ordered up to now, oldest first, with the drug."""
    facts = view.timeline.facts

    def build() -> list[tuple[str, Fact]]:
        names = names_of(view.catalogue, ANTIMICROBIAL)
        found = [(name, fact) for name in names for fact in facts(f"dose:{name}") if fact.value.status == "ordered"]
        return sorted(found, key=lambda pair: (pair[1].at, pair[1].event))

    known = view.timeline.memo("antimicrobial orders", ("dose:",), build)
    return known[: bisect_right(known, view.at, key=lambda pair: pair[1].at)]


def covering(view: View, cover: int) -> set[str]:
    """The drugs that were given within ``cover`` milliseconds."""
    found = set()
    for name, course in courses(view).items():
        last = course.seen[-1].at
        if view.at - last <= cover:
            view.note(last + cover + TICK)
            found.add(name)
    return found


def kinds(view: View, drug: str) -> frozenset[str]:
    """On what kinds of organism a drug acts."""
    return frozenset(view.catalogue.drug(drug).classes) & frozenset(KINDS)


def related(view: View, one: str, other: str) -> bool:
    """Whether two drugs belong to one family, so that one takes the other's place."""
    shared = set(view.catalogue.drug(one).classes) & set(view.catalogue.drug(other).classes)
    return bool(shared - _NO_FAMILY)


def newly_begun(view: View, since: int, longest: int) -> list[str]:
    """The drugs that were first given after an instant: no dose of them in the ``longest`` milliseconds before."""
    found = []
    for name, course in courses(view).items():
        starts = [dose.at for dose in course.doses]
        if any(at > since and not any(at - longest <= before < at for before in starts) for at in starts):
            found.append(name)
    return found
