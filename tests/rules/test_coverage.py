"""Coverage: what was seen of the conditions of a pack, and what can be seen at all."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.coverage import Coverage, items, truths
from rules.logic import MET, NOT_MET, UNKNOWN, Truth
from rules.outputs import Advice, State
from rules.pack import Pack
from rules.packs import parse_pack
from rules.testing import SUFFIX, Bedside, Run, load_scenario
from tests.rules.strategies import MINI_PACK, packs

MINI = parse_pack("mini.yaml", MINI_PACK)
COMPARE = {"compare": {"measure": "lactate", "gt": "lactate_high"}}
ADMITTED = {"at": "08:00", "encounter": {"age_years": 50}}
HIGH = {"at": "08:01", "observe": {"lactate": "4 mmol/L"}}
SCENARIOS = Path(__file__).parents[1] / "scenarios/septic_shock"


@pytest.mark.parametrize(
    ("condition", "unknown"),
    [
        (COMPARE, True),
        ({"stopped": {"drug": "vasopressor", "for": "hour"}}, True),
        ({"running": {"drug": "vasopressor"}}, True),
        ({"fell": {"measure": "haemoglobin", "by": "fall", "within": "hour"}}, True),
        ({"present": {"concept": "echo"}}, True),
        ({"present": {"concept": "echo", "if_missing": "absent"}}, False),
        ({"given": {"drug": "propofol", "within": "hour"}}, False),
        ({"elapsed": {"since": "recognition", "more_than": "hour"}}, False),
        ({"elapsed": {"since": "cpr_start", "more_than": "hour"}}, False),
        ({"elapsed": {"since": "second_line_end", "more_than": "hour"}}, True),
        ({"compare": {"measure": "failed_shocks", "gte": "shocks"}}, False),
        ({"compare": {"measure": "failed_shocks", "gte": "shocks_by_age"}}, True),
        ({"compare": {"measure": "no_flow", "gte": "shocks"}}, True),
        ({"reached": "T-0"}, False),
        ({"setting": {"name": "strict_fluid", "is": True}}, False),
        ({"verdict": {"is": ["CONFIRMED"]}}, False),
        ({"certain": COMPARE}, False),
        ({"use": "high"}, True),
        ({"check": "gap"}, True),
        ({"predicate": "map_artefact"}, True),
        ({"predicate": "recent_seizure"}, False),
        ({"not": {"reached": "T-0"}}, False),
        ({"all": [{"reached": "T-0"}, {"certain": COMPARE}]}, False),
        ({"any": [{"reached": "T-0"}, COMPARE]}, True),
        ({"at_least": {"count": 1, "of": [{"reached": "T-0"}]}}, False),
        ({"pending": {"of": {"reached": "T-0"}, "while": {"reached": "T-1"}, "missing": "time"}}, True),
    ],
    ids=str,
)
def test_unknown_is_demanded_only_of_what_missing_data_can_leave_open(condition: Any, unknown: bool) -> None:
    pack = with_first_stage(condition)
    assert (UNKNOWN in truths(pack.stages[0].when, pack)) is unknown


@pytest.mark.parametrize(
    ("condition", "demanded"),
    [
        ({"predicate": "eeg_seen"}, (MET, UNKNOWN)),
        ({"not": {"predicate": "eeg_seen"}}, (NOT_MET, UNKNOWN)),
        ({"certain": {"predicate": "eeg_seen"}}, (MET, NOT_MET)),
        ({"predicate": "paralysed_no_eeg"}, (NOT_MET, UNKNOWN)),
        ({"all": [{"predicate": "paralysed_no_eeg"}, COMPARE]}, (NOT_MET, UNKNOWN)),
        ({"any": [{"predicate": "paralysed_no_eeg"}, COMPARE]}, (MET, NOT_MET, UNKNOWN)),
        ({"any": [{"predicate": "eeg_seen"}, {"reached": "T-0"}]}, (MET, UNKNOWN)),
        ({"at_least": {"count": 1, "of": [{"predicate": "eeg_seen"}, COMPARE]}}, (MET, UNKNOWN)),
        ({"any": [COMPARE, {"compare": {"measure": "lactate", "lte": "lactate_high"}}]}, (MET, UNKNOWN)),
        ({"all": [COMPARE, {"compare": {"measure": "lactate", "lte": "lactate_high"}}]}, (NOT_MET, UNKNOWN)),
    ],
    ids=str,
)
def test_what_can_never_be_is_not_demanded(condition: Any, demanded: tuple[Truth, ...]) -> None:
    (found,) = (item for item in items(with_first_stage(condition)) if item.path == "stages.T-0.when")
    assert found.demanded == demanded


def with_first_stage(condition: Any) -> Pack:
    raw = yaml.safe_load(MINI_PACK)
    number = {"title": "shocks", "unit": "1", "source": "local", "strength": "D", "kind": "engine"}
    raw["parameters"] |= {
        "shocks": {**number, "value": 3},
        "shocks_by_age": {**number, "by_age": [{"from_years": 0, "value": 3}, {"from_years": 65, "value": 4}]},
    }
    raw["stages"][0]["when"] = condition
    return Pack.model_validate(raw)


def test_every_root_of_a_pack_is_an_item_and_so_is_what_holds_a_therapy_back() -> None:
    paths = [item.path for item in items(MINI)]
    assert set(paths) == {path for path, _ in MINI.roots()} | {"therapies.rescue.hold_while"}
    kinds = {item.path: item.kind for item in items(MINI)}
    assert (kinds["onset"], kinds["conditions.high"], kinds["checks.gap"]) == ("pathway", "conditions", "checks")


def covered(*happenings: dict[str, Any], until: str = "08:10") -> Coverage:
    coverage = Coverage([MINI])
    bed = Bedside([MINI], coverage=coverage)
    bed.feed(*happenings)
    bed.advance(until)
    return coverage


def seen(coverage: Coverage) -> dict[str, frozenset[Truth]]:
    return {item.path: truths for item, truths in coverage.lines("mini")}


def test_what_is_judged_is_seen() -> None:
    found = seen(covered(ADMITTED, HIGH))
    assert found["onset"] == {UNKNOWN, MET}
    assert found["conditions.high"] == {MET}
    assert found["checks.gap"] == {UNKNOWN}
    assert found["therapies.rescue.when"] == {NOT_MET}


def test_before_an_episode_only_what_may_begin_one_counts() -> None:
    found = seen(covered(ADMITTED))
    assert {path for path, truths in found.items() if truths} <= {"onset", "recognition", "relapse"}


def test_the_instant_at_which_an_episode_ends_is_seen() -> None:
    high_and_over = covered(ADMITTED, HIGH, until="d2 08:00")
    assert MET in seen(high_and_over)["resolution"]


def test_verdicts_and_advices_are_seen() -> None:
    coverage = covered(ADMITTED, HIGH)
    states, never = coverage.states("mini")
    assert State.INDETERMINATE in states
    assert State.CONFIRMED in never
    ((therapy, advices, missing),) = coverage.advices("mini")
    assert (therapy, advices) == ("rescue", ())
    assert Advice.CAUTION not in missing, "it has no relative contraindication"
    assert Advice.BLOCKED in missing


def test_a_suggestion_that_another_pathway_makes_already_counts_as_suppressed() -> None:
    """At 10:05 ARDS asks for the steroid that shock has been suggesting since 09:00."""
    coverage = Coverage(packs())
    Run(load_scenario(SCENARIOS.parent / f"ards/steroid-merged{SUFFIX}"), packs(), coverage=coverage)
    ((advices, _),) = [found[1:] for found in coverage.advices("ards") if found[0] == "ards_corticosteroid"]
    assert Advice.SUPPRESSED in advices
    assert {Advice.ELIGIBLE, Advice.CAUTION}.isdisjoint(advices)


def test_coverage_is_sent_between_processes_and_added_up() -> None:
    one, other = covered(ADMITTED), pickle.loads(pickle.dumps(covered(ADMITTED, HIGH)))  # noqa: S301 - made here
    assert one.percent() < other.percent()
    one.merge(other)
    assert seen(one) == seen(other)
    assert one.percent() == other.percent()


def test_figures_count_what_is_demanded() -> None:
    figures = {(f.kind, f.truth): (f.seen, f.demanded) for f in covered(ADMITTED, HIGH).figures("mini")}
    assert figures["conditions", MET] == (1, 1)
    assert figures["conditions", NOT_MET] == (0, 1)
    assert figures["checks", UNKNOWN] == (2, 2)


@pytest.mark.parametrize("name", ["confirmed-then-weaned", "fluid-charted-late", "goals-charted-late"])
def test_watching_changes_nothing(name: str) -> None:
    scenario = load_scenario(SCENARIOS / f"{name}{SUFFIX}")
    plain, watched = Run(scenario, packs()), Run(scenario, packs(), coverage=Coverage(packs()))
    assert plain.changes == watched.changes
    assert plain.bed.engine.snapshot() == watched.bed.engine.snapshot()
    assert read_by(plain.bed) == read_by(watched.bed)


def read_by(bed: Bedside) -> list[set[str]]:
    return [{c for c in track.pathway.channels if track.reads(c)} for track in bed.engine.tracks]
