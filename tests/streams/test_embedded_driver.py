"""The thread around the runtime: what it collects, what it turns away, and that nothing goes on after a failure."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.embedded.driver import BusyError, Driver, StoppedError
from streams.embedded.offers import Receipt, Submission
from streams.embedded.runtime import Committed, Runtime
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.store import Store
from tests.streams.embedded import Embedded
from tests.streams.stream import events_of

WITHIN = 30.0


class Driven:
    """A driver on a database, and all that it says."""

    def __init__(self, path: Path, settings: EmbeddedSettings, passes: float = 0.0) -> None:
        self.embedded = Embedded(path, settings, passes=passes)
        self.committed: list[Committed] = []
        self.receipts: list[Receipt] = []
        self.failed = threading.Event()
        self.answered = threading.Semaphore(0)
        self.driver = Driver(self.embedded.runtime, settings, self._listen, lambda _: self.failed.set())

    def _listen(self, committed: Committed) -> None:
        self.committed.append(committed)
        for submission, receipts in committed.answers:
            submission.done(receipts)

    def _done(self, receipts: list[Receipt]) -> None:
        self.receipts += receipts
        self.answered.release()

    def submit(self, first: int, last: int) -> None:
        offers = [self.embedded.examiner.examine(event, self.embedded.wall) for event in events_of()[first:last]]
        self.driver.submit(Submission(offers, self.embedded.wall, self._done))

    def wait(self, answers: int) -> None:
        for _ in range(answers):
            assert self.answered.acquire(timeout=WITHIN)


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[Driven]:
    found = Driven(tmp_path / "service.db", EmbeddedSettings(queue=100, batch=50))
    yield found
    found.embedded.connection.close()


def test_what_waits_together_is_one_transaction_up_to_its_size(driven: Driven) -> None:
    for first in range(0, 80, 20):
        driven.submit(first, first + 20)
    driven.driver.start()
    driven.wait(4)
    driven.driver.stop()
    sizes = [sum(len(receipts) for _, receipts in found.answers) for found in driven.committed if found.answers]
    assert sizes == [40, 40]


@pytest.mark.parametrize(("kind", "waits"), [("observations", True), ("resuscitation", False), ("action", False)])
def test_what_is_to_be_used_at_once_is_not_kept_waiting_for_company(
    driven: Driven, monkeypatch: pytest.MonkeyPatch, kind: str, waits: bool
) -> None:
    place = next(number for number, event in enumerate(events_of()) if event.kind == kind)
    ready: list[bool] = []
    monkeypatch.setattr(driven.driver._changed, "wait_for", lambda holds, _: ready.append(bool(holds())))
    driven.submit(place, place + 1)
    driven.driver.start()
    driven.wait(1)
    driven.driver.stop()
    assert ready[0] is not waits


def test_what_comes_is_taken_in_after_one_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every look at the clock ends a slice.
    driven = Driven(tmp_path / "service.db", EmbeddedSettings(gather=0), passes=1.0)
    coming, done = iter(range(50, 53)), list[str]()
    for name in ("take", "go_on"):
        judge = getattr(driven.embedded.runtime, name)

        def noted(*given: object, name: str = name, judge: Callable[..., Committed] = judge) -> Committed:
            done.append(name)
            if (first := next(coming, None)) is not None:
                driven.submit(first, first + 1)
            return judge(*given)

        monkeypatch.setattr(driven.embedded.runtime, name, noted)
    driven.submit(0, 50)
    driven.driver.start()
    driven.wait(4)
    driven.driver.stop()
    assert done[:5] == ["take"] * 4 + ["go_on"]
    driven.embedded.connection.close()


def test_more_than_may_wait_is_turned_away(driven: Driven) -> None:
    driven.submit(0, 90)
    with pytest.raises(BusyError):
        driven.submit(90, 101)
    driven.driver.start()
    driven.wait(1)
    driven.submit(90, 101)
    driven.wait(1)
    driven.driver.stop()
    assert len(driven.receipts) == 101


def test_what_is_larger_than_a_queue_is_taken_when_nothing_waits(driven: Driven) -> None:
    driven.submit(0, 150)
    driven.driver.start()
    driven.wait(1)
    driven.driver.stop()
    assert len(driven.receipts) == 150


def test_an_orderly_end_applies_what_waits_and_keeps_all_states(driven: Driven) -> None:
    driven.submit(0, 30)
    driven.driver.start()
    driven.driver.stop()
    assert len(driven.receipts) == 30
    driven.embedded.crash()
    assert driven.embedded.runtime._noted == 30
    with pytest.raises(StoppedError):
        driven.submit(30, 31)


def test_questions_are_answered_between_transactions(driven: Driven) -> None:
    driven.submit(0, 30)
    driven.driver.start()
    driven.wait(1)
    patients = driven.driver.ask(lambda runtime: runtime.patients)
    assert set(patients.result(WITHIN)) == {event.subject for event in events_of()[:30]}
    nobody = driven.driver.ask(lambda runtime: Runtime.snapshot(runtime, "nobody"))
    with pytest.raises(KeyError):
        nobody.result(WITHIN)
    driven.driver.stop()


def test_after_a_failure_nothing_is_acknowledged_any_more(
    driven: Driven, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "append", full)
    driven.submit(0, 30)
    driven.driver.start()
    assert driven.failed.wait(WITHIN)
    assert not driven.receipts
    with pytest.raises(StoppedError):
        driven.submit(30, 31)
    assert "disk is full" in caplog.text
    assert "bed-" not in caplog.text
