"""The alerts of one pathway of one patient: what the rules say of each subject, and what that changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rules.alert import CLINICAL_ANSWERS, Alert, Policy, alert_id, escalate, move, note_move, overtaken, tell
from rules.attention import CLOSING, Call, Damping
from rules.cards import build
from rules.events import Action
from rules.facts import Refusal
from rules.lifecycle import AlertState, Trigger, follow, shown
from rules.outputs import Advice, AlertChange, AlertChangeKind, Attention, Card, PackReference, Priority, State
from rules.pack import Pack, Therapy
from rules.pathway import FIX_FIRST, NOTICES, OBTAIN_DATA, REFRACTORY, Counsel, Pathway, Verdict
from rules.settings import SiteSettings
from rules.timeline import Timeline
from rules.track import Entry, Track

_ANNOUNCING = (AlertChangeKind.RAISED, AlertChangeKind.UPDATED, AlertChangeKind.AMENDED, AlertChangeKind.REOPENED)
_TOLD_BY_NOTICE = (Advice.BLOCKED, Advice.PSEUDO, Advice.INDETERMINATE)
"""Advice that has no card of its own: the notice of the state says why a therapy is not suggested."""


_NOTHING_LEFT: Final = "nothing of it is left to fix"


class Standing(NamedTuple):
    """What a verdict means for one subject: the trigger, the words, the priority, the stage, and why.

    ``reached`` is the furthest stage where that is the subject, a marker too;
    ``doubtful`` says that it cannot be told whether the rules stand behind it, ``unsettled`` that
    it may be more urgent; ``fixes`` is what must be fixed first, in doubt what may still have to be.
    """

    trigger: Trigger
    verdict: str
    priority: Priority
    stage: str
    cause: str | None = None
    closing: bool = False
    also: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    doubtful: bool = False
    fixes: tuple[str, ...] = ()
    unsettled: bool = False
    reached: str | None = None


def damping(settings: SiteSettings) -> Damping:
    """From when on what keeps coming back is damped."""
    return Damping(settings.flapping.returns, round(settings.flapping.within.total_seconds() * 1000))


class Moment(NamedTuple):
    """When and on what grounds the alerts are looked at.

    ``entry`` is the present of the track as it is announced; ``late`` says what rewrote the past, if anything did.
    """

    track: Track
    entry: Entry
    timeline: Timeline
    at: int
    late: str | None = None


@dataclass(slots=True)
class Book:
    """All alerts of a pathway by subject, of the episode that is going on or was last."""

    patient: str
    pack: Pack
    policy: Policy
    damping: Damping
    alerts: dict[str, Alert] = field(default_factory=dict)

    def update(self, moment: Moment) -> Iterator[AlertChange]:
        """Compare the alerts with the present verdict; what changed, in a fixed order."""
        entry = moment.entry
        subjects = {counsel.therapy for counsel in entry.verdict.counsel} | set(self.alerts)
        for subject in sorted({*subjects, *NOTICES}):
            alert = self.alerts.get(subject)
            standing = _as_it_concerns(alert, stand(self.pack, entry.verdict, subject))
            if alert is not None and alert.episode != entry.fold.episode:
                yield from self._leave(moment, alert)
                alert = None
            elif alert is not None and self._risen(alert, standing):
                yield from self._follow(moment, alert, (Trigger.RESOLVE,), f"the stage rose to {standing.stage}")
                alert = None
            if alert is None:
                if standing.trigger not in (Trigger.SUPPORT, Trigger.SUPPRESS):
                    continue
                alert = self.alerts[subject] = self._new(subject, standing, entry.fold.episode, moment.at)
            yield from self._settle(moment, alert, standing, entry.verdict)

    @property
    def due(self) -> int | None:
        """When an alert is next to be brought before another role, or interrupts after it was damped."""
        return min((alert.due for alert in self.alerts.values() if alert.due is not None), default=None)

    def remind(self, moment: Moment) -> Iterator[AlertChange]:
        """Bring before the next role what nobody has answered in time, and to attention what was damped until now."""
        for _, alert in sorted(self.alerts.items()):
            if alert.supported and alert.asking.until is not None and alert.asking.until <= moment.at:
                yield from self._attend(moment, alert, None, None)
            while alert.due is not None and alert.due <= moment.at:
                yield from self._follow(moment, alert, (Trigger.ESCALATE,), escalate(alert))

    def answer(self, moment: Moment, alert: Alert, trigger: Trigger, words: str) -> Iterator[AlertChange]:
        """A clinician's answer to an alert, to which :meth:`objection` has none."""
        yield from self._follow(moment, alert, (trigger,), words)

    def objection(self, alert: Alert, pathway: Pathway, action: Action) -> Refusal | None:
        """Why an alert cannot be answered so, if it cannot."""
        if overtaken(alert, action):
            return Refusal("based_on", "conflict", f"{alert.subject} has changed since: {_now(alert)}")
        if action.action not in CLINICAL_ANSWERS or follow(alert.state, Trigger(action.action)) is None:
            return Refusal("action", "not_possible", f"{alert.subject} {_now(alert)}")
        if action.action == "snooze" and not pathway.snooze(alert.subject):
            return Refusal("action", "not_possible", f"{alert.subject} cannot be snoozed")
        reasons = self.pack.decline_reasons(alert.subject)
        if action.action == "decline" and action.reason not in reasons:
            return Refusal("reason", "not_possible", f"{action.reason!r} is none of: {', '.join(reasons)}")
        return None

    def moved(self, change: AlertChange) -> None:
        """A change has got its sequence number."""
        note_move(self.alerts.get(change.subject), change)

    def _leave(self, moment: Moment, alert: Alert) -> Iterator[AlertChange]:
        """Close an alert of another episode: one that a late fact has undone was never right."""
        undone = moment.late is not None and not self._stood(moment.track, alert)
        trigger = Trigger.WITHDRAW if undone and shown(alert.state) else Trigger.RESOLVE
        new = moment.entry.fold.episode > alert.episode
        cause = "a new episode began" if new else _ending(moment.entry.verdict)
        yield from self._follow(moment, alert, (trigger,), f"amended: {moment.late}" if undone else cause)

    def _settle(self, moment: Moment, alert: Alert, standing: Standing, verdict: Verdict) -> Iterator[AlertChange]:
        trigger, cause = standing.trigger, standing.cause
        told = [counsel[:3] for counsel in verdict.counsel if counsel.advice in _TOLD_BY_NOTICE]
        beside = (verdict.stage, told) if alert.subject == REFRACTORY else None
        said = repr(
            (
                standing.verdict,
                standing.priority,
                verdict.soft,
                beside,
                standing.closing,
                standing.also,
                standing.filled,
                standing.fixes,
            )
        )
        if moment.late is not None and shown(alert.state) and not self._stood(moment.track, alert):
            if trigger is Trigger.SUPPORT:
                trigger, cause = Trigger.AMEND, moment.late
            else:
                trigger, cause = Trigger.WITHDRAW, f"amended: {moment.late}"
        elif shown(alert.state) and trigger in (Trigger.SUPPORT, Trigger.UPDATE):
            if said == alert.said and not alert.asking.held_back(moment.at, verdict.hushed).ready:
                return
            trigger = Trigger.UPDATE
        elif alert.state is AlertState.SUPPRESSED and trigger is Trigger.SUPPRESS and cause == alert.cause:
            return
        outcome = follow(alert.state, trigger)
        if outcome is None:
            return
        if trigger in (Trigger.SUPPORT, Trigger.AMEND):
            alert.effective_from = self._since(moment.track, alert.subject)
        alert.verdict, alert.said = standing.verdict, said
        if not shown(outcome.state):
            yield from self._follow(moment, alert, (trigger,), cause)
            return
        if standing.closing and not alert.asking.closing:
            cause = cause or CLOSING
        self._weigh(alert, standing, moment.at)
        yield from self._attend(moment, alert, trigger, cause)

    def _weigh(self, alert: Alert, standing: Standing, now: int) -> None:
        """Take in what stands now, and whether that is a reason to interrupt."""
        alert.supported = standing.trigger is Trigger.SUPPORT
        if standing.doubtful:
            alert.asking = alert.asking.put_right(standing.fixes)
            return
        priority, fixes = standing.priority, standing.fixes
        if standing.unsettled and shown(alert.state) and alert.priority.urgency > priority.urgency:
            priority = alert.priority
        known = alert.asking.stands(priority, fixes, closing=standing.closing)
        alert.priority, alert.asking = priority, known._replace(closing=standing.closing)
        if not alert.supported:
            return
        call = known.call(alert.state, alert.cause, priority, fixes)
        if priority.interrupts and standing.closing and not known.closing:
            call = Call(CLOSING, undamped=True)
        if priority.interrupts and standing.reached is not None:
            rank = self.pack.rank(standing.reached)
            if call is None and known.gone_further(rank):
                call = Call(f"the stage rose to {standing.reached}")
            alert.asking = alert.asking.told_of(rank)
        if call is not None:
            alert.asking = alert.asking.called(call, priority, fixes, now, self.damping)

    def _attend(
        self, moment: Moment, alert: Alert, trigger: Trigger | None, cause: str | None
    ) -> Iterator[AlertChange]:
        """Say what changes on the board, if anything; it interrupts if there is a reason to, and nothing delays it."""
        waited = alert.asking.delayed
        alert.asking = alert.asking.held_back(moment.at, moment.entry.verdict.hushed)
        changed = () if trigger in (None, Trigger.UPDATE) else (trigger,)
        if alert.supported and alert.asking.ready:
            delay = f"delayed until now: {waited}" if waited and waited != alert.asking.delayed else None
            reasons = dict.fromkeys(part for part in (cause, alert.asking.wanted, delay) if part)
            yield from self._follow(moment, alert, (*changed, Trigger.ASK), "; ".join(reasons) or None)
        elif alert.attention is Attention.ASKED and not alert.priority.interrupts:
            yield from self._follow(moment, alert, (*changed, Trigger.REST), cause)
        elif trigger is not None:
            yield from self._follow(moment, alert, (trigger,), cause or alert.asking.wanted or None)

    def _follow(
        self, moment: Moment, alert: Alert, triggers: tuple[Trigger, ...], cause: str | None
    ) -> Iterator[AlertChange]:
        """Follow triggers that come at once, if the table has them, and say so."""
        kind = move(alert, triggers, cause, moment.at, self.policy)
        if kind is not None:
            reference = PackReference(id=self.pack.id, version=self.pack.version, digest=self.pack.digest)
            card = self._card(moment, alert, kind)
            yield tell(alert, self.patient, reference, kind, triggers, moment.at, card)

    def _card(self, moment: Moment, alert: Alert, kind: AlertChangeKind) -> Card:
        """The card as things stand; one that is taken back or answered keeps the headline under which it was known."""
        entry = moment.entry
        if entry.verdict.unfixed:
            entry = entry._replace(verdict=entry.verdict._replace(unfixed=alert.asking.fixes))
        card = build(moment.track.pathway, moment.timeline, entry, moment.at, alert.subject)
        if kind in _ANNOUNCING:
            if self._supported(moment.entry.verdict, alert.subject):
                alert.headline = card.headline
        elif alert.headline:
            return card.model_copy(update={"headline": alert.headline})
        return card

    def _new(self, subject: str, standing: Standing, episode: int, now: int) -> Alert:
        return Alert(
            id=alert_id(self.patient, self.pack.id, str(episode), standing.stage, subject),
            subject=subject,
            stage=standing.stage,
            episode=episode,
            state=AlertState.NEW,
            verdict=standing.verdict,
            priority=standing.priority,
            effective_from=now,
        )

    def _risen(self, alert: Alert, standing: Standing) -> bool:
        """Whether the state, or what is to be fixed first, is now of a stage beyond the one that the alert is about."""
        if alert.subject not in (REFRACTORY, FIX_FIRST) or standing.trigger is not Trigger.SUPPORT:
            return False
        return self.pack.rank(standing.stage) > self.pack.rank(alert.stage)

    def _supported(self, verdict: Verdict, subject: str) -> bool:
        return stand(self.pack, verdict, subject).trigger is Trigger.SUPPORT

    def _stood(self, track: Track, alert: Alert) -> bool:
        """Whether, by what is known now, the alert was right when it was raised."""
        entry = track.at(alert.effective_from)
        return entry is None or self._supported(entry.verdict, alert.subject)

    def _since(self, track: Track, subject: str) -> int:
        """Since when the verdicts up to now have supported a subject without a break."""
        since = track.entries[-1].at
        for entry in reversed(track.entries):
            if not self._supported(entry.verdict, subject):
                break
            since = entry.at
        return since


def _as_it_concerns(alert: Alert | None, standing: Standing) -> Standing:
    """A doubt concerns what was told to be fixed first: once all of that is known to be put right, it is resolved."""
    if alert is None or alert.subject != FIX_FIRST or not standing.doubtful:
        return standing
    left = set(alert.asking.fixes).intersection(standing.fixes) if shown(alert.state) else standing.fixes
    return standing if left else standing._replace(trigger=Trigger.RESOLVE, cause=_NOTHING_LEFT, doubtful=False)


def stand(pack: Pack, verdict: Verdict, subject: str) -> Standing:
    """What a verdict means for one subject: a therapy, or one of the three notices."""
    if subject in NOTICES:
        return _notice(pack, verdict, subject)
    stage = pack.therapy(subject).stage
    counsel = next((counsel for counsel in verdict.counsel if counsel.therapy == subject), None)
    if counsel is None:
        return Standing(Trigger.RESOLVE, "no longer indicated", Priority.LOW, stage, _ending(verdict))
    return _advised(counsel, pack.therapy(subject))


def _advised(counsel: Counsel, therapy: Therapy) -> Standing:
    stage = therapy.stage
    reasons = ", ".join(counsel.reasons)
    words = f"{counsel.advice}({reasons})" if reasons else str(counsel.advice)
    match counsel.advice:
        case Advice.ELIGIBLE | Advice.CAUTION:
            closing = counsel.window is not None and counsel.window.closing
            standing = Standing(Trigger.SUPPORT, words, counsel.priority, stage, closing=closing)
            return standing._replace(also=counsel.also, filled=counsel.filled, unsettled=counsel.unsettled)
        case Advice.SUPPRESSED:
            return Standing(Trigger.SUPPRESS, words, counsel.priority, stage, reasons)
        case Advice.BLOCKED if therapy.deadline is not None and counsel.reasons == (therapy.deadline.id,):
            cause = f"the time for {therapy.deadline.title} is over"
            return Standing(Trigger.EXPIRE, words, counsel.priority, stage, cause)
        case Advice.BLOCKED:
            return Standing(Trigger.WITHDRAW, words, counsel.priority, stage, f"contraindicated: {reasons}")
        case Advice.PSEUDO:
            return Standing(Trigger.WITHDRAW, words, counsel.priority, stage, f"fix first: {reasons}")
        case Advice.INDETERMINATE:
            return Standing(Trigger.UPDATE, words, counsel.priority, stage, f"not known: {reasons}", doubtful=True)


def _now(alert: Alert) -> str:
    return f"is {alert.state}: {alert.cause}" if alert.cause else f"is {alert.state}"


def _notice(pack: Pack, verdict: Verdict, subject: str) -> Standing:
    verdict = verdict.about(subject)
    state = verdict.state
    concerned = verdict.stage is not None and pack.rank(verdict.stage) >= pack.rank(pack.base.id)
    stage = pack.judged(verdict.stage, failed=subject == REFRACTORY).id
    words = f"{state}({', '.join(verdict.reasons)})" if verdict.reasons else str(state)
    priority = pack.priorities[state].priority if state in pack.priorities else Priority.LOW
    supported = {
        REFRACTORY: state in (State.CONFIRMED, State.SUSPECTED),
        FIX_FIRST: state is State.PSEUDO,
        OBTAIN_DATA: state is State.INDETERMINATE and concerned and not pack.waiting.issuperset(verdict.reasons),
    }[subject]
    kept_back = verdict.suppressed or dict(verdict.kept_back).get(subject)
    if supported and kept_back:
        return Standing(Trigger.SUPPRESS, words, priority, stage, kept_back)
    if supported:
        fixes = verdict.reasons if subject == FIX_FIRST else ()
        reached = verdict.stage if subject == REFRACTORY else None
        return Standing(Trigger.SUPPORT, words, priority, stage, fixes=fixes, reached=reached)
    if subject == REFRACTORY and state is State.PSEUDO:
        return Standing(Trigger.WITHDRAW, words, priority, stage, f"fix first: {', '.join(verdict.reasons)}")
    doubtful = state is State.INDETERMINATE and concerned
    fixes = verdict.unfixed if subject == FIX_FIRST else ()
    if (subject == REFRACTORY and state is State.ACTIVE) or (subject in (REFRACTORY, FIX_FIRST) and doubtful):
        if verdict.suppressed:
            return Standing(Trigger.WITHDRAW, words, priority, stage, f"suppressed: {verdict.suppressed}")
        why = "cannot be confirmed now" if doubtful else "criteria not met now"
        return Standing(Trigger.UPDATE, words, priority, stage, why, doubtful=doubtful, fixes=fixes)
    return Standing(Trigger.RESOLVE, words, priority, stage, _ending(verdict))


def _ending(verdict: Verdict) -> str:
    match verdict.state:
        case State.RESOLVED:
            return ", ".join(verdict.reasons) or "resolution rule met"
        case State.NOT_APPLICABLE:
            return ", ".join(verdict.reasons) or "the condition is no longer present"
        case _:
            return f"now {verdict.state}"
