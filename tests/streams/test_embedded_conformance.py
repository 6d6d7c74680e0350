from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streams.conformance import Conformance
from tests.streams.embedded import Embedded


class TestEmbedded(Conformance):
    @pytest.fixture
    def runtime(self, tmp_path: Path) -> Iterator[Embedded]:
        embedded = Embedded(tmp_path / "service.db")
        yield embedded
        embedded.connection.close()
