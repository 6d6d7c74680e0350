"""Publishing a log: nothing is left out, whatever moment it stops at, and the bookmark is never ahead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.events import Encounter, Event
from streams.kafka import publish as module
from streams.kafka.connecting import BrokerError
from streams.kafka.publish import Bookmark, BookmarkError, Publisher, publish
from streams.replay import Pace

BEGIN = datetime(2026, 3, 14, 7, tzinfo=UTC)


def log(count: int) -> Iterator[tuple[int, Event]]:
    for line in range(1, count + 1):
        at = BEGIN + timedelta(minutes=line)
        yield (
            line,
            Encounter(
                schema_version=1,
                id=f"e-{line}",
                source="chart",
                subject="bed-1",
                effective_at=at,
                received_at=at,
                kind="encounter",
            ),
        )


class FakePublisher:
    def __init__(self, fails_at: int | None = None) -> None:
        self.sent: list[str] = []
        self.settled = 0
        self.marks: list[datetime] = []
        self._fails_at = fails_at

    @property
    def unsettled(self) -> int:
        return len(self.sent) - self.settled

    def send(self, event: Event) -> None:
        self.sent.append(event.id)

    def mark(self, at: datetime) -> None:
        assert not self.unsettled, "what a mark promises must have been stored"
        self.marks.append(at)

    def settle(self) -> None:
        if self._fails_at is not None and len(self.sent) >= self._fails_at:
            raise BrokerError("gone")
        self.settled = len(self.sent)


def play(publisher: FakePublisher, count: int, bookmark: Path | None = None, prefix: str = "") -> list[int]:
    return list(publish(log(count), cast("Publisher", publisher), bookmark=bookmark, prefix=prefix, clock=lambda: 0.0))


@settings(deadline=None, max_examples=50)  # writes files
@given(at_once=st.integers(1, 8), fails_at=st.integers(1, 40))
def test_however_it_fails_the_next_run_leaves_out_nothing(
    at_once: int, fails_at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bookmark = tmp_path_factory.mktemp("publish") / "ward.bookmark"
    first, second = FakePublisher(fails_at), FakePublisher()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", at_once)
        with suppress(BrokerError):
            play(first, 30, bookmark)
        kept = Bookmark.read(bookmark)
        assert (kept.line if kept else 0) == first.settled
        play(second, 30, bookmark)
    assert first.sent[: first.settled] + second.sent == [f"e-{line}" for line in range(1, 31)]


def test_a_bookmark_of_other_topics_is_refused(tmp_path: Path) -> None:
    bookmark = tmp_path / "ward.bookmark"
    play(FakePublisher(), 3, bookmark, prefix="a.")
    with pytest.raises(BookmarkError, match="topics with another prefix"):
        play(FakePublisher(), 3, bookmark, prefix="b.")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"first": "a", "prefix": "", "line": "x"}'])
def test_a_file_that_is_no_bookmark_is_refused_and_kept(content: str, tmp_path: Path) -> None:
    bookmark = tmp_path / "ward.bookmark"
    bookmark.write_text(content, encoding="utf-8")
    with pytest.raises(BookmarkError, match="not a bookmark"):
        play(FakePublisher(), 3, bookmark)
    assert bookmark.read_text(encoding="utf-8") == content


def test_an_empty_log_leaves_no_bookmark(tmp_path: Path) -> None:
    assert play(FakePublisher(), 0, tmp_path / "ward.bookmark") == [0]
    assert not list(tmp_path.iterdir())


def test_a_log_is_played_in_its_own_time() -> None:
    slept: list[float] = []
    pace = Pace(60.0, clock=lambda: sum(slept), sleep=slept.append)
    list(publish(log(3), cast("Publisher", FakePublisher()), pace=pace, clock=lambda: 0.0))
    assert slept == [1.0, 1.0]


def test_marks_stay_behind_what_may_be_out_of_order_until_the_log_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    publisher = FakePublisher()
    list(publish(log(5), cast("Publisher", publisher), close=True, clock=lambda: 0.0))
    second, fourth, last = (BEGIN + timedelta(minutes=line) for line in (2, 4, 5))
    margin = timedelta(seconds=10)
    assert publisher.marks == [second - margin, fourth - margin, last]
