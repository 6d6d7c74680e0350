"""Of suggestions of one act, the most urgent stays, in whichever order they come."""

from __future__ import annotations

from itertools import permutations

import pytest

from rules.arbitration import arbitrate
from rules.outputs import Advice, Priority, State
from rules.pathway import Counsel, Verdict
from tests.rules.strategies import packs

NAMES = [pack.id for pack in packs()]


def wanting(therapy: str, priority: Priority, advice: Advice = Advice.ELIGIBLE) -> Counsel:
    return Counsel(therapy, advice, (), priority)


def announced(**wanted: tuple[Counsel, ...]) -> dict[str, Counsel]:
    """By therapy, what becomes of the counsel of each pathway."""
    given = {name.replace("_", "-"): counsel for name, counsel in wanted.items()}
    verdicts = [Verdict(State.ACTIVE, counsel=given[name]) if name in given else None for name in NAMES]
    after = arbitrate(packs(), verdicts)
    return {counsel.therapy: counsel for verdict in after if verdict is not None for counsel in verdict.counsel}


def steroid_of(pathway: str) -> str:
    pack = next(pack for pack in packs() if pack.id == pathway)
    return next(therapy for therapy, name in pack.merged.items() if name == "corticosteroid")


@pytest.mark.parametrize("priorities", list(permutations(Priority, 2)))
def test_across_pathways_the_most_urgent_stays(priorities: tuple[Priority, Priority]) -> None:
    shock, lungs = steroid_of("septic-shock"), steroid_of("ards")
    found = announced(septic_shock=(wanting(shock, priorities[0]),), ards=(wanting(lungs, priorities[1]),))
    first, second = sorted(found.values(), key=lambda counsel: list(Priority).index(counsel.priority))
    assert first.advice is Advice.ELIGIBLE
    assert first.also
    assert (second.advice, second.reasons) == (Advice.SUPPRESSED, ("merged",))


@pytest.mark.parametrize("order", [("escalate_now", "second_line"), ("second_line", "escalate_now")])
def test_within_a_pathway_the_most_urgent_stays_and_names_the_other_without_the_pathway(order: tuple[str, str]) -> None:
    priorities = {"escalate_now": Priority.HIGH, "second_line": Priority.MEDIUM}
    found = announced(status_epilepticus=tuple(wanting(name, priorities[name]) for name in order))
    assert found["escalate_now"].also == ("a full second-line dose",)
    assert (found["second_line"].advice, found["second_line"].reasons) == (Advice.SUPPRESSED, ("merged",))


def test_what_is_not_suggested_takes_no_place() -> None:
    shock, lungs = steroid_of("septic-shock"), steroid_of("ards")
    blocked = wanting(shock, Priority.HIGH, Advice.BLOCKED)
    found = announced(septic_shock=(blocked,), ards=(wanting(lungs, Priority.LOW),))
    assert found[shock] == blocked
    assert found[lungs].advice is Advice.ELIGIBLE
