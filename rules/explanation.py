"""Why, why not, and what is missing: the full evaluation of a pathway at an instant, for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.alerts import Book
from rules.instants import clock_time
from rules.lifecycle import shown
from rules.logic import MET, Evaluation
from rules.pathway import Fold
from rules.timeline import Timeline
from rules.track import Track

_MARKS = {"met": "✓", "not met": "✗", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, every condition behind it with its evidence, and the alerts that are shown.

    ``sections`` pairs a title (a stage, a check, a therapy) with its evaluated condition.
    """

    patient: str
    pathway: str
    at: str
    verdict: str
    stage: str | None
    sections: tuple[tuple[str, Evaluation], ...]
    alerts: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The explanation as indented text."""
        stage = f", stage {self.stage}" if self.stage else ""
        yield f"{self.patient} {self.pathway} at {self.at}: {self.verdict}{stage}"
        for title, evaluation in self.sections:
            yield f"{_MARKS[evaluation.truth.value]} {title}"
            yield from _tree(evaluation, 1)
        for alert in self.alerts:
            yield f"! {alert}"

    def unmet(self) -> tuple[str, ...]:
        """The innermost criteria that are not met or not known, by section order."""
        return tuple(dict.fromkeys(leaf for _, evaluation in self.sections for leaf in _unmet(evaluation)))


def explain(patient: str, track: Track, book: Book, timeline: Timeline, now: int | None) -> Explanation:
    """Evaluate everything at the present instant, without stopping early."""
    pack = track.pathway.pack
    entry = track.present
    if entry is None or now is None:
        return Explanation(patient, pack.id, "no data yet", "NOT_APPLICABLE", None, (), ())
    view = track.pathway.view(timeline, entry.fold if entry.fold.open else Fold(entry.fold.episode), now, full=True)
    view.state = entry.verdict.state
    sections = [(f"stage {stage.id}: {stage.title}", stage.when.evaluate(view)) for stage in pack.stages]
    sections += [(f"check {check.id}: {check.title}", check.when.evaluate(view)) for check in pack.checks]
    for therapy in pack.therapies:
        sections.append((f"therapy {therapy.id}: trigger", therapy.when.evaluate(view)))
        if therapy.requires is not None:
            sections.append((f"therapy {therapy.id}: requirement", therapy.requires.evaluate(view)))
        sections += [
            (f"therapy {therapy.id}: against: {reason.title}", reason.when.evaluate(view))
            for reason in (*therapy.absolute, *therapy.relative)
        ]
    verdict = entry.verdict
    words = f"{verdict.state}({', '.join(verdict.reasons)})" if verdict.reasons else str(verdict.state)
    alerts = tuple(
        f"{alert.subject}: {alert.verdict} ({alert.state})" for alert in book.alerts.values() if shown(alert.state)
    )
    return Explanation(patient, pack.id, clock_time(now), words, verdict.stage, tuple(sections), alerts)


def _tree(evaluation: Evaluation, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if evaluation.label:
        missing = f"  (missing: {', '.join(evaluation.missing)})" if evaluation.missing and not evaluation.parts else ""
        yield f"{indent}{_MARKS[evaluation.truth.value]} {evaluation.label}{missing}"
    for finding in evaluation.findings:
        when = "" if finding.at is None else f", {clock_time(finding.at)}"
        yield f"{indent}    {finding.measure}: {finding.text}{when}"
    for part in evaluation.parts:
        yield from _tree(part, depth + 1)


def _unmet(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.truth is MET:
        return
    if evaluation.parts:
        for part in evaluation.parts:
            yield from _unmet(part)
    elif evaluation.label:
        yield f"{evaluation.label} ({evaluation.truth.value})"
