"""Units: the traps of the clinical dossier, 6.6, what is converted and what is refused."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.catalogue import Drug, Signal, load
from rules.units import (
    Conversion,
    DoseConversion,
    RateConversion,
    UnitError,
    conversion,
    dose_conversion,
    is_ucum,
    rate_conversion,
)

CATALOGUE = load()


def canonical(name: str, value: float, unit: str) -> float:
    return conversion(CATALOGUE.signal(name), unit).apply(value)


def plausible(name: str, value: float, unit: str) -> bool:
    return CATALOGUE.signal(name).is_plausible(canonical(name, value, unit))


@pytest.mark.parametrize("signal", CATALOGUE.signals, ids=lambda entry: entry.name)
def test_every_unit_of_every_signal_converts(signal: Signal) -> None:
    assert is_ucum(signal.unit)
    assert conversion(signal, signal.unit) == Conversion(1.0)
    for accepted in signal.accepts:
        assert is_ucum(accepted.unit)
        assert conversion(signal, accepted.unit).factor > 0


@pytest.mark.parametrize("drug", CATALOGUE.drugs, ids=lambda entry: entry.name)
def test_every_canonical_unit_of_every_drug_parses(drug: Drug) -> None:
    if drug.rate_unit:
        assert is_ucum(drug.rate_unit)
        assert rate_conversion(drug, drug.rate_unit) == RateConversion(1.0)
    if drug.dose_unit:
        assert is_ucum(drug.dose_unit)
        assert dose_conversion(drug, drug.dose_unit) == DoseConversion(1.0)
        # Taken apart as well, not only recognised as the canonical text: nearly the same unit in other words.
        assert dose_conversion(drug, f"({drug.dose_unit})") == DoseConversion(1.0)
    if drug.rate_unit and not drug.rate_unit.startswith("["):
        assert rate_conversion(drug, f"({drug.rate_unit})") == RateConversion(1.0)


class TestTraps:
    def test_fio2_is_never_rescaled(self) -> None:
        assert canonical("fio2", 50, "%") == 0.5
        assert canonical("fio2", 21, "%") == 0.21
        assert plausible("fio2", 0.5, "1")
        assert plausible("fio2", 21, "%")
        assert plausible("fio2", 100, "%")
        assert not plausible("fio2", 50, "1")
        assert not plausible("fio2", 0.5, "%")

    def test_lactate_in_mg_per_dl(self) -> None:
        assert canonical("lactate", 18.02, "mg/dL") == pytest.approx(2.0)
        assert canonical("lactate", 45, "mg/dL") == pytest.approx(4.994, abs=1e-3)
        assert not plausible("lactate", 45, "mmol/L")

    def test_gas_tensions_in_kilopascal(self) -> None:
        for name in ("pao2", "paco2", "etco2"):
            assert canonical(name, 1, "kPa") == pytest.approx(7.50062, abs=1e-5)
        assert canonical("pao2", 8, "kPa") == pytest.approx(60.005, abs=1e-3)
        assert not plausible("pao2", 8, "mm[Hg]")

    def test_levels_in_micromoles(self) -> None:
        assert canonical("phenytoin_total", 15, "ug/mL") == 15
        assert canonical("phenytoin_total", 39.6, "umol/L") == pytest.approx(10)
        assert canonical("valproate_level", 346.5, "umol/L") == pytest.approx(50)

    def test_creatinine_bilirubin_and_glucose(self) -> None:
        assert canonical("creatinine", 176.8, "umol/L") == pytest.approx(2)
        assert canonical("bilirubin", 34.2, "umol/L") == pytest.approx(2)
        assert canonical("glucose", 38, "mg/dL") == pytest.approx(2.1, abs=0.02)
        assert canonical("glucose", 180, "mg/dL") == 10
        assert canonical("glucose", 1.8, "g/L") == pytest.approx(10)

    def test_vasopressin_per_hour(self) -> None:
        vasopressin = CATALOGUE.drug("vasopressin")
        assert rate_conversion(vasopressin, "U/h").apply(1.8) == 0.03
        assert rate_conversion(vasopressin, "U/min").apply(0.03) == 0.03
        with pytest.raises(UnitError, match="ug/kg/min"):
            rate_conversion(vasopressin, "ug/kg/min")

    def test_rate_without_weight(self) -> None:
        found = rate_conversion(CATALOGUE.drug("norepinephrine"), "ug/min")
        assert found == RateConversion(1.0, weight_power=-1)
        assert found.per_weight
        assert found.apply(40, weight_kg=80) == 0.5
        for weight in (None, 0.0, -80.0, math.nan):
            with pytest.raises(ValueError, match="weight"):
                found.apply(40, weight_kg=weight)

    def test_base_and_tartrate(self) -> None:
        norepinephrine = CATALOGUE.drug("norepinephrine")
        found = rate_conversion(norepinephrine, "mg/h")
        # The ends of the trigger range that the salt letter gives for 80 kg: 1.2 mg/h base and 4.8 mg/h tartrate.
        assert found.apply(1.2, weight_kg=80) * norepinephrine.salt_factor("base") == 0.25
        assert found.apply(4.8, weight_kg=80) * norepinephrine.salt_factor("tartrate") == 0.5

    def test_a_salt_inside_the_unit_is_refused(self) -> None:
        with pytest.raises(UnitError, match=r"norepinephrine: unit 'ug\{tartrate\}/kg/min' differs .* \{tartrate\}"):
            rate_conversion(CATALOGUE.drug("norepinephrine"), "ug{tartrate}/kg/min")

    def test_calcium_equivalents_have_two_charges(self) -> None:
        assert canonical("ionised_calcium", 2, "meq/L") == 1
        assert canonical("sodium", 140, "meq/L") == 140

    def test_phenytoin_equivalents_are_not_milligrams(self) -> None:
        fosphenytoin = CATALOGUE.drug("fosphenytoin")
        assert dose_conversion(fosphenytoin, "mg{PE}/kg").apply(20, weight_kg=70) == 1400
        with pytest.raises(UnitError, match=r"fosphenytoin: unit 'mg' differs from mg\{PE\}"):
            dose_conversion(fosphenytoin, "mg")


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("temperature", 98.6, "[degF]", 37.0),
        ("temperature", 310.15, "K", 37.0),
        ("heart_rate", 80, "{beats}/min", 80),
        ("heart_rate", 2, "/s", 120),
        ("platelets", 150, "10*3/uL", 150),
        ("haemoglobin", 90, "g/L", 9),
        ("fibrinogen", 200, "mg/dL", 2),
        ("weight", 176.37, "[lb_av]", 80.0),
        ("height", 1.78, "m", 178),
        ("cardiac_index", 2200, "mL/min/m2", 2.2),
        ("peep", 10, "mbar", 10.197),
        ("spo2", 0.93, "1", 93),
        ("eeg_seizure_burden", 12, "min/h", 20),
        ("lipase", 2, "ukat/L", 120),
        ("ph", 7.2, "1", 7.2),
        ("gcs", 8, "{GCS}", 8),
    ],
)
def test_units_of_the_same_kind_convert(name: str, value: float, unit: str, expected: float) -> None:
    assert canonical(name, value, unit) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("heart_rate", "ug/kg/min"),
        ("heart_rate", "mg/kg/h"),
        ("heart_rate", "bpm"),
        ("fio2", "mg/kg"),
        ("fio2", "min/h"),
        ("gcs", "%"),
        ("ph", "%"),
        ("ph", "ph"),
        ("platelets", "[IU]/L"),
        ("cardiac_index", "cm/s"),
        ("cardiac_index", "L/min"),
        ("haemoglobin", "mmol/L"),
        ("ammonia", "ug/dL"),
        ("lactate", "meq/L"),
        ("sodium", "osm/L"),
        ("lactate", "mg/dl/"),
        ("map_invasive", "mmHg"),
        ("map_invasive", "B[SPL]"),
        ("peep", "cmH2O"),
        ("temperature", "C"),
        ("weight", "lbs"),
        ("weight", "mph"),
        ("weight", ""),
        ("weight", "kg "),
        ("weight", "9+99999999"),
        ("weight", "k\ud800g"),
        ("weight", "(" * 500),
    ],
)
def test_other_units_are_refused_by_name(name: str, unit: str) -> None:
    signal = CATALOGUE.signal(name)
    with pytest.raises(UnitError) as raised:
        conversion(signal, unit)
    error = raised.value
    assert (error.subject, error.unit, error.accepted[0]) == (name, unit, signal.unit)
    assert str(error).startswith(f"{name}: unit {unit[:64]!r}"[:60])
    assert signal.unit in str(error)
    assert len(str(error)) < 250


@pytest.mark.parametrize(
    ("drug", "unit", "expected"),
    [
        ("norepinephrine", "ug.kg-1.min-1", RateConversion(1.0)),
        ("norepinephrine", "ug/min/kg", RateConversion(1.0)),
        ("norepinephrine", "mg/(kg.h)", RateConversion(1000 / 60)),
        ("angiotensin_ii", "ug/kg/min", RateConversion(1000.0)),
        ("propofol", "ug/kg/min", RateConversion(0.06)),
        ("vasopressin", "[IU]/min", RateConversion(1.0)),
        ("vasopressin", "[iU]/h", RateConversion(1 / 60)),
        ("vasopressin", "{U}/h", RateConversion(1 / 60)),
        ("vasopressin", "mU/min", RateConversion(0.001)),
        ("vasopressin", "m[IU]/min", RateConversion(0.001)),
        ("vasopressin", "U/kg/min", RateConversion(1.0, weight_power=1)),
        ("fosphenytoin", "g{PE}/min", RateConversion(1000.0)),
        ("nitric_oxide", "[ppm]", RateConversion(1.0)),
    ],
)
def test_rates(drug: str, unit: str, expected: RateConversion) -> None:
    assert rate_conversion(CATALOGUE.drug(drug), unit) == expected


def test_rate_per_weight_where_the_canonical_unit_has_none() -> None:
    found = rate_conversion(CATALOGUE.drug("vasopressin"), "U/kg/min")
    assert found.apply(0.0005, weight_kg=80) == 0.04


def test_volume_rates_need_a_concentration() -> None:
    norepinephrine = CATALOGUE.drug("norepinephrine")
    found = rate_conversion(norepinephrine, "mL/h", "mg/mL")
    assert found.uses_concentration
    # 15 mL/h of 0.16 mg/mL is 2.4 mg/h, for 80 kg 0.5 ug/kg/min.
    assert found.apply(15, weight_kg=80, concentration=0.16) == 0.5
    assert rate_conversion(norepinephrine, "mL/h", "mg/(50.mL)").factor == pytest.approx(found.factor / 50)
    with pytest.raises(ValueError, match="concentration"):
        found.apply(15, weight_kg=80)
    with pytest.raises(UnitError, match="'mL/h' is a volume and needs the unit of the concentration"):
        rate_conversion(norepinephrine, "mL/h")
    for concentration in ("mg", "mg/kg", "mL/mL", "mg/mL/h", "mcg/mL"):
        with pytest.raises(UnitError, match=f"unit '{concentration}' is not a UCUM concentration"):
            rate_conversion(norepinephrine, "mL/h", concentration)
    with pytest.raises(UnitError, match="does not measure the same as ug/kg/min"):
        rate_conversion(norepinephrine, "mL/h", "U/mL")


def test_a_concentration_is_ignored_where_the_rate_is_no_volume() -> None:
    assert rate_conversion(CATALOGUE.drug("norepinephrine"), "ug/kg/min", "nonsense") == RateConversion(1.0)
    assert rate_conversion(CATALOGUE.drug("norepinephrine"), "ng/kg/min", "nonsense") == RateConversion(0.001)


@pytest.mark.parametrize(
    ("drug", "unit"),
    [
        ("norepinephrine", "mcg/kg/min"),
        ("norepinephrine", "ug/kg"),
        ("norepinephrine", "ug"),
        ("norepinephrine", "/min"),
        ("norepinephrine", "U/min"),
        ("norepinephrine", "mmol/h"),
        ("norepinephrine", "ug/g/min"),
        ("norepinephrine", "ug/kg{PBW}/min"),
        ("norepinephrine", "ug/kg/min/m2"),
        ("norepinephrine", "ug/mL"),
        ("vasopressin", "units/hour"),
        ("vasopressin", "mg{U}/h"),
        ("sodium_bicarbonate", "meq/h"),
        ("nitric_oxide", "mg/h"),
        ("prednisone", "mg/h"),
    ],
)
def test_other_rates_are_refused_by_name(drug: str, unit: str) -> None:
    with pytest.raises(UnitError) as raised:
        rate_conversion(CATALOGUE.drug(drug), unit)
    assert str(raised.value).startswith(f"{drug}: unit {unit!r} ")


def test_doses() -> None:
    levetiracetam = CATALOGUE.drug("levetiracetam")
    assert dose_conversion(levetiracetam, "g").apply(4.2) == 4200
    assert dose_conversion(levetiracetam, "mg/kg").apply(60, weight_kg=70) == 4200
    assert dose_conversion(levetiracetam, "mL", "mg/mL").apply(42, concentration=100) == 4200
    assert dose_conversion(CATALOGUE.drug("insulin"), "[IU]") == DoseConversion(1.0)
    with pytest.raises(UnitError, match="lorazepam: unit 'mg/h' does not measure the same as mg"):
        dose_conversion(CATALOGUE.drug("lorazepam"), "mg/h")


def test_a_conversion_is_looked_up_once() -> None:
    lactate = CATALOGUE.signal("lactate")
    assert conversion(lactate, "mg/dL") is conversion(lactate, "mg/dL")


@given(st.text(max_size=80) | st.text(alphabet="mgkUL[](){}/.%0123456789*-+dBphCel'uI", max_size=20))
def test_any_text_is_a_conversion_or_a_unit_error(unit: str) -> None:
    for name in ("weight", "temperature", "fio2", "platelets"):
        try:
            found = conversion(CATALOGUE.signal(name), unit)
        except UnitError:
            continue
        assert math.isfinite(found.factor)
        assert found.factor > 0
    for drug in ("norepinephrine", "vasopressin", "fosphenytoin"):
        try:
            rate = rate_conversion(CATALOGUE.drug(drug), unit, unit)
        except UnitError:
            continue
        assert math.isfinite(rate.factor)
        assert rate.factor > 0


def test_the_parser_is_loaded_only_when_a_unit_needs_it() -> None:
    script = (
        "import sys; from rules.catalogue import load; from rules.units import conversion, rate_conversion;"
        "conversion(load().signal('lactate'), 'mg/dL'); rate_conversion(load().drug('C01CA03'), 'ug/kg/min');"
        "assert not {'pint', 'ucumvert'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
