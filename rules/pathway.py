"""One pathway: from what the patient looks like at an instant, and what the episode remembers, to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from rules.catalogue import Catalogue
from rules.facts import Answer
from rules.instants import FOREVER, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation
from rules.outputs import Advice, Priority, State
from rules.pack import Deadline, Inhibition, Pack, Stage, Therapy
from rules.packs import channels_read, with_overrides
from rules.packs.texts import with_numbers
from rules.quantities import QUANTITIES
from rules.settings import SiteSettings
from rules.timeline import Timeline
from rules.view import Knowledge, View
from rules.wording import evidence_of, placeholders

ADULT: Final = 18.0
"""The dossier covers adults only."""

REFRACTORY: Final = "refractory"
FIX_FIRST: Final = "fix_first"
OBTAIN_DATA: Final = "obtain_data"
NOTICES: Final = (REFRACTORY, FIX_FIRST, OBTAIN_DATA)
"""The subjects of alerts besides therapies: the state itself, what to fix first, what to find out."""

_ALWAYS: Final = Evaluation(MET)
_NEVER: Final = Evaluation(NOT_MET)


class Fold(NamedTuple):
    """What a pathway remembers from one instant to the next.

    ``episode`` counts the episodes of the stay, ``open`` says whether it is going on, ``resolved`` whether the last one
    ended by its resolution rule. ``anchors`` are instants: ``episode``, ``recognition``, and each stage first reached;
    ``markers`` are the marker stages that held.
    """

    episode: int = 0
    open: bool = False
    resolved: bool = False
    anchors: tuple[tuple[str, int], ...] = ()
    markers: tuple[str, ...] = ()


class Window(NamedTuple):
    """How long a therapy can still be decided on: its last instants, and whether these are past or do not apply.

    ``closing`` says that little of it is left, ``extended`` for what reason it does not end when it usually would.
    """

    closes: int
    decide_by: int
    closed: bool = False
    closing: bool = False
    extended: str | None = None


class Counsel(NamedTuple):
    """Advice on one therapy.

    ``also`` are suggestions of other pathways that this one stands for; ``filled`` is what stands for the measures that
    the suggestion names, so that it is said again when one of them changes.
    """

    therapy: str
    advice: Advice
    reasons: tuple[str, ...]
    priority: Priority
    window: Window | None = None
    also: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()


class Decision(NamedTuple):
    """What is said of a stage, and why."""

    state: State
    reasons: tuple[str, ...]


class Verdict(NamedTuple):
    """The verdict on a pathway at an instant.

    ``soft`` are checks that are met and block nothing; ``kept_back`` are notices kept back by a clinician's answer, and
    why; ``confirmed`` is the furthest refractory stage that stands, whatever is said of one beyond it.
    """

    state: State
    stage: str | None = None
    reasons: tuple[str, ...] = ()
    suppressed: str | None = None
    soft: tuple[str, ...] = ()
    counsel: tuple[Counsel, ...] = ()
    hushed: bool = False
    kept_back: tuple[tuple[str, str], ...] = ()
    confirmed: str | None = None

    def about(self, subject: str) -> Verdict:
        """The verdict as it concerns a subject.

        Of the refractory state, what is confirmed stands although a stage beyond it is in doubt.
        """
        if subject == REFRACTORY and self.confirmed is not None and self.state is not State.CONFIRMED:
            return self._replace(state=State.CONFIRMED, stage=self.confirmed, reasons=())
        return self


def suggested(verdict: Verdict) -> frozenset[str]:
    """The therapies that a verdict suggests."""
    return frozenset(c.therapy for c in verdict.counsel if c.advice in (Advice.ELIGIBLE, Advice.CAUTION))


class Step(NamedTuple):
    """The outcome of judging a pathway at one instant."""

    fold: Fold
    verdict: Verdict
    next_change: int | None


class Pathway:
    """A rule pack made ready for one site."""

    def __init__(self, pack: Pack, settings: SiteSettings, catalogue: Catalogue) -> None:
        self.pack = with_numbers(with_overrides(pack, settings))
        self.channels = channels_read(self.pack, catalogue) | {f"answer:{pack.id}"}
        named = {f"condition {name}": condition for name, condition in self.pack.conditions.items()}
        checks = {f"check {check.id}": check.when for check in self.pack.checks}
        parameters = self.pack.parameters
        durations = {name: found.milliseconds for name, found in parameters.items() if found.is_duration}
        context = self.pack.age_context
        self.knowledge = Knowledge(settings, catalogue, QUANTITIES, parameters, durations, {**named, **checks}, context)

    def snooze(self, subject: str) -> int:
        """How long a subject can be snoozed, in milliseconds; zero if it cannot."""
        therapy = next((found for found in self.pack.therapies if found.id == subject), None)
        return self.knowledge.durations["snooze" if therapy is None else therapy.snooze]

    def view(self, timeline: Timeline, fold: Fold, at: int, *, full: bool = False) -> View:
        """The patient at an instant with this pathway's memory."""
        return View(self.knowledge, timeline, dict(fold.anchors), at, full=full)

    def step(self, timeline: Timeline, fold: Fold, at: int) -> Step:
        """Judge the pathway at an instant."""
        view = self.view(timeline, fold, at)
        anchors = view.anchors
        age = view.value("age")
        if view.coded("admitted")[0] == "absent":
            return Step(Fold(fold.episode), Verdict(State.NOT_APPLICABLE, reasons=("discharged",)), None)
        if age.high < ADULT:
            return Step(Fold(fold.episode), Verdict(State.NOT_APPLICABLE, reasons=("adults only",)), None)
        if not fold.open:
            verdict = self._before(view, fold)
            if verdict is not None:
                return Step(fold, verdict, view.next_change)
            fold = Fold(fold.episode + 1, open=True)
            view.remember("episode")
        if "recognition" not in anchors and self.pack.recognition.evaluate(view).truth is MET:
            view.remember("recognition")
        ended = self._ended(view, fold)
        if ended is not None:
            return Step(*ended, view.next_change)
        verdict, markers = self._judge(view, fold.markers)
        return Step(fold._replace(anchors=tuple(sorted(anchors.items())), markers=markers), verdict, view.next_change)

    def _before(self, view: View, fold: Fold) -> Verdict | None:
        """The verdict while no episode is open, or None if one begins now."""
        if fold.resolved:
            begins = self.pack.relapse.evaluate(view)
            if begins.truth is NOT_MET:
                return self._resolved(view)
        else:
            begins = self.pack.onset.evaluate(view)
        if begins.truth is MET:
            return None
        if begins.truth is UNKNOWN:
            return Verdict(State.INDETERMINATE, reasons=begins.missing)
        return Verdict(State.NOT_APPLICABLE)

    def _resolved(self, view: View) -> Verdict:
        """Resolved, and in which way where the pack tells several apart."""
        ways = (ending.title for ending in self.pack.endings if ending.when.evaluate(view).truth is MET)
        return Verdict(State.RESOLVED, reasons=tuple(ways)[:1])

    def _ended(self, view: View, fold: Fold) -> tuple[Fold, Verdict] | None:
        if self.pack.ruled_out is not None and self.pack.ruled_out.evaluate(view).truth is MET:
            return Fold(fold.episode), Verdict(State.NOT_APPLICABLE)
        if self.pack.base.id in view.anchors:
            if self.pack.resolution.evaluate(view).truth is MET:
                return Fold(fold.episode, resolved=True), self._resolved(view)
        elif self.pack.onset.evaluate(view).truth is NOT_MET and self.pack.recognition.evaluate(view).truth is NOT_MET:
            return Fold(fold.episode), Verdict(State.NOT_APPLICABLE)
        return None

    def _judge(self, view: View, markers: tuple[str, ...]) -> tuple[Verdict, tuple[str, ...]]:
        base = self.pack.base
        decided = Decision(State.ACTIVE, ()) if base.id in view.anchors else self._decide(view, base)
        if decided is not None and decided.state is State.ACTIVE:
            view.remember(base.id)
            decided = _weighed(view, hard_checks(base, view, lasting=True)) or decided
        failed: list[tuple[Stage, Decision]] = []
        for stage in self.pack.refractory:
            decision = self._decide(view, stage)
            if decision is not None:
                failed.append((stage, decision))
                if decision.state is State.CONFIRMED:
                    view.remember(stage.id)
        about, (state, reasons) = _foremost(failed) or (base, decided or Decision(State.ACTIVE, ()))
        stage_now, markers = self._stage(view, self.pack.rank(about.id) if failed or decided else -1, markers)
        view.state = state
        goals = view.coded("goals_of_care")[0] in self.pack.no_escalation
        inhibited = [found for found in self.pack.inhibit if found.when.evaluate(view).truth is MET]
        counsel = [
            found
            for therapy in self.pack.therapies
            if (found := self._counsel(view, therapy, stage_now, goals=goals, inhibited=inhibited))
        ]
        muted = next((found.cause for found in inhibited if found.scope == "all"), None)
        hushed = self.pack.hush is not None and self.pack.hush.evaluate(view).truth is MET
        answers = ((notice, self._answered(view, notice, "snooze", stage_now)) for notice in NOTICES)
        verdict = Verdict(
            state,
            stage_now,
            reasons,
            "goals" if goals else muted,
            tuple(self._noted(view, about)) if failed or decided else (),
            tuple(counsel),
            hushed,
            tuple((notice, why) for notice, why in answers if why is not None),
            next((stage.id for stage, decision in reversed(failed) if decision.state is State.CONFIRMED), None),
        )
        return verdict, markers

    def _noted(self, view: View, stage: Stage) -> Iterator[str]:
        """Checks that are met and block nothing: soft ones, and hard ones that do not count here."""
        yield from (check.id for check in self.pack.checks if check.kind == "soft" and _met(view, check.id))
        for hard in stage.hard:
            if hard.unless is not None and hard.unless.evaluate(view).truth is MET and _met(view, hard.check):
                yield hard.check

    def _decide(self, view: View, stage: Stage) -> Decision | None:
        """What to say of a stage, or None where it is not reached."""
        return next(self._decisions(view, stage), None)

    @staticmethod
    def _decisions(view: View, stage: Stage) -> Iterator[Decision | None]:
        """What can be said of a stage, the most important first: only that counts."""
        pattern = (stage.pattern or stage.when).evaluate(view)
        if pattern.truth is NOT_MET:
            yield None
        if pattern.truth is UNKNOWN:
            yield Decision(State.INDETERMINATE, pattern.missing)
        unfit = _weighed(view, hard_checks(stage, view, lasting=False))
        if unfit is not None:
            yield unfit
        whole = stage.when.evaluate(view)
        if whole.truth is NOT_MET:
            yield None
        if whole.truth is UNKNOWN:
            yield Decision(State.INDETERMINATE, whole.missing)
        doubts = tuple(c.otherwise for c in stage.confirm if c.when.evaluate(view).truth is not MET)
        if stage.role != "refractory":
            yield Decision(State.ACTIVE, doubts)
        yield Decision(State.SUSPECTED, doubts) if doubts else Decision(State.CONFIRMED, ())

    def _stage(self, view: View, rank: int, before: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
        """The furthest stage that holds now, and the markers that do; ``rank`` is that of the stage judged.

        A marker counts only where the base or refractory stage below it holds; one that held and is now unknown still
        holds, since silence is not recovery.
        """
        furthest: str | None = None
        markers: list[str] = []
        reached = True
        for stage in self.pack.stages:
            if stage.role == "marker":
                truth = stage.when.evaluate(view).truth if reached else NOT_MET
                holds = truth is MET or (truth is UNKNOWN and stage.id in before)
                if holds:
                    view.remember(stage.id)
                    markers.append(stage.id)
            else:
                holds = reached = self.pack.rank(stage.id) <= rank
            furthest = stage.id if holds else furthest
        return furthest, tuple(markers)

    def _counsel(
        self, view: View, therapy: Therapy, stage: str | None, *, goals: bool, inhibited: list[Inhibition]
    ) -> Counsel | None:
        trigger = therapy.when.evaluate(view)
        if trigger.truth is NOT_MET:
            return None
        window = None if therapy.deadline is None else _window(view, therapy.deadline)
        back = [*(found.cause for found in inhibited)]
        running = _NEVER if therapy.running is None else therapy.running.evaluate(view)
        if running.truth is MET:
            back.append("running")
        if goals:
            back.append("goals")
        found = (
            (Advice.SUPPRESSED, (back[0],))
            if back
            else next(self._advice(view, therapy, (trigger, running), window, stage))
        )
        if found is None:
            return None
        priority = next(r.priority for r in therapy.priority if r.when is None or r.when.evaluate(view).truth is MET)
        filled = tuple(evidence_of(view, measure) for measure in placeholders(therapy.suggestion))
        return Counsel(therapy.id, *found, priority, window, filled=filled)

    def _advice(
        self, view: View, therapy: Therapy, asked: tuple[Evaluation, ...], window: Window | None, stage: str | None
    ) -> Iterator[tuple[Advice, tuple[str, ...]] | None]:
        """What can be said of a therapy that nothing keeps back, the most important first: only that counts.

        ``asked`` are its trigger and whether it is running, each met, not met or unknown as far as it got here.
        """
        absolute = {reason.id: reason.when.evaluate(view).truth for reason in therapy.absolute}
        against = [reason for reason, truth in absolute.items() if truth is MET]
        if therapy.deadline is not None and window is not None and window.closed:
            against.append(therapy.deadline.id)
        if against:
            yield Advice.BLOCKED, tuple(against)
        required = _ALWAYS if therapy.requires is None else therapy.requires.evaluate(view)
        if required.truth is NOT_MET:
            yield None
        unsettled = tuple(name for name in therapy.must_know if absolute.get(name) is UNKNOWN)
        unknown = [found for found in (*asked, required) if found.truth is UNKNOWN]
        if unknown or unsettled:
            missing = (*(item for found in unknown for item in found.missing), *unsettled)
            yield Advice.INDETERMINATE, tuple(dict.fromkeys(missing))
        answered = self._answered(view, therapy.id, therapy.snooze, stage)
        if answered is not None:
            yield Advice.SUPPRESSED, (answered,)
        if therapy.hold_unless is None or therapy.hold_unless.evaluate(view).truth is not MET:
            held = tuple(check for check in therapy.hold_while if _met(view, check))
            if held:
                yield Advice.PSEUDO, held
            unsettled = _missing(view, therapy.hold_while)
            if unsettled:
                yield Advice.INDETERMINATE, unsettled
        cautions = tuple(reason.id for reason in therapy.relative if reason.when.evaluate(view).truth is MET)
        yield (Advice.CAUTION, cautions) if cautions else (Advice.ELIGIBLE, ())

    def _answered(self, view: View, subject: str, snooze: str, stage: str | None) -> str | None:
        """Whether a clinician's answer keeps the suggestion back: declined until the stage rises, or snoozed."""
        rank = -1 if stage is None else self.pack.rank(stage)
        for fact in reversed(view.timeline.upto(f"answer:{self.pack.id}", view.at)):
            answer: Answer = fact.value
            if answer.subject != subject or answer.action not in ("decline", "snooze"):
                continue
            until = fact.at + view.duration("decline_holds" if answer.action == "decline" else snooze)
            risen = answer.action == "decline" and (answer.stage is None or rank > self.pack.rank(answer.stage))
            if view.at < until and not risen:
                view.note(until)
                return "declined" if answer.action == "decline" else "snoozed"
            return None
        return None


def hard_checks(stage: Stage, view: View, *, lasting: bool | None = None) -> list[str]:
    """The hard checks of a stage that count now: all, or only those that are lasting or are not."""
    return [
        hard.check
        for hard in stage.hard
        if (lasting is None or hard.lasting is lasting)
        and (hard.when is None or hard.when.evaluate(view).truth is MET)
        and (hard.unless is None or hard.unless.evaluate(view).truth is not MET)
    ]


def _weighed(view: View, checks: list[str]) -> Decision | None:
    """What hard checks make of a stage; None where none of them is met or unknown."""
    flags = tuple(check for check in checks if _met(view, check))
    if flags:
        return Decision(State.PSEUDO, flags)
    unsettled = _missing(view, checks)
    return Decision(State.INDETERMINATE, unsettled) if unsettled else None


def _foremost(failed: list[tuple[Stage, Decision]]) -> tuple[Stage, Decision] | None:
    """Which of the refractory stages the verdict is about.

    The furthest that is decided (confirmed, or known to be only apparent), else the furthest suspected, else the
    furthest that cannot be told.
    """
    for states in ((State.CONFIRMED, State.PSEUDO), (State.SUSPECTED,), (State.INDETERMINATE,)):
        found = next((pair for pair in reversed(failed) if pair[1].state in states), None)
        if found is not None:
            return found
    return None


def _window(view: View, deadline: Deadline) -> Window | None:
    """How long a therapy can still be decided on; None where its beginning is not known."""
    began = view.mark(deadline.since).at
    if began is None:
        return None
    closes = began + view.duration(deadline.limit)
    extended = next((found.title for found in deadline.extended if found.when.evaluate(view).truth is MET), None)
    decide_by = closes - _lead(view, deadline)
    warn = decide_by - view.duration(deadline.closing) if deadline.closing else FOREVER
    if extended is not None:
        return Window(closes, decide_by, extended=extended)
    view.note(decide_by + TICK)
    view.note(warn + TICK)
    return Window(closes, decide_by, view.at > decide_by, warn < view.at <= decide_by)


def _lead(view: View, deadline: Deadline) -> int:
    if deadline.lead_setting is not None:
        configured: timedelta | None = getattr(view.settings.capability, deadline.lead_setting)
        if configured is not None:
            return round(configured.total_seconds() * 1000)
    times = (lead.time for lead in deadline.lead if lead.when is None or lead.when.evaluate(view).truth is MET)
    return view.duration(found) if (found := next(times, None)) else 0


def _met(view: View, check: str) -> bool:
    return view.named(f"check {check}").truth is MET


def _missing(view: View, checks: Iterable[str]) -> tuple[str, ...]:
    """What is missing to decide any of the checks."""
    answers = [view.named(f"check {check}") for check in checks]
    return tuple(dict.fromkeys(item for answer in answers if answer.truth is UNKNOWN for item in answer.missing))
