"""The bundled catalogues keep their promises, and a wrong catalogue is refused with file and entry."""

import math
import re
from datetime import timedelta
from importlib import resources

import pytest

from rules.catalogue import (
    Catalogue,
    CatalogueError,
    Concept,
    Drug,
    Signal,
    UnknownCodeError,
    build,
    check_digit_holds,
    load,
    parse,
)
from rules.values import widened

CATALOGUE = load()
SIGNALS = pytest.mark.parametrize("signal", CATALOGUE.signals, ids=lambda entry: entry.name)
DRUGS = pytest.mark.parametrize("drug", CATALOGUE.drugs, ids=lambda entry: entry.name)

SIGNAL = """
  - name: {name}
    title: A signal
    group: laboratory
    loinc: [{{code: "{code}", tag: K}}]
    unit: "mmol/L"
    plausible: {plausible}
    max_age: {age}
    dense: false
    tag: {tag}
"""


def signal_file(
    *, name: str = "lactate", code: str = "2518-9", plausible: str = "[0.1, 30]", age: str = "PT4H", tag: str = "K"
) -> str:
    return SIGNAL.format(name=name, code=code, plausible=plausible, age=age, tag=tag)


def test_it_is_loaded_once() -> None:
    assert load() is CATALOGUE


def test_signals_of_every_section_are_there() -> None:
    for name in [
        "heart_rate",
        "map_invasive",
        "map_noninvasive",
        "systolic_invasive",
        "diastolic_invasive",
        "systolic_noninvasive",
        "diastolic_noninvasive",
        "cvp",
        "respiratory_rate",
        "temperature",
        "core_temperature",
        "spo2",
        "gcs",
        "urine_output",
        "weight",
        "height",
        "sodium",
        "potassium",
        "ionised_calcium",
        "glucose",
        "creatinine",
        "bilirubin",
        "platelets",
        "haemoglobin",
        "white_cells",
        "inr",
        "fibrinogen",
        "lipase",
        "triglycerides",
        "creatine_kinase",
        "ammonia",
        "lactate",
        "capillary_refill",
        "lvef",
        "cardiac_index",
        "procalcitonin",
        "crp",
        "pao2",
        "paco2",
        "ph",
        "bicarbonate",
        "base_excess",
        "fio2",
        "oxygen_flow",
        "peep",
        "tidal_volume",
        "plateau_pressure",
        "driving_pressure",
        "respiratory_rate_set",
        "perfusion_index",
        "pleth_rate",
        "eeg_seizure_burden",
        "eeg_longest_run",
        "burst_suppression",
        "bis",
        "beta_hydroxybutyrate",
        "urine_ketones",
        "phenytoin_total",
        "phenytoin_free",
        "valproate_level",
        "levetiracetam_level",
        "etco2",
        "cpr_rate",
        "cpr_depth",
        "cpr_fraction",
        "sao2",
        "albumin",
    ]:
        assert CATALOGUE.signal(name).name == name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("8867-4", "heart_rate"),
        ("2518-9", "lactate"),
        ("2519-7", "lactate"),
        ("32693-4", "lactate"),
        ("2524-7", "lactate"),
        ("2345-7", "glucose"),
        ("41653-7", "glucose"),
        ("59408-5", "spo2"),
        ("2708-6", "spo2"),
        ("149772", "cardiac_index"),
    ],
)
def test_codes_lead_to_signals(code: str, name: str) -> None:
    assert CATALOGUE.signal(code).name == name


def test_a_code_may_say_more_than_the_signal() -> None:
    lactate = CATALOGUE.signal("lactate")
    assert [lactate.code(code).specimen for code in ("2518-9", "2519-7", "32693-4")] == ["arterial", "venous", None]
    assert CATALOGUE.signal("peep").code("20077-4").method == "set"
    with pytest.raises(UnknownCodeError, match="2019-8"):
        lactate.code("2019-8")


def test_only_the_two_codes_that_the_dossier_names_fail_their_check_digit() -> None:
    codes = [code for signal in CATALOGUE.signals for code in signal.loinc]
    failing = {code.code for code in codes if not check_digit_holds(code.code)}
    assert failing == {"3150-6", "53060-9"}
    assert all(code.verify for code in codes if code.code in failing)
    assert all(check_digit_holds(concept.loinc.code) for concept in CATALOGUE.concepts if concept.loinc)


def test_check_digit() -> None:
    assert check_digit_holds("8867-4")
    assert not check_digit_holds("8867-5")


def test_a_signal_is_superseded_by_one_of_the_same_unit() -> None:
    signals = {signal.name: signal for signal in load().signals}
    superseded = {signal.name: signal.superseded_by for signal in signals.values() if signal.superseded_by is not None}
    assert superseded == {"map_noninvasive": "map_invasive"}
    assert all(signals[name].unit == signals[better].unit for name, better in superseded.items())


def test_no_code_or_name_is_used_twice() -> None:
    loinc = [code.code for signal in CATALOGUE.signals for code in signal.loinc]
    loinc += [concept.loinc.code for concept in CATALOGUE.concepts if concept.loinc]
    atc = [code for drug in CATALOGUE.drugs for code in drug.atc]
    rxnorm = [code.code for drug in CATALOGUE.drugs for code in drug.rxnorm]
    snomed = [concept.snomed.code for concept in CATALOGUE.concepts if concept.snomed]
    drug_names = [name for drug in CATALOGUE.drugs for name in (drug.name, *drug.aliases)]
    for values in (loinc, atc, rxnorm, snomed, drug_names):
        assert sorted(values) == sorted(set(values))
    for entries in (CATALOGUE.signals, CATALOGUE.drugs, CATALOGUE.concepts):
        names = [entry.name for entry in entries]
        assert sorted(names) == sorted(set(names))


@SIGNALS
def test_plausible_ranges_are_ordered_and_inclusive(signal: Signal) -> None:
    low, high = signal.plausible
    assert low < high
    for limit in (low, high):
        assert signal.is_plausible(limit) == math.isfinite(limit)
    assert not signal.is_plausible(math.nan)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("heart_rate", (20, 300)),
        ("map_invasive", (20, 220)),
        ("cvp", (-5, 40)),
        ("sodium", (100, 180)),
        ("potassium", (1.5, 10)),
        ("lactate", (0.1, 30)),
        ("ph", (6.6, 7.9)),
        ("fio2", (0.21, 1.0)),
        ("tidal_volume", (50, 1500)),
        ("etco2", (0, 120)),
        ("creatinine", (0, math.inf)),
    ],
)
def test_plausible_ranges_of_the_dossier(name: str, limits: tuple[float, float]) -> None:
    assert CATALOGUE.signal(name).plausible == limits


def test_ages_depend_on_how_and_when() -> None:
    heart_rate, potassium = CATALOGUE.signal("heart_rate"), CATALOGUE.signal("potassium")
    assert heart_rate.age_limit() == timedelta(minutes=2)
    assert heart_rate.age_limit(charted=True) == timedelta(hours=1)
    assert potassium.age_limit(charted=True) == timedelta(hours=24)
    assert potassium.age_limit(when="arrest") == timedelta(minutes=20)
    assert potassium.age_limit(when="ketogenic_diet") == timedelta(hours=6)
    assert CATALOGUE.signal("weight").age_limit(when="fluid_shift") == timedelta(hours=72)
    assert CATALOGUE.signal("height").age_limit() is None


def test_bedside_signals_are_dense_and_charted_ones_are_not() -> None:
    dense = {signal.name for signal in CATALOGUE.signals if signal.dense}
    assert {"heart_rate", "map_invasive", "spo2", "respiratory_rate", "etco2", "cvp", "eeg_seizure_burden"} <= dense
    assert not dense & {"map_noninvasive", "systolic_noninvasive", "lactate", "fio2", "gcs", "plateau_pressure"}
    assert all(signal.max_age is not None for signal in CATALOGUE.signals if signal.dense)


def test_a_doubtful_code_says_so() -> None:
    assert CATALOGUE.concept("goals_of_care").values == ("full", "no_escalation", "dnr", "comfort", "unknown")
    texts = [
        resources.files("rules.catalogue").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        for name in ("signals", "drugs", "concepts")
    ]
    assert sum(len(re.findall(r'tag: "K\?"', text)) for text in texts) <= sum(
        text.count("verify: true") for text in texts
    )


@pytest.mark.parametrize("key", ["norepinephrine", "noradrenaline", "C01CA03", "7512"])
def test_a_drug_is_found_by_any_of_its_names(key: str) -> None:
    assert CATALOGUE.drug(key).name == "norepinephrine"


@pytest.mark.parametrize(
    ("rxnorm", "name"), [("3628", "dopamine"), ("3616", "dobutamine"), ("6960", "midazolam"), ("8163", "phenylephrine")]
)
def test_codes_that_public_tables_confuse(rxnorm: str, name: str) -> None:
    assert CATALOGUE.drug(rxnorm).name == name


def test_norepinephrine_salts() -> None:
    norepinephrine = CATALOGUE.drug("norepinephrine")
    assert norepinephrine.salts == {"base": 1.0, "tartrate": 0.5, "bitartrate": 0.5}
    assert norepinephrine.salt_factor("tartrate") == 0.5
    assert norepinephrine.max_plausible_rate == 5
    with pytest.raises(UnknownCodeError, match="unknown salt of norepinephrine 'bitartarate'; did you mean bitartrate"):
        norepinephrine.salt_factor("bitartarate")


def test_every_drug_that_can_be_infused_has_a_plausible_maximum_rate() -> None:
    assert [drug.name for drug in CATALOGUE.drugs if drug.rate_unit and not drug.max_plausible_rate] == []


def test_plausibility_allows_for_the_last_digit_of_a_conversion() -> None:
    low, high = widened(*CATALOGUE.signal("fio2").plausible)
    assert low <= 0.209999
    assert not low <= 0.2099
    assert not high >= 1.0001


def test_steroid_equivalence() -> None:
    factors = {drug.name: drug.hydrocortisone_equivalent_mg for drug in CATALOGUE.drugs_of_class("corticosteroid")}
    assert factors == {
        "hydrocortisone": 1,
        "prednisolone": 4,
        "prednisone": 4,
        "methylprednisolone": 5,
        "dexamethasone": pytest.approx(26.67, abs=0.01),
    }


@DRUGS
def test_classes_imply_their_parents(drug: Drug) -> None:
    parents = {
        "carbapenem": "beta_lactam",
        "cephalosporin": "beta_lactam",
        "penicillin": "beta_lactam",
        "monobactam": "beta_lactam",
        "beta_lactam": "antibacterial",
        "antibacterial": "antimicrobial",
        "antifungal": "antimicrobial",
        "antiviral": "antimicrobial",
        "antimycobacterial": "antimicrobial",
    }
    for child, parent in parents.items():
        assert child not in drug.classes or parent in drug.classes


@DRUGS
def test_every_drug_has_a_unit_and_a_code(drug: Drug) -> None:
    assert drug.rate_unit or drug.dose_unit
    assert drug.atc or drug.note


def test_drugs_of_class() -> None:
    assert {"meropenem", "imipenem", "ertapenem"} <= {drug.name for drug in CATALOGUE.drugs_of_class("carbapenem")}
    with pytest.raises(UnknownCodeError, match="did you mean carbapenem"):
        CATALOGUE.drugs_of_class("carbapenems")


@pytest.mark.parametrize("code", ["12345-5", "C01CA99", "laktat", "", "Lactate"])
def test_unknown_codes_are_named(code: str) -> None:
    for kind, look_up in (("signal", CATALOGUE.signal), ("drug", CATALOGUE.drug), ("concept", CATALOGUE.concept)):
        with pytest.raises(UnknownCodeError, match=re.escape(f"unknown {kind} {code!r}")) as raised:
            look_up(code)
        assert (raised.value.kind, raised.value.code) == (kind, code)


def test_close_names_are_offered() -> None:
    with pytest.raises(UnknownCodeError, match="did you mean lactate") as raised:
        CATALOGUE.signal("laktate")
    assert raised.value.close == ("lactate",)


def test_concepts() -> None:
    assert CATALOGUE.concept("tamponade").values == ("present", "absent", "unknown")
    assert CATALOGUE.concept("1240000").name == "prone"
    assert CATALOGUE.concept("echo").values == ("done",)
    for name in [
        "suspected_infection",
        "source_needs_control",
        "fluid_responsive",
        "fluid_withheld_documented",
        "arterial_line_damped",
        "transducer_levelled",
        "allergy_vasopressin",
        "allergy_chlorobutanol",
        "allergy_hydrocortisone",
        "ecmo_va",
        "ecmo_vv",
        "ketogenic_diet",
        "renal_replacement",
        "source_control",
        "culture_taken",
        "intubated",
        "intracranial_haemorrhage",
    ]:
        assert CATALOGUE.concept(name).name == name


def parsed(text: str) -> tuple[Signal, ...]:
    return parse("signals.yaml", f"signals:{text}", Signal)


def test_a_good_file_is_read() -> None:
    (signal,) = parsed(signal_file(plausible="[null, 30]"))
    assert signal.plausible == (-math.inf, 30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (signal_file(plausible="[30, 0.1]"), r"signals.yaml: entry 1 \(lactate\): .*30.0 is not below 0.1"),
        (signal_file(plausible="[1]"), r"entry 1 \(lactate\): plausible"),
        (signal_file(code="2518-8"), r"entry 1 \(lactate\): loinc.0: .*2518-8 fails its check digit"),
        (signal_file(age="4 h"), r"entry 1 \(lactate\): max_age: .*not an ISO 8601 duration"),
        (signal_file(age="PT0S"), r"entry 1 \(lactate\): max_age: .*longer than zero"),
        (signal_file(tag="guess"), r"entry 1 \(lactate\): tag"),
        (signal_file(tag='"K?"'), r"entry 1 \(lactate\): .*needs verify: true"),
        (signal_file(name="Lactate"), r"entry 1 \(Lactate\): name"),
        (signal_file() + "    colour: red\n", r"entry 1 \(lactate\): colour"),
        ("\n  - 17\n", r"entry 1 \(17\)"),
    ],
)
def test_a_wrong_entry_is_named(text: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        parsed(text)


@pytest.mark.parametrize("text", ["signals: {", "drugs: []", "signals: 3", "[]", ""])
def test_a_wrong_file_is_named(text: str) -> None:
    with pytest.raises(CatalogueError, match=r"^signals\.yaml: "):
        parse("signals.yaml", text, Signal)


def test_two_entries_cannot_share_a_code() -> None:
    signals = parsed(signal_file() + signal_file(name="other"))
    with pytest.raises(CatalogueError, match=r"signals.yaml: other: 2518-9 already belongs to lactate"):
        build(signals, (), ())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: x, title: X, max_plausible_rate: 5, tag: K}", "max_plausible_rate needs a rate_unit"),
        ("{name: x, title: X, salts: {base: 1}, tag: K}", "salts and salts_tag belong together"),
        ("{name: x, title: X, classes: [magic], tag: K}", "classes.0"),
        ("{name: x, title: X, atc: [C01], tag: K}", "atc.0"),
        ("{name: x, title: X, aliases: [y, y], tag: K}", "aliases: a value is listed twice"),
        ("{name: x, title: X, hydrocortisone_20_mg_equals: 5, tag: K}", "needs dose_unit mg"),
    ],
)
def test_a_wrong_drug_is_named(entry: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=rf"drugs.yaml: entry 1 \(x\): .*{re.escape(message)}"):
        parse("drugs.yaml", f"drugs:\n  - {entry}\n", Drug)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: x, title: X, group: echo, kind: coded, values: [a, b], tag: K}", "contain unknown"),
        ("{name: x, title: X, group: echo, values: [a, unknown], tag: K}", "has no values of its own"),
        ('{name: x, title: X, group: echo, snomed: {code: "12", tag: K}, tag: K}', "not a SNOMED CT identifier"),
    ],
)
def test_a_wrong_concept_is_named(entry: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=rf"concepts.yaml: entry 1 \(x\): .*{re.escape(message)}"):
        parse("concepts.yaml", f"concepts:\n  - {entry}\n", Concept)


def test_an_empty_catalogue_knows_nothing() -> None:
    empty: Catalogue = build((), (), ())
    with pytest.raises(UnknownCodeError, match=r"unknown drug 'norepinephrine'$"):
        empty.drug("norepinephrine")
