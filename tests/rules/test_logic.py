"""Three-valued logic: unknown stays unknown until the other parts decide."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import pytest

from rules.logic import (
    MET,
    NOT_MET,
    UNKNOWN,
    Evaluation,
    Finding,
    Truth,
    conjunction,
    disjunction,
    negation,
    quorum,
)

TRIPLES = list(product([MET, NOT_MET, UNKNOWN], repeat=3))


def parts(*truths: Truth) -> list[Evaluation]:
    return [
        Evaluation(truth, f"part {index}", (), (f"datum {index}",) if truth is UNKNOWN else ())
        for index, truth in enumerate(truths)
    ]


def completions(truths: Iterable[Truth]) -> Iterator[list[bool]]:
    """Every way in which the unknown parts could turn out."""
    yield from map(list, product(*([True, False] if truth is UNKNOWN else [truth is MET] for truth in truths)))


def decided(truths: Iterable[Truth], rule: Callable[[list[bool]], bool]) -> Truth:
    answers = {rule(known) for known in completions(truths)}
    return UNKNOWN if len(answers) == 2 else MET if answers == {True} else NOT_MET


@pytest.mark.parametrize("truths", TRIPLES)
@pytest.mark.parametrize("stop_early", [True, False])
def test_all_and_any_are_decided_when_the_unknown_parts_cannot_matter(
    truths: tuple[Truth, ...], stop_early: bool
) -> None:
    assert conjunction(parts(*truths), "", stop_early=stop_early).truth is decided(truths, all)
    assert disjunction(parts(*truths), "", stop_early=stop_early).truth is decided(truths, any)


@pytest.mark.parametrize("truths", TRIPLES)
@pytest.mark.parametrize("needed", [1, 2, 3])
def test_a_quorum_is_decided_when_the_unknown_parts_cannot_matter(truths: tuple[Truth, ...], needed: int) -> None:
    assert quorum(parts(*truths), needed, "").truth is decided(truths, lambda known: sum(known) >= needed)


@pytest.mark.parametrize(("truth", "opposite"), [(MET, NOT_MET), (NOT_MET, MET), (UNKNOWN, UNKNOWN)])
def test_the_opposite_of_unknown_is_unknown(truth: Truth, opposite: Truth) -> None:
    assert negation(parts(truth)[0], "not").truth is opposite


@pytest.mark.parametrize("truths", TRIPLES)
def test_only_an_unknown_answer_says_what_is_missing_and_only_from_unknown_parts(truths: tuple[Truth, ...]) -> None:
    expected = tuple(f"datum {index}" for index, truth in enumerate(truths) if truth is UNKNOWN)
    for joined in (
        conjunction(parts(*truths), "", stop_early=False),
        disjunction(parts(*truths), "", stop_early=False),
        quorum(parts(*truths), 2, ""),
    ):
        assert joined.missing == (expected if joined.truth is UNKNOWN else ())


def test_stopping_early_leaves_the_rest_unread() -> None:
    def read() -> Iterator[Evaluation]:
        yield Evaluation(NOT_MET)
        raise AssertionError("read on")

    assert conjunction(read(), "", stop_early=True).truth is NOT_MET


def test_a_truth_cannot_be_used_as_a_plain_yes_or_no() -> None:
    with pytest.raises(TypeError, match="three-valued"):
        bool(UNKNOWN)


def test_evidence_of_all_parts_is_collected_once_and_in_order() -> None:
    one, two = Finding("lactate", "4", 1, "e1"), Finding("map", "60", 2, "e2")
    inner = Evaluation(MET, "inner", (two, one))
    assert Evaluation(MET, "outer", (one,), (), (inner, inner)).all_findings() == (one, two)
