"""Whose the state of a prefix is: everybody else is refused, with what differs and what can be done."""

import pytest

from streams.kafka.claims import CLAIM_KEY, Claim
from streams.kafka.inspection import FoundTopic
from streams.kafka.settings import KafkaSettings, WorkerSettings
from streams.states import StateError
from streams.topics import INPUTS

KAFKA = KafkaSettings(prefix="ward-7.", worker=WorkerSettings(group="icu"))


def claim(partitions: int = 4, group: str = "icu", made: str = "once") -> Claim:
    names = [KAFKA.topic(name) for name in INPUTS]
    return Claim(group=group, partitions=partitions, topics={name: f"{name} made {made}" for name in names})


def kept(found: Claim) -> dict[bytes, bytes]:
    return {CLAIM_KEY: found.model_dump_json().encode(), b"bed-1": b"state"}


def test_it_is_made_of_the_topics_as_they_are() -> None:
    names = [KAFKA.topic(name) for name in INPUTS]
    found = {name: FoundTopic(name, 4, 3, {}, f"{name} made once") for name in names}
    assert Claim.of(KAFKA, found) == claim()


def test_whoever_made_the_state_goes_on_and_sees_no_claim_among_the_states() -> None:
    states = kept(claim())
    assert claim().take_from(states)
    assert states == {b"bed-1": b"state"}
    assert not claim().take_from(states), "there is none any more, so one is to be made"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (claim(group="night"), "worked on by the group 'night', not 'icu'"),
        (claim(partitions=2), "had 2 partitions, and have 4 now"),
        (claim(made="before"), "ward-7.icu.vitals, .* deleted and created again"),
    ],
)
def test_whoever_did_not_is_refused(other: Claim, why: str) -> None:
    with pytest.raises(StateError, match=why):
        claim().take_from(kept(other))


def test_a_claim_of_another_version_is_refused() -> None:
    with pytest.raises(StateError, match="another version"):
        claim().take_from({CLAIM_KEY: b'{"version": 2}'})


def test_partitions_that_came_since_are_refused() -> None:
    claim().demand_among({0, 3})
    with pytest.raises(StateError, match="partitions 4, 5 have been added to the 4"):
        claim().demand_among({3, 5, 4})
