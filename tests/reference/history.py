"""The verdicts on a patient over time, worked out from scratch from everything received by an instant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from rules.events import Event
from rules.instants import DAY, MINUTE, SECOND, to_instant
from rules.outputs import Advice, Priority
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.view import View
from tests.reference.judging import Judge, Memory, PlainView, Verdict
from tests.reference.record import Record, Taken

REACH: Final = DAY
"""A fact changes nothing of what was said of instants longer than this before it was received."""

SHOWN: Final = (Advice.ELIGIBLE, Advice.CAUTION)


class Said(NamedTuple):
    """From ``at`` until the next entry this was remembered and said."""

    at: int
    memory: Memory
    verdict: Verdict


@dataclass(frozen=True)
class Course:
    """All that happened to a patient at a site: events in any order, and the answers that were taken.

    ``sees`` is how the patient is looked at, ``step`` how often between the instants at which something becomes true.
    """

    events: Sequence[Event]
    settings: SiteSettings
    answers: Sequence[Taken] = ()
    sees: type[View] = PlainView
    step: int = MINUTE

    def known(self, by: int) -> Record:
        """What was known at an instant."""
        return Record((e for e in self.events if to_instant(e.received_at) <= by), self.settings, self.answers)


def grid(judge: Judge, record: Record, until: int, looks: Collection[int], step: int) -> list[int]:
    """Where the reference looks: when something becomes true, and at each full ``step``.

    It begins when something becomes true that the pathway reads; before that there is nothing to say of it.
    Where it looks each minute it does so a second later too: then what changes *after* an instant has changed.
    """
    known = list(record.instants())
    first = min(record.instants(judge.reads), default=until + 1)
    instants = {*known, *range(first // step * step + step, until + 1, step)}
    if step == MINUTE:
        instants |= {instant + SECOND for instant in instants}
    instants |= {until, *looks}
    return sorted(instant for instant in instants if first <= instant <= until)


def history(pack: Pack, course: Course, until: int, looks: Collection[int] = ()) -> list[Said]:
    """What was remembered and said of a pathway, by what was known at ``until``.

    Args:
        pack: the pathway.
        course: what happened.
        until: when we ask; nothing later is known, and nothing later is said.
        looks: instants to look at besides those of the grid.

    Once a fact is received that was true more than :data:`REACH` ago, what was said before that stands as it was, and
    the rest goes on from there.
    """
    record, judge = course.known(until), Judge.of(pack, course.settings, course.sees)
    frozen = max((now - REACH for now, at in record.received if at < now - REACH), default=None)
    said: list[Said] = []
    instants = grid(judge, record, until, looks, course.step)
    if frozen is not None:
        said = [entry for entry in history(pack, course, frozen + REACH - 1, looks) if entry.at < frozen]
        instants = [frozen, *(instant for instant in instants if instant > frozen)]
    memory = said[-1].memory if said else Memory()
    for instant in instants:
        memory, verdict = judge.at(instant, record, memory)
        if not said or said[-1][1:] != (memory, verdict):
            said.append(Said(instant, memory, verdict))
    return said


def since(said: Sequence[Said]) -> int:
    """Since when the last state, its stage, its reasons and what suppresses it have held without a break."""
    first = len(said) - 1
    while first and _outline(said[first - 1].verdict) == _outline(said[-1].verdict):
        first -= 1
    return said[first].at


def weighed(packs: Sequence[Pack], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of suggestions that share a name, in one pathway or in several, the most urgent stays, of equals the first."""
    names = {(pack.id, therapy.id): therapy.merge for pack in packs for therapy in pack.therapies if therapy.merge}
    wanting = [
        (names[pack.id, found.therapy], list(Priority).index(found.priority), place, row)
        for place, (pack, verdict) in enumerate(zip(packs, verdicts, strict=True))
        for row, found in enumerate(verdict.counsel)
        if found.advice in SHOWN and (pack.id, found.therapy) in names
    ]
    first = {name: min(found for found in wanting if found[0] == name) for name, *_ in wanting}
    merged = {found[2:] for found in wanting if first[found[0]] != found}
    return [
        replace(
            verdict,
            counsel=tuple(
                replace(found, advice=Advice.SUPPRESSED, reasons=("merged",)) if (place, row) in merged else found
                for row, found in enumerate(verdict.counsel)
            ),
        )
        for place, verdict in enumerate(verdicts)
    ]


def at(said: Iterable[Said], instant: int) -> Said | None:
    """What stood at an instant."""
    return next((entry for entry in reversed([*said]) if entry.at <= instant), None)


def _outline(verdict: Verdict) -> tuple[object, ...]:
    return verdict.state, verdict.stage, verdict.reasons, verdict.suppressed
