"""Rule packs: one pathway as data, with a source and a strength on every number, checked when it is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.catalogue import AgeContext
from rules.conditions import Condition, Node, Pending
from rules.events import Goals
from rules.outputs import State
from rules.parameters import Parameter, Strength
from rules.priorities import Harm

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
StageName = Annotated[str, Field(pattern=r"^[A-Z]+-[0-9][a-z]?$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """A publication, and the limits of what was read of it."""

    text: str
    url: str | None = None
    note: str | None = None


class Cited(_Frozen):
    """A statement with its source and strength."""

    text: str
    source: str
    strength: Strength


class Caveat(Cited):
    """What notices say besides their sources: always, or only while a condition is known to be met."""

    when: Condition | None = None


class Reason(_Frozen):
    """A contraindication, or another condition with words for people."""

    id: Name
    title: str
    when: Condition
    source: str
    strength: Strength


class Check(_Frozen):
    """A check of adequate treatment: met means that treatment was *not* adequate, so the failure is only apparent.

    A hard check blocks the word refractory; a soft one is shown first and blocks nothing.
    """

    id: Name
    title: str
    kind: Literal["hard", "soft"]
    fix: str
    when: Condition
    source: str
    strength: Strength


class HardCheck(_Frozen):
    """A hard check of a stage; it counts only while ``when`` is met, and is only mentioned while ``unless`` is.

    A ``lasting`` one, of the base stage only, does not keep that stage from being reached: it counts from then on, so
    that something to fix first, or to find out, is said although the state itself is beyond doubt.
    """

    check: Name
    when: Condition | None = None
    unless: Condition | None = None
    lasting: bool = False


class Confirmation(_Frozen):
    """Something that must be met before a stage is confirmed; otherwise it is only suspected, with the reason."""

    when: Condition
    otherwise: str


class Remark(_Frozen):
    """What a suggestion adds while a condition is met; with ``named``, followed by what meets it."""

    when: Condition
    text: str
    named: bool = False


class Stage(_Frozen):
    """A stage of the pathway.

    ``base`` is the state itself (shock); ``refractory`` a failure of its treatment (there may be several, one worse
    than the other); a ``marker`` only names how far things have gone. ``pattern`` is what failure looks like before
    asking whether treatment was adequate.
    """

    id: StageName
    title: str
    role: Literal["marker", "base", "refractory"]
    when: Condition
    pattern: Condition | None = None
    hard: tuple[HardCheck, ...] = ()
    confirm: tuple[Confirmation, ...] = ()
    sources: tuple[Cited, ...] = Field(min_length=1)


class PriorityRule(Harm):
    """What comes of no response to a suggestion while a condition is met; the first that is met counts."""

    when: Condition | None = None


class Titled(_Frozen):
    """Another title while a condition is met."""

    when: Condition
    title: str


class Lead(_Frozen):
    """How long a therapy takes to be in effect, while a condition is met; the first that is met counts."""

    when: Condition | None = None
    time: Name


class Aim(_Frozen):
    """A shorter limit to aim at while a condition is met: to miss it closes nothing."""

    when: Condition
    limit: Name
    title: str
    source: str
    strength: Strength


class Deadline(_Frozen):
    """The end of a therapy's window: ``limit`` after the anchor or landmark ``since``, less the ``lead`` it takes.

    After it the therapy is blocked for the reason ``id``. A site's own ``lead_setting`` goes before ``lead``. While one
    of ``extended`` is met the limit does not apply. Until it has passed, the first of the ``aims`` that is met says by
    when to decide. ``closing`` is how long before the end it is announced once more.
    """

    id: Name
    title: str
    since: str
    limit: Name
    lead: tuple[Lead, ...] = ()
    lead_setting: Literal["ecpr_lead_time"] | None = None
    extended: tuple[Titled, ...] = ()
    aims: tuple[Aim, ...] = ()
    closing: Name | None = None
    source: str
    strength: Strength


class Inhibition(_Frozen):
    """A condition that keeps back every suggestion of the pack, and with scope ``all`` its notices too, for a cause."""

    cause: Name
    when: Condition
    scope: Literal["therapies", "all"] = "therapies"


class Hush(_Frozen):
    """While a condition is met interruptions wait, for a cause in words."""

    cause: str
    when: Condition


class Therapy(_Frozen):
    """A rescue therapy: when to think of it, what speaks against it, and what every suggestion must say.

    ``hold_while`` are checks to fix first, unless ``hold_unless`` is met. Of the therapies of all packs that name the
    same ``merge`` only one is suggested at a time. ``snooze`` is the parameter that says how long it can be snoozed;
    zero forbids it. An answer counts until one of the signals ``answered_until`` is measured again: it was about the
    value on the screen.
    """

    id: Name
    title: str
    titles: tuple[Titled, ...] = ()
    stage: StageName
    when: Condition
    requires: Condition | None = None
    running: Condition | None = None
    absolute: tuple[Reason, ...] = ()
    relative: tuple[Reason, ...] = ()
    must_know: tuple[Name, ...] = ()
    hold_while: tuple[Name, ...] = ()
    hold_unless: Condition | None = None
    deadline: Deadline | None = None
    merge: Name | None = None
    snooze: Name = "snooze"
    answered_until: tuple[Name, ...] = ()
    priority: tuple[PriorityRule, ...] = Field(min_length=1)
    capability: Literal["ecmo_va", "ecmo_vv", "ecpr", "ketogenic_team"] | None = None
    suggestion: str
    elsewhere: str | None = None
    grade: tuple[Confirmation, ...] = ()
    remarks: tuple[Remark, ...] = ()
    evidence: tuple[Cited, ...] = Field(min_length=1)
    window: str | None = None
    monitoring: str
    decline_reasons: tuple[str, ...]


class Pack(_Frozen):
    """A rule pack: one pathway.

    ``recognition`` is when the clock of treatment starts, ``onset`` when an episode begins, ``resolution`` when it
    ends (and ``endings`` in which way, where there are several), ``relapse`` when another begins after that,
    ``ruled_out`` when it turns out to be something else. ``inhibit``
    keeps suggestions back for a cause, and so do the goals of care in ``no_escalation``; while ``hush`` is met
    interruptions wait. The parameters ``decline_holds`` and ``snooze`` say how long a clinician's answer keeps a
    suggestion back, and ``pause_tolerance`` how long a therapy that runs may be off and still counts as running.
    ``age_context`` is the situation that decides how old values may be. ``display`` are the measures
    that every card shows; ``words`` says what a measure, a missing item or a therapy is called where its own title will
    not do, with ``{name}`` for the present value of a measure or parameter.
    """

    format: Literal[1]
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[str, Field(pattern=r"^\d{4}\.\d+\.\d+$")]
    title: str
    guideline: str
    authors: tuple[str, ...]
    review_by: str
    population: str
    sources: dict[str, Source]
    parameters: dict[Name, Parameter]
    conditions: dict[Name, Condition] = {}
    recognition: Condition
    onset: Condition
    stages: tuple[Stage, ...] = Field(min_length=1)
    checks: tuple[Check, ...]
    therapies: tuple[Therapy, ...]
    resolution: Condition
    endings: tuple[Titled, ...] = ()
    relapse: Condition
    ruled_out: Condition | None = None
    inhibit: tuple[Inhibition, ...] = ()
    hush: Hush | None = None
    no_escalation: tuple[Goals, ...] = (Goals.NO_ESCALATION, Goals.COMFORT)
    age_context: AgeContext | None = None
    priorities: dict[State, Harm]
    display: tuple[str, ...] = ()
    words: dict[str, str] = {}
    caveats: tuple[Caveat, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the pack's content, so that an alert names exactly the rules that raised it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @cached_property
    def waiting(self) -> frozenset[str]:
        """What a verdict may wait for; nobody can obtain it."""
        nodes = (node for _, root in self.roots() for node in root.walk())
        return frozenset(node.missing for node in nodes if isinstance(node, Pending))

    @property
    def base(self) -> Stage:
        """The stage that is the state itself."""
        return next(stage for stage in self.stages if stage.role == "base")

    @cached_property
    def refractory(self) -> tuple[Stage, ...]:
        """The stages at which treatment has failed, the least severe first."""
        return tuple(stage for stage in self.stages if stage.role == "refractory")

    def judged(self, stage: str | None, *, failed: bool = False) -> Stage:
        """The stage that a verdict at ``stage`` is about: the base or, beyond it or if ``failed``, a failure of it."""
        rank = -1 if stage is None else self.rank(stage)
        reached = [found for found in self.refractory if self.rank(found.id) <= rank]
        return reached[-1] if reached else self.refractory[0] if failed else self.base

    @cached_property
    def merged(self) -> dict[str, str]:
        """The therapies that are suggested once across packs, with the name they share."""
        return {therapy.id: therapy.merge for therapy in self.therapies if therapy.merge is not None}

    @property
    def accept_reasons(self) -> tuple[str, ...]:
        """What may be said of a suggestion or notice that is accepted."""
        return ("running", "done")

    def decline_reasons(self, subject: str) -> tuple[str, ...]:
        """Why a suggestion or notice may be declined."""
        therapy = next((therapy for therapy in self.therapies if therapy.id == subject), None)
        reasons = ("already being treated", "not the cause") if therapy is None else therapy.decline_reasons
        return (*reasons, "not applicable")

    def therapy(self, name: str) -> Therapy:
        """A therapy by its id."""
        return next(therapy for therapy in self.therapies if therapy.id == name)

    def check(self, name: str) -> Check:
        """A check by its id."""
        return next(check for check in self.checks if check.id == name)

    def rank(self, stage: str) -> int:
        """The position of a stage among the stages."""
        return next(index for index, found in enumerate(self.stages) if found.id == stage)

    def roots(self) -> Iterator[tuple[str, Node]]:
        """Every condition of the pack with the path where it stands."""
        for path, condition in self._conditions():
            if condition is not None:
                yield path, condition

    def _conditions(self) -> Iterator[tuple[str, Node | None]]:
        for name, condition in self.conditions.items():
            yield f"conditions.{name}", condition
        for name in ("recognition", "onset", "resolution", "relapse", "ruled_out"):
            yield name, getattr(self, name)
        yield "hush", None if self.hush is None else self.hush.when
        yield from ((f"endings.{index}", found.when) for index, found in enumerate(self.endings))
        yield from ((f"inhibit.{found.cause}", found.when) for found in self.inhibit)
        for check in self.checks:
            yield f"checks.{check.id}", check.when
        for stage in self.stages:
            path = f"stages.{stage.id}"
            yield f"{path}.when", stage.when
            yield f"{path}.pattern", stage.pattern
            yield from ((f"{path}.hard.{hard.check}", hard.when) for hard in stage.hard)
            yield from ((f"{path}.hard.{hard.check}.unless", hard.unless) for hard in stage.hard)
            yield from ((f"{path}.confirm.{index}", found.when) for index, found in enumerate(stage.confirm))
        for therapy in self.therapies:
            path = f"therapies.{therapy.id}"
            yield f"{path}.when", therapy.when
            yield f"{path}.running", therapy.running
            yield f"{path}.hold_unless", therapy.hold_unless
            yield from ((f"{path}.titles.{index}", titled.when) for index, titled in enumerate(therapy.titles))
            if therapy.deadline is not None:
                yield from ((f"{path}.deadline.lead.{i}", lead.when) for i, lead in enumerate(therapy.deadline.lead))
                yield from ((f"{path}.deadline.extended.{i}", e.when) for i, e in enumerate(therapy.deadline.extended))
                yield from ((f"{path}.deadline.aims.{i}", aim.when) for i, aim in enumerate(therapy.deadline.aims))
            yield f"{path}.requires", therapy.requires
            yield from ((f"{path}.absolute.{reason.id}", reason.when) for reason in therapy.absolute)
            yield from ((f"{path}.relative.{reason.id}", reason.when) for reason in therapy.relative)
            yield from ((f"{path}.priority.{index}", rule.when) for index, rule in enumerate(therapy.priority))
            yield from ((f"{path}.grade.{index}", grade.when) for index, grade in enumerate(therapy.grade))
            yield from ((f"{path}.remarks.{index}", remark.when) for index, remark in enumerate(therapy.remarks))
        yield from ((f"caveats.{index}", caveat.when) for index, caveat in enumerate(self.caveats))
