"""Numbers within bounds: a comparison is decided only when every possible number decides it the same way."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.logic import MET, NOT_MET, UNKNOWN, Finding
from rules.values import TOLERANCE, Operator, Value, beyond, compare, exact, number, powered, unknown
from tests.rules.strategies import scaled

many = settings(max_examples=scaled(200), deadline=None, derandomize=True)
NUMBERS = st.integers(-5, 5).map(float)
RELATIONS = {
    "gt": lambda value, limit: value > limit,
    "gte": lambda value, limit: value >= limit,
    "lt": lambda value, limit: value < limit,
    "lte": lambda value, limit: value <= limit,
}


@many
@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["gt", "gte", "lt", "lte"]))
def test_a_comparison_is_what_all_possible_numbers_agree_on(
    one: float, other: float, limit: float, operator: Operator
) -> None:
    low, high = sorted((one, other))
    between = [low + (high - low) * share / 20 for share in range(21)] + ([limit] if low <= limit <= high else [])
    answers = {RELATIONS[operator](value, limit) for value in between}
    expected = UNKNOWN if len(answers) == 2 else MET if answers == {True} else NOT_MET
    assert compare(Value(low, high), operator, limit) is expected


@many
@given(NUMBERS, st.sampled_from(["gt", "gte", "lt", "lte"]))
def test_an_unknown_value_decides_nothing(limit: float, operator: Operator) -> None:
    assert compare(unknown("lactate"), operator, limit) is UNKNOWN


@pytest.mark.parametrize(("operator", "limit", "expected"), [("gt", -1, MET), ("lte", -1, NOT_MET), ("gt", 3, UNKNOWN)])
def test_a_lower_bound_can_decide_without_the_number(operator: Operator, limit: float, expected: object) -> None:
    assert compare(unknown("weight", low=0.0), operator, limit) is expected


def test_an_exact_value_carries_its_evidence() -> None:
    finding = Finding("lactate", "4 mmol/L", 1, "e1")
    assert exact(4.0, finding) == Value(4.0, 4.0, (), (finding,))
    assert exact(4.0).known
    assert not unknown("lactate").known
    assert unknown("weight", "salt").missing == ("weight", "salt")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (exact(0.45), "ug/kg/min", "0.45 ug/kg/min"),
        (Value(0.45, 0.9), "ug/kg/min", "0.45-0.9 ug/kg/min"),
        (exact(3.0), "1", "3"),
        (unknown("x"), "mmol/L", "unknown"),
        (unknown("x", low=0.0), "mL/kg", "unknown"),
        (unknown("x", low=0.5), "ug/kg/min", "at least 0.5 ug/kg/min"),
        (Value(-inf, 3.0), "mmol/L", "at most 3 mmol/L"),
        (exact(0.0), "U/min", "0 U/min"),
    ],
)
def test_values_are_written_with_what_is_known_of_them(value: Value, unit: str, text: str) -> None:
    assert value.text(unit) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(2.0, "2"), (0.03, "0.03"), (0.12345, "0.1235"), (-0.00001, "0"), (100.0, "100"), (-1.5, "-1.5"), (0.0, "0")],
)
def test_numbers_have_no_trailing_zeros(amount: float, text: str) -> None:
    assert number(amount) == text


@pytest.mark.parametrize(("power", "bounds"), [(1, (2.0, 4.0)), (-1, (0.25, 0.5)), (0, (1.0, 1.0))])
def test_the_bounds_of_a_power_are_in_order(power: int, bounds: tuple[float, float]) -> None:
    assert powered(Value(2.0, 4.0), power) == bounds


def test_only_what_is_above_the_highest_and_its_allowance_is_beyond_it() -> None:
    highest = 8.0 + 8.0 * TOLERANCE
    assert not beyond(highest, 8.0)
    assert beyond(highest + 8.0 * TOLERANCE, 8.0)
