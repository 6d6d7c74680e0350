"""The JSON Schemas of packs, scenarios and settings: what people write fits, and mistakes are refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rules.conditions.kinds import kinds
from rules.packs import BUNDLED, PackError, parse_pack
from rules.schemas import pack_schema, scenario_schema, settings_schema
from rules.testing import SUFFIX, read_yaml
from tests.rules.strategies import MINI_PACK

ROOT = Path(__file__).parents[2]
PACK = Draft202012Validator(pack_schema())
SCENARIO = Draft202012Validator(scenario_schema())
SETTINGS = Draft202012Validator(settings_schema())


def errors(validator: Draft202012Validator, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@pytest.mark.parametrize("validator", [PACK, SCENARIO, SETTINGS], ids=["pack", "scenario", "settings"])
def test_a_schema_is_a_schema(validator: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(validator.schema)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_pack_fits(name: str) -> None:
    text = (ROOT / "rules/packs" / f"{name}.yaml").read_text(encoding="utf-8")
    assert errors(PACK, yaml.safe_load(text)) == []


def test_every_kind_of_condition_is_there() -> None:
    assert set(pack_schema()["$defs"]["Condition"]["properties"]) == set(kinds())


def test_every_scenario_fits() -> None:
    files = sorted((ROOT / "tests/scenarios").rglob(f"*{SUFFIX}"))
    assert files
    found = {file.name: errors(SCENARIO, read_yaml(file.read_text(encoding="utf-8"))) for file in files}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


GOOD: list[Any] = [
    {"use": "high"},
    {"use": {"name": "high", "label": "words"}},
    {"not": {"use": "high"}},
    {"all": [{"use": "high"}]},
    {"any": {"of": [{"use": "high"}], "label": "words"}},
    {"compare": {"measure": "lactate", "gt": "lactate_high"}},
    {"setting": {"name": "rss_basis", "is": "both"}},
    {"present": {"concept": "echo"}},
]
BAD: list[Any] = [
    {"use": "high", "check": "gap"},
    {},
    "high",
    {"guess": {"measure": "lactate"}},
    {"not": [{"use": "high"}]},
    {"all": []},
    {"all": {"use": "high"}},
    {"compare": {"measure": "lactate"}},
    {"compare": {"measure": "lactate", "gt": 2.0}},
    {"compare": {"measure": "lactate", "gt": "lactate_high", "lt": "lactate_high"}},
    {"compare": {"measure": "lactate", "operator": "gt", "threshold": "lactate_high"}},
    {"type": "compare", "measure": "lactate", "gt": "lactate_high"},
    {"present": {"concept": "echo", "if_missing": "fine"}},
    {"at_least": {"count": 0, "of": [{"use": "high"}]}},
]


@pytest.mark.parametrize("condition", GOOD, ids=str)
def test_a_condition_as_it_is_written_fits_and_loads(condition: Any) -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["stages"][0]["when"] = condition
    assert errors(PACK, raw) == []
    parse_pack("mini.yaml", yaml.safe_dump(raw))


@pytest.mark.parametrize("condition", BAD, ids=str)
def test_a_condition_that_is_none_is_refused(condition: Any) -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["stages"][0]["when"] = condition
    assert errors(PACK, raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("parameters", "lactate_high"), {"title": "l", "value": 2.0, "unit": "mmol/L"}),
        (("stages", 0, "role"), "main"),
        (("therapies", 0, "colour"), "red"),
        (("checks", 0, "kind"), "gentle"),
        (("version",), "one"),
    ],
)
def test_a_mistake_in_a_pack_is_refused_by_the_schema_and_by_loading(path: tuple[Any, ...], value: Any) -> None:
    raw = yaml.safe_load(MINI_PACK)
    here = raw
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    assert errors(PACK, raw)
    with pytest.raises(PackError):
        parse_pack("mini.yaml", yaml.safe_dump(raw))


@pytest.mark.parametrize(
    "change",
    [
        {"expect": [{"verdict": "ACTIVE"}]},
        {"expect": [{"at": "9.45", "verdict": "ACTIVE"}]},
        {"expect": [{"at": "09:45", "verdikt": "ACTIVE"}]},
        {"events": [{"at": "08:00"}]},
        {"events": [{"at": "08:00", "observe": {"lactate": "2 mmol/L"}, "dose": {}}]},
        {"settings": {"rss_basis": "both ways"}},
        {"pathway": None},
    ],
    ids=str,
)
def test_a_broken_scenario_is_refused(change: dict[str, Any]) -> None:
    whole = {"title": "t", "source": "s", "pathway": "p", "events": [{"at": "08:00", "observe": {"ph": "7.4 [pH]"}}]}
    assert errors(SCENARIO, whole) == []
    assert errors(SCENARIO, {**whole, **change})


@pytest.mark.parametrize(
    "wrong", [{"rss_basis": "both ways"}, {"colour": "red"}, {"capability": {"ecmo": True}}, {"overrides": {"p": 1}}]
)
def test_broken_settings_are_refused(wrong: dict[str, Any]) -> None:
    assert (
        errors(SETTINGS, {"rss_basis": "both", "lateness": "PT5S", "overrides": {"p": {"x": 1.5, "y": "PT1H"}}}) == []
    )
    assert errors(SETTINGS, wrong)
