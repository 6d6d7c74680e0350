"""Names in a scenario that no rule pack has: an expectation about them could never fail."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from rules.catalogue.errors import did_you_mean
from rules.pack import Pack
from rules.pathway import NOTICES
from rules.testing.scenario import Expectation, Happening, Never, Scenario


class _Known(NamedTuple):
    """What can be named of one pathway."""

    stages: frozenset[str]
    checks: frozenset[str]
    therapies: frozenset[str]

    @property
    def subjects(self) -> frozenset[str]:
        return self.therapies | set(NOTICES)


def unknown_names(scenario: Scenario, packs: Sequence[Pack]) -> Iterator[str]:
    """Every name that is unknown, as ``place: reason``."""
    known = {
        pack.id: _Known(
            frozenset(stage.id for stage in pack.stages),
            frozenset(check.id for check in pack.checks),
            frozenset(therapy.id for therapy in pack.therapies),
        )
        for pack in packs
    }
    if scenario.pathway not in known:
        yield f"pathway: {_unknown('pathway', scenario.pathway, known)}"
        return
    parts: list[tuple[str, Expectation | Never]] = [(f"expect.{i}", part) for i, part in enumerate(scenario.expect)]
    parts += [(f"never.{i}", part) for i, part in enumerate(scenario.never)]
    for place, part in parts:
        pathway = part.pathway or scenario.pathway
        if pathway not in known:
            yield f"{place}: {_unknown('pathway', pathway, known)}"
        elif isinstance(part, Expectation):
            yield from (f"{place}: {fault}" for fault in _expected(part, known[pathway]))
        elif part.therapy is not None and part.therapy not in known[pathway].therapies:
            yield f"{place}: {_unknown('therapy', part.therapy, known[pathway].therapies)}"
    for index, happening in enumerate(scenario.events):
        yield from (f"events.{index}: {fault}" for fault in _answered(happening, scenario.pathway, known))


def _expected(part: Expectation, known: _Known) -> Iterator[str]:
    if part.stage is not None and part.stage not in known.stages:
        yield _unknown("stage", part.stage, known.stages)
    for kind, names, among in (
        ("check", (*(part.soft or ()), *(part.fix_first or ())), known.checks),
        ("therapy", (*part.therapies, *part.priority, *part.windows), known.therapies),
        ("subject", (*part.alerts, *part.interrupts, *(card.subject for card in part.cards)), known.subjects),
    ):
        yield from (_unknown(kind, name, among) for name in names if name not in among)


def _answered(happening: Happening, own: str, known: dict[str, _Known]) -> Iterator[str]:
    action = happening.action or {}
    pathway, subject = action.get("pathway", own), action.get("subject")
    if pathway not in known:
        yield _unknown("pathway", pathway, known)
    elif subject is not None and subject not in known[pathway].subjects:
        yield _unknown("subject", subject, known[pathway].subjects)


def _unknown(kind: str, name: str, among: Collection[str]) -> str:
    close = did_you_mean(name, among) or f"; known: {', '.join(sorted(among)[:10])}"
    return f"unknown {kind} '{name}'{close}"
