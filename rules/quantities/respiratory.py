"""What ARDS is judged by: oxygenation of arterial samples and by saturation, plateau pressure, injurious days."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING, Final

from rules.facts import Sample
from rules.instants import DAY, MINUTE, TICK, clock_time
from rules.landmarks.ventilation import AIRWAY
from rules.logic import Finding
from rules.lookback import MEMORY
from rules.quantities.base import Quantity
from rules.quantities.oxygenation import arterial, fraction_in_force, fraction_with
from rules.quantities.sofa import SOFA_READS, components
from rules.timeline import Fact
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View

UNSTEADY: Final = "fio2_unsteady"
FRACTION: Final = "fio2_at_sample"
"""Why a ratio is not known exactly: the inspired fraction was changed shortly before the sample, or is not known."""
_WHOLE: Final = 1.0
"""No mixture holds more oxygen than pure oxygen."""
_FAILING: Final = 3
"""Points of a SOFA component from which an organ is said to fail."""


def saturation_before(view: View, gas: Fact) -> float | None:
    """What the pulse oximeter showed just before a sample; None where that is not known."""
    series, limit = view.timeline.series("signal:spo2"), view.max_age("spo2") or 0
    minute = None if series is None else series.newest_before(gas.at, limit)
    if series is not None and minute is not None:
        return series.at(minute)
    charted = view.timeline.latest("signal:spo2", gas.at)
    if charted is None or not charted.value.readable or gas.at - charted.at > limit:
        return None
    value: float = charted.value.value
    return value


def probably_venous(view: View, gas: Fact) -> bool:
    """Whether a low oxygen tension and a good saturation just before it contradict each other."""
    if not gas.value.readable or gas.value.value >= view.number("venous_pao2"):
        return False
    saturation = saturation_before(view, gas)
    return saturation is not None and saturation >= view.number("venous_spo2")


def arterial_gases(view: View) -> Iterator[Fact]:
    """The oxygen tensions of samples that are not said to be of other blood, and do not seem venous; newest first."""
    for gas in reversed(view.timeline.upto("signal:pao2", view.at)):
        if arterial(gas.value) and not probably_venous(view, gas):
            yield gas


def fractions(view: View, at: int) -> list[float]:
    """The inspired fractions in force from shortly before an instant up to it; none if the last is too old."""
    if fraction_in_force(view, at) is None:
        return []
    settings = view.timeline.upto("signal:fio2", at)
    steady = view.duration("fio2_steady_for")
    found: list[float] = [settings[-1].value.value]
    for later, earlier in zip(reversed(settings), reversed(settings[:-1]), strict=False):
        if at - later.at >= steady:
            break
        if not earlier.value.readable:
            return []
        found.append(earlier.value.value)
    return list(dict.fromkeys(found))


def _pf(view: View) -> Value:
    """The ratio of the newest arterial sample.

    Where the inspired fraction was changed shortly before, the ratio lies between those of the settings. Where it is
    not known, only the least that it can be is given: so it never shows a failure, but it can refute one.
    """
    gas = next(arterial_gases(view), None)
    if gas is None:
        return unknown("pao2")
    limit = view.max_age("pao2")
    if limit is not None:
        if view.at - gas.at > limit:
            return unknown(f"pao2 (last {clock_time(gas.at)})")
        view.note(gas.at + limit + TICK)
    if not gas.value.readable:
        return unknown(f"pao2 (not readable {clock_time(gas.at)})")
    reported = fraction_with(view, gas)
    inspired = fractions(view, gas.at) if reported is None else [reported]
    least = round(gas.value.value / max(inspired, default=_WHOLE), 6)
    if len(inspired) == 1:
        text = f"{number(round(least, 1))} mm[Hg] (PaO2 {number(gas.value.value)} on FiO2 {number(inspired[0])})"
        return exact(least, Finding("pf_steady", text, gas.at, gas.event))
    why = UNSTEADY if inspired else FRACTION
    reason = "FiO2 changed shortly before" if inspired else "FiO2 not known"
    most = round(gas.value.value / min(inspired), 6) if inspired else inf
    shown = Value(round(least, 1), round(most, 1) if inspired else inf).text("mm[Hg]")
    text = f"{shown} (PaO2 {number(gas.value.value)}, {reason})"
    return Value(least, most, (why,), (Finding("pf_steady", text, gas.at, gas.event),))


def _fraction_of_sample(view: View) -> Value:
    """The inspired fraction of a sample drawn now: reported with it, or a range where it was changed shortly before."""
    drawn = (view.timeline.latest(f"signal:{name}", view.at) for name in ("pao2", "ph"))
    gases = (fact for fact in drawn if fact is not None and fact.at == view.at)
    reported = next((found for fact in gases if (found := fraction_with(view, fact)) is not None), None)
    inspired = fractions(view, view.at) if reported is None else [reported]
    if not inspired:
        return unknown(FRACTION)
    least, most = min(inspired), max(inspired)
    missing = () if least == most else (UNSTEADY,)
    return Value(least, most, missing, (Finding("fio2_of_sample", Value(least, most).text("1"), view.at),))


def _pf_instants(view: View) -> list[int]:
    return sorted({gas.at for gas in arterial_gases(view)})


def _pf_berlin(view: View) -> Value:
    """The ratio as the Berlin definition reads it: at high altitude, times barometric pressure over that at sea."""
    ratio = view.value("pf_steady")
    pressure = view.value("barometric_pressure")
    if not pressure.known or pressure.low >= view.number("barometric_high_altitude"):
        return ratio
    factor = pressure.low / view.number("barometric_sea_level")
    found = ratio._replace(low=round(ratio.low * factor, 6), high=round(ratio.high * factor, 6))
    if not found.known:
        return found
    text = f"{number(round(found.low, 1))} mm[Hg], corrected for altitude"
    return found._replace(findings=(Finding("pf_berlin", text, ratio.findings[0].at, ratio.findings[0].event),))


def _sf(view: View) -> Value:
    """SpO2/FiO2 now; above the ceiling the saturation says nothing of it, and a blood gas is needed."""
    saturation, fraction = view.value("spo2"), view.value("fio2")
    if not saturation.known or not fraction.known:
        return unknown(*saturation.missing, *fraction.missing)
    if saturation.low > view.number("spo2_ceiling"):
        return unknown("pao2")
    ratio = round(saturation.low / fraction.low, 6)
    text = f"{number(round(ratio, 1))} (SpO2 {number(saturation.low)} % on FiO2 {number(fraction.low)})"
    return exact(ratio, Finding("sf_ratio", text, saturation.findings[0].at))


def _arterial(view: View, name: str) -> list[Fact]:
    rejected = {gas.at for gas in view.timeline.upto("signal:pao2", view.at)} - set(_pf_instants(view))
    facts = view.timeline.upto(f"signal:{name}", view.at)
    return [fact for fact in facts if arterial(fact.value) and fact.at not in rejected]


def _latest_arterial(view: View, name: str) -> Value:
    facts = _arterial(view, name)
    limit = view.max_age(name)
    if not facts:
        return unknown(name)
    if limit is not None:
        if view.at - facts[-1].at > limit:
            return unknown(f"{name} (last {clock_time(facts[-1].at)})")
        view.note(facts[-1].at + limit + TICK)
    if not facts[-1].value.readable:
        return unknown(f"{name} (not readable {clock_time(facts[-1].at)})")
    finding = view.found(name, facts[-1].value.value, facts[-1])
    return exact(facts[-1].value.value, finding._replace(measure=f"arterial_{name}"))


def _arterial_ph(view: View) -> Value:
    return _latest_arterial(view, "ph")


def _arterial_paco2(view: View) -> Value:
    return _latest_arterial(view, "paco2")


def _ph_instants(view: View) -> list[int]:
    return list(dict.fromkeys(fact.at for fact in _arterial(view, "ph")))


def _paco2_instants(view: View) -> list[int]:
    return list(dict.fromkeys(fact.at for fact in _arterial(view, "paco2")))


def _plateau(view: View) -> Value:
    """The plateau pressure where it can be trusted: measured in a passive patient, without a leak.

    Breathing efforts make it look lower than it is, so of one whose patient nobody called passive only the least is
    known.
    """
    measured = view.value("plateau_pressure")
    if not measured.known:
        return measured
    found = measured.findings[0]
    at = view.at if found.at is None else found.at
    shown = (found._replace(measure="valid_plateau"),)
    if _coded_at(view, "ventilator_leak", at) == "present":
        return Value(-inf, inf, ("plateau_pressure",), (shown[0]._replace(text=f"{found.text} with a leak"),))
    passive = _coded_at(view, "passive_patient", at)
    if passive == "present" or _paralysed(view, at):
        return measured._replace(findings=shown)
    if passive == "absent":
        return Value(-inf, inf, ("plateau_pressure",), (shown[0]._replace(text=f"{found.text}, patient not passive"),))
    return Value(measured.low, inf, ("passive_patient",), shown)


def _coded_at(view: View, concept: str, at: int) -> str | None:
    fact = view.timeline.latest(f"state:{concept}", at)
    return None if fact is None else fact.value.value


def _paralysed(view: View, at: int) -> bool:
    return any(
        view.timeline.facts(f"infusion:{name}") and view.rate(name).value(at).low > 0 for name in view.drugs("nmba")
    )


def _when(value: Value) -> int | None:
    return value.findings[0].at if value.known else None


def _driving_pressure(view: View) -> Value:
    """As measured; of a plateau pressure measured later, what it lies above the PEEP of that minute."""
    measured, plateau = view.value("driving_pressure"), view.value("plateau_pressure")
    at, said = _when(plateau), _when(measured)
    if at is None:
        return measured if measured.known else plateau
    if said is not None and said >= at:
        return measured
    view.note(at + MINUTE)
    peep = (view if view.at < at + MINUTE else view.past(at + MINUTE)).value("peep")
    if not peep.known:
        return unknown(*peep.missing)
    pressure = round(plateau.low - peep.low, 6)
    return exact(pressure, Finding("driving_pressure_now", f"{number(pressure)} cm[H2O]", at))


def _injurious_days(view: View) -> Value:
    """Days since intubation on which a high plateau pressure was measured while much oxygen was given."""
    began, missing, _ = view.mark("intubation")
    if began is None:
        return unknown(*missing, low=0.0) if missing else exact(0.0)
    days = set()
    for fact in view.timeline.upto("signal:plateau_pressure", view.at):
        pressure: Sample = fact.value
        inspired = fraction_in_force(view, fact.at)
        if fact.at < began or inspired is None:
            continue
        if pressure.value > view.number("pplat_limit") and inspired.value.value > view.number("injurious_fio2"):
            days.add((fact.at - began) // DAY)
    count = float(len(days))
    ventilated = number(round((view.at - began) / DAY, 1))
    view.note(began + MEMORY + TICK)
    high = count if view.at - began <= MEMORY else inf
    missing = () if high < inf else ("earlier ventilator settings",)
    text = f"{'at least ' if missing else ''}{number(count)} d of {ventilated} d"
    return Value(count, high, missing, (Finding("injurious_days", text),))


def _organ_failures(view: View) -> Value:
    """Failing organs besides the lung, as bounds: of an organ that nobody measured it is not known."""
    others = components(view)[1:]
    low = float(sum(least >= _FAILING for least, _ in others))
    high = float(sum(most >= _FAILING for _, most in others))
    text = number(low) if low == high else f"{number(low)} to {number(high)}"
    missing = () if low == high else ("organ scores",)
    return Value(low, high, missing, (Finding("organ_failures", text, view.at),))


_GAS: Final = ("signal:pao2", "signal:fio2", "signal:spo2")
_GAS_NUMBERS: Final = ("venous_pao2", "venous_spo2", "fio2_steady_for")
_OF_A_GAS: Final = ("signal:pao2",)
"""Settings and saturation are read as they were when the sample was drawn."""
_NMBA: Final = ("rocuronium", "cisatracurium", "vecuronium", "atracurium", "pancuronium", "suxamethonium")

RESPIRATORY: Final = (
    Quantity(
        "pf_steady",
        "PaO2/FiO2 of an arterial sample",
        "mm[Hg]",
        "Berlin definition (source read); FiO2 unchanged for 15 min before the sample (local setting)",
        _GAS,
        _pf,
        parameters=_GAS_NUMBERS,
        looks_back=_OF_A_GAS,
        samples=_pf_instants,
    ),
    Quantity(
        "fio2_of_sample",
        "FiO2 of a blood gas",
        "1",
        "EOLIA, ventilator conditions (source read); FiO2 unchanged for 15 min before the sample (local setting)",
        ("signal:pao2", "signal:ph", "signal:fio2"),
        _fraction_of_sample,
        parameters=("fio2_steady_for",),
    ),
    Quantity(
        "pf_berlin",
        "PaO2/FiO2, corrected above 1000 m",
        "mm[Hg]",
        "Berlin definition (source read)",
        (*_GAS, "signal:barometric_pressure"),
        _pf_berlin,
        parameters=(*_GAS_NUMBERS, "barometric_high_altitude", "barometric_sea_level"),
        looks_back=_OF_A_GAS,
    ),
    Quantity(
        "sf_ratio",
        "SpO2/FiO2",
        "1",
        "Global definition of ARDS (source read); only up to a saturation of 97 %",
        ("signal:spo2", "signal:fio2"),
        _sf,
        parameters=("spo2_ceiling",),
    ),
    Quantity(
        "arterial_ph",
        "arterial pH",
        "[pH]",
        "blood gas, samples of other than arterial blood left out",
        (*_GAS, "signal:ph"),
        _arterial_ph,
        parameters=_GAS_NUMBERS[:2],
        looks_back=_OF_A_GAS,
        samples=_ph_instants,
        shown_on="ph",
    ),
    Quantity(
        "arterial_paco2",
        "PaCO2",
        "mm[Hg]",
        "blood gas, samples of other than arterial blood left out",
        (*_GAS, "signal:paco2"),
        _arterial_paco2,
        parameters=_GAS_NUMBERS[:2],
        looks_back=_OF_A_GAS,
        samples=_paco2_instants,
        shown_on="paco2",
    ),
    Quantity(
        "valid_plateau",
        "plateau pressure of a passive patient",
        "cm[H2O]",
        "DIVI quality indicators of intensive care (source read)",
        (
            "signal:plateau_pressure",
            "state:passive_patient",
            "state:ventilator_leak",
            "signal:weight",
            *(f"infusion:{name}" for name in _NMBA),
        ),
        _plateau,
        looks_back=("signal:plateau_pressure",),
        shown_on="plateau_pressure",
    ),
    Quantity(
        "driving_pressure_now",
        "driving pressure",
        "cm[H2O]",
        "as measured, or plateau pressure less the PEEP of its minute, whichever is newer",
        ("signal:driving_pressure", "signal:plateau_pressure", "signal:peep"),
        _driving_pressure,
        looks_back=("signal:plateau_pressure",),
    ),
    Quantity(
        "injurious_days",
        "days with injurious ventilator settings since intubation",
        "d",
        "ELSO adult respiratory guideline 2021 (not checked against it)",
        ("signal:plateau_pressure", "signal:fio2", *AIRWAY),
        _injurious_days,
        parameters=("pplat_limit", "injurious_fio2", "pause_tolerance"),
        looks_back=("signal:plateau_pressure",),
        episode=True,
    ),
    Quantity(
        "organ_failures",
        "failing organs besides the lung",
        "{organs}",
        "SOFA components of at least 3 points (not checked against a source)",
        SOFA_READS,
        _organ_failures,
        parameters=("map_window", "map_minutes"),
        looks_back=_OF_A_GAS,
    ),
)
