"""Why, why not, and what is missing: the full evaluation of a pathway at an instant, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import BaseModel, ConfigDict

from rules.alerts import Book
from rules.cards import time_left
from rules.conditions import Node
from rules.instants import clock_time
from rules.lifecycle import shown
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth
from rules.nearest import Gap, Nearest
from rules.outputs import Advice, State
from rules.pack import Pack, Stage, Therapy
from rules.pathway import Fold, Verdict
from rules.sentences import Sentences
from rules.timeline import Timeline
from rules.track import Track
from rules.view import View
from rules.wording import Words, capital, plain

_MARKS: Final = {MET: "✓", NOT_MET: "✗", UNKNOWN: "?"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Criterion(_Frozen):
    """A condition as a sentence, how it came out, the values it rests on, and what is missing; ``depth`` indents it."""

    depth: int
    truth: Truth
    text: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def said(self) -> str:
        """The criterion with its values, in a sentence."""
        parts = [f"now {'; '.join(self.evidence)}"] if self.evidence else []
        parts += [f"missing: {', '.join(self.missing)}"] if self.missing else []
        return self.text.removesuffix(":") + (f": {'; '.join(parts)}" if parts else "")

    def line(self, depth: int) -> str:
        """The criterion as a line of a tree."""
        return f"{'  ' * (depth + self.depth)}{_MARKS[self.truth]} {self.said()}"


class Section(_Frozen):
    """A stage, a check or a part of a therapy with the conditions behind it, which come line by line."""

    title: str
    truth: Truth
    criteria: tuple[Criterion, ...]


class Step(_Frozen):
    """A further verdict, and the fewest criteria that would have to change for it."""

    title: str
    criteria: tuple[Criterion, ...]


class TherapyView(_Frozen):
    """A therapy: the advice (None: not indicated), what speaks for and against it, and what is not known.

    ``window`` is how much time is left for one that has to be decided in time, where there is any advice on it.
    """

    id: str
    title: str
    advice: str | None
    reasons: tuple[str, ...]
    window: str | None
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    not_known: tuple[str, ...]
    wanting: tuple[Criterion, ...]


class Explanation(_Frozen):
    """The verdict, every condition behind it with its evidence, and the alerts that are shown.

    ``nearest`` are the verdicts beyond the present one, the one with the fewest unmet criteria first; ``missing`` is
    what the stages and checks lack.
    """

    patient: str
    pathway: str
    title: str
    at: str | None
    verdict: str
    stage: str | None
    because: tuple[str, ...]
    nearest: tuple[Step, ...]
    missing: tuple[str, ...]
    therapies: tuple[TherapyView, ...]
    sections: tuple[Section, ...]
    alerts: tuple[str, ...]

    @property
    def idle(self) -> bool:
        """Whether the pathway does not apply and shows no alert, so that there is little to explain."""
        return self.verdict.startswith(State.NOT_APPLICABLE) and not self.alerts

    def line(self) -> str:
        """Why a pathway does not apply, in one line."""
        why = "; ".join(self.because)
        if not why and self.nearest:
            why = f"not met or not known: {'; '.join(criterion.said() for criterion in self.nearest[0].criteria)}"
        return f"{self._head()}: not applicable{f': {why}' if why else ''}"

    def _head(self) -> str:
        return f"{self.patient}, {self.title} ({self.pathway}){f' at {self.at}' if self.at else ': no data yet'}"

    def lines(self, *, every: bool = True) -> Iterator[str]:
        """The explanation as indented text; ``every`` adds all conditions of the pack."""
        yield self._head()
        yield f"Verdict: {self.verdict}" + (f", stage: {self.stage}" if self.stage else "")
        yield from _block("Why", (f"  {text}" for text in self.because))
        yield from _block("Why not further, the nearest first", _steps(self.nearest))
        yield from _block("Missing", (f"  {item}" for item in self.missing))
        yield from _block("Therapies", (line for therapy in self.therapies for line in _therapy_lines(therapy)))
        yield from _block("Alerts", (f"  ! {alert}" for alert in self.alerts))
        sections = self.sections if every else ()
        yield from _block("Every condition", (line for section in sections for line in _section_lines(section)))

    def unmet(self) -> tuple[str, ...]:
        """The innermost criteria that are not met or not known, by section order."""
        leaves = (c for section in self.sections for c in section.criteria if not c.text.endswith(":"))
        return tuple(dict.fromkeys(f"{c.text} ({c.truth.value})" for c in leaves if c.truth is not MET))


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from found


def _steps(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        count = len(step.criteria)
        yield f"  {step.title}: {count} {'criterion' if count == 1 else 'criteria'} away"
        yield from (criterion.line(2) for criterion in step.criteria)


def _therapy_lines(therapy: TherapyView) -> Iterator[str]:
    reasons = f" ({'; '.join(therapy.reasons)})" if therapy.reasons else ""
    yield f"  {capital(therapy.title)} ({therapy.id}): {therapy.advice or 'not indicated'}{reasons}"
    for title, texts in (
        ("window", (therapy.window,) if therapy.window else ()),
        ("for", therapy.speaks_for),
        ("against", therapy.speaks_against),
        ("not known", therapy.not_known if therapy.advice else ()),
    ):
        yield from (f"    {title}: {text}" for text in texts)
    if therapy.wanting:
        yield "    not met or not known:"
        yield from (criterion.line(3) for criterion in therapy.wanting)


def _section_lines(section: Section) -> Iterator[str]:
    yield f"{_MARKS[section.truth]} {section.title}"
    yield from (criterion.line(1) for criterion in section.criteria)


def explain(patient: str, track: Track, book: Book, timeline: Timeline, now: int | None) -> Explanation:
    """Evaluate everything at the present instant, without stopping early."""
    pack = track.pathway.pack
    entry = track.present
    if entry is None or now is None:
        return Explanation(
            patient=patient,
            pathway=pack.id,
            title=pack.title,
            at=None,
            verdict=State.NOT_APPLICABLE,
            stage=None,
            because=(),
            nearest=(),
            missing=(),
            therapies=(),
            sections=(),
            alerts=(),
        )
    view = track.pathway.view(timeline, entry.fold if entry.fold.open else Fold(entry.fold.episode), now, full=True)
    view.state = entry.verdict.state
    return _Explainer(pack, view, entry.fold, entry.verdict).explain(patient, now, book)


class _Explainer:
    """Puts one verdict of a pack into words."""

    def __init__(self, pack: Pack, view: View, fold: Fold, verdict: Verdict) -> None:
        self._pack = pack
        self._view = view
        self._fold = fold
        self._verdict = verdict
        self._words = Words(pack, view)
        self._sentences = Sentences(pack, view.catalogue)
        self._nearest = Nearest(pack, view)

    def explain(self, patient: str, now: int, book: Book) -> Explanation:
        verdict, pack = self._verdict, self._pack
        stage = next((f"{found.title} ({found.id})" for found in pack.stages if found.id == verdict.stage), None)
        words = f"{verdict.state}({', '.join(verdict.reasons)})" if verdict.reasons else str(verdict.state)
        sections = tuple(self._sections())
        lacking = (c.missing for section in sections[: len(pack.stages) + len(pack.checks)] for c in section.criteria)
        return Explanation(
            patient=patient,
            pathway=pack.id,
            title=pack.title,
            at=clock_time(now),
            verdict=f"SUPPRESSED({verdict.suppressed}), otherwise {words}" if verdict.suppressed else words,
            stage=stage,
            because=tuple(self._because()),
            nearest=tuple(sorted(self._steps(), key=lambda step: len(step.criteria))),
            missing=tuple(dict.fromkeys(item for items in lacking for item in items)),
            therapies=tuple(map(self._therapy, pack.therapies)),
            sections=sections,
            alerts=tuple(
                f"{self._words.name(alert.subject)} ({alert.subject}): {alert.verdict} ({alert.state})"
                for alert in book.alerts.values()
                if shown(alert.state)
            ),
        )

    def _sections(self) -> Iterator[Section]:
        pack = self._pack
        for stage in pack.stages:
            yield self._section(f"{stage.title} ({stage.id})", stage.when)
        for check in pack.checks:
            yield self._section(f"{check.title} (check {check.id})", check.when)
        for therapy in pack.therapies:
            name = f"{therapy.title} ({therapy.id})"
            yield self._section(f"{name}: trigger", therapy.when)
            if therapy.requires is not None:
                yield self._section(f"{name}: requirement", therapy.requires)
            for reason in (*therapy.absolute, *therapy.relative):
                yield self._section(f"{name}: against: {reason.title}", reason.when)

    def _section(self, title: str, node: Node) -> Section:
        criteria = tuple(
            self._criterion(line.node, line.text, line.depth, heads=line.heads) for line in self._sentences.tree(node)
        )
        return Section(title=title, truth=node.evaluate(self._view).truth, criteria=criteria)

    def _criterion(self, node: Node, text: str, depth: int = 0, *, heads: bool = False) -> Criterion:
        evaluation = node.evaluate(self._view)
        return Criterion(
            depth=depth,
            truth=evaluation.truth,
            text=text,
            evidence=() if heads else tuple(self._evidence(f, node.measures()) for f in evaluation.all_findings()),
            missing=() if heads or evaluation.truth is not UNKNOWN else self._items(evaluation.missing),
        )

    def _evidence(self, finding: Finding, named: tuple[str, ...] = ()) -> str:
        """A value and its time; its name only where the sentence has not given it."""
        name = "" if finding.measure in named else f"{self._words.name(finding.measure)} "
        when = "" if finding.at is None else f", {clock_time(finding.at)}"
        return plain(f"{name}{finding.text}{when}")

    def _items(self, missing: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(plain(self._words.item(item)) for item in missing))

    def _because(self) -> Iterator[str]:
        """The reasons of the verdict in words: checks with what to do, missing items, doubts."""
        checks = {check.id: check for check in self._pack.checks}
        for reason in self._verdict.reasons:
            if reason in checks:
                yield f"{checks[reason].title}: {checks[reason].fix}"
            elif self._verdict.state is State.INDETERMINATE:
                yield f"not known: {self._items((reason,))[0]}"
            else:
                yield reason
        for name in self._verdict.soft:
            yield f"also: {checks[name].title}"
        stage = next((found for found in self._pack.stages if found.id == self._verdict.stage), None)
        if stage is not None:
            met = (c for c in self._section("", stage.when).criteria if c.truth is MET and c.evidence)
            yield from dict.fromkeys(criterion.said() for criterion in met)

    def _steps(self) -> Iterator[Step]:
        """The verdicts that could come next, with what is wanting."""
        if not self._fold.open:
            begins = self._pack.relapse if self._fold.resolved else self._pack.onset
            yield self._step("an episode begins", self._nearest.gaps(begins))
            return
        state, pack = self._verdict.state, self._pack
        if state is State.SUSPECTED:
            suspected = pack.judged(self._verdict.stage, failed=True)
            confirm = self._nearest.all_of((found.when, MET) for found in suspected.confirm)
            yield self._step(f"{suspected.title} confirmed", confirm)
        rank = -1 if self._verdict.stage is None else pack.rank(self._verdict.stage)
        undecided = state in (State.PSEUDO, State.INDETERMINATE)
        below: Stage | None = None
        for index, stage in enumerate(pack.stages):
            gaps = self._nearest.stage(stage)
            if stage.role == "marker" and below is not None:
                gaps = tuple(dict.fromkeys((*self._nearest.stage(below), *gaps)))
            below = below if stage.role == "marker" else stage
            if gaps and (index > rank or (undecided and index == rank)):
                yield self._step(f"{stage.title} ({stage.id})", gaps)

    def _step(self, title: str, gaps: Iterable[Gap]) -> Step:
        return Step(title=title, criteria=self._gaps(gaps))

    def _gaps(self, gaps: Iterable[Gap]) -> tuple[Criterion, ...]:
        """The criteria in words; two that read the same, but for pauses, are one to people."""
        return tuple({found.text: found for found in map(self._gap, gaps)}.values())

    def _gap(self, gap: Gap) -> Criterion:
        text = self._sentences.leaf(gap.node)
        if gap.wanted is not NOT_MET:
            return self._criterion(gap.node, text)
        found = self._criterion(gap.node, f"no longer: {text}")
        return found.model_copy(update={"truth": UNKNOWN if found.truth is UNKNOWN else NOT_MET})

    def _therapy(self, therapy: Therapy) -> TherapyView:
        counsel = next((found for found in self._verdict.counsel if found.therapy == therapy.id), None)
        known = {reason.id: reason.title for reason in (*therapy.absolute, *therapy.relative)}
        known |= {check.id: check.title for check in self._pack.checks}
        window = None
        if therapy.deadline is not None:
            known[therapy.deadline.id] = f"the time for {therapy.deadline.title} has passed"
            if counsel is not None:
                window = time_left(self._view, counsel.window, therapy.deadline)
        conditions = [node for node in (therapy.when, therapy.requires) if node is not None]
        leaves = [criterion for node in conditions for criterion in self._section("", node).criteria]
        against, unknown = [], []
        for kind, reasons in (("absolute", therapy.absolute), ("relative", therapy.relative)):
            for reason in reasons:
                evaluation = reason.when.evaluate(self._view)
                if evaluation.truth is MET:
                    against.append(self._against(kind, reason.title, evaluation))
                elif evaluation.truth is UNKNOWN:
                    unknown.append(f"{reason.title} ({kind})")
        indicated = counsel is not None and counsel.advice is not Advice.INDETERMINATE
        wanting = () if indicated else self._nearest.all_of((node, MET) for node in conditions)
        reasons_ = () if counsel is None else counsel.reasons
        return TherapyView(
            id=therapy.id,
            title=therapy.title,
            advice=None if counsel is None else str(counsel.advice),
            reasons=tuple(known.get(reason) or self._items((reason,))[0] for reason in reasons_),
            window=window,
            speaks_for=tuple(dict.fromkeys(c.said() for c in leaves if c.truth is MET and c.evidence)),
            speaks_against=tuple(against),
            not_known=tuple(unknown),
            wanting=self._gaps(wanting),
        )

    def _against(self, kind: str, title: str, evaluation: Evaluation) -> str:
        evidence = "; ".join(map(self._evidence, evaluation.all_findings()))
        return f"{title} ({kind})" + (f": {evidence}" if evidence else "")
