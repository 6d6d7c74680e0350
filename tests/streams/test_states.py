"""What workers have kept is read by every later one."""

from datetime import UTC, datetime

from streams.states import PartitionState
from streams.topics import TopicName

NEWEST = datetime(2026, 3, 1, 8, 30, 15, 250_000, tzinfo=UTC)
FLOORS = {TopicName.VITALS: 3, TopicName.TREATMENTS: 10, TopicName.ENCOUNTERS: 17, TopicName.ACTIONS: 24}
BEFORE_LETTERS_WERE_NOTED = bytes.fromhex(
    "524d5001195fa32c7189f7163a3aca489b81db2560efaba9d7681079ea68777536b8cfaa000000777b22666c6f6f7273223a7b226963752e"
    "616374696f6e73223a32342c226963752e656e636f756e74657273223a31372c226963752e74726561746d656e7473223a31302c22696375"
    "2e766974616c73223a337d2c226c697665223a747275652c226e6577657374223a313737323335333831353235307d"
)


def test_a_partitions_state_comes_back_as_it_was() -> None:
    state = PartitionState(FLOORS, NEWEST, live=True, letters=5)
    assert PartitionState.from_bytes(state.to_bytes()) == state


def test_a_state_from_before_dead_letters_were_noted_is_read_and_all_of_them_are_looked_at() -> None:
    assert PartitionState.from_bytes(BEFORE_LETTERS_WERE_NOTED) == PartitionState(FLOORS, NEWEST, live=True, letters=0)
