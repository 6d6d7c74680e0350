"""Stages, checks and therapies that can never come about are found, and nothing else is reported."""

from typing import Any

import pytest
import yaml

from rules import catalogue
from rules.pack import Pack
from rules.packs.reach import find_unreachable
from tests.rules.strategies import MINI_PACK, packs

EXTRA = {
    "half": {"title": "h", "value": 0.5, "unit": "mmol/L", "source": "paper", "strength": "K"},
    "third": {"title": "h", "value": 0.3, "unit": "mmol/L", "source": "paper", "strength": "K"},
    "forty": {"title": "h", "value": 40, "unit": "mmol/L", "source": "paper", "strength": "K"},
    "thirty": {"title": "h", "value": 30, "unit": "mmol/L", "source": "paper", "strength": "K"},
    "years_70": {"title": "y", "value": 70, "unit": "a", "source": "paper", "strength": "K"},
    "pressure_62": {"title": "p", "value": 62, "unit": "mm[Hg]", "source": "paper", "strength": "K"},
    "pressure_60": {"title": "p", "value": 60, "unit": "mm[Hg]", "source": "paper", "strength": "K"},
}


def compare(measure: str, operator: str, threshold: str) -> dict[str, Any]:
    return {"compare": {"measure": measure, operator: threshold}}


def sustained(operator: str, threshold: str, **more: str) -> dict[str, Any]:
    body = {"measure": "norepinephrine_dose", operator: threshold, "for": "hour", "max_gap": "minutes_10"}
    return {"sustained": {**body, "ignore_pauses": "minutes_2", **more}}


ABOVE, BELOW = compare("lactate", "gt", "half"), compare("lactate", "lt", "third")
ECHO: dict[str, Any] = {"present": {"concept": "echo"}}


def pack(condition: dict[str, Any] | None = None, **changes: Any) -> Pack:
    """The small pack with a condition as the definition of its refractory stage, or other fields of that replaced."""
    raw = yaml.safe_load(MINI_PACK)
    raw["parameters"] |= EXTRA
    raw["stages"][1] |= {"hard": [], **({"when": condition} if condition is not None else {}), **changes}
    return Pack.model_validate(raw)


def found(asked: Pack) -> list[str]:
    return [fault for fault in find_unreachable(asked, catalogue.load()) if fault.startswith("stages.")]


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"all": [ABOVE, BELOW]}, "'lactate > 0.5' and 'lactate < 0.3' exclude each other"),
    ({"all": [{"any": [ABOVE]}, {"all": [BELOW, ECHO]}]}, "exclude each other"),
    ({"all": [ABOVE, {"not": {"use": "high"}}, compare("lactate", "gte", "forty")]}, "plausible range 0.1 to 30"),
    ({"all": [compare("lactate", "gt", "half"), compare("lactate", "lte", "half")]}, "exclude each other"),
    ({"all": [ABOVE, {"not": compare("lactate", "gt", "third")}]}, "'lactate ≤ 0.3'"),
    ({"all": [ABOVE, {"any": [BELOW, {"all": [BELOW, ECHO]}]}]}, "exclude each other"),
    ({"all": [ECHO, {"not": ECHO}]}, "met and not met"),
    ({"all": [ECHO, {"not": {"present": {"concept": "echo", "label": "other words"}}}]}, "met and not met"),
    ({"all": [{"use": "high"}, {"not": {"use": "high"}}]}, "met and not met"),
    ({"all": [{"certain": {"use": "high"}}, {"not": {"use": "high"}}]}, "met and not met"),
    ({"all": [{"check": "gap"}, {"not": ECHO}]}, "met and not met"),
    ({"reached": "T-1"}, "it needs T-1 to have been reached"),
    ({"elapsed": {"since": "T-1", "more_than": "hour"}}, "it needs T-1 to have been reached"),
    ({"at_least": {"count": 3, "of": [ABOVE, ECHO]}}, "3 of 2 parts"),
    ({"at_least": {"count": 2, "of": [ABOVE, BELOW]}}, "exclude each other"),
    (compare("lactate", "gt", "forty"), "outside the plausible range 0.1 to 30"),
    (compare("lactate", "gt", "thirty"), "outside the plausible range 0.1 to 30"),
    ({"not": compare("lactate", "lte", "forty")}, "outside the plausible range"),
    ({"fell": {"measure": "lactate", "by": "forty", "within": "hour"}}, "more than the plausible range"),
    ({"setting": {"name": "rss_basis", "is": "neee"}}, "the setting rss_basis is never 'neee'"),
    ({"setting": {"name": "strict_fluid", "is": "yes"}}, "never"),
    (
        {"all": [{"setting": {"name": "rss_basis", "is": "nee"}}, {"setting": {"name": "rss_basis", "is": "both"}}]},
        "excludes",
    ),
    ({"present": {"concept": "goals_of_care", "value": "fine"}}, "goals_of_care is never 'fine'"),
    (
        {
            "all": [
                {"present": {"concept": "goals_of_care", "value": "dnr"}},
                {"present": {"concept": "goals_of_care", "value": "full"}},
            ]
        },
        "excludes",
    ),
    (
        {
            "all": [
                {"given": {"drug": "propofol", "within": "minutes_2"}},
                {"not": {"given": {"drug": "propofol", "within": "hour"}}},
            ]
        },
        "exclude each other",
    ),
    ({"all": [sustained("gt", "dose"), sustained("lte", "dose")]}, "exclude each other"),
    (
        {"all": [compare("age", "gte", "years_70"), compare("mean_arterial_pressure", "gte", "pressure_62"),
                 compare("mean_arterial_pressure", "lt", "map_target")]},
        "exclude each other",
    ),
]  # fmt: skip

POSSIBLE: list[dict[str, Any]] = [
    {"all": [compare("lactate", "gte", "half"), compare("lactate", "lte", "half")]},
    {"all": [compare("lactate", "gte", "thirty")]},
    {"any": [{"all": [ABOVE, BELOW]}, ECHO]},
    {"all": [{"any": [ABOVE, BELOW]}, {"any": [BELOW, ECHO]}]},
    {"all": [ABOVE, {"not": {"certain": ABOVE}}]},
    {"all": [{"use": "high"}, {"not": {"all": [{"use": "high"}, ECHO]}}]},
    {"at_least": {"count": 2, "of": [ABOVE, BELOW, ECHO]}},
    {"at_least": {"count": 2, "of": [ABOVE, ECHO]}},
    {"reached": "T-0"},
    {"all": [{"reached": "T-0"}, {"not": {"reached": "T-1"}}]},
    {"not": {"reached": "T-1"}},
    {"setting": {"name": "strict_fluid", "is": True}},
    {"not": {"setting": {"name": "rss_basis", "is": "neee"}}},
    {"present": {"concept": "echo", "value": "done"}},
    {"all": [ECHO, {"present": {"concept": "echo", "value": "done"}}]},
    {"all": [sustained("gt", "dose"), compare("norepinephrine_dose", "lte", "dose")]},
    {"all": [sustained("gt", "dose"), {"not": sustained("gt", "dose", ignore_pauses="hour")}]},
    {"all": [sustained("gt", "dose"), sustained("lte", "dose", ignore_pauses="hour")]},
    {"all": [compare("mean_arterial_pressure", "gte", "pressure_62"),
             compare("mean_arterial_pressure", "lt", "map_target")]},
    {"all": [compare("mean_arterial_pressure", "lt", "map_target"), {"not": ABOVE}, {"any": [ECHO, ABOVE]},
             {"not": compare("mean_arterial_pressure", "lt", "pressure_60")}]},
    {"pending": {"of": {"use": "high"}, "while": {"not": {"elapsed": {"since": "recognition", "more_than": "hour"}}},
                 "missing": "time"}},
    {"all": [
        {"given": {"drug": "propofol", "within": "hour"}},
        {"not": {"given": {"drug": "propofol", "within": "minutes_2"}}},
    ]},
    {"all": [{"any": [ECHO, {"not": ECHO}, ABOVE, BELOW, {"use": "high"}]} for _ in range(12)]},
]  # fmt: skip


@pytest.mark.parametrize(("condition", "reason"), IMPOSSIBLE, ids=[str(condition) for condition, _ in IMPOSSIBLE])
def test_a_stage_that_can_never_be_met_is_named_with_the_reason(condition: dict[str, Any], reason: str) -> None:
    (fault,) = found(pack(condition))
    assert fault.startswith("stages.T-1.when: can never be met: ")
    assert reason in fault


@pytest.mark.parametrize("condition", POSSIBLE, ids=str)
def test_a_stage_that_could_be_met_is_not_reported(condition: dict[str, Any]) -> None:
    assert found(pack(condition)) == []


def test_the_opposite_of_something_possible_in_every_way_is_never_reported() -> None:
    for condition in POSSIBLE:
        assert found(pack({"any": [condition, {"not": condition}]})) == []


def test_pattern_and_definition_are_taken_together() -> None:
    (fault,) = found(pack({"use": "high"}, pattern={"not": {"use": "high"}}))
    assert fault.startswith("stages.T-1: can never be met: ")


def test_a_stage_that_its_own_hard_check_always_stops_is_unreachable() -> None:
    (fault,) = found(pack(ECHO, hard=[{"check": "gap"}]))
    assert fault.startswith("stages.T-1: can never be met: ")
    assert found(pack(ECHO, hard=[{"check": "gap", "when": {"use": "high"}}])) == []


def test_a_stage_that_can_never_be_confirmed_is_named() -> None:
    (fault,) = found(pack({"use": "high"}, confirm=[{"when": {"not": {"use": "high"}}, "otherwise": "never"}]))
    assert fault.startswith("stages.T-1.confirm: can never be met: ")


def test_stages_that_need_each_other_are_unreachable() -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["stages"][0]["when"] = {"reached": "T-1"}
    raw["stages"][1]["when"] = {"reached": "T-0"}
    assert [fault.split(":")[0] for fault in found(Pack.model_validate(raw))] == ["stages.T-0.when", "stages.T-1.when"]


def test_therapies_and_checks_are_looked_at_too() -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["therapies"][0]["when"] = {"verdict": {"is": ["RESOLVED"]}}
    raw["checks"][0]["when"] = {"all": [{"use": "high"}, {"not": {"use": "high"}}]}
    faults = list(find_unreachable(Pack.model_validate(raw), catalogue.load()))
    assert [fault.split(":")[0] for fault in faults] == [
        "checks.gap.when",
        "checks.hint.when",
        "therapies.rescue.when",
    ]


def test_what_leads_back_to_itself_or_to_nothing_is_left_to_other_checks() -> None:
    raw = yaml.safe_load(MINI_PACK)
    raw["conditions"]["high"] = {"all": [{"use": "high"}, {"use": "nothing"}, {"reached": "T-9"}, {"check": "no"}]}
    assert list(find_unreachable(Pack.model_validate(raw), catalogue.load())) == []


@pytest.mark.parametrize("bundled", packs(), ids=lambda found: found.id)
def test_everything_of_a_bundled_pack_can_come_about(bundled: Pack) -> None:
    assert list(find_unreachable(bundled, catalogue.load())) == []
