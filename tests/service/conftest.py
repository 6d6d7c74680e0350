"""One service with the demo's beds for all tests that change nothing in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.replay import in_stream_order
from tests.service.running import Running, running
from tests.streams.stream import events_of


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The ten beds at the end of the demo's log."""
    path: Path = tmp_path_factory.mktemp("ward") / "service.db"
    with running(path) as service:
        events = list(in_stream_order(events_of()))
        for first in range(0, len(events), 500):
            assert service.send(events[first : first + 500]).status_code == 200
        yield service
