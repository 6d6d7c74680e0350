"""Which conditions of the packs were seen met, not met and unknown while scenarios ran, and what was advised."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from typing_extensions import override

from rules.alerts import Book, Moment
from rules.catalogue import load
from rules.conditions import (
    All,
    AnyOf,
    AtLeast,
    Certain,
    Check,
    Compare,
    Decide,
    DoseGiven,
    Elapsed,
    Node,
    Not,
    Present,
    Reached,
    Setting,
    Stands,
    Use,
)
from rules.engine import PatientEngine
from rules.landmarks import LANDMARKS
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.outputs import Advice, AlertChange, State
from rules.pack import Pack, Therapy
from rules.packs.reach import contradicts_itself
from rules.pathway import Fold, Pathway, Step, Verdict
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.stays import Care
from rules.timeline import Timeline
from rules.trace import Trace
from rules.view import View

TRUTHS: Final = (MET, NOT_MET, UNKNOWN)

KINDS: Final = ("conditions", "stages", "checks", "therapies", "pathway")
"""What the conditions of a pack belong to; those of the pathway itself are its onset, resolution and the like."""

_ALL: Final = frozenset(TRUTHS)
_KNOWN: Final = frozenset((MET, NOT_MET))
_OPPOSITE: Final = {MET: NOT_MET, NOT_MET: MET, UNKNOWN: UNKNOWN}

_ASKED_BEFORE: Final = ("recognition", "onset", "relapse")
"""What is asked while no episode goes on."""


class Item(NamedTuple):
    """One condition of a pack, and the truths that tests should show of it."""

    path: str
    node: Node
    demanded: tuple[Truth, ...]

    @property
    def name(self) -> str | None:
        """What a view knows it by, if it is a condition or check that the pack names."""
        first, _, rest = self.path.partition(".")
        return {"conditions": f"condition {rest}", "checks": f"check {rest}"}.get(first)

    @property
    def kind(self) -> str:
        """What it belongs to, one of :data:`KINDS`."""
        first = self.path.partition(".")[0]
        return first if first in KINDS else "pathway"


def items(pack: Pack) -> tuple[Item, ...]:
    """Every root condition of a pack, and for each therapy whether any of its checks to fix first holds it back."""
    roots = [*pack.roots()]
    for therapy in pack.therapies:
        if therapy.hold_while:
            checks = tuple(Check(type="check", name=name) for name in therapy.hold_while)
            roots.append((f"therapies.{therapy.id}.hold_while", AnyOf(type="any", of=checks)))
    asked = [(node, wanted) for _, node in roots for wanted in (True, False)]
    never = iter([*contradicts_itself(pack, load(), asked)])
    found = []
    for (path, node), never_met, never_not_met in zip(roots, never, never, strict=True):
        can_be = truths(node, pack) - {truth for truth, no in ((MET, never_met), (NOT_MET, never_not_met)) if no}
        found.append(Item(path, node, tuple(truth for truth in TRUTHS if truth in can_be)))
    return tuple(found)


def truths(node: Node, pack: Pack) -> frozenset[Truth]:
    """The truths that a condition can have, as far as its parts can have theirs independently of each other.

    What is about the pathway's own memory, settings and verdict is always known, and so is a dose that was given;
    predicates, quantities and landmarks say whether they can be unknown. A record whose absence counts as absent is
    unknown only where somebody recorded just that, which is not demanded.
    """
    parts = [truths(part, pack) for part in node.children()]
    match node:
        case Use() if node.name in pack.conditions:
            answer = truths(pack.conditions[node.name], pack)
        case Check():
            answer = frozenset[Truth]().union(*(truths(c.when, pack) for c in pack.checks if c.id == node.name))
        case Not():
            answer = frozenset(_OPPOSITE[truth] for truth in parts[0])
        case Certain():
            answer = frozenset(MET if truth is MET else NOT_MET for truth in parts[0])
        case All() | AnyOf() | AtLeast():
            count = node.count if isinstance(node, AtLeast) else len(parts) if isinstance(node, All) else 1
            answer = _counted(parts, count)
        case _:
            answer = _ALL if _can_be_unknown(node, pack) else _KNOWN
            if isinstance(node, Decide) and node.name in PREDICATES:
                found = PREDICATES[node.name]
                never = (MET, found.can_be_met), (NOT_MET, found.can_be_not_met)
                answer -= {truth for truth, can_be in never if not can_be}
    return answer


def _can_be_unknown(node: Node, pack: Pack) -> bool:
    """Whether missing data can make a condition without parts unknown, so that a test should show what happens then."""
    answer = True
    match node:
        case Compare() if node.measure in QUANTITIES and node.max_age is None:
            limit = pack.parameters.get(node.threshold)
            answer = QUANTITIES[node.measure].can_be_unknown or (limit is not None and bool(limit.by_age))
        case Elapsed():
            answer = node.since in LANDMARKS and LANDMARKS[node.since].can_be_unknown
        case Reached() | Setting() | Stands() | DoseGiven():
            answer = False
        case Present():
            answer = node.if_missing == "unknown"
        case Decide() if node.name in PREDICATES:
            answer = PREDICATES[node.name].can_be_unknown
    return answer


def _counted(parts: Iterable[frozenset[Truth]], needed: int) -> frozenset[Truth]:
    """What a number of parts can come to: from every number of them that can be met, and that can be unknown."""
    counts = {(0, 0)}
    for part in parts:
        counts = {(met + (t is MET), open_ + (t is UNKNOWN)) for met, open_ in counts for t in part}
    return frozenset(MET if met >= needed else UNKNOWN if met + open_ >= needed else NOT_MET for met, open_ in counts)


@dataclass(slots=True)
class _Seen:
    """What was seen of one pack."""

    truths: dict[str, set[Truth]] = field(default_factory=dict)
    states: set[State] = field(default_factory=set)
    advices: dict[str, set[Advice]] = field(default_factory=dict)


class Figures(NamedTuple):
    """How many of the demanded truths of one kind were seen."""

    kind: str
    truth: Truth
    seen: int
    demanded: int


class Coverage:
    """What was seen of some packs; can be sent between processes and added up."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        self._items = {pack.id: items(pack) for pack in packs}
        self._therapies = {pack.id: {therapy.id: _possible(therapy) for therapy in pack.therapies} for pack in packs}
        self._seen = {pack.id: _Seen() for pack in packs}

    def watch(self, engine: PatientEngine) -> None:
        """Take note of every instant that an engine judges from now on."""
        for index, (track, book) in enumerate(zip(engine.tracks, engine.books, strict=True)):
            if track.pathway.pack.id in self._seen:
                track.pathway = _Watched(track.pathway, self)
                engine.books[index] = _WatchedBook(book, self)

    def note(self, pack: str, before: Fold, step: Step, view: View) -> None:
        """Take note of one instant: in an episode, also as it ends, of every condition, else of what may begin one.

        The view is the one by which it was judged: what was asked then is not worked out again.
        """
        seen = self._seen[pack]
        verdict = step.verdict
        seen.states.add(verdict.state)
        if verdict.state is State.NOT_APPLICABLE and verdict.reasons:
            return  # discharged, or not of the population: nothing was asked
        view.state = verdict.state
        in_episode = step.fold.open or before.open
        for item in self._items[pack]:
            known = seen.truths.setdefault(item.path, set())
            if (in_episode or item.path in _ASKED_BEFORE) and not known.issuperset(item.demanded):
                known.add((view.named(item.name) if item.name else view.ask(item.node)).truth)

    def note_advice(self, pack: str, verdict: Verdict) -> None:
        """Take note of what is advised in the end, when the pathways have been weighed against each other."""
        for counsel in verdict.counsel:
            self._seen[pack].advices.setdefault(counsel.therapy, set()).add(counsel.advice)

    def merge(self, other: Coverage) -> None:
        """Add what was seen elsewhere of the same packs."""
        for pack, theirs in other._seen.items():
            mine = self._seen[pack]
            mine.states |= theirs.states
            for path, truths in theirs.truths.items():
                mine.truths.setdefault(path, set()).update(truths)
            for therapy, advices in theirs.advices.items():
                mine.advices.setdefault(therapy, set()).update(advices)

    @property
    def packs(self) -> tuple[str, ...]:
        """The packs by their ids."""
        return tuple(self._items)

    def lines(self, pack: str) -> Iterator[tuple[Item, frozenset[Truth]]]:
        """Every condition of a pack with the truths that were seen of it."""
        for item in self._items[pack]:
            yield item, frozenset(self._seen[pack].truths.get(item.path, ()))

    def figures(self, pack: str) -> Iterator[Figures]:
        """How much was seen, by kind and truth."""
        for kind in KINDS:
            mine = [(item, seen) for item, seen in self.lines(pack) if item.kind == kind]
            for truth in TRUTHS:
                demanded = [seen for item, seen in mine if truth in item.demanded]
                if demanded:
                    yield Figures(kind, truth, sum(truth in seen for seen in demanded), len(demanded))

    def percent(self) -> float:
        """The part of all demanded truths that was seen, in percent."""
        found = [figures for pack in self.packs for figures in self.figures(pack)]
        demanded = sum(figures.demanded for figures in found)
        return 100.0 * sum(figures.seen for figures in found) / demanded if demanded else 100.0

    def states(self, pack: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The verdicts on a pathway that were seen, and those that were not."""
        return _parted(State, self._seen[pack].states)

    def advices(self, pack: str) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Each therapy with the advices that were seen, and those that were not and can be."""
        for therapy, possible in self._therapies[pack].items():
            yield therapy, *_parted(possible, self._seen[pack].advices.get(therapy, set()))


class _Watched(Pathway):
    """A pathway that tells what was asked each time it is judged."""

    def __init__(self, pathway: Pathway, coverage: Coverage) -> None:
        self.__dict__.update(pathway.__dict__)
        self._coverage = coverage
        self._latest: View | None = None

    @override
    def _view(self, timeline: Timeline, care: Care, fold: Fold, at: int, *, full: bool = False) -> View:
        self._latest = super()._view(timeline, care, fold, at, full=full)
        return self._latest

    @override
    def step(self, timeline: Timeline, fold: Fold, at: int, trace: Trace | None = None) -> Step:
        outcome = super().step(timeline, fold, at, trace)
        timeline.listen()  # what is asked from here on is not what the verdict was read from
        if self._latest is not None:
            self._coverage.note(self.pack.id, fold, outcome, self._latest)
        return outcome


class _WatchedBook(Book):
    """The alerts of a pathway, which also tells what is advised each time that they are looked at."""

    def __init__(self, book: Book, coverage: Coverage) -> None:
        super().__init__(book.patient, book.pack, book.policy, book.damping, book.alerts)
        self._coverage = coverage

    @override
    def update(self, moment: Moment) -> Iterator[AlertChange]:
        self._coverage.note_advice(self.pack.id, moment.entry.verdict)
        yield from super().update(moment)


def _possible(therapy: Therapy) -> tuple[Advice, ...]:
    """The advices that can be given on a therapy: none is blocked that has no contraindication."""
    needed = {
        Advice.CAUTION: therapy.relative,
        Advice.BLOCKED: therapy.absolute or therapy.deadline,
        Advice.PSEUDO: therapy.hold_while,
    }
    return tuple(advice for advice in Advice if needed.get(advice, True))


def _parted(among: Iterable[str], seen: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(found for found in among if found in seen), tuple(found for found in among if found not in seen)
