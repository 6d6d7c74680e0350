"""Rule packs: one pathway as data, with a source and a strength on every number, checked when it is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.conditions import Condition, Node, Pending
from rules.outputs import Priority, State
from rules.parameters import Parameter, Strength

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
    """A hard check of a stage, where it counts only under a condition."""

    check: Name
    when: Condition | None = None


class Confirmation(_Frozen):
    """Something that must be met before a stage is confirmed; otherwise it is only suspected, with the reason."""

    when: Condition
    otherwise: str


class Stage(_Frozen):
    """A stage of the pathway.

    ``base`` is the state itself (shock); ``refractory`` the failure of its treatment; a ``marker`` only names how far
    things have gone. ``pattern`` is what failure looks like before asking whether treatment was adequate.
    """

    id: StageName
    title: str
    role: Literal["marker", "base", "refractory"]
    when: Condition
    pattern: Condition | None = None
    hard: tuple[HardCheck, ...] = ()
    confirm: tuple[Confirmation, ...] = ()
    sources: tuple[Cited, ...] = Field(min_length=1)


class PriorityRule(_Frozen):
    """The priority of a suggestion while a condition is met; the first that is met counts."""

    priority: Priority
    when: Condition | None = None


class Therapy(_Frozen):
    """A rescue therapy: when to think of it, what speaks against it, and what every suggestion must say."""

    id: Name
    title: str
    stage: StageName
    when: Condition
    requires: Condition | None = None
    running: Condition
    absolute: tuple[Reason, ...] = ()
    relative: tuple[Reason, ...] = ()
    must_know: tuple[Name, ...] = ()
    hold_while: tuple[Name, ...] = ()
    priority: tuple[PriorityRule, ...] = Field(min_length=1)
    capability: Literal["ecmo_va", "ecmo_vv", "ecpr", "ketogenic_team"] | None = None
    suggestion: str
    elsewhere: str | None = None
    grade: tuple[Confirmation, ...] = ()
    evidence: tuple[Cited, ...] = Field(min_length=1)
    window: str | None = None
    monitoring: str
    decline_reasons: tuple[str, ...]


class Pack(_Frozen):
    """A rule pack: one pathway.

    ``recognition`` is when the clock of treatment starts, ``onset`` when an episode begins, ``resolution`` when it
    ends, ``relapse`` when another begins after that, ``ruled_out`` when it turns out to be something else. While
    ``silence`` is met every suggestion is kept back as running; while ``hush`` is met a change does not interrupt. The
    parameters ``decline_holds`` and ``snooze`` say how long a clinician's answer keeps a suggestion back. ``display``
    are the measures that every card shows; ``words`` says what a measure, a missing item or a therapy is called where
    its own title will not do, with ``{name}`` for the present value of a measure or parameter.
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
    relapse: Condition
    ruled_out: Condition | None = None
    silence: Condition | None = None
    hush: Condition | None = None
    priorities: dict[State, Priority]
    display: tuple[str, ...] = ()
    words: dict[str, str] = {}
    caveats: tuple[Cited, ...] = ()

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

    @property
    def refractory(self) -> Stage:
        """The stage at which treatment has failed."""
        return next(stage for stage in self.stages if stage.role == "refractory")

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
        for name in ("recognition", "onset", "resolution", "relapse", "ruled_out", "silence", "hush"):
            yield name, getattr(self, name)
        for check in self.checks:
            yield f"checks.{check.id}", check.when
        for stage in self.stages:
            path = f"stages.{stage.id}"
            yield f"{path}.when", stage.when
            yield f"{path}.pattern", stage.pattern
            yield from ((f"{path}.hard.{hard.check}", hard.when) for hard in stage.hard)
            yield from ((f"{path}.confirm.{index}", found.when) for index, found in enumerate(stage.confirm))
        for therapy in self.therapies:
            path = f"therapies.{therapy.id}"
            yield f"{path}.when", therapy.when
            yield f"{path}.running", therapy.running
            yield f"{path}.requires", therapy.requires
            yield from ((f"{path}.absolute.{reason.id}", reason.when) for reason in therapy.absolute)
            yield from ((f"{path}.relative.{reason.id}", reason.when) for reason in therapy.relative)
            yield from ((f"{path}.priority.{index}", rule.when) for index, rule in enumerate(therapy.priority))
            yield from ((f"{path}.grade.{index}", grade.when) for index, grade in enumerate(therapy.grade))
