"""One pathway: from what the patient looks like at an instant, and what the episode remembers, to a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from rules import stays
from rules.answers import OnScreen, kept_back
from rules.catalogue import Catalogue
from rules.instants import FOREVER, TICK, format_duration
from rules.landmarks.base import ENDED, FIRST
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Truth
from rules.outputs import Advice, Priority, State
from rules.pack import Deadline, Inhibition, Pack, Stage, Therapy
from rules.packs import with_overrides
from rules.packs.numbers import said_with_numbers
from rules.packs.reads import reads
from rules.quantities import QUANTITIES
from rules.settings import SiteSettings
from rules.stays import Care, StayRecord
from rules.timeline import Timeline, with_kinds
from rules.trace import Trace
from rules.view import Knowledge, View
from rules.wording import placeholders

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
    ended by its resolution rule, and ``ending`` how, where the pack tells several ways apart. ``anchors`` are instants:
    ``episode``, ``recognition``, and each stage first reached, and of what a resolved episode leaves to the next one of
    the stay, when it ended and when the base stage was reached first; ``markers`` are the marker stages that held;
    ``running`` are the therapies that were found running, with the instant since when they are not, or None while they
    are.
    """

    episode: int = 0
    open: bool = False
    resolved: bool = False
    ending: str | None = None
    anchors: tuple[tuple[str, int], ...] = ()
    markers: tuple[str, ...] = ()
    running: tuple[tuple[str, int | None], ...] = ()


class Window(NamedTuple):
    """How long a therapy can still be decided on: its last instants, and whether these are past or do not apply.

    ``closing`` says that little of it is left, ``extended`` for what reason it does not end when it usually would.
    With an ``aim`` (its title) ``decide_by`` is the last instant for that, and ``last`` the last one of the window.
    """

    closes: int
    decide_by: int
    closed: bool = False
    closing: bool = False
    extended: str | None = None
    aim: str | None = None
    last: int | None = None


class Counsel(NamedTuple):
    """Advice on one therapy.

    ``also`` are suggestions of other pathways that this one stands for; ``filled`` is what stands for the measures that
    the suggestion names, so that it is said again when one of them changes. ``unsettled`` says that it may be more
    urgent: whether a rule of a higher priority is met is unknown.
    """

    therapy: str
    advice: Advice
    reasons: tuple[str, ...]
    priority: Priority
    window: Window | None = None
    also: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    unsettled: bool = False


class Decision(NamedTuple):
    """What is said of a stage, and why."""

    state: State
    reasons: tuple[str, ...]


class Verdict(NamedTuple):
    """The verdict on a pathway at an instant.

    ``soft`` are checks that are met and block nothing; ``kept_back`` are notices kept back by a clinician's answer, and
    why; ``hushed`` is why interruptions wait; ``confirmed`` is the furthest refractory stage that stands, whatever is
    said of one beyond it. ``unfixed`` are the hard checks that nobody can call put right while the stage is in doubt.
    """

    state: State
    stage: str | None = None
    reasons: tuple[str, ...] = ()
    suppressed: str | None = None
    soft: tuple[str, ...] = ()
    counsel: tuple[Counsel, ...] = ()
    hushed: str | None = None
    kept_back: tuple[tuple[str, str], ...] = ()
    confirmed: str | None = None
    unfixed: tuple[str, ...] = ()

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
        self.pack = said_with_numbers(with_overrides(pack, settings))
        self.reads = reads(self.pack, catalogue)
        self.channels = frozenset(self.reads)
        self.declared = with_kinds(self.channels)
        self._contacts = stays.contacts(self.channels)
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

    def care(self, timeline: Timeline, at: int) -> tuple[Care, int | None]:
        """Whether the patient is here at an instant, since when facts are of this stay, and when that changes."""
        return stays.care(timeline, at, self._contacts)

    def view(self, timeline: Timeline, fold: Fold, at: int, *, full: bool = False) -> View:
        """The patient in this stay at an instant, with this pathway's memory."""
        return self._view(timeline, self.care(timeline, at)[0], fold, at, full=full)

    def _view(self, timeline: Timeline, care: Care, fold: Fold, at: int, *, full: bool = False) -> View:
        record = timeline if care.former is None else StayRecord(timeline, care.former, self.knowledge.catalogue)
        return View(self.knowledge, record, dict(fold.anchors), at, full=full)

    def step(self, timeline: Timeline, fold: Fold, at: int, trace: Trace | None = None) -> Step:
        """Judge the pathway at an instant; with a trace, only what has changed since the last is asked again."""
        care, settles = self.care(timeline, at)
        if not care.here:
            kept = fold if settles is not None else Fold(fold.episode)
            return Step(kept, Verdict(State.NOT_APPLICABLE, reasons=("discharged",)), settles)
        anchors = dict(fold.anchors)
        if care.former is not None and anchors.get("episode", anchors.get(ENDED, FOREVER)) <= care.former:
            fold = Fold(fold.episode)
        if trace is not None:
            trace.begin(timeline, care.former)
        view = self._view(timeline, care, fold, at)
        age = view.value("age")
        if age.high < ADULT:
            return Step(Fold(fold.episode), Verdict(State.NOT_APPLICABLE, reasons=("adults only",)), None)
        return Step(*view.follow(fold, lambda view: self._outcome(view, fold), trace), view.next_change)

    def _outcome(self, view: View, fold: Fold) -> tuple[Fold, Verdict]:
        """What is remembered and judged of an adult who is here."""
        if not fold.open:
            verdict = self._before(view, fold)
            if verdict is not None:
                return fold, verdict
            fold = Fold(fold.episode + 1, open=True)
            view.remember("episode")
        if "recognition" not in view.anchors and view.ask(self.pack.recognition).truth is MET:
            view.remember("recognition")
        ended = self._ended(view, fold)
        if ended is not None:
            return ended
        running = dict(fold.running)
        verdict, markers = self._judge(view, fold.markers, running)
        anchors = tuple(sorted(view.anchors.items()))
        return fold._replace(anchors=anchors, markers=markers, running=tuple(sorted(running.items()))), verdict

    def _before(self, view: View, fold: Fold) -> Verdict | None:
        """The verdict while no episode is open, or None if one begins now."""
        if fold.resolved:
            begins = view.ask(self.pack.relapse)
            if begins.truth is NOT_MET:
                return _resolved(fold)
        else:
            begins = view.ask(self.pack.onset)
        if begins.truth is MET:
            return None
        if begins.truth is UNKNOWN:
            return Verdict(State.INDETERMINATE, reasons=begins.missing)
        return Verdict(State.NOT_APPLICABLE)

    def _ended(self, view: View, fold: Fold) -> tuple[Fold, Verdict] | None:
        if self.pack.ruled_out is not None and view.ask(self.pack.ruled_out).truth is MET:
            closed = Fold(fold.episode)
            return closed, self._before(view, closed) or Verdict(State.NOT_APPLICABLE)
        if self.pack.base.id in view.anchors:
            if self._is_over(view):
                ways = (ending.title for ending in self.pack.endings if view.ask(ending.when).truth is MET)
                left = ((ENDED, view.at), (FIRST, view.anchors.get(FIRST, view.anchors[self.pack.base.id])))
                ended = Fold(fold.episode, resolved=True, ending=next(ways, None), anchors=left)
                return ended, _resolved(ended)
        elif view.ask(self.pack.onset).truth is NOT_MET and view.ask(self.pack.recognition).truth is NOT_MET:
            return Fold(fold.episode), Verdict(State.NOT_APPLICABLE)
        return None

    def _is_over(self, view: View) -> bool:
        """Whether an episode is resolved: not while what would begin the next one is there."""
        return view.ask(self.pack.resolution).truth is MET and view.ask(self.pack.relapse).truth is NOT_MET

    def _judge(
        self, view: View, markers: tuple[str, ...], running: dict[str, int | None]
    ) -> tuple[Verdict, tuple[str, ...]]:
        base = self.pack.base
        reached = base.id in view.anchors
        decided = Decision(State.ACTIVE, _doubts(view, base)) if reached else self._decide(view, base)
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
        inhibited = [found for found in self.pack.inhibit if view.ask(found.when).truth is MET]
        counsel = [
            found
            for therapy in self.pack.therapies
            if (found := self._counsel(view, therapy, stage_now, running, goals=goals, inhibited=inhibited))
        ]
        muted = next((found.cause for found in inhibited if found.scope == "all"), None)
        hush = self.pack.hush
        hushed = hush.cause if hush is not None and view.ask(hush.when).truth is MET else None
        verdict = Verdict(
            state,
            stage_now,
            reasons,
            "goals" if goals else muted,
            tuple(self._noted(view, about)) if failed or decided else (),
            tuple(counsel),
            hushed,
            (),
            next((stage.id for stage, decision in reversed(failed) if decision.state is State.CONFIRMED), None),
            _unfixed(view, about, lasting=about is base and base.id in view.anchors)
            if state is State.INDETERMINATE
            else (),
        )
        shown = ((notice, self._noticed(verdict, notice)) for notice in NOTICES)
        answers = ((notice, kept_back(view, self.pack, notice, "snooze", now)) for notice, now in shown)
        return verdict._replace(kept_back=tuple((notice, why) for notice, why in answers if why is not None)), markers

    def _noticed(self, verdict: Verdict, notice: str) -> OnScreen:
        """What a notice shows."""
        about = verdict.about(notice)
        rated = self.pack.priorities.get(about.state)
        fixes = about.reasons if notice == FIX_FIRST and about.state is State.PSEUDO else ()
        return OnScreen(verdict.stage, Priority.LOW if rated is None else rated.priority, fixes)

    def _noted(self, view: View, stage: Stage) -> Iterator[str]:
        """Checks that are met and block nothing: soft ones, and hard ones that do not count here."""
        yield from (check.id for check in self.pack.checks if check.kind == "soft" and _met(view, check.id))
        for hard in stage.hard:
            if hard.unless is not None and view.ask(hard.unless).truth is MET and _met(view, hard.check):
                yield hard.check

    def _decide(self, view: View, stage: Stage) -> Decision | None:
        """What to say of a stage, or None where it is not reached."""
        return next(self._decisions(view, stage), None)

    @staticmethod
    def _decisions(view: View, stage: Stage) -> Iterator[Decision | None]:
        """What can be said of a stage, the most important first: only that counts."""
        pattern = view.ask(stage.pattern or stage.when)
        if pattern.truth is NOT_MET:
            yield None
        if pattern.truth is UNKNOWN:
            yield Decision(State.INDETERMINATE, pattern.missing)
        unfit = _weighed(view, hard_checks(stage, view, lasting=False))
        if unfit is not None:
            yield unfit
        whole = view.ask(stage.when)
        if whole.truth is NOT_MET:
            yield None
        if whole.truth is UNKNOWN:
            yield Decision(State.INDETERMINATE, whole.missing)
        doubts = _doubts(view, stage)
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
                truth = view.ask(stage.when).truth if reached else NOT_MET
                holds = truth is MET or (truth is UNKNOWN and stage.id in before)
                if holds:
                    view.remember(stage.id)
                    markers.append(stage.id)
            else:
                holds = reached = self.pack.rank(stage.id) <= rank
            furthest = stage.id if holds else furthest
        return furthest, tuple(markers)

    def _counsel(
        self,
        view: View,
        therapy: Therapy,
        stage: str | None,
        found_running: dict[str, int | None],
        *,
        goals: bool,
        inhibited: list[Inhibition],
    ) -> Counsel | None:
        trigger = view.ask(therapy.when)
        if trigger.truth is NOT_MET:
            found_running.pop(therapy.id, None)
            return None
        window = None if therapy.deadline is None else _window(view, therapy.deadline)
        back = [*(found.cause for found in inhibited)]
        running = _NEVER if therapy.running is None else view.ask(therapy.running)
        if self._runs(view, therapy.id, running.truth, found_running) and (
            running.truth is MET or not any(view.ask(reason.when).truth is MET for reason in therapy.absolute)
        ):
            back.append("running")
        if goals:
            back.append("goals")
        priority, unsettled = _priority(view, therapy)
        found = (
            (Advice.SUPPRESSED, (back[0],))
            if back
            else next(self._advice(view, therapy, (trigger, running), window, OnScreen(stage, priority)))
        )
        if found is None:
            return None
        filled = tuple(view.worded(measure) for measure in placeholders(therapy.suggestion))
        return Counsel(therapy.id, *found, priority, window, filled=filled, unsettled=unsettled)

    @staticmethod
    def _runs(view: View, therapy: str, running: Truth, found: dict[str, int | None]) -> bool:
        """Whether a therapy runs, or is off for so short that it still counts: a line is changed, a pump restarted."""
        if running is MET:
            found[therapy] = None
        elif running is UNKNOWN or therapy not in found:
            found.pop(therapy, None)
        else:
            off_since = found[therapy]
            since = found[therapy] = view.at if off_since is None else off_since
            ends = since + view.duration("pause_tolerance")
            if view.at <= ends:
                view.note(ends + TICK)
            else:
                del found[therapy]
        return therapy in found

    def _advice(
        self, view: View, therapy: Therapy, asked: tuple[Evaluation, ...], window: Window | None, shown: OnScreen
    ) -> Iterator[tuple[Advice, tuple[str, ...]] | None]:
        """What can be said of a therapy that nothing keeps back, the most important first: only that counts.

        ``asked`` are its trigger and whether it is running, each met, not met or unknown as far as it got here.
        """
        absolute = {reason.id: view.ask(reason.when).truth for reason in therapy.absolute}
        against = [reason for reason, truth in absolute.items() if truth is MET]
        if therapy.deadline is not None and window is not None and window.closed:
            against.append(therapy.deadline.id)
        if against:
            yield Advice.BLOCKED, tuple(against)
        required = _ALWAYS if therapy.requires is None else view.ask(therapy.requires)
        if required.truth is NOT_MET:
            yield None
        unsettled = tuple(name for name in therapy.must_know if absolute.get(name) is UNKNOWN)
        unknown = [found for found in (*asked, required) if found.truth is UNKNOWN]
        if unknown or unsettled:
            missing = (*(item for found in unknown for item in found.missing), *unsettled)
            yield Advice.INDETERMINATE, tuple(dict.fromkeys(missing))
        answered = kept_back(view, self.pack, therapy.id, therapy.snooze, shown, therapy.answered_until)
        if answered is not None:
            yield Advice.SUPPRESSED, (answered,)
        if therapy.hold_unless is None or view.ask(therapy.hold_unless).truth is not MET:
            held = tuple(check for check in therapy.hold_while if _met(view, check))
            if held:
                yield Advice.PSEUDO, held
            unsettled = _missing(view, therapy.hold_while)
            if unsettled:
                yield Advice.INDETERMINATE, unsettled
        cautions = tuple(reason.id for reason in therapy.relative if view.ask(reason.when).truth is MET)
        yield (Advice.CAUTION, cautions) if cautions else (Advice.ELIGIBLE, ())


def _priority(view: View, therapy: Therapy) -> tuple[Priority, bool]:
    """The priority of a suggestion by the first rule that is met, and whether one before it is unknown."""
    unknown = [Priority.INFORMATION]
    for rule in therapy.priority:
        truth = MET if rule.when is None else view.ask(rule.when).truth
        if truth is MET:
            return rule.priority, max(found.urgency for found in unknown) > rule.priority.urgency
        if truth is UNKNOWN:
            unknown.append(rule.priority)
    raise AssertionError("the last rule has no condition")


def hard_checks(stage: Stage, view: View, *, lasting: bool | None = None) -> list[str]:
    """The hard checks of a stage that count now: all, or only those that are lasting or are not."""
    return [
        hard.check
        for hard in stage.hard
        if (lasting is None or hard.lasting is lasting)
        and (hard.when is None or view.ask(hard.when).truth is MET)
        and (hard.unless is None or view.ask(hard.unless).truth is not MET)
    ]


def _unfixed(view: View, stage: Stage, *, lasting: bool) -> tuple[str, ...]:
    """The hard checks that count at a stage and are not known to be in order."""
    return tuple(
        check
        for check in hard_checks(stage, view, lasting=lasting)
        if view.named(f"check {check}").truth is not NOT_MET
    )


def _doubts(view: View, stage: Stage) -> tuple[str, ...]:
    """What is not there of all that confirms a stage."""
    return tuple(found.otherwise for found in stage.confirm if view.ask(found.when).truth is not MET)


def _weighed(view: View, checks: list[str]) -> Decision | None:
    """What hard checks make of a stage; None where none of them is met or unknown."""
    flags = tuple(check for check in checks if _met(view, check))
    if flags:
        return Decision(State.PSEUDO, flags)
    unsettled = _missing(view, checks)
    return Decision(State.INDETERMINATE, unsettled) if unsettled else None


def _resolved(fold: Fold) -> Verdict:
    """Resolved, in the way in which it was."""
    return Verdict(State.RESOLVED, reasons=() if fold.ending is None else (fold.ending,))


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
    extended = next((found.title for found in deadline.extended if view.ask(found.when).truth is MET), None)
    lead = _lead(view, deadline)
    decide_by = closes - lead
    if extended is not None:
        return Window(closes, decide_by, extended=extended)
    view.note(decide_by + TICK)
    warn = decide_by
    if deadline.closing is not None:
        warn -= view.duration(deadline.closing)
        view.note(warn + TICK)
    window = Window(closes, decide_by, view.at > decide_by, warn < view.at <= decide_by)
    aims = ((found, began + view.duration(found.limit) - lead) for found in deadline.aims)
    for aim, aimed in aims:
        if view.at <= aimed < decide_by and view.ask(aim.when).truth is MET:
            view.note(aimed + TICK)
            title = f"{aim.title} ({format_duration(view.duration(aim.limit))})"
            return window._replace(decide_by=aimed, aim=title, last=decide_by)
    return window


def _lead(view: View, deadline: Deadline) -> int:
    if deadline.lead_setting is not None:
        configured: timedelta | None = getattr(view.settings.capability, deadline.lead_setting)
        if configured is not None:
            return round(configured.total_seconds() * 1000)
    times = (lead.time for lead in deadline.lead if lead.when is None or view.ask(lead.when).truth is MET)
    return view.duration(found) if (found := next(times, None)) else 0


def _met(view: View, check: str) -> bool:
    return view.named(f"check {check}").truth is MET


def _missing(view: View, checks: Iterable[str]) -> tuple[str, ...]:
    """What is missing to decide any of the checks: of one that cannot say what, the check itself."""
    answers = {check: view.named(f"check {check}") for check in checks}
    unknown = {check: answer for check, answer in answers.items() if answer.truth is UNKNOWN}
    return tuple(dict.fromkeys(item for check, answer in unknown.items() for item in answer.missing or (check,)))
