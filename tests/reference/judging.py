"""A pathway judged at one instant, read off the definition: what is remembered and seen in, memory and verdict out."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar, cast

from typing_extensions import override

from rules import catalogue as catalogues
from rules.instants import format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation
from rules.outputs import Advice, Priority, State
from rules.pack import Deadline, Pack, Stage, Therapy
from rules.packs import channels_read, with_overrides
from rules.packs.numbers import said_with_numbers
from rules.quantities import QUANTITIES
from rules.settings import SiteSettings, settings_digest
from rules.timeline import Record as Facts
from rules.values import Value, unknown
from rules.view import Knowledge, View
from tests.reference.record import Record
from tests.reference.staying import ThisStay, stay

T = TypeVar("T")

ADULT: Final = 18.0
NOTICES: Final = ("refractory", "fix_first", "obtain_data")


@dataclass(frozen=True)
class Memory:
    """What an episode remembers.

    Its number, whether it goes on or was resolved, since when what, which markers hold, and which therapies were found
    running, with the instant at which they were found off since.
    """

    episode: int = 0
    open: bool = False
    resolved: bool = False
    ending: str | None = None
    anchors: tuple[tuple[str, int], ...] = ()
    markers: tuple[str, ...] = ()
    running: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True)
class Window:
    """Until when a therapy can be in effect, until when it must be decided for that, and what holds now.

    While a nearer ``aim`` stands, ``decide_by`` is that of the aim, and ``last`` that of the whole window.
    """

    closes: int
    decide_by: int
    state: Literal["open", "closed", "extended"]
    closing: bool = False
    extended: str | None = None
    aim: str | None = None
    last: int | None = None


@dataclass(frozen=True)
class Counsel:
    """Advice on one therapy; ``unsettled`` says that it may be more urgent than it is known to be."""

    therapy: str
    advice: Advice
    reasons: tuple[str, ...]
    priority: Priority
    window: Window | None = None
    unsettled: bool = False


@dataclass(frozen=True)
class Verdict:
    """What is said of a pathway at an instant."""

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


class PlainView(View):
    """The patient at one instant; nothing that was worked out is kept, and every part of a condition is looked at."""

    __slots__ = ("_masked",)

    def __init__(
        self, knowledge: Knowledge, timeline: Facts, anchors: dict[str, int], at: int, *, full: bool = True
    ) -> None:
        super().__init__(knowledge, timeline, anchors, at, full=full)
        self._masked: set[str] = set()

    @override
    def named(self, name: str) -> Evaluation:
        return self.knowledge.named[name].evaluate(self)

    @override
    def once(self, key: Hashable, build: Callable[[View], T]) -> T:
        return build(self)

    @override
    def value(self, measure: str) -> Value:
        if measure in self._masked:
            return unknown(measure)
        quantity = self.knowledge.quantities.get(measure)
        return quantity.value(self) if quantity else self.signal(measure)

    @override
    def mask(self, measure: str) -> None:
        self._masked.add(measure)

    @override
    def as_of(self, at: int) -> View:
        return PlainView(self.knowledge, self.timeline, self.anchors, at)

    @override
    def remember(self, anchor: str) -> None:
        self.anchors.setdefault(anchor, self.at)

    @override
    def note(self, instant: int | None) -> None:
        pass


@dataclass
class Judge:
    """The rules of one pathway at one site."""

    pack: Pack
    knowledge: Knowledge
    sees: type[View]
    reads: frozenset[str]

    @staticmethod
    def of(pack: Pack, settings: SiteSettings, sees: type[View] = PlainView) -> Judge:
        """The judge for a pack with a site's settings, and how it sees a patient: plainly, or in a hurry.

        It is made once: a site's values are checked against the whole pack.
        """
        key = pack.digest, settings_digest(settings), sees
        if key not in _JUDGES:
            _JUDGES[key] = Judge._made(pack, settings, sees)
        return _JUDGES[key]

    @staticmethod
    def _made(pack: Pack, settings: SiteSettings, sees: type[View]) -> Judge:
        pack = said_with_numbers(with_overrides(pack, settings))
        durations = {name: found.milliseconds for name, found in pack.parameters.items() if found.is_duration}
        named = {f"condition {name}": condition for name, condition in pack.conditions.items()}
        named |= {f"check {check.id}": check.when for check in pack.checks}
        knowledge = Knowledge(
            settings, catalogues.load(), QUANTITIES, pack.parameters, durations, named, pack.age_context
        )
        return Judge(pack, knowledge, sees, channels_read(pack, catalogues.load()))

    def at(self, instant: int, record: Record, memory: Memory) -> tuple[Memory, Verdict]:
        """What is remembered and said from an instant on."""
        where = stay(record, instant, self.reads)
        if not where.here:
            kept = memory if where.on_the_way(instant) else Memory(memory.episode)
            return kept, Verdict(State.NOT_APPLICABLE, reasons=("discharged",))
        anchors = dict(memory.anchors)
        began = anchors.get("episode", anchors.get("ended"))
        if where.former is not None and began is not None and began <= where.former:
            memory = Memory(memory.episode)
        known = record if where.former is None else ThisStay(record, where.former)
        return self._here(self.sees(self.knowledge, cast("Facts", known), dict(memory.anchors), instant), memory)

    def _here(self, view: View, memory: Memory) -> tuple[Memory, Verdict]:
        """What is remembered and said of a patient who is here."""
        if view.value("age").high < ADULT:
            return Memory(memory.episode), Verdict(State.NOT_APPLICABLE, reasons=("adults only",))
        if not memory.open:
            begins = (self.pack.relapse if memory.resolved else self.pack.onset).evaluate(view)
            if begins.truth is NOT_MET and memory.resolved:
                return memory, _resolved(memory)
            if begins.truth is NOT_MET:
                return memory, Verdict(State.NOT_APPLICABLE)
            if begins.truth is UNKNOWN:
                return memory, Verdict(State.INDETERMINATE, reasons=begins.missing)
            memory = Memory(memory.episode + 1, open=True)
            view.remember("episode")
        if self._met(view, self.pack.recognition):
            view.remember("recognition")
        if self.pack.ruled_out is not None and self._met(view, self.pack.ruled_out):
            begins = self.pack.onset.evaluate(view)
            missing = begins.missing if begins.truth is UNKNOWN else ()
            state = State.INDETERMINATE if begins.truth is UNKNOWN else State.NOT_APPLICABLE
            return Memory(memory.episode), Verdict(state, reasons=missing)
        if self.pack.base.id in view.anchors:
            if self._met(view, self.pack.resolution) and self.pack.relapse.evaluate(view).truth is NOT_MET:
                ways = [ending.title for ending in self.pack.endings if self._met(view, ending.when)]
                first = view.anchors.get("first", view.anchors[self.pack.base.id])
                left = (("ended", view.at), ("first", first))
                memory = Memory(memory.episode, resolved=True, ending=ways[0] if ways else None, anchors=left)
                return memory, _resolved(memory)
        elif all(asked.evaluate(view).truth is NOT_MET for asked in (self.pack.onset, self.pack.recognition)):
            return Memory(memory.episode), Verdict(State.NOT_APPLICABLE)
        return self._open(view, memory)

    @staticmethod
    def _met(view: View, condition: Any) -> bool:
        return bool(condition.evaluate(view).truth is MET)

    def _running(self, view: View, before: dict[str, int | None]) -> dict[str, int | None]:
        """The therapies that run or are off for no longer than a change of the syringe takes, with when that began."""
        found: dict[str, int | None] = {}
        for therapy in self.pack.therapies:
            if therapy.running is None or therapy.when.evaluate(view).truth is NOT_MET:
                continue
            truth = therapy.running.evaluate(view).truth
            if truth is MET:
                found[therapy.id] = None
            elif truth is NOT_MET and therapy.id in before:
                stopped = before[therapy.id]
                stopped = view.at if stopped is None else stopped
                if view.at <= stopped + view.duration("pause_tolerance"):
                    found[therapy.id] = stopped
        return found

    def _open(self, view: View, memory: Memory) -> tuple[Memory, Verdict]:
        """What is remembered of an episode that goes on, and the verdict."""
        base = self.pack.base
        said: dict[str, tuple[State, tuple[str, ...]]] = {}
        reached = base.id in view.anchors
        found = (State.ACTIVE, self._doubts(view, base)) if reached else self._stage(view, base)
        if found is not None:
            said[base.id] = found
            if found[0] is State.ACTIVE:
                view.remember(base.id)
                said[base.id] = self._weighed(view, base, lasting=True) or found
        for stage in self.pack.refractory:
            found = self._stage(view, stage)
            if found is not None:
                said[stage.id] = found
                if found[0] is State.CONFIRMED:
                    view.remember(stage.id)
        about = self._foremost(said)
        state, reasons = said.get(about, (State.ACTIVE, ()))
        confirmed = [stage.id for stage in self.pack.refractory if said.get(stage.id, ("",))[0] is State.CONFIRMED]
        furthest, markers = self._furthest(view, about if said else None, memory.markers)
        view.state = state
        goals = view.coded("goals_of_care")[0] in self.pack.no_escalation
        inhibited = [found for found in self.pack.inhibit if self._met(view, found.when)]
        muting = [found.cause for found in inhibited if found.scope == "all"]
        causes = [found.cause for found in inhibited]
        running = self._running(view, dict(memory.running))
        counsel = [self._counsel(view, therapy, furthest, goals, causes, running) for therapy in self.pack.therapies]
        verdict = Verdict(
            state,
            furthest,
            reasons,
            suppressed="goals" if goals else next(iter(muting), None),
            soft=tuple(self._noted(view, about)) if said else (),
            counsel=tuple(found for found in counsel if found is not None),
            hushed=self.pack.hush.cause
            if self.pack.hush is not None and self._met(view, self.pack.hush.when)
            else None,
            confirmed=confirmed[-1] if confirmed else None,
            unfixed=self._unfixed(view, about) if state is State.INDETERMINATE else (),
        )
        kept_back = []
        for notice in NOTICES:
            stands = notice == "refractory" and verdict.confirmed is not None
            now = State.CONFIRMED if stands else state
            priority = self.pack.priorities[now].priority if now in self.pack.priorities else Priority.LOW
            fixes = reasons if notice == "fix_first" and state is State.PSEUDO else ()
            why = self._answered(view, notice, "snooze", furthest, priority, fixes)
            kept_back += [] if why is None else [(notice, why)]
        verdict = replace(verdict, kept_back=tuple(kept_back))
        anchors, found_running = tuple(sorted(view.anchors.items())), tuple(sorted(running.items()))
        return replace(memory, anchors=anchors, markers=markers, running=found_running), verdict

    def _stage(self, view: View, stage: Stage) -> tuple[State, tuple[str, ...]] | None:
        """What is said of a stage; the first question of the table that has an answer decides."""
        pattern = (stage.when if stage.pattern is None else stage.pattern).evaluate(view)
        when = stage.when.evaluate(view)
        weighed = self._weighed(view, stage, lasting=False)
        doubts = self._doubts(view, stage)
        if pattern.truth is NOT_MET:
            return None
        if pattern.truth is UNKNOWN:
            return State.INDETERMINATE, pattern.missing
        if weighed is not None:
            return weighed
        if when.truth is NOT_MET:
            return None
        if when.truth is UNKNOWN:
            return State.INDETERMINATE, when.missing
        if stage.role == "base":
            return State.ACTIVE, doubts
        return (State.SUSPECTED, doubts) if doubts else (State.CONFIRMED, ())

    def _doubts(self, view: View, stage: Stage) -> tuple[str, ...]:
        return tuple(asked.otherwise for asked in stage.confirm if not self._met(view, asked.when))

    def _weighed(self, view: View, stage: Stage, *, lasting: bool) -> tuple[State, tuple[str, ...]] | None:
        """What the hard checks that count say of a stage."""
        return self._unfit(view, self._counting(view, stage, lasting=lasting))

    def _counting(self, view: View, stage: Stage, *, lasting: bool) -> list[str]:
        """The hard checks of a stage that count."""
        return [
            hard.check
            for hard in stage.hard
            if hard.lasting is lasting
            and (hard.when is None or self._met(view, hard.when))
            and not (hard.unless is not None and self._met(view, hard.unless))
        ]

    def _unfixed(self, view: View, about: str) -> tuple[str, ...]:
        """What of the stage in doubt may still have to be fixed first."""
        (stage,) = (stage for stage in self.pack.stages if stage.id == about)
        counting = self._counting(view, stage, lasting=stage is self.pack.base and stage.id in view.anchors)
        return tuple(check for check in counting if view.named(f"check {check}").truth is not NOT_MET)

    def _unfit(self, view: View, checks: Iterable[str]) -> tuple[State, tuple[str, ...]] | None:
        answers = {check: view.named(f"check {check}") for check in checks}
        flags = tuple(check for check, answer in answers.items() if answer.truth is MET)
        if flags:
            return State.PSEUDO, flags
        unknown = {check: answer for check, answer in answers.items() if answer.truth is UNKNOWN}
        missing = _each_once(item for check, answer in unknown.items() for item in answer.missing or (check,))
        return (State.INDETERMINATE, missing) if unknown else None

    def _foremost(self, said: dict[str, tuple[State, tuple[str, ...]]]) -> str:
        """The stage that the verdict is about."""
        for states in ((State.CONFIRMED, State.PSEUDO), (State.SUSPECTED,), (State.INDETERMINATE,)):
            for stage in reversed(self.pack.refractory):
                if stage.id in said and said[stage.id][0] in states:
                    return stage.id
        return self.pack.base.id

    def _furthest(self, view: View, about: str | None, before: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
        """The furthest stage that holds, and the markers that do."""
        furthest, markers, below = None, [], True
        for stage in self.pack.stages:
            if stage.role == "marker":
                truth = stage.when.evaluate(view).truth
                holds = below and (truth is MET or (truth is UNKNOWN and stage.id in before))
                if holds:
                    markers.append(stage.id)
                    view.remember(stage.id)
            else:
                holds = below = about is not None and self.pack.rank(stage.id) <= self.pack.rank(about)
            if holds:
                furthest = stage.id
        return furthest, tuple(markers)

    def _noted(self, view: View, about: str) -> Iterator[str]:
        for check in self.pack.checks:
            if check.kind == "soft" and self._met(view, check.when):
                yield check.id
        for hard in next(stage for stage in self.pack.stages if stage.id == about).hard:
            excused = hard.unless is not None and self._met(view, hard.unless)
            if excused and view.named(f"check {hard.check}").truth is MET:
                yield hard.check

    def _counsel(
        self,
        view: View,
        therapy: Therapy,
        stage: str | None,
        goals: bool,
        causes: list[str],
        found_running: Container[str],
    ) -> Counsel | None:
        window = None if therapy.deadline is None else self._window(view, therapy.deadline)
        truths = [
            (rule.priority, MET if rule.when is None else rule.when.evaluate(view).truth) for rule in therapy.priority
        ]
        place = [truth for _, truth in truths].index(MET)
        priority = truths[place][0]
        more_urgent = list(Priority)[: list(Priority).index(priority)]
        unsettled = any(found in more_urgent for found, truth in truths[:place] if truth is UNKNOWN)
        advice = self._advice(view, therapy, window, stage, priority, goals, causes, found_running)
        if advice is None:
            return None
        return Counsel(therapy.id, *advice, priority, window, unsettled)

    def _advice(
        self,
        view: View,
        therapy: Therapy,
        window: Window | None,
        stage: str | None,
        priority: Priority,
        goals: bool,
        causes: list[str],
        found_running: Container[str],
    ) -> tuple[Advice, tuple[str, ...]] | None:
        """What is said of a therapy; the first rule that applies counts."""
        trigger = therapy.when.evaluate(view)
        if trigger.truth is NOT_MET:
            return None
        running = Evaluation(NOT_MET) if therapy.running is None else therapy.running.evaluate(view)
        known = {reason.id: reason.when.evaluate(view).truth for reason in therapy.absolute}
        runs = running.truth is MET or (therapy.id in found_running and MET not in known.values())
        suppressing = [*causes, *(["running"] if runs else []), *(["goals"] if goals else [])]
        if suppressing:
            return Advice.SUPPRESSED, (suppressing[0],)
        against = [reason for reason, truth in known.items() if truth is MET]
        if therapy.deadline is not None and window is not None and window.state == "closed":
            against.append(therapy.deadline.id)
        if against:
            return Advice.BLOCKED, tuple(against)
        requires = Evaluation(MET) if therapy.requires is None else therapy.requires.evaluate(view)
        if requires.truth is NOT_MET:
            return None
        open_ends = [found for found in (trigger, running, requires) if found.truth is UNKNOWN]
        must_know = [reason for reason in therapy.must_know if known.get(reason) is UNKNOWN]
        if open_ends or must_know:
            return Advice.INDETERMINATE, _each_once(
                [*(item for found in open_ends for item in found.missing), *must_know]
            )
        answered = self._answered(view, therapy.id, therapy.snooze, stage, priority, (), therapy.answered_until)
        if answered is not None:
            return Advice.SUPPRESSED, (answered,)
        if therapy.hold_unless is None or not self._met(view, therapy.hold_unless):
            unfit = self._unfit(view, therapy.hold_while)
            if unfit is not None:
                return Advice(unfit[0]), unfit[1]
        cautions = tuple(reason.id for reason in therapy.relative if self._met(view, reason.when))
        return (Advice.CAUTION, cautions) if cautions else (Advice.ELIGIBLE, ())

    def _window(self, view: View, deadline: Deadline) -> Window | None:
        """Closed after the last instant at which the therapy could be decided on; unknown while its beginning is."""
        began = view.mark(deadline.since).at
        if began is None:
            return None
        own: timedelta | None = None
        if deadline.lead_setting is not None:
            own = getattr(view.settings.capability, deadline.lead_setting)
        leads = [lead.time for lead in deadline.lead if lead.when is None or self._met(view, lead.when)]
        lead = round(own / timedelta(milliseconds=1)) if own is not None else view.duration(leads[0]) if leads else 0
        closes = began + view.duration(deadline.limit)
        decide_by = closes - lead
        for exception in deadline.extended:
            if self._met(view, exception.when):
                return Window(closes, decide_by, "extended", extended=exception.title)
        warned = deadline.closing is not None and view.at > decide_by - view.duration(deadline.closing)
        closed = view.at > decide_by
        state: Literal["open", "closed"] = "closed" if closed else "open"
        for aim in deadline.aims:
            aimed = began + view.duration(aim.limit) - lead
            if view.at <= aimed < decide_by and self._met(view, aim.when):
                title = f"{aim.title} ({format_duration(view.duration(aim.limit))})"
                return Window(closes, aimed, state, closing=warned and not closed, aim=title, last=decide_by)
        return Window(closes, decide_by, state, closing=warned and not closed)

    def _answered(
        self,
        view: View,
        subject: str,
        snooze: str,
        stage: str | None,
        priority: Priority,
        fixes: tuple[str, ...] = (),
        until_measured: tuple[str, ...] = (),
    ) -> str | None:
        """Whether the last word of a clinician on a subject keeps it back.

        No longer if the stage has risen since, and never what was said in an episode before. A snooze ends also when
        the subject is more urgent than it was, or when something else is to be fixed.
        """
        words = [
            fact
            for fact in view.timeline.upto(f"answer:{self.pack.id}", view.at)
            if fact.value.subject == subject
            and fact.value.action in ("decline", "snooze")
            and fact.at >= view.anchors["episode"]
        ]
        if not words:
            return None
        last = words[-1]
        newest = [view.timeline.latest(f"signal:{signal}", view.at) for signal in until_measured]
        if max((sample.received for sample in newest if sample is not None), default=last.received) > last.received:
            return None
        ranks = [-1 if name is None else self.pack.rank(name) for name in (last.value.stage, stage)]
        if last.value.action == "snooze":
            order = list(Priority)
            urgent = last.value.priority is not None and order.index(priority) < order.index(last.value.priority)
            other = last.value.fixes is not None and any(fix not in last.value.fixes for fix in fixes)
            more = ranks[1] > ranks[0] or urgent or other
            return "snoozed" if view.at < last.at + view.duration(snooze) and not more else None
        risen = last.value.stage is None or ranks[1] > ranks[0]
        return "declined" if view.at < last.at + view.duration("decline_holds") and not risen else None


def _each_once(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


_JUDGES: Final[dict[tuple[str, str, type[View]], Judge]] = {}


def _resolved(memory: Memory) -> Verdict:
    return Verdict(State.RESOLVED, reasons=() if memory.ending is None else (memory.ending,))
