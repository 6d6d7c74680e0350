"""The card of an alert: ten parts that let a clinician disagree (clinical.md 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rules.instants import format_duration, to_datetime
from rules.logic import MET, UNKNOWN, Evaluation, Finding
from rules.outputs import Card, Evidence, State
from rules.pack import Check, Cited, Pack, Reason, Therapy
from rules.pathway import FIX_FIRST, OBTAIN_DATA, Pathway, Verdict
from rules.timeline import Timeline
from rules.track import Entry
from rules.view import View

_STRENGTH: Final = {
    "V": "read in the source",
    "s": "read in a secondary source only",
    "K": "general knowledge, not checked against a source",
    "D": "local setting",
}

_GOALS: Final = {
    None: "goals of care not recorded",
    "unknown": "goals of care not known",
    "full": "full treatment",
    "no_escalation": "no escalation of treatment",
    "dnr": "do not attempt resuscitation",
    "comfort": "comfort care",
}


def build(pathway: Pathway, timeline: Timeline, entry: Entry, now: int, subject: str) -> Card:
    """The card of one subject (a therapy, or one of the three notices) as things stand at ``now``."""
    pack, verdict = pathway.pack, entry.verdict
    view = pathway.view(timeline, entry.fold, now, full=True)
    view.state = verdict.state
    therapy = next((found for found in pack.therapies if found.id == subject), None)
    evaluations = _evaluations(pack, view, therapy)
    checks = _checks(pack, view, verdict, therapy)
    found, unknown = _contraindications(view, therapy)
    counsel = next((counsel for counsel in verdict.counsel if counsel.therapy == subject), None)
    return Card(
        headline=_headline(pack, verdict, subject, therapy),
        findings=tuple(_evidence(_findings(pack, view, evaluations))),
        fix_first=tuple(_fix(check, evaluation) for check, evaluation in checks if evaluation.truth is MET),
        suggestion=_suggestion(pack, view, verdict, subject, therapy, counsel.reasons if counsel else ()),
        evidence=tuple(_cite(pack, cited) for cited in _statements(pack, therapy)),
        contraindications=tuple(found),
        not_known=tuple(dict.fromkeys((*verdict_missing(verdict), *unknown, *_unsettled(checks, evaluations)))),
        window=_window(pack, view, therapy),
        goals_of_care=_GOALS.get(view.coded("goals_of_care")[0], "goals of care not recorded"),
        rule=f"{pack.id} {pack.version} ({pack.digest}), {pack.guideline}",
        answers=(
            "running",
            "done",
            *(f"decline: {reason}" for reason in _declines(therapy)),
            "not applicable",
            "snooze",
        ),
        data_quality=tuple(_quality(pack, view)),
    )


def verdict_missing(verdict: Verdict) -> tuple[str, ...]:
    """What an indeterminate verdict lacks."""
    return tuple(map(_words, verdict.reasons)) if verdict.state is State.INDETERMINATE else ()


def _evaluations(pack: Pack, view: View, therapy: Therapy | None) -> list[Evaluation]:
    if therapy is None:
        return [(pack.refractory.pattern or pack.refractory.when).evaluate(view), pack.refractory.when.evaluate(view)]
    conditions = (therapy.when, therapy.requires)
    return [condition.evaluate(view) for condition in conditions if condition is not None]


def _checks(pack: Pack, view: View, verdict: Verdict, therapy: Therapy | None) -> list[tuple[Check, Evaluation]]:
    """Checks of adequate treatment, soft ones met first, then hard ones that count here."""
    hard = {
        h.check
        for stage in pack.stages
        for h in stage.hard
        if verdict.state is not State.ACTIVE or stage.role == "base"
    }
    counted = hard | set(verdict.soft) | set(therapy.hold_while if therapy else ())
    ordered = sorted(pack.checks, key=lambda check: check.kind != "soft")
    return [(check, check.when.evaluate(view)) for check in ordered if check.id in counted]


def _contraindications(view: View, therapy: Therapy | None) -> tuple[list[str], list[str]]:
    found: list[str] = []
    unknown: list[str] = []
    if therapy is None:
        return found, unknown
    groups: tuple[tuple[str, tuple[Reason, ...]], ...] = (
        ("absolute", therapy.absolute),
        ("relative", therapy.relative),
    )
    for strength, reasons in groups:
        for reason in reasons:
            evaluation = reason.when.evaluate(view)
            if evaluation.truth is MET:
                found.append(f"{reason.title} ({strength}{_because(evaluation)})")
            elif evaluation.truth is UNKNOWN:
                unknown.append(f"{reason.title} ({strength})")
    return found, unknown


def _because(evaluation: Evaluation) -> str:
    findings = evaluation.all_findings()
    return f": {findings[0].text}" if findings else ""


def _unsettled(checks: list[tuple[Check, Evaluation]], evaluations: list[Evaluation]) -> list[str]:
    items = [item for evaluation in evaluations for item in evaluation.missing]
    for _, evaluation in checks:
        if evaluation.truth is not MET:
            items.extend(evaluation.missing)
    return [_words(item) for item in dict.fromkeys(items)]


def _headline(pack: Pack, verdict: Verdict, subject: str, therapy: Therapy | None) -> str:
    if therapy is not None:
        return f"Consider: {therapy.title}"
    title = pack.refractory.title
    if subject == FIX_FIRST:
        return "Fix this first: " + "; ".join(
            pack.check(name).title for name in verdict.reasons if _is_check(pack, name)
        )
    if subject == OBTAIN_DATA:
        return "Cannot tell: " + "; ".join(map(_words, verdict.reasons))
    if verdict.state is State.CONFIRMED:
        return f"{title[0].upper()}{title[1:]}: criteria met"
    if verdict.state is State.SUSPECTED:
        return f"{title[0].upper()}{title[1:]} suspected: {'; '.join(verdict.reasons)}"
    return f"{title[0].upper()}{title[1:]}: criteria not met now"


def _is_check(pack: Pack, name: str) -> bool:
    return any(check.id == name for check in pack.checks)


def _suggestion(
    pack: Pack, view: View, verdict: Verdict, subject: str, therapy: Therapy | None, reasons: tuple[str, ...]
) -> str:
    if therapy is None:
        if subject == FIX_FIRST:
            return " ".join(pack.check(name).fix for name in verdict.reasons if _is_check(pack, name))
        if subject == OBTAIN_DATA:
            return f"Consider obtaining: {', '.join(map(_words, verdict.reasons))}."
        return (
            "Discuss the next step with the senior clinician; the therapies under consideration have their own cards."
        )
    capability = getattr(view.settings.capability, therapy.capability) if therapy.capability else True
    text = therapy.elsewhere if capability is False and therapy.elsewhere else therapy.suggestion
    grades = [grade.otherwise for grade in therapy.grade if grade.when.evaluate(view).truth is MET]
    cautions = [reason.title for reason in therapy.relative if reason.id in reasons]
    parts = [f"Caution: {'; '.join(cautions)}." if cautions else "", text, *grades[:1]]
    if capability is None:
        parts.append("Whether this site can do it is not configured.")
    return " ".join(part for part in parts if part)


def _statements(pack: Pack, therapy: Therapy | None) -> Iterable[Cited]:
    return therapy.evidence if therapy is not None else (*pack.refractory.sources, *pack.caveats)


def _cite(pack: Pack, cited: Cited) -> str:
    source = pack.sources[cited.source]
    return f"{cited.text} [{source.text}; {strength(cited.strength)}]"


def strength(tag: str) -> str:
    """An evidence tag in words."""
    return _STRENGTH["s" if tag.startswith("V") and tag.endswith("s") else tag[0]]


def _window(pack: Pack, view: View, therapy: Therapy | None) -> str | None:
    since = view.since(pack.refractory.id)
    parts = [therapy.window if therapy and therapy.window else None]
    if since is not None:
        parts.append(f"{format_duration(since) if since else '0 min'} since {pack.refractory.id}")
    return "; ".join(part for part in parts if part) or None


def _declines(therapy: Therapy | None) -> tuple[str, ...]:
    return therapy.decline_reasons if therapy else ("already being treated", "not the cause")


def _fix(check: Check, evaluation: Evaluation) -> str:
    findings = evaluation.all_findings()
    detail = f" ({'; '.join(finding.text for finding in findings)})" if findings else ""
    return f"{check.title}{detail}. {check.fix}"


def _findings(pack: Pack, view: View, evaluations: list[Evaluation]) -> list[Finding]:
    found = [finding for measure in pack.display for finding in view.value(measure).findings]
    named = {finding.measure for finding in found}
    for evaluation in evaluations:
        found += [finding for finding in evaluation.all_findings() if finding.measure not in named or finding.event]
    return list(dict.fromkeys(found))


def _evidence(findings: Iterable[Finding]) -> Iterable[Evidence]:
    for finding in findings:
        at = None if finding.at is None else to_datetime(finding.at)
        yield Evidence(measure=finding.measure, text=finding.text, at=at, event=finding.event)


def _quality(pack: Pack, view: View) -> Iterable[str]:
    for measure in pack.display:
        value = view.value(measure)
        if value.missing:
            yield f"{_words(measure)}: not known exactly ({', '.join(map(_words, value.missing))})"
        quantity = view.knowledge.quantities.get(measure)
        if quantity is not None and value.findings:
            yield f"{_words(measure)}: {quantity.source}"
    for name, parameter in view.knowledge.parameters.items():
        if parameter.overridden:
            yield f"{name} is set locally to {parameter.value} {parameter.unit or ''}".rstrip()
    local = sum(parameter.kind == "engine" for parameter in pack.parameters.values())
    yield f"{local} of {len(pack.parameters)} numbers of this pack are local settings, not from a guideline"


def _words(name: str) -> str:
    return name.replace("_", " ")
