"""Vasoactive doses: norepinephrine equivalents by two authors, inotrope score, vasoactive-inotropic score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise, takewhile
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.instants import FOREVER, HOUR, TICK
from rules.logic import Finding
from rules.portions import Portions, bounds, given_of
from rules.quantities.base import Quantity
from rules.steps import Step, Steps, added, earliest, summed
from rules.values import Value, divided, number

if TYPE_CHECKING:
    from rules.view import View

KOTANI_2023: Final[Mapping[str, float]] = {
    "norepinephrine": 1.0,
    "epinephrine": 1.0,
    "dopamine": 0.01,
    "phenylephrine": 0.06,
    "vasopressin": 2.5,
    "angiotensin_ii": 0.0025,
    "terlipressin": 10.0,
    "metaraminol": 0.125,
    "methylene_blue": 0.2,
    "midodrine": 0.4,
    "hydroxocobalamin": 0.02,
}
"""Norepinephrine equivalent of one canonical unit of each drug (Kotani, Crit Care 2023;27:29).

The last five are general knowledge. Of hydroxocobalamin a gram counts, not a rate.
"""

GORADIA_2021: Final[Mapping[str, float]] = {
    "norepinephrine": 1.0,
    "epinephrine": 1.0,
    "dopamine": 0.01,
    "phenylephrine": 0.1,
    "vasopressin": 2.5,
    "angiotensin_ii": 0.01,
    "metaraminol": 0.125,
}
"""Norepinephrine equivalent of one canonical unit of each drug (Goradia, J Crit Care 2021;61:233).

Angiotensin II is 10 per ug/kg/min there, hence 0.01 per ng/kg/min.
"""

INOTROPE_SCORE: Final[Mapping[str, float]] = {
    "dopamine": 1.0,
    "dobutamine": 1.0,
    "norepinephrine": 100.0,
    "epinephrine": 100.0,
}
"""Weights of the inotrope score in Brechot, Lancet 2020;396:545; the weights were not checked against it."""

VASOACTIVE_INOTROPIC_SCORE: Final[Mapping[str, float]] = {
    "dopamine": 1.0,
    "dobutamine": 1.0,
    "epinephrine": 100.0,
    "norepinephrine": 100.0,
    "milrinone": 10.0,
}
"""Weights of the vasoactive-inotropic score for drugs dosed per kilogram; vasopressin is added by weight."""

BY_AMOUNT: Final = frozenset({"hydroxocobalamin"})
"""Drugs of which the amount given is weighed, not the rate."""

_LASTS: Final = 24 * HOUR
"""How long an amount given counts (local setting: the formula gives no time)."""

ALONE: Final[Mapping[str, float]] = {"norepinephrine": 1.0}
EPINEPHRINE: Final[Mapping[str, float]] = {"epinephrine": 1.0}


def weighted(weights: Mapping[str, float]) -> Callable[[View, int], Steps]:
    """Steps of the weighted sum of the rates of several drugs.

    Where an amount is weighed they reach as far as the next change after the present instant.
    """
    infusion_of = {drug: f"infusion:{drug}" for drug in weights}
    dose_of = {drug: f"dose:{drug}" for drug in weights if drug in BY_AMOUNT}

    def steps(view: View, bridge: int) -> Steps:
        facts = view.timeline.facts
        given = {
            drug: factor
            for drug, factor in weights.items()
            if facts(infusion_of[drug]) or (drug in dose_of and facts(dose_of[drug]))
        }
        channels = tuple([infusion_of[drug] for drug in given] + [dose_of[drug] for drug in given if drug in dose_of])
        key = ("weighted", tuple(given.items()), bridge, view.value("weight")[:3])

        def changed(since: int) -> int:
            rates = (drug for drug in given if drug not in BY_AMOUNT)
            return min((view.read_bridged_from(drug, bridge, since) for drug in rates), default=since)

        if BY_AMOUNT & given.keys():
            known: _Weighed = view.timeline.memo(
                key, channels, _Weighed, lambda found, since: found.cut(changed(since))
            )
            return known.reach(view, bridge, given)

        def parts() -> list[tuple[float, Steps]]:
            return [(factor, view.rate(drug, bridge)) for drug, factor in given.items()]

        def extend(found: Steps, since: int) -> Steps:
            start = changed(since)
            found.rewrite(start, summed(parts(), start))
            return found

        return view.timeline.memo(key, channels, Steps, extend)

    return steps


class _Weighed:
    """A weighted sum in which amounts count, as far as it was asked for: all that was given will one day cease to."""

    __slots__ = ("_steps", "_until")

    def __init__(self) -> None:
        self._steps = Steps(())
        self._until = -FOREVER
        """The steps before this instant are known."""

    def cut(self, since: int) -> _Weighed:
        """From an instant on it is another."""
        if since < self._until:
            self._until = since
            self._steps.rewrite(since, ())
        return self

    def reach(self, view: View, bridge: int, given: Mapping[str, float]) -> Steps:
        """The steps, up to the next one after the present instant at least."""
        while self._until < FOREVER and self._steps.next_step(view.at) is None:
            self._go_on(view, bridge, given)
        return self._steps

    def _go_on(self, view: View, bridge: int, given: Mapping[str, float]) -> None:
        since = self._until
        counted = {drug: amounts(view, drug) for drug in given if drug in BY_AMOUNT}
        reached = max(view.at, since - TICK)
        end = earliest(*(amount.next_change(reached) for amount in counted.values()))
        parts = [
            (factor, counted[drug].between(since, end) if drug in counted else view.rate(drug, bridge).steps)
            for drug, factor in given.items()
        ]
        new = added(parts, since)
        self._steps.rewrite(since, new if end is None else takewhile(lambda step: step.at <= end, new))
        self._until = FOREVER if end is None else end + TICK


def amounts(view: View, drug: str) -> Amounts:
    """What was given of a drug in the last while, in its dose unit; an infusion (per hour) counts once delivered."""
    rate = view.rate(drug)

    def extend(found: Portions, since: int) -> Portions:
        found.cut(since)
        for step, after in pairwise(rate.steps[max(rate.index(since) - 1, 0) :]):
            if step.high < inf:
                hours = (after.at - step.at) / HOUR
                found.add(after.at, Value(step.low * hours, step.high * hours))
        return found

    weight = view.value("weight")
    key, channels = ("run", drug, weight[:3]), (f"infusion:{drug}",)
    run = view.timeline.memo(key, channels, Portions, extend)
    return Amounts(given_of(view, drug, weight), run)


class Amounts(NamedTuple):
    """What was given in the last while, at any instant: the doses, and what infusions delivered."""

    doses: Portions
    run: Portions

    def next_change(self, after: int) -> int | None:
        """When a portion is next given, or ceases to count."""
        return earliest(self.doses.next_change(after, _LASTS), self.run.next_change(after, _LASTS))

    def between(self, since: int, end: int | None) -> list[Step]:
        """The steps from one instant to another, after the one with which the first is reached."""
        at: int | None = since - TICK
        found = []
        while at is not None and (end is None or at <= end):
            found.append(self._step(at))
            at = self.next_change(at)
        return found

    def _step(self, at: int) -> Step:
        doses, run = self.doses.sum(at, _LASTS), self.run.sum(at, _LASTS)
        return Step(at, *bounds(doses, run), tuple(dict.fromkeys(self.doses.missing(at, _LASTS))))


def requirement(weights: Mapping[str, float]) -> Callable[[View, int], Steps]:
    """Steps of the norepinephrine requirement: equivalents, or norepinephrine alone where the site says so."""
    equivalents, alone = weighted(weights), weighted(ALONE)

    def steps(view: View, bridge: int) -> Steps:
        return (alone if view.settings.rss_basis == "ne_only" else equivalents)(view, bridge)

    return steps


def _now(name: str, steps: Callable[[View, int], Steps], unit: str) -> Callable[[View], Value]:
    def value(view: View) -> Value:
        function = steps(view, 0)
        found = function.value(view.at)
        view.note(function.next_step(view.at))
        return found._replace(findings=(Finding(name, found.text(unit), function.since(view.at)),))

    return value


def _vasoactive_inotropic_score(view: View) -> Value:
    base = weighted(VASOACTIVE_INOTROPIC_SCORE)(view, 0).value(view.at)
    vasopressin, weight = view.rate("vasopressin").value(view.at), view.value("weight")
    if not vasopressin.high:
        return base
    if weight.high == inf:
        return Value(base.low, inf, (*base.missing, "weight"))
    low, high = (10_000 * bound for bound in divided(vasopressin, weight))
    low, high = base.low + low, base.high + high
    missing = (*base.missing, *vasopressin.missing, *weight.missing)
    return Value(low, high, missing, (Finding("vis", number(low)),))


def _stepwise(
    name: str, title: str, unit: str, source: str, weights: Mapping[str, float], steps: Callable[[View, int], Steps]
) -> Quantity:
    doses = (f"dose:{drug}" for drug in weights if drug in BY_AMOUNT)
    reads = (*(f"infusion:{drug}" for drug in weights), *doses, "signal:weight")
    short = "NE" if weights is ALONE else "NEE" if "vasopressin" in weights else None
    known_as = name.replace("requirement_", "nee_") if name.startswith("requirement_") else None
    return Quantity(name, title, unit, source, reads, _now(name, steps, unit), steps, short=short, stands_for=known_as)


VASOACTIVE: Final = (
    _stepwise(
        "norepinephrine_dose",
        "norepinephrine (base)",
        "ug/kg/min",
        "dose of base, as the Surviving Sepsis Campaign 2021 and US labels mean it (source read)",
        ALONE,
        weighted(ALONE),
    ),
    _stepwise(
        "epinephrine_dose", "epinephrine", "ug/kg/min", "the rate charted or pumped", EPINEPHRINE, weighted(EPINEPHRINE)
    ),
    _stepwise(
        "nee_kotani",
        "norepinephrine equivalents (Kotani 2023)",
        "ug/kg/min",
        "Kotani, Crit Care 2023;27:29 (secondary source only)",
        KOTANI_2023,
        weighted(KOTANI_2023),
    ),
    _stepwise(
        "nee_goradia",
        "norepinephrine equivalents (Goradia 2021)",
        "ug/kg/min",
        "Goradia, J Crit Care 2021;61:233, as coded in mimic-code (read there)",
        GORADIA_2021,
        weighted(GORADIA_2021),
    ),
    _stepwise(
        "requirement_kotani",
        "norepinephrine requirement (Kotani 2023, or norepinephrine alone by site setting)",
        "ug/kg/min",
        "Leone, Crit Care Med 2026;54(5):1073; Kotani 2023 (secondary sources only)",
        KOTANI_2023,
        requirement(KOTANI_2023),
    ),
    _stepwise(
        "requirement_goradia",
        "norepinephrine requirement (Goradia 2021, or norepinephrine alone by site setting)",
        "ug/kg/min",
        "Leone, Crit Care Med 2026;54(5):1073 (secondary source only); Goradia 2021, as coded in mimic-code",
        GORADIA_2021,
        requirement(GORADIA_2021),
    ),
    _stepwise(
        "inotrope_score",
        "inotrope score",
        "ug/kg/min",
        "Brechot, Lancet 2020;396:545; weights not checked against it",
        INOTROPE_SCORE,
        weighted(INOTROPE_SCORE),
    ),
    Quantity(
        "vasoactive_inotropic_score",
        "vasoactive-inotropic score",
        "{score}",
        "general clinical knowledge, not checked against a source",
        (*(f"infusion:{drug}" for drug in VASOACTIVE_INOTROPIC_SCORE), "infusion:vasopressin", "signal:weight"),
        _vasoactive_inotropic_score,
    ),
)
