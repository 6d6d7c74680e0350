import pytest

from monitor.cli import DEMO_LOG
from tests.streams.stream import Inputs, Runtime, events_of, said_by_replay

BEDS = ("bed-1", "bed-4", "bed-9")


def beds_log() -> Inputs:
    return Inputs(events_of(DEMO_LOG, *BEDS))


@pytest.mark.parametrize("seed", range(3))
def test_four_inputs_in_pieces_say_what_the_log_says(seed: int) -> None:
    runtime = Runtime(beds_log(), seed)
    runtime.run()
    assert runtime.published == said_by_replay(*BEDS)
    assert not runtime.letters


@pytest.mark.parametrize("seed", range(6))
def test_however_often_it_crashes_nothing_is_lost_and_nothing_invented(seed: int) -> None:
    runtime = Runtime(beds_log(), seed)
    runtime.run(crashes=0.3, keeping=0.1)
    assert runtime.crashes > 3
    assert runtime.published == said_by_replay(*BEDS)
