"""Vasoactive doses: norepinephrine equivalents by two authors, inotrope score, vasoactive-inotropic score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

from rules.instants import HOUR
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.steps import Step, Steps, summed, total
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
    """Steps of the weighted sum of the rates of several drugs."""
    infusion_of = {drug: f"infusion:{drug}" for drug in weights}
    dose_of = {drug: f"dose:{drug}" for drug in weights if drug in BY_AMOUNT}

    def part(view: View, drug: str, bridge: int) -> Steps:
        return amounts(view, drug) if drug in BY_AMOUNT else view.rate(drug, bridge)

    def steps(view: View, bridge: int) -> Steps:
        facts = view.timeline.facts
        given = {
            drug: factor
            for drug, factor in weights.items()
            if facts(infusion_of[drug]) or (drug in dose_of and facts(dose_of[drug]))
        }
        channels = tuple([infusion_of[drug] for drug in given] + [dose_of[drug] for drug in given if drug in dose_of])
        key = ("weighted", tuple(given.items()), bridge, view.value("weight")[:3])

        def parts() -> list[tuple[float, Steps]]:
            return [(factor, part(view, drug, bridge)) for drug, factor in given.items()]

        def extend(found: Steps, since: int) -> Steps:
            start = min(view.read_bridged_from(drug, bridge, since) for drug in given)
            found.rewrite(start, summed(parts(), start))
            return found

        by_rate = None if BY_AMOUNT & given.keys() else extend
        return view.timeline.memo(key, channels, lambda: total(parts()), by_rate)

    return steps


def amounts(view: View, drug: str) -> Steps:
    """What was given of a drug in the last while, in its dose unit; an infusion (per hour) counts once delivered."""
    doses = [fact for fact in view.timeline.facts(f"dose:{drug}") if fact.value.status == "given"]
    portions = [(fact.at, view.amount(fact.value)) for fact in doses]
    rates = view.rate(drug).steps
    for step, after in pairwise(rates):
        if step.high < inf:
            hours = (after.at - step.at) / HOUR
            portions.append((after.at, Value(step.low * hours, step.high * hours)))
    changes = sorted({at for begun, _ in portions for at in (begun, begun + _LASTS)})
    counted = ([portion for begun, portion in portions if begun <= at < begun + _LASTS] for at in changes)
    return Steps(_sum(at, found) for at, found in zip(changes, counted, strict=True))


def _sum(at: int, portions: list[Value]) -> Step:
    missing = tuple(dict.fromkeys(item for portion in portions for item in portion.missing))
    return Step(at, sum(portion.low for portion in portions), sum(portion.high for portion in portions), missing)


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
