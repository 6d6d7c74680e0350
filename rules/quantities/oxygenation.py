"""Oxygenation: PaO2/FiO2 with the inspired fraction in force when the sample was drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rules.facts import Sample
from rules.instants import TICK
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.timeline import Fact
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def arterial(sample: Sample) -> bool:
    """Whether a sample may be arterial: of one that says from where it was drawn, nothing else counts."""
    return sample.specimen in (None, "arterial")


def fraction_with(view: View, gas: Fact) -> float | None:
    """The inspired fraction that was reported with a gas: in the same message, or of the same specimen."""
    for fact in reversed(view.timeline.upto("signal:fio2", gas.at)):
        if fact.at < gas.at:
            break
        reported = fact.event == gas.event or fact.value.specimen is not None or fact.value.method == "laboratory"
        if reported and fact.value.readable:
            fraction: float = fact.value.value
            return fraction
    return None


def fraction_in_force(view: View, at: int) -> Fact | None:
    """The newest inspired fraction at an instant, None if it is too old for how it was obtained, or not readable."""
    setting = view.timeline.latest("signal:fio2", at)
    if setting is None or not setting.value.readable:
        return None
    limit = view.max_age("fio2", setting.value.method)
    return None if limit is not None and at - setting.at > limit else setting


def pf_ratio_of(view: View, gas: Fact) -> float | None:
    """PaO2/FiO2 in mmHg of one gas, or None if it is not arterial or where no usable FiO2 was in force."""
    sample: Sample = gas.value
    if not arterial(sample):
        return None
    fraction = fraction_with(view, gas)
    if fraction is None:
        setting = fraction_in_force(view, gas.at)
        if setting is None:
            return None
        fraction = setting.value.value
    return sample.value / fraction


def _pf_ratio(view: View) -> Value:
    gases = [fact for fact in view.timeline.upto("signal:pao2", view.at) if arterial(fact.value)]
    if not gases:
        return unknown("pao2")
    gas = gases[-1]
    limit = view.max_age("pao2")
    if limit is not None:
        if view.at - gas.at > limit:
            return unknown("pao2")
        view.note(gas.at + limit + TICK)
    ratio = pf_ratio_of(view, gas)
    if ratio is None:
        return unknown("fio2")
    return exact(ratio, Finding("pf_ratio", f"{number(round(ratio, 1))} mm[Hg]", gas.at, gas.event))


OXYGENATION: Final = (
    Quantity(
        "pf_ratio",
        "PaO2/FiO2",
        "mm[Hg]",
        "Berlin definition of ARDS (source read)",
        ("signal:pao2", "signal:fio2"),
        _pf_ratio,
        looks_back=("signal:pao2",),
    ),
)
