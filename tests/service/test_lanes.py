"""Reading gives way to judging: few threads at a time, and a log that is read once for all who catch up together."""

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from monitor.service import ingest
from monitor.service.board import Board
from monitor.service.lanes import Lane
from monitor.service.models import AlertSummary
from monitor.service.naming import Names
from monitor.service.pages import AT_ONCE, Pages
from monitor.service.shield import Shield
from streams.embedded import store
from streams.embedded.entries import Entry
from streams.embedded.offers import Offer
from tests.service.running import LINES, Running
from tests.streams.embedded import Embedded
from tests.streams.stream import SITE, events_of, packs


@pytest.mark.parametrize("width", [1, 2])
def test_no_more_than_the_width_of_a_lane_work_at_once(width: int) -> None:
    working = most = 0
    together, lock = threading.Barrier(width), threading.Lock()

    def work() -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        together.wait(30)
        with lock:
            working -= 1

    async def everybody() -> None:
        lane = Lane(width)
        await asyncio.gather(*(lane.run(work) for _ in range(6)))

    asyncio.run(everybody())
    assert most == width


@pytest.mark.parametrize(("waiting", "rests"), [(0, 0), (3, 3), (10**6, 200)])
def test_long_work_gives_way_while_events_wait_but_not_for_ever(waiting: int, rests: int) -> None:
    left, rested = waiting, 0
    done: list[bool] = []

    def waits() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    async def rest(_: float) -> None:
        nonlocal rested
        assert not done
        rested += 1

    asyncio.run(Lane(1, waits, rest).run(lambda: done.append(True)))
    assert (rested, done) == (rests, [True])


def test_pages_are_sent_one_after_the_other_with_a_rest_between() -> None:
    resting = most = rests = 0

    async def rest(seconds: float) -> None:
        nonlocal resting, most, rests
        assert seconds == 0.002
        resting, rests = resting + 1, rests + 1
        most = max(most, resting)
        await asyncio.sleep(0)
        resting -= 1

    async def everybody() -> None:
        lane = Lane(1, rest=rest, between=0.002)
        await asyncio.gather(*(lane.pace() for _ in range(20)))

    asyncio.run(everybody())
    assert (most, rests) == (1, 20)


def test_readers_who_come_at_once_begin_one_in_a_pass_and_who_brings_something_waits_for_none() -> None:
    begun: list[str] = []
    passes, most = 8, 0

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal most
        begun.append(scope["method"])
        if scope["method"] == "POST":
            for _ in range(passes):
                before = len(begun)
                await asyncio.sleep(0)
                most = max(most, len(begun) - before)

    async def everybody() -> None:
        shield = Shield(app, local=False, refused=lambda *_: None)
        readers = [asyncio.create_task(shield(_request("GET"), _never, _nothing)) for _ in range(200)]
        await shield(_request("POST"), _never, _nothing)
        assert len(begun) <= 1 + passes
        await asyncio.gather(*readers)

    asyncio.run(everybody())
    assert (begun[0], most, begun.count("GET")) == ("POST", 1, 200)


def _request(method: str) -> Scope:
    return {"type": "http", "method": method, "path": "/v1/stream", "headers": []}


async def _never() -> Message:
    raise AssertionError


async def _nothing(_: Message) -> None:
    pass


def test_a_long_list_is_put_into_words_beside_the_event_loop(ward: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    summary, threads = Board.summary, list[threading.Thread]()

    def noted(board: Board, entry: Entry) -> AlertSummary:
        threads.append(threading.current_thread())
        return summary(board, entry)

    monkeypatch.setattr(Board, "summary", noted)
    listed = ward.client.get("/v1/alerts", params={"limit": 500}).json()["alerts"]
    assert len(listed) == len(threads) > 10
    assert ward.loop_thread not in threads


def test_large_bodies_that_come_at_once_are_read_one_after_the_other(
    ward: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = most = read = 0

    def noted(*_: object) -> tuple[list[Offer], list[int]]:
        nonlocal reading, most, read
        reading, read = reading + 1, read + 1
        most = max(most, reading)
        time.sleep(0.02)
        reading -= 1
        return [], []

    monkeypatch.setattr(ingest, "read_messages", noted)
    body = b"\n" * (ingest._INLINE + 1)
    with ThreadPoolExecutor(6) as senders:
        answers = senders.map(lambda _: ward.client.post("/v1/events", content=body, headers=LINES), range(6))
        assert {answer.status_code for answer in answers} == {200}
    assert (most, read) == (1, 6)


def test_who_waits_for_the_interpreter_has_it_soon(ward: Running) -> None:
    assert ward.client.get("/readyz").status_code == 200
    assert sys.getswitchinterval() <= 0.001, "one process is the service and the test"


def test_those_who_catch_up_together_have_the_log_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = Embedded(tmp_path / "service.db")
    embedded.send(events_of())
    board = Board(Names(packs(), SITE), embedded.runtime.present, {})
    pages, asked = Pages(board), []
    entries_after = store.entries_after

    def counted(*given: object) -> object:
        asked.append(given[1])
        return entries_after(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "entries_after", counted)

    def whole() -> bytes:
        position, data = 0, b""
        while position < embedded.runtime.position:
            page = pages.held(position) or pages.read(embedded.connection, position)
            position, data = page.last, data + page.data
        return data

    first, times = whole(), len(asked)
    assert first.count(b"\nevent: ") == embedded.runtime.position
    assert times == -(-embedded.runtime.position // AT_ONCE) > 1
    assert whole() == first
    assert len(asked) - times <= 1, "only the last page, which is not full, is read again"
    embedded.connection.close()
