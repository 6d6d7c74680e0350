"""Rule packs: a wrong one is refused with file, place and reason; the bundled ones are clean."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rules import catalogue
from rules.engine import PatientEngine
from rules.pack import Pack
from rules.packs import PackError, channels_read, load_packs, parse_pack
from rules.packs.faults import find_faults
from rules.quantities import QUANTITIES
from rules.settings import SiteSettings
from tests.rules.strategies import MINI_PACK, packs


def spoilt(path: str, value: Any) -> str:
    """The small pack with one thing replaced, taken out (``...``) or added."""
    raw = yaml.safe_load(MINI_PACK)
    *way, last = path.split("/")
    here: Any = raw
    for step in way:
        here = here[int(step)] if isinstance(here, list) else here[step]
    if value is ...:
        del here[last]
    elif isinstance(here, list):
        here.insert(int(last), value)
    else:
        here[last] = value
    return yaml.safe_dump(raw, sort_keys=False)


def fault(path: str, value: Any) -> str:
    with pytest.raises(PackError) as caught:
        parse_pack("ward/mini.yaml", spoilt(path, value))
    return str(caught.value)


def test_the_small_pack_itself_is_clean() -> None:
    assert parse_pack("mini.yaml", MINI_PACK).id == "mini"


@pytest.mark.parametrize("pack", packs(), ids=lambda pack: pack.id)
def test_a_bundled_pack_has_no_fault(pack: Pack) -> None:
    assert not list(find_faults(pack, catalogue.load()))


@pytest.mark.parametrize("pack", packs(), ids=lambda pack: pack.id)
def test_every_number_and_statement_of_a_bundled_pack_is_cited(pack: Pack) -> None:
    used = {parameter.source for parameter in pack.parameters.values()}
    used |= {check.source for check in pack.checks}
    used |= {cited.source for stage in pack.stages for cited in stage.sources}
    used |= {cited.source for therapy in pack.therapies for cited in therapy.evidence}
    used |= {reason.source for therapy in pack.therapies for reason in therapy.absolute + therapy.relative}
    assert used <= set(pack.sources)
    for parameter in pack.parameters.values():
        assert (parameter.strength == "D") <= (parameter.kind == "engine")


@pytest.mark.parametrize("pack", packs(), ids=lambda pack: pack.id)
def test_a_bundled_pack_has_no_number_condition_or_check_that_nothing_uses(pack: Pack) -> None:
    text = pack.model_dump_json(by_alias=True, exclude={"parameters"})
    read = {name for quantity in QUANTITIES.values() for name in quantity.parameters}
    built_in = {"decline_holds", "snooze", "pause_tolerance"}
    from rules.predicates import PREDICATES  # noqa: PLC0415 - a module or a package, whichever it is

    read |= {name for predicate in PREDICATES.values() for name in predicate.parameters}
    unused = {name for name in pack.parameters if f'"{name}"' not in text} - read - built_in
    assert not unused
    roots = [node for _, root in pack.roots() for node in root.walk()]
    named = {getattr(node, "name", None) for node in roots if getattr(node, "type", None) == "use"}
    assert set(pack.conditions) <= named


MISTAKES: list[tuple[str, Any, str, str]] = [
    # what, replaced by, place in the text, reason in the text
    ("parameters/lactate_high/source", "nowhere", "parameters.lactate_high", "unknown source 'nowhere'"),
    ("parameters/lactate_high/source", ..., "parameters.lactate_high.source", "required"),
    ("parameters/lactate_high/strength", ..., "parameters.lactate_high.strength", "required"),
    ("parameters/lactate_high/strength", "sure", "parameters.lactate_high.strength", "pattern"),
    ("parameters/lactate_high/strength", "D", "parameters.lactate_high", "design parameter"),
    ("parameters/lactate_high/unit", ..., "parameters.lactate_high", "unit"),
    ("parameters/lactate_high/unit", "mg/dL", "conditions.high", "'lactate_high' is in mg/dL, lactate is in mmol/L"),
    ("parameters/lactate_high/value", "PT1H", "parameters.lactate_high", "a duration has no unit"),
    ("parameters/lactate_high/value", ..., "parameters.lactate_high", "either 'value' or 'by_age'"),
    ("parameters/hour/value", "one hour", "parameters.hour", "ISO 8601"),
    ("parameters/hour/value", "PT", "parameters.hour", "ISO 8601"),
    ("parameters/map_target/by_age", [{"from_years": 18, "value": 65}], "parameters.map_target", "from_years 0"),
    (
        "parameters/map_target/by_age",
        [{"from_years": 0, "value": 1}, {"from_years": 0, "value": 2}],
        "parameters.map_target",
        "go up in years",
    ),
    ("parameters/snooze", ..., "parameters.snooze", "missing"),
    ("parameters/Bad Name", {}, "parameters", "pattern"),
    ("conditions/high", {"compare": {"measure": "lactate", "gt": "nothing"}}, "conditions.high", "parameter 'nothing'"),
    (
        "conditions/high",
        {"compare": {"measure": "lactate", "gt": "hour"}},
        "conditions.high",
        "'hour' is a duration, lactate needs a number in mmol/L",
    ),
    ("conditions/high", {"compare": {"measure": "lactat", "gt": "lactate_high"}}, "conditions.high", "lactat"),
    (
        "conditions/high",
        {"compare": {"measure": "2524-7", "gt": "lactate_high"}},
        "conditions.high",
        "name the signal 'lactate'",
    ),
    ("conditions/high", {"compare": {"measure": "lactate"}}, "conditions.high", "exactly one of gt, gte, lt, lte"),
    (
        "conditions/high",
        {"compare": {"measure": "lactate", "gt": "lactate_high", "lt": "lactate_high"}},
        "conditions.high",
        "exactly one of gt, gte, lt, lte",
    ),
    (
        "conditions/high",
        {"compare": {"measure": "lactate", "gt": "lactate_high"}, "present": {"concept": "echo"}},
        "conditions.high",
        "exactly one key",
    ),
    ("conditions/high", {}, "conditions.high", "exactly one key"),
    ("conditions/high", {"guess": {"measure": "lactate"}}, "conditions.high", "guess"),
    ("conditions/high", {"compare": 3}, "conditions.high", "wrong body"),
    ("conditions/high", {"all": []}, "conditions.high", "at least 1"),
    ("conditions/high", 5, "conditions.high", ""),
    ("conditions/high", {"use": "low"}, "conditions.high", "unknown condition 'low'"),
    ("conditions/high", {"check": "none"}, "conditions.high", "unknown check 'none'"),
    ("conditions/high", {"reached": "T-9"}, "conditions.high", "unknown stage 'T-9'"),
    ("conditions/high", {"elapsed": {"since": "T-9", "more_than": "hour"}}, "conditions.high", "unknown anchor 'T-9'"),
    (
        "conditions/high",
        {"elapsed": {"since": "recognition", "more_than": "lactate_high"}},
        "conditions.high",
        "'lactate_high' must be a duration",
    ),
    ("conditions/high", {"predicate": "magic"}, "conditions.high", "unknown predicate 'magic'"),
    ("conditions/high", {"predicate": "map_artefact"}, "conditions.high", "map_artefact needs parameter"),
    ("conditions/high", {"present": {"concept": "tamponad"}}, "conditions.high", "tamponad"),
    ("conditions/high", {"present": {"concept": "echo", "if_missing": "fine"}}, "conditions.high", "if_missing"),
    ("conditions/high", {"running": {"drug": "vasopresin"}}, "conditions.high", "vasopresin"),
    ("conditions/high", {"given": {"drug": "propofol", "within": "fall"}}, "conditions.high", "must be a duration"),
    ("conditions/high", {"setting": {"name": "colour", "is": "blue"}}, "conditions.high", "name"),
    ("conditions/high", {"verdict": {"is": ["MAYBE"]}}, "conditions.high", "NOT_APPLICABLE"),
    ("onset", {"verdict": {"is": ["CONFIRMED"]}}, "onset", "verdict"),
    ("conditions/high", {"at_least": {"count": 0, "of": [{"check": "gap"}]}}, "conditions.high", "count"),
    (
        "conditions/high",
        {
            "sustained": {
                "measure": "lactate",
                "gt": "lactate_high",
                "for": "hour",
                "max_gap": "hour",
                "ignore_pauses": "none",
            }
        },
        "conditions.high",
        "lactate is not a stepwise quantity",
    ),
    (
        "conditions/high",
        {"compare": {"measure": "norepinephrine_dose", "gt": "lactate_high"}},
        "conditions.high",
        "norepinephrine_dose is in ug/kg/min",
    ),
    ("parameters/map_window", ..., "", "map_window"),
    ("stages/0/role", "marker", "stages", "exactly one stage must have role 'base'"),
    ("stages/0/role", "refractory", "stages", "exactly one stage must have role 'base'"),
    ("stages/0/id", "T-1", "stages", "'T-1' is there twice"),
    ("stages/0/id", "stage one", "stages.0.id", "pattern"),
    ("stages/0/sources", [], "stages.0.sources", "at least 1"),
    ("stages/1/hard/0/check", "hint", "stages.T-1.hard", "no hard check 'hint'"),
    ("stages/1/hard/0/check", "nothing", "stages.T-1.hard", "no hard check 'nothing'"),
    ("stages/1/hard/0/lasting", True, "stages.T-1.hard", "only the base's can be lasting"),
    ("therapies/0/suggestion", "Consider {luck}.", "therapies.rescue.suggestion", "luck"),
    ("therapies/0/elsewhere", "Ask for {lactate}.", "therapies.rescue.elsewhere", "'lactate' is not in the suggestion"),
    ("stages/0/when", {"use": "low"}, "stages.T-0.when", "unknown condition 'low'"),
    ("checks/1/id", "gap", "checks", "'gap' is there twice"),
    ("checks/1/kind", "gentle", "checks.1.kind", "hard"),
    ("therapies/0/stage", "T-9", "therapies.rescue.stage", "unknown stage 'T-9'"),
    ("therapies/0/must_know", ["luck"], "therapies.rescue.must_know", "no reason 'luck'"),
    ("therapies/0/hold_while", ["luck"], "therapies.rescue.hold_while", "no check 'luck'"),
    ("therapies/0/answered_until", ["heart_rate"], "therapies.rescue.answered_until", "no signal 'heart_rate'"),
    ("therapies/0/evidence", [], "therapies.0.evidence", "at least 1"),
    ("therapies/0/evidence/0/source", "nowhere", "therapies.rescue.evidence", "unknown source 'nowhere'"),
    ("therapies/0/absolute/0/source", "nowhere", "therapies.rescue.allergy", "unknown source 'nowhere'"),
    (
        "therapies/0/priority/0/when",
        {"use": "high"},
        "therapies.rescue.priority",
        "the last rule must have no condition",
    ),
    ("therapies/0/priority/0/onset", "soon", "therapies.0.priority.0.onset", "delayed"),
    ("therapies/0/colour", "red", "therapies.0.colour", "permitted"),
    ("stages/1/role", "marker", "stages", "at least one stage must have role 'refractory'"),
    ("priorities/CONFIRMED", ..., "priorities", "CONFIRMED is missing"),
    ("display", ["lactat"], "display", "lactat"),
    ("version", "one", "version", "pattern"),
    ("format", 2, "format", "1"),
    ("id", "Mini Pack", "id", "pattern"),
    ("extra", 1, "extra", "permitted"),
    ("resolution", ..., "resolution", "required"),
]


@pytest.mark.parametrize(
    ("path", "value", "place", "reason"), MISTAKES, ids=[f"{path}={str(value)[:40]}" for path, value, *_ in MISTAKES]
)
def test_a_mistake_names_the_file_the_place_and_the_reason(path: str, value: Any, place: str, reason: str) -> None:
    if path == "parameters/map_window":
        raw = yaml.safe_load(MINI_PACK)
        del raw["parameters"]["map_window"]
        raw["conditions"]["low"] = {"compare": {"measure": "mean_arterial_pressure", "lt": "map_target"}}
        with pytest.raises(PackError, match=r"conditions\.low: mean_arterial_pressure needs parameter 'map_window'"):
            parse_pack("mini.yaml", yaml.safe_dump(raw))
        return
    text = fault(path, value)
    assert all(line.startswith("ward/mini.yaml: ") for line in text.splitlines() if not line.startswith(" "))
    assert any(place in line and reason in line for line in text.splitlines()), text


def test_all_mistakes_are_named_at_once() -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["conditions"]["high"] = {"use": "low"}
    raw["therapies"][0]["stage"] = "T-9"
    with pytest.raises(PackError) as caught:
        parse_pack("mini.yaml", yaml.safe_dump(raw))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    "text", ["", "just text", "[1]", "a: [", "\tx: 1", "a: !!python/object:os.system {}", "? {a: b} : 1"]
)
def test_what_is_no_pack_is_a_pack_error(text: str) -> None:
    with pytest.raises(PackError, match=r"mini\.yaml"):
        parse_pack("mini.yaml", text)


def test_a_condition_that_uses_itself_is_refused() -> None:
    for conditions in ({"high": {"use": "high"}}, {"high": {"not": {"use": "other"}}, "other": {"use": "high"}}):
        with pytest.raises(PackError, match="itself"):
            parse_pack("mini.yaml", spoilt("conditions", conditions))
    with pytest.raises(PackError, match="itself"):
        parse_pack("mini.yaml", spoilt("checks/0/when", {"check": "hint"}))


def test_files_are_read_and_a_missing_or_binary_one_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "mini.yaml", tmp_path / "bytes.yaml"
    good.write_text(MINI_PACK, encoding="utf-8")
    bad.write_bytes(b"\xff\xfe\x00")
    assert [pack.id for pack in load_packs([good])] == ["mini"]
    with pytest.raises(PackError, match=r"bytes\.yaml: not UTF-8"):
        load_packs([good, bad])
    with pytest.raises(PackError, match=r"absent\.yaml: No such file"):
        load_packs([tmp_path / "absent.yaml"])


class TestDigest:
    def test_it_is_the_same_every_time_and_however_the_yaml_is_written(self) -> None:
        again = yaml.safe_dump(yaml.safe_load(MINI_PACK), default_flow_style=False, sort_keys=False)
        assert parse_pack("a.yaml", MINI_PACK).digest == parse_pack("b.yaml", again).digest

    def test_it_changes_with_any_content(self) -> None:
        digests = {
            parse_pack("mini.yaml", text).digest
            for text in (
                MINI_PACK,
                spoilt("parameters/lactate_high/value", 2.1),
                spoilt("therapies/0/suggestion", "Consider it well."),
                spoilt("sources/paper/text", "another paper"),
            )
        }
        assert len(digests) == 4

    def test_it_ignores_comments(self) -> None:
        assert parse_pack("mini.yaml", MINI_PACK + "\n# note\n").digest == parse_pack("mini.yaml", MINI_PACK).digest


def test_a_pack_reads_the_channels_of_all_its_conditions() -> None:
    channels = channels_read(parse_pack("mini.yaml", MINI_PACK), catalogue.load())
    assert {"signal:lactate", "state:echo", "state:goals_of_care", "signal:age", "stay"} <= channels
    assert {"infusion:norepinephrine", "infusion:vasopressin", "state:allergy_vasopressin"} <= channels
    assert "signal:spo2" not in channels


def test_two_packs_run_side_by_side() -> None:
    pair = [*packs(), parse_pack("mini.yaml", MINI_PACK)]
    engine = PatientEngine("p", pair, SiteSettings())
    assert engine.explain("mini").verdict == engine.explain("septic-shock").verdict == "NOT_APPLICABLE"
    with pytest.raises(KeyError):
        engine.explain("elsewhere")
