"""The card of an alert: ten parts that let a clinician disagree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rules.grounds import Grounds, deciding, displayed_as, find_grounds, judged, possibilities, shown_findings
from rules.instants import MINUTE, clock_time, format_duration, to_datetime
from rules.logic import MET, UNKNOWN, Evaluation
from rules.outputs import Advice, Card, Evidence, State
from rules.pack import Check, Cited, Deadline, Pack, Reason, Therapy
from rules.pathway import FIX_FIRST, OBTAIN_DATA, REFRACTORY, Counsel, Pathway, Verdict, Window
from rules.stays import StayRecord
from rules.timeline import Timeline
from rules.track import Entry
from rules.view import View
from rules.wording import Words, capital, fill, parameter, plain, strength

_GOALS: Final = {
    None: "goals of care not recorded",
    "unknown": "goals of care not known",
    "full": "full treatment",
    "no_escalation": "no escalation of treatment",
    "dnr": "do not attempt resuscitation",
    "comfort": "comfort care",
}
_SAYS_NOTHING: Final = ("present", "absent", "done")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")


def build(pathway: Pathway, timeline: Timeline, entry: Entry, now: int, subject: str) -> Card:
    """The card of one subject (a therapy, or one of the three notices) as things stand at ``now``."""
    pack, verdict = pathway.pack, entry.verdict.about(subject)
    view = pathway.view(timeline, entry.fold, now, full=True)
    view.state = verdict.state
    words = Words(pack, view)
    therapy = next((found for found in pack.therapies if found.id == subject), None)
    grounds = find_grounds(pack, view, verdict, subject, therapy)
    if therapy is not None:
        headline, suggestion = _offer(pack, words, verdict, therapy)
    else:
        headline = _headline(pack, words, verdict, subject)
        suggestion = _advise(pack, words, verdict, subject)
    return Card(
        headline=plain(headline),
        findings=tuple(_evidence(pack, view, words, grounds)),
        fix_first=_lines(
            _fix(words, check, evaluation) for check, evaluation in grounds.checks if evaluation.truth is MET
        ),
        suggestion=plain(suggestion),
        evidence=_lines(_cite(pack, cited) for cited in _statements(pack, view, verdict, subject, therapy)),
        contraindications=_lines(_against(view, words, therapy)),
        not_known=_lines((*_missing(pack, words, verdict, grounds), *_unchecked(view, therapy))),
        window=_window(pack, view, verdict, therapy),
        goals_of_care=_goals(view),
        rule=f"{pack.id} {pack.version} ({pack.digest}), {pack.guideline}",
        answers=_answers(pack, view, subject, therapy),
        data_quality=_lines(_quality(pack, view, words)),
    )


def _goals(view: View) -> str:
    """The goals of care of this stay; where nobody recorded them, what a former one says is named as such."""
    goals, _ = view.coded("goals_of_care")
    words = _GOALS.get(goals, _GOALS[None])
    former = view.timeline.former("state:goals_of_care") if isinstance(view.timeline, StayRecord) else None
    if goals is not None or former is None:
        return words
    said = _GOALS.get(former.value.value, former.value.value)
    return f"{words}; in a former stay ({clock_time(former.at)}): {said}"


def _lines(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(plain, texts)))


def _headline(pack: Pack, words: Words, verdict: Verdict, subject: str) -> str:
    if subject == FIX_FIRST:
        checks = "; ".join(pack.check(name).title for name in _checks_of(pack, verdict))
        doubt = f"; missing: {_items(words, verdict.reasons)}" if verdict.state is State.INDETERMINATE else ""
        return f"Cannot tell now whether to fix this first: {checks}{doubt}" if doubt else f"Fix this first: {checks}"
    if subject == OBTAIN_DATA:
        return _undecided(pack, words, verdict)
    title = capital(judged(pack, verdict, subject).title)
    if verdict.state is State.CONFIRMED:
        return f"{title}: criteria met"
    if verdict.state is State.SUSPECTED:
        return f"{title} suspected: {_items(words, verdict.reasons)}"
    if verdict.state is State.INDETERMINATE:
        return f"{title} cannot be confirmed now: {_items(words, verdict.reasons)}"
    return f"{title}: criteria not met now"


def _items(words: Words, items: Iterable[str]) -> str:
    return "; ".join(map(words.item, items))


def _invitation(title: str) -> str:
    """What a suggestion is headed by; a title that asks for a discussion already says how it is meant."""
    return capital(title) if title.startswith("discuss ") else f"Consider: {title}"


def _offer(pack: Pack, words: Words, verdict: Verdict, therapy: Therapy) -> tuple[str, str]:
    """The headline and the suggestion of a therapy; where it is not suggested now, that is said in its place."""
    counsel, name = _counsel(verdict, therapy), capital(words.name(therapy.id))
    headline = _invitation(_title(words.view, therapy))
    if counsel is None:
        return headline, f"{name} is no longer indicated."
    if counsel.advice is Advice.INDETERMINATE:
        return f"{name} cannot be judged now", _obtain(pack, words, counsel.reasons)
    if counsel.advice in (Advice.BLOCKED, Advice.PSEUDO):
        return headline, _held_back(pack, words, verdict, counsel)
    return headline, _suggest(words, verdict, therapy)


def _counsel(verdict: Verdict, therapy: Therapy) -> Counsel | None:
    return next((counsel for counsel in verdict.counsel if counsel.therapy == therapy.id), None)


def _title(view: View, therapy: Therapy) -> str:
    met = (titled.title for titled in therapy.titles if titled.when.evaluate(view).truth is MET)
    return next(met, therapy.title)


def _undecided(pack: Pack, words: Words, verdict: Verdict) -> str:
    title = judged(pack, verdict).title
    waiting = [words.item(item) for item in verdict.reasons if item in pack.waiting]
    missing = [words.item(item) for item in verdict.reasons if item not in pack.waiting]
    return f"Cannot tell whether this is {title}; missing: {'; '.join((*missing, *waiting))}"


def _checks_of(pack: Pack, verdict: Verdict) -> list[str]:
    known = {check.id for check in pack.checks}
    return [name for name in verdict.unfixed or verdict.reasons if name in known]


def _advise(pack: Pack, words: Words, verdict: Verdict, subject: str) -> str:
    """What a notice suggests, and why a therapy that one may think of is not suggested."""
    if subject == FIX_FIRST:
        missing = verdict.reasons if verdict.state is State.INDETERMINATE else ()
        fixes = (pack.check(name).fix for name in _checks_of(pack, verdict))
        first = " ".join(filter(None, (*fixes, _obtain(pack, words, missing))))
    elif subject == OBTAIN_DATA:
        first = _obtain(pack, words, verdict.reasons if verdict.state is State.INDETERMINATE else ())
    else:
        first = "Discuss the next step with the senior clinician; therapies to consider have their own cards."
    kept = (_held_back(pack, words, verdict, counsel) for counsel in verdict.counsel)
    return " ".join(text for text in (first, *kept) if text)


def _obtain(pack: Pack, words: Words, missing: Iterable[str]) -> str:
    items = [words.item(item) for item in missing if item not in pack.waiting]
    return f"Consider obtaining: {'; '.join(items)}." if items else ""


def _held_back(pack: Pack, words: Words, verdict: Verdict, counsel: Counsel) -> str:
    name = capital(words.name(counsel.therapy))
    match counsel.advice:
        case Advice.BLOCKED:
            therapy = pack.therapy(counsel.therapy)
            against = [_because(words, reason) for reason in therapy.absolute if reason.id in counsel.reasons]
            if therapy.deadline is not None and therapy.deadline.id in counsel.reasons:
                against.append(f"the time for {therapy.deadline.title} has passed")
            return f"{name} is not suggested: {'; '.join(against)}."
        case Advice.PSEUDO:
            checks = [pack.check(reason) for reason in counsel.reasons]
            fixes = [check.fix for check in checks if check.id not in verdict.reasons]
            return " ".join((f"{name} is held back: {'; '.join(check.title for check in checks)}.", *fixes))
        case Advice.INDETERMINATE:
            return f"{name} cannot be judged; missing: {'; '.join(map(words.item, counsel.reasons))}."
        case _:
            return ""


def _because(words: Words, reason: Reason) -> str:
    """A contraindication with what it rests on, where that says more than that it is there."""
    findings = [f for f in reason.when.evaluate(words.view).all_findings() if f.text not in _SAYS_NOTHING][:1]
    return ": ".join((reason.title, *(f"{words.name(finding.measure)} {finding.text}" for finding in findings)))


def _suggest(words: Words, verdict: Verdict, therapy: Therapy) -> str:
    view, counsel = words.view, _counsel(verdict, therapy)
    reasons = counsel.reasons if counsel else ()
    capability = getattr(view.settings.capability, therapy.capability) if therapy.capability else True
    text = fill(therapy.elsewhere if capability is False and therapy.elsewhere else therapy.suggestion, view)
    grades = [grade.otherwise for grade in therapy.grade if grade.when.evaluate(view).truth is MET]
    cautions = [reason.title for reason in therapy.relative if reason.id in reasons]
    parts = [f"Caution: {'; '.join(cautions)}." if cautions else "", text, *grades[:1], *_remarks(words, therapy)]
    if capability is None:
        parts.append("Whether this site can do it is not configured.")
    if counsel is not None and counsel.also:
        parts.append(f"This one suggestion also stands for: {'; '.join(counsel.also)}.")
    return " ".join(part for part in parts if part)


def _remarks(words: Words, therapy: Therapy) -> Iterator[str]:
    for remark in therapy.remarks:
        evaluation = remark.when.evaluate(words.view)
        if evaluation.truth is MET:
            names = (words.name(finding.measure) for finding in deciding(evaluation)) if remark.named else ()
            yield ": ".join(filter(None, (remark.text, "; ".join(dict.fromkeys(names))))).rstrip(".") + "."


def _fix(words: Words, check: Check, evaluation: Evaluation) -> str:
    """A check that is met with what shows it: bare numbers, and values of several measures, by their names.

    Of several things that it may be, those that are there are named; of a single one the title speaks. Where values
    show it that are none of them, these things are only what it is true of.
    """
    findings = [finding for finding in evaluation.all_findings() if finding.text not in _SAYS_NOTHING]
    possible = [*possibilities(evaluation)]
    there = [finding for finding in possible if finding.text == "present"] if set(findings) <= set(possible) else []
    measures = {finding.measure for finding in findings}
    texts = [
        f"{words.name(finding.measure)} {finding.text}"
        if _NUMBER.match(finding.text) and (len(measures) > 1 or _NUMBER.fullmatch(finding.text))
        else finding.text
        for finding in findings
    ]
    said = dict.fromkeys((*(words.name(finding.measure) for finding in there), *texts))
    detail = f" ({'; '.join(said)})" if said else ""
    return f"{check.title}{detail}. {check.fix}"


def _against(view: View, words: Words, therapy: Therapy | None) -> Iterator[str]:
    """The contraindications found."""
    for kind, reason in _reasons(therapy):
        evaluation = reason.when.evaluate(view)
        if evaluation.truth is MET:
            found = [f for f in evaluation.all_findings() if f.text not in _SAYS_NOTHING][:1]
            detail = "".join(f": {words.name(finding.measure)} {finding.text}" for finding in found)
            yield f"{reason.title} ({kind}{detail})"


def _unchecked(view: View, therapy: Therapy | None) -> Iterator[str]:
    """The contraindications that nobody has stated or excluded."""
    for kind, reason in _reasons(therapy):
        if reason.when.evaluate(view).truth is UNKNOWN:
            yield f"{kind} contraindication not checked: {reason.title}"


def _reasons(therapy: Therapy | None) -> Iterator[tuple[str, Reason]]:
    if therapy is not None:
        yield from (("absolute", reason) for reason in therapy.absolute)
        yield from (("relative", reason) for reason in therapy.relative)


def _missing(pack: Pack, words: Words, verdict: Verdict, grounds: Grounds) -> Iterator[str]:
    """What the verdict or the checks lack, and what it is wanted for; not what is only waited for."""
    checks = [(check, evaluation) for check, evaluation in grounds.checks if evaluation.truth is not MET]
    wanted_for = {item: check.title for check, evaluation in reversed(checks) for item in evaluation.missing}
    items = [*(verdict.reasons if verdict.state is State.INDETERMINATE else ())]
    items += [item for evaluation in grounds.conditions for item in evaluation.missing]
    items += [item for _, evaluation in checks for item in evaluation.missing]
    for item in dict.fromkeys(items):
        if item not in pack.waiting:
            why = f" (to exclude: {wanted_for[item]})" if item in wanted_for else ""
            yield f"{words.item(item)}{why}"


def _statements(pack: Pack, view: View, verdict: Verdict, subject: str, therapy: Therapy | None) -> Iterator[Cited]:
    """What a suggestion rests on, or the stage of a notice, with the caveats that matter for it now."""
    if therapy is not None:
        yield from therapy.evidence
        return
    yield from judged(pack, verdict, subject).sources
    yield from (found for found in pack.caveats if found.when is None or found.when.evaluate(view).truth is MET)


def _cite(pack: Pack, cited: Cited) -> str:
    return f"{cited.text} [{pack.sources[cited.source].text}; {strength(cited.strength)}]"


def _window(pack: Pack, view: View, verdict: Verdict, therapy: Therapy | None) -> str | None:
    """How much time is left or has passed, in words."""
    parts: list[str | None] = []
    if therapy is not None:
        counsel = _counsel(verdict, therapy)
        if counsel is not None and therapy.deadline is not None:
            parts.append(time_left(view, counsel.window, therapy.deadline))
        parts.append(therapy.window)
    stage = judged(pack, verdict, REFRACTORY)
    since = view.since(stage.id)
    if since is not None and since >= MINUTE:
        parts.append(f"{format_duration(since // MINUTE * MINUTE)} since {stage.title}")
    return "; ".join(part for part in parts if part) or None


def time_left(view: View, window: Window | None, deadline: Deadline) -> str:
    """A therapy's window in words: how long it can still be decided on, or that it is over or does not apply."""
    title = f"{deadline.title} within {format_duration(view.duration(deadline.limit))}"
    if window is None:
        return f"{title}: not known when it began"
    if window.extended is not None:
        return f"{title}: does not apply ({window.extended})"
    if window.closed:
        return f"{title}: closed, last decision {clock_time(window.decide_by)}"
    left = format_duration((window.decide_by - view.at) // MINUTE * MINUTE)
    until = "" if window.closes == window.decide_by else f" (closes {clock_time(window.closes)})"
    if window.aim is not None and window.last is not None:
        aim = f"{window.aim}: decide by {clock_time(window.decide_by)}, {left} left"
        return f"{title}: {aim}; last decision {clock_time(window.last)}{until}"
    return f"{title}: decide by {clock_time(window.decide_by)}, {left} left{until}"


def _answers(pack: Pack, view: View, subject: str, therapy: Therapy | None) -> tuple[str, ...]:
    """What a clinician may answer, as the actions of the wire with their reasons."""
    reasons = pack.decline_reasons(subject)
    snooze = ("snooze",) if view.duration("snooze" if therapy is None else therapy.snooze) else ()
    accepted = (f"accept: {reason}" for reason in pack.accept_reasons)
    return ("acknowledge", *accepted, *(f"decline: {reason}" for reason in reasons), *snooze)


def _evidence(pack: Pack, view: View, words: Words, grounds: Grounds) -> Iterator[Evidence]:
    for finding in shown_findings(pack, view, grounds):
        at = None if finding.at is None else to_datetime(finding.at)
        title = words.name(displayed_as(view, finding.measure))
        yield Evidence(measure=finding.measure, title=title, text=plain(finding.text), at=at, event=finding.event)


def _quality(pack: Pack, view: View, words: Words) -> Iterator[str]:
    for measure in pack.display:
        value = view.value(measure)
        name = words.name(measure)
        if value.missing:
            exactly = " exactly" if value.findings else ""
            why = "; ".join(words.item(item).removeprefix(name).strip(" ()") for item in value.missing)
            yield f"{name}: not known{exactly}{f' ({why})' if why else ''}"
        quantity = view.knowledge.quantities.get(measure)
        if quantity is not None and value.findings:
            yield f"{name}: {quantity.source}"
    for found in view.knowledge.parameters.values():
        if found.overridden:
            yield f"{found.title} is set locally to {parameter(found)}"
    local = sum(parameter.kind == "engine" for parameter in pack.parameters.values())
    yield f"{local} of {len(pack.parameters)} numbers of this pack are local settings, not from a guideline"
