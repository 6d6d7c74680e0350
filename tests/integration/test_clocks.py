"""``rescue-monitor serve`` on a machine whose clock jumps, lags or is ahead, while its senders' clocks are right."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from rules.events import Encounter, Observations, encode
from tests.integration.brokers import wait_until
from tests.integration.serving import ServiceProcess

pytestmark = pytest.mark.slow

GIVEN: Final = "FAKETIME_LIB"
"""Names the library where it is elsewhere."""

_PLACES: Final = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
_FORGETFUL: Final = """
{snapshot_interval: 1, note_interval: 0.2, gather: 0,
 forget_interval: 1, keep_events: 1, keep_alerts: 1, keep_history: 1}
"""
_NEAR: Final = timedelta(seconds=45)
"""The step that a clock may move time by, and how long a test may take to look."""


def library() -> Path | None:
    """Where libfaketime is: as given, in the package that the tests bring along, or on the system."""
    if GIVEN in os.environ:
        return Path(os.environ[GIVEN])
    package = find_spec("libfaketime")
    ours = [] if package is None or package.origin is None else Path(package.origin).parent.rglob("libfaketime.so.1")
    systems = (Path(place, "faketime/libfaketime.so.1") for place in _PLACES)
    return next((path for path in (*ours, *systems) if path.exists()), None)


class Machine:
    """A service on a machine whose clock is set, and a bed that somebody sends to it with the right time."""

    def __init__(self, folder: Path, faketime: Path, off: str) -> None:
        self._clock = folder / "clock"
        self.set(off)
        environment = {
            "LD_PRELOAD": str(faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self._numbers = count(time.time_ns())
        self._service = ServiceProcess(folder, runtime=_FORGETFUL, environment=environment)
        self.wait_for_an_answer()

    def set(self, off: str) -> None:
        """Put the machine's clock forward or back."""
        beside = self._clock.with_suffix(".new")
        beside.write_text(off, encoding="utf-8")
        beside.replace(self._clock)

    def start(self) -> None:
        self._service.start()
        self.wait_for_an_answer()

    def wait_for_an_answer(self) -> None:
        wait_until(lambda: self._ask("livez") is not None, 90, "the service answers")

    def stop(self) -> None:
        assert self._service.stop() == 0

    def kill(self) -> None:
        self._service.kill()

    def _ask(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{self._service.port}/{path}", timeout=10)
        except httpx.TransportError:
            return None

    def readiness(self) -> tuple[int, str]:
        response = self._ask("readyz")
        assert response is not None
        return response.status_code, response.text.strip()

    def unit(self) -> dict[str, Any]:
        response = self._ask("v1/unit")
        assert response is not None
        found: dict[str, Any] = response.json()
        return found

    def is_blind(self) -> bool:
        (bed,) = self.unit()["patients"]
        blind: bool = bed["data"]["blind"]
        return blind

    def off(self) -> timedelta:
        """How far the service's time is from the right one."""
        return datetime.fromisoformat(self.unit()["now"]) - datetime.now(UTC)

    def wait_until_right(self) -> None:
        """What is shown of the service's time is a little older than what it says of its clock."""
        wait_until(lambda: abs(self.off()) < timedelta(seconds=5), 30, "the service's time is right")

    def send(self) -> str:
        """The newest values of the bed; what became of them."""
        now = datetime.now(UTC)
        event = {"schema_version": 1, "source": "gateway", "subject": "bed-1", "effective_at": now, "received_at": now}
        reading = {"code": "map_invasive", "value": 70.0, "unit": "mm[Hg]"}
        observed = Observations.model_validate(
            {**event, "id": str(next(self._numbers)), "kind": "observations", "readings": [reading]}
        )
        return self._post(encode(observed))

    def admit(self) -> str:
        now = datetime.now(UTC)
        event = {"schema_version": 1, "source": "gateway", "subject": "bed-1", "effective_at": now, "received_at": now}
        admission = Encounter.model_validate({**event, "id": "admission", "kind": "encounter", "event": "admission"})
        return self._post(encode(admission))

    def send_nonsense(self) -> str:
        return self._post("{}")

    def _post(self, body: str) -> str:
        response = httpx.post(f"http://127.0.0.1:{self._service.port}/v1/events", content=body, headers=_JSON)
        status: str = response.json()["results"][0]["status"]
        return status

    def send_until_told(self, words: str, status: str = "accepted") -> None:
        """Send until the service tells of its clock what it should; nothing is kept out meanwhile, or everything is."""

        def told() -> bool:
            assert self.send() == status
            return self.readiness()[1].partition("\n")[2] == words

        wait_until(told, 60, words or "nothing is told")

    def begin(self) -> None:
        """Send until there is something of everything that is forgotten in time."""
        assert (self.admit(), self.send_nonsense()) == ("accepted", "rejected")
        wait_until(lambda: self.send() == "accepted" and None not in self.oldest(), 60, "everything has been kept")

    def oldest(self) -> list[int | None]:
        """The first row of everything that is forgotten in time."""
        oldest = ("segments", "first"), ("feed", "position"), ("rejected", "arrived_at"), ("history", "reached")
        return [self._number(f"SELECT min({column}) FROM {table}") for table, column in oldest]  # noqa: S608 - names of ours

    def reached(self) -> timedelta:
        """How far the engine's time has got ahead of the right one."""
        reached = self._number("SELECT max(reached) FROM history")
        assert reached is not None
        return timedelta(milliseconds=reached) - timedelta(seconds=time.time())

    def _number(self, sql: str) -> int | None:
        connection = sqlite3.connect(f"file:{self._service.database}?mode=ro", uri=True)
        try:
            number: int | None = connection.execute(sql).fetchone()[0]
        finally:
            connection.close()
        return number


_JSON: Final = {"Content-Type": "application/json"}
_AHEAD: Final = "clock: this machine's clock is 100 d ahead of its senders"
_BEHIND: Final = "clock: this machine's clock is 10 min behind its senders"


@pytest.fixture
def faketime() -> Path:
    found = library()
    if found is None:
        pytest.skip(f"libfaketime is not here: install what the tests need (make setup), or name it with {GIVEN}")
    return found


@pytest.fixture
def machine(tmp_path: Path, faketime: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, faketime, "+0")
    yield made
    made.kill()


def test_a_clock_that_jumps_moves_time_by_a_step_and_deletes_nothing(machine: Machine) -> None:
    machine.begin()
    oldest = machine.oldest()
    machine.set("+100d")
    machine.send_until_told(_AHEAD)
    time.sleep(3)  # it looks for what is old, and lets time pass
    assert machine.send() == "accepted"
    assert (machine.readiness()[0], machine.is_blind()) == (200, False)
    assert timedelta(0) < machine.off() < _NEAR
    assert machine.reached() < _NEAR
    assert machine.oldest() == oldest
    machine.set("+0")
    machine.send_until_told("")
    machine.wait_until_right()
    machine.set("-10m")
    machine.send_until_told(_BEHIND)
    assert (machine.readiness()[0], machine.is_blind()) == (200, False)
    machine.wait_until_right()


def test_a_start_100_days_ahead_deletes_nothing_and_one_behind_trusts_nothing(machine: Machine) -> None:
    machine.begin()
    machine.stop()
    oldest = machine.oldest()
    machine.set("+100d")
    machine.start()
    assert machine.is_blind(), "nobody has been heard"
    time.sleep(3)  # it looks for what is old, and lets time pass
    machine.send_until_told(_AHEAD)
    assert not machine.is_blind()
    assert machine.off() < _NEAR
    machine.stop()
    assert machine.oldest() == oldest
    assert machine.reached() < _NEAR
    machine.set("-10m")
    machine.start()
    status, text = machine.readiness()
    assert status == 503
    # What it has kept lies ahead by what time may have been moved while the clock was.
    assert re.match(r"no\nclock: this machine's clock is 1\d min behind what it has kept", text)
    assert machine.is_blind(), "nothing says how old its data are"
    machine.send_until_told(_BEHIND)
    assert machine.readiness()[0] == 200


def test_a_machine_that_is_behind_from_the_first_says_that_it_refuses_everything(
    tmp_path: Path, faketime: Path
) -> None:
    machine = Machine(tmp_path, faketime, "-10m")
    try:
        machine.send_until_told(f"{_BEHIND}: their events are refused", "rejected")
        assert machine.readiness()[0] == 503
        assert machine.unit()["patients"] == []
        machine.set("+0")
        machine.send_until_told("")
        assert machine.readiness()[0] == 200
    finally:
        machine.kill()
