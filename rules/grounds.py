"""What a verdict or a suggestion rests on: the conditions that decided it, and their evidence for a card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.logic import ANY, MET, UNKNOWN, Evaluation, Finding
from rules.outputs import State
from rules.pack import Check, Pack, Stage, Therapy
from rules.pathway import REFRACTORY, Verdict, hard_checks
from rules.view import View


class Grounds(NamedTuple):
    """The conditions that decided, and the checks of adequate treatment that count here."""

    conditions: tuple[Evaluation, ...]
    checks: tuple[tuple[Check, Evaluation], ...]


def judged(pack: Pack, verdict: Verdict, subject: str = "") -> Stage:
    """The stage that a verdict is about: the base, or a failure of it."""
    return pack.judged(verdict.stage, failed=subject == REFRACTORY)


def find_grounds(pack: Pack, view: View, verdict: Verdict, subject: str, therapy: Therapy | None) -> Grounds:
    """What is said of a subject rests on this."""
    stage = judged(pack, verdict, subject)
    hard = set(hard_checks(stage, view))
    counted = hard | set(verdict.soft) | set(therapy.hold_while if therapy else ())
    ordered = sorted(pack.checks, key=lambda check: check.kind != "soft")
    checks = tuple((check, check.when.evaluate(view)) for check in ordered if check.id in counted)
    if therapy is not None:
        conditions = [condition for condition in (therapy.when, therapy.requires) if condition is not None]
        return Grounds(tuple(condition.evaluate(view) for condition in conditions), checks)
    return Grounds((_decisive(stage, view, verdict), *_doubtful(stage, view, verdict)), checks)


def _decisive(stage: Stage, view: View, verdict: Verdict) -> Evaluation:
    """The pattern where that decided (a failure that is only apparent, or cannot be seen), else the definition."""
    pattern = (stage.pattern or stage.when).evaluate(view)
    whole = stage.when.evaluate(view)
    if verdict.state is State.PSEUDO or pattern.truth is UNKNOWN:
        return pattern
    return whole


def _doubtful(stage: Stage, view: View, verdict: Verdict) -> Iterator[Evaluation]:
    """What keeps a stage from being more than suspected."""
    if verdict.state is State.SUSPECTED:
        answers = (confirmation.when.evaluate(view) for confirmation in stage.confirm)
        yield from (answer for answer in answers if answer.truth is not MET)


def shown_findings(pack: Pack, view: View, grounds: Grounds) -> list[Finding]:
    """What the pack always displays, then what decided; a value that is there under another name is not repeated."""
    shown = [finding for measure in pack.display for finding in view.value(measure).findings]
    named = {finding.measure for finding in shown}
    for evaluation in grounds.conditions:
        for finding in deciding(evaluation):
            twin = _twin(shown, finding.text, displayed_as(view, finding.measure))
            if twin is not None:
                shown[twin] = finding
            elif not any(_same(finding, other) for other in shown) and (finding.measure not in named or finding.event):
                shown.append(finding)
    return list(dict.fromkeys(shown))


def displayed_as(view: View, measure: str) -> str:
    """The measure that people know a value by."""
    quantity = view.knowledge.quantities.get(measure)
    if quantity is None or quantity.stands_for is None or view.settings.rss_basis == "ne_only":
        return measure
    return quantity.stands_for


def deciding(evaluation: Evaluation) -> Iterator[Finding]:
    """The evidence of the parts that made a condition what it is."""
    yield from evaluation.findings
    whole, parts = evaluation.truth, evaluation.parts
    if len(parts) > 1:
        parts = tuple(p for p in parts if p.truth is whole or (whole is UNKNOWN and p.truth is MET))
        if evaluation.label == ANY and whole is MET:
            parts = tuple(part for part in parts if not _vague(part)) or parts
    for part in parts:
        yield from deciding(part)


def possibilities(evaluation: Evaluation) -> Iterator[Finding]:
    """The evidence of those of several possibilities that are there."""
    if evaluation.label == ANY:
        yield from deciding(evaluation)
        return
    for part in evaluation.parts:
        if part.truth is MET:
            yield from possibilities(part)


def _vague(part: Evaluation) -> bool:
    """Whether it rests on a value of which only bounds are known, such as a score with missing components."""
    return any("(not known: " in finding.text for finding in part.findings)


def _twin(shown: list[Finding], text: str, measure: str) -> int | None:
    """Where the same number of a measure stands already, with less to it."""
    return next((i for i, f in enumerate(shown) if f.measure == measure and text.startswith(f"{f.text},")), None)


def _same(finding: Finding, other: Finding) -> bool:
    """Whether an infusion is there as a dose, such as ``norepinephrine`` as ``norepinephrine_dose``."""
    return finding.text == other.text and other.measure.startswith(finding.measure)
