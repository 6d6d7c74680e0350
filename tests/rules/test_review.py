"""What can be said against a pack: each fault with its line, its place and the reason."""

import re
from pathlib import Path

import pytest

from rules.packs import BUNDLED
from rules.packs.review import Fault, review
from tests.rules.strategies import MINI_PACK

PACKS = Path(__file__).parents[2] / "rules/packs"
UNUSED = "minutes_2 minutes_10 hour fall dose map_target"
CLEAN = re.sub(rf"^  (?:{UNUSED.replace(' ', '|')}):.*\n(?:    .*\n)*", "", MINI_PACK, flags=re.MULTILINE)
"""The small pack without the numbers that only other tests use."""


def faults(old: str, new: str) -> list[Fault]:
    assert old in CLEAN
    return list(review(CLEAN.replace(old, new, 1)).faults)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_pack_is_clean(name: str) -> None:
    assert review((PACKS / f"{name}.yaml").read_text(encoding="utf-8")).faults == ()


def test_the_small_pack_is_clean() -> None:
    assert review(CLEAN).faults == ()


PARAMETER, CONDITION = "parameters.lactate_high", "conditions.high"
CITED = "source: paper, strength: V6b"
LOCAL = "local: {text: local setting}"
SPARE = "  spare: {title: s, value: 1, unit: '1', source: paper, strength: K}\n  hours_4:"
SPARE_CHECK = "  - {id: spare, title: s, kind: hard, fix: f, when: {use: high}, source: local, strength: D}\n"


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        (CITED, "strength: V6b", f"{PARAMETER}.source", "required"),
        (CITED, "source: paper", f"{PARAMETER}.strength", "strength"),
        ("source: paper, strength: V6b", "source: papper, strength: V6b", PARAMETER, "'papper'; did you mean paper?"),
        ("gt: lactate_high", "gt: 2.0", f"{CONDITION}.compare.gt", "the number 2.0 stands in a condition"),
        ("gt: lactate_high", "gt: '2.0'", CONDITION, "needs a name, a source and a strength"),
        ("gt: lactate_high", "gt: lactat_high", CONDITION, "did you mean lactate_high?"),
        ("for: hours_4", "for: PT4H", "resolution", "needs a name, a source and a strength"),
        ("unit: mmol/L", "unit: mg/dL", CONDITION, "is in mg/dL, lactate is in mmol/L; write 0.222 mmol/L"),
        ("unit: mmol/L", "unit: kg", CONDITION, "is in kg, lactate is in mmol/L"),
        ("unit: mmol/L", "unit: mmols", f"{PARAMETER}.unit", "'mmols' is not a UCUM unit"),
        ("measure: lactate,", "measure: lactaet,", CONDITION, "quantity 'lactaet'; did you mean lactate"),
        ("drug: vasopressor", "drug: vasopresor", "resolution", "unknown drug 'vasopresor'; did you mean vasopressin"),
        ("concept: echo", "concept: ecco", "checks.gap", "unknown concept 'ecco'"),
        ("gt: lactate_high", "gt: snooze", CONDITION, "is a duration, lactate needs a number in mmol/L"),
        ("for: hours_4", "for: lactate_high", "resolution", "must be a duration, it is a number in mmol/L"),
        ("value: 2.0, unit: mmol/L", "value: '2.0', unit: mmol/L", PARAMETER, "is text"),
        ("value: 2.0, unit: mmol/L", "value: two, unit: mmol/L", PARAMETER, "is text"),
        ("when: {reached: T-1}", "when: {verdict: {is: [RESOLVED]}}", "therapies.rescue.when", "never be met"),
        ("onset: {use: high}", "onset: {use: high}\nonset: {use: high}", "onset", "there twice (again in line"),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_its_place_and_its_reason(old: str, new: str, path: str, reason: str) -> None:
    first, *rest = path.split(".")
    place = {"onset": "onset", "resolution": "resolution", "checks": "id: gap", "therapies": "when: {reached"}.get(
        first
    ) or f"{rest[0]}"
    line = next(n for n, text in enumerate(CLEAN.splitlines(), start=1) if re.search(rf"\b{re.escape(place)}", text))
    found = faults(old, new)
    assert any(fault[:2] == (line, path) and reason in fault[2] for fault in found), found


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("  hours_4:", SPARE, "parameters.spare", "never used"),
        ("conditions:\n", "conditions:\n  spare: {use: high}\n", "conditions.spare", "never used"),
        (LOCAL, f"{LOCAL}, spare: {{text: s}}", "sources.spare", "never cited"),
        ("checks:\n", f"checks:\n{SPARE_CHECK}", "checks.spare", "no stage and no therapy lists"),
    ],
)  # fmt: skip
def test_what_nothing_uses_is_named(old: str, new: str, path: str, reason: str) -> None:
    ((_, place, found),) = faults(old, new)
    assert (place, reason in found) == (path, True)


def test_what_only_something_unused_uses_is_named_too() -> None:
    spare = "conditions:\n  one: {use: two}\n  two: {use: high}\n"
    assert [place for _, place, _ in faults("conditions:\n", spare)] == ["conditions.one", "conditions.two"]


def test_a_number_that_only_a_text_names_is_used() -> None:
    text = CLEAN.replace("  hours_4:", SPARE, 1).replace("display: [lactate]", "words: {lactate: 'of {spare}'}", 1)
    assert review(text).faults == ()


def test_faults_come_in_the_order_of_the_text() -> None:
    lines = [line for line, *_ in review(CLEAN.replace("unit: mmol/L", "unit: mmols").replace("echo", "ecco")).faults]
    assert len(lines) > 2
    assert lines == sorted(lines, key=lambda line: line or 0)


@pytest.mark.parametrize("text", ["a: [", "\tx: 1", "", "text", "[1]"])
def test_what_is_no_pack_is_a_fault_and_no_crash(text: str) -> None:
    found = review(text)
    assert found.pack is None
    assert found.faults
