"""What workers have kept is read by every later one."""

from datetime import UTC, datetime

from streams.states import Made, PartitionState, PatientState
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


def test_a_patients_state_comes_back_as_it_was() -> None:
    origins = {"pump 1": (TopicName.VITALS, 3), "lab 1": (TopicName.VITALS, 4)}
    state = PatientState(Made((), "d"), FLOORS, NEWEST, origins, b"snapshot", set_aside=True)
    assert PatientState.from_bytes(state.to_bytes()) == state


def test_origins_that_were_kept_by_the_id_of_the_event_are_read() -> None:
    before = bytes.fromhex(
        "524d500159dd57c4f9bb8761e840e32bc8c864698697299b5598aea33904e60c6b61e5b7000000757b22647565223a3137373233353338"
        "31353235302c226f726967696e73223a7b2231223a5b226c61622031222c226963752e766974616c73222c345d7d2c227061636b73223a"
        "5b5d2c22706f736974696f6e73223a7b226963752e766974616c73223a337d2c2273657474696e6773223a2264227d736e617073686f74"
    )
    state = PatientState.from_bytes(before)
    assert state.origins == {"lab 1": (TopicName.VITALS, 4)}
    assert not state.set_aside
