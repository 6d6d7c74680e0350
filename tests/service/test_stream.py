"""The live feed: nothing is missed, nothing comes twice, and nobody waits for a slow reader."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from monitor.demo.build import LOG as DEMO_LOG
from monitor.service.hub import Hub, Message, Reader
from monitor.service.stream import _live
from rules.outputs import AlertChange, encode_change
from streams.replay import in_stream_order
from tests.service.running import WITHIN, Running, running
from tests.streams.stream import events_of

pytestmark = pytest.mark.xdist_group("service")

BEDS = ("bed-1", "bed-9")


class Event(NamedTuple):
    """One server-sent event; a heartbeat has no id."""

    id: int | None
    kind: str
    data: dict[str, Any]


def parse(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            position = fields.get("id")
            yield Event(None if position is None else int(position), fields["event"], json.loads(fields["data"]))
            fields = {}


@contextmanager
def feed(service: Running, **headers: str) -> Iterator[Iterator[Event]]:
    with httpx.stream("GET", f"{service.address}/v1/stream", headers=headers, timeout=WITHIN) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parse(response.iter_lines())


def until(events: Iterator[Event], position: int) -> list[Event]:
    """Events up to a position, without heartbeats."""
    found = []
    for event in events:
        if event.id is not None:
            found.append(event)
            if event.id >= position:
                break
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "service.db") as found:
        yield found


def halves() -> tuple[list[Any], list[Any]]:
    events = list(in_stream_order(events_of(DEMO_LOG, *BEDS)))
    middle = len(events) // 2
    return events[:middle], events[middle:]


def position(service: Running) -> int:
    """Of the newest event; what comes first says it."""
    with feed(service) as events:
        found: int = next(events).data["position"]
        return found


def test_everything_since_the_beginning_comes_in_order(ward: Running) -> None:
    last = position(ward)
    with feed(ward, **{"Last-Event-ID": "0"}) as events:
        found = until(events, last)
    assert [event.id for event in found] == list(range(1, last + 1))
    assert {event.kind for event in found} == {"alert", "status", "rejection"}


def test_an_alert_is_as_on_the_wire_with_its_summary_beside_it(ward: Running) -> None:
    with feed(ward, **{"Last-Event-ID": "0"}) as events:
        alert = next(event.data for event in events if event.data.get("change") == "raised")
    summary = alert.pop("summary")
    history = ward.client.get(f"/v1/alerts/{alert['id']}").json()["history"]
    assert alert == history[0]
    assert (summary["id"], summary["state"], summary["sequence"]) == (alert["id"], "open", alert["sequence"])
    assert encode_change(AlertChange.model_validate(alert)) == json.dumps(
        alert, separators=(",", ":"), ensure_ascii=False
    )


def test_a_tablet_that_slept_misses_nothing_and_sees_nothing_twice(service: Running) -> None:
    first, second = halves()
    service.send(first)
    seen = position(service)
    service.send(second)
    last = position(service)
    assert last > seen + 10
    with feed(service, **{"Last-Event-ID": str(seen)}) as events:
        assert [event.id for event in until(events, last)] == list(range(seen + 1, last + 1))


def test_what_happens_while_it_catches_up_comes_once(service: Running) -> None:
    first, second = halves()
    service.send(first)
    sender = threading.Thread(target=service.send, args=(second,))
    found: list[Event] = []
    with feed(service, **{"Last-Event-ID": "0"}) as events:
        sender.start()
        found += until(events, position(service))
        sender.join(WITHIN)
        last = position(service)
        if not found or (found[-1].id or 0) < last:
            found += until(events, last)
    assert [event.id for event in found] == list(range(1, last + 1))


def test_without_an_id_it_begins_with_the_present(ward: Running) -> None:
    last = position(ward)
    with feed(ward) as events:
        first = next(events)
    assert (first.id, first.kind, first.data["position"]) == (None, "heartbeat", last)


def test_an_id_from_the_future_begins_with_the_present(ward: Running) -> None:
    with feed(ward, **{"Last-Event-ID": "999999999"}) as events:
        assert next(events).data["position"] == ward.client.get("/v1/unit").json()["position"]


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 30])
def test_an_id_that_is_none_is_turned_away(ward: Running, wrong: str) -> None:
    response = ward.client.get("/v1/stream", params={"last_event_id": wrong})
    assert response.status_code == 422


def test_the_end_of_the_service_ends_the_feed(tmp_path: Path) -> None:
    with running(tmp_path / "service.db") as service, feed(service) as events:
        next(events)
        stopping = threading.Thread(target=service.stop)
        stopping.start()
        assert all(event.kind == "heartbeat" for event in events)
        stopping.join(WITHIN)
        assert not stopping.is_alive()


def message(number: int) -> Message:
    return Message(number, f"{number}".encode())


async def read(reader: Reader, position: int = 0) -> list[bytes]:
    return [data async for data in _live(reader, position)]


def test_a_reader_that_is_too_slow_is_dropped_and_the_others_are_not() -> None:
    async def scenario() -> tuple[list[bytes], Hub, Reader]:
        hub = Hub()
        slow, quick = hub.join(), hub.join()
        taken = asyncio.create_task(read(quick))
        for number in range(2000):
            hub.publish([message(number)])
            await asyncio.sleep(0)
        hub.close()
        return await taken, hub, slow

    taken, _, slow = asyncio.run(scenario())
    assert taken == [f"{number}".encode() for number in range(1, 2000)]
    assert slow.dropped


def test_what_was_read_from_the_log_is_not_said_again() -> None:
    async def scenario() -> list[bytes]:
        hub = Hub()
        reader = hub.join()
        hub.publish([message(4), message(5), Message(None, b"beat"), message(6)])
        task = asyncio.create_task(read(reader, 5))
        await asyncio.sleep(0)
        hub.close()
        return await task

    assert asyncio.run(scenario()) == [b"beat", b"6"]
