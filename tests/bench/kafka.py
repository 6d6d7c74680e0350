"""The worker on a real broker: how fast, how soon, and how soon again after another has died."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import aiokafka
from kafka import KafkaConsumer, TopicPartition

from rules.events import Event, decode, encode
from streams.kafka.admin import TopicAdmin
from streams.kafka.publish import Publisher, publish
from streams.kafka.settings import KafkaSettings
from streams.replay import Pace
from streams.topics import TopicName
from tests.bench.peers import NotInstalledError, interpreter
from tests.bench.table import Figure
from tests.bench.wards import READINGS, START, ward
from tests.integration.brokers import ROOT, OwnBroker, with_children_gone
from tests.integration.workers import WorkerProcess
from tests.streams.stream import events_of

PARTITIONS: Final = 4
_ARRESTS: Final = 150
"""Beds in whose course alerts follow one another within seconds."""

_PREPARATION: Final = 120
"""Seconds in which workers start and read what happened before."""

_SECOND: Final = timedelta(seconds=1)


def figures(folder: Path, beds: int, seconds: int) -> list[Figure]:
    """Throughput from a backlog, latency of live data, and the gap after a worker was killed.

    Args:
        folder: for the broker's data.
        beds: patients on the ward, each with one bundle of vitals a second.
        seconds: how long it is watched.
    """
    broker = OwnBroker(folder)
    broker.start()
    try:
        return [*_throughput(broker, folder, beds, seconds), *_live(broker, folder, beds, seconds)]
    finally:
        broker.stop()


def cluster(broker: OwnBroker, prefix: str) -> KafkaSettings:
    """A cluster's worth of topics on a broker, under a prefix."""
    kafka = KafkaSettings(bootstrap_servers=(broker.servers,), prefix=prefix)
    with TopicAdmin(kafka) as admin:
        admin.create(partitions=PARTITIONS)
    return kafka


def _throughput(broker: OwnBroker, folder: Path, beds: int, seconds: int) -> Iterator[Figure]:
    kafka = cluster(broker, "backlog.")
    events = [decode(line) for line in ward(beds, timedelta(seconds=seconds), _SECOND)]
    with Publisher(kafka) as publisher:
        list(publish(enumerate(events, start=1), publisher, close=True))
    vitals = kafka.topic(TopicName.VITALS)
    decoding = asyncio.run(_decoded(broker.servers, vitals))
    with Passing(
        broker.servers, kafka.topic(TopicName.ALERTS), ["tests.bench.passthrough", broker.servers, vitals]
    ) as passing:
        through = _rate(passing.passed, len(events) * 0.9)
    quix = _quix(broker.servers, vitals, kafka.topic(TopicName.STATUS), folder, len(events) * 0.9)
    # What was passed on is no alert; the worker has a cluster of its own names.
    worker = WorkerProcess(kafka, folder, session_timeout=10.0, heartbeat=2.0, snapshot_interval=25.0)
    try:
        worker.wait_until_ready()
        rate = _rate(lambda: worker.events, len(events) * 0.9)
    finally:
        worker.kill()
    name = f"Kafka, backlog of {len(events)} bundles of {READINGS} readings"
    yield Figure(f"{name}: aiokafka, decoding only", "", f"{decoding:,.0f} bundles/s")
    yield Figure(f"{name}: bare Faust, passing on", "", f"{through:,.0f} bundles/s")
    yield Figure(f"{name}: Quix Streams, small state, passing on", "", quix)
    yield Figure(f"{name}: worker", ">= 0.8 of bare Faust", f"{rate:,.0f} bundles/s, {rate / through:.2f}")
    yield Figure(f"{name}: worker", ">= 40,000 readings/s", f"{rate * READINGS:,.0f} readings/s")


def _quix(server: str, source: str, target: str, folder: Path, enough: float) -> str:
    try:
        python = interpreter(folder / "peers")
    except NotInstalledError as error:
        return f"not installed: {error}"
    with Passing(server, target, ["tests.bench.quix", server, source], [str(folder / "quix")], python) as passing:
        return f"{_rate(passing.passed, enough):,.0f} bundles/s"


async def _decoded(server: str, topic: str) -> float:
    """Records a second of a consumer that decodes and does nothing else."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=server, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [aiokafka.TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        left, began = sum((await consumer.end_offsets(places)).values()), time.perf_counter()
        count = left
        while left > 0:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                left -= len(records)
                for record in records:
                    if record.key is not None:
                        decode(record.value)
        return float(count / (time.perf_counter() - began))
    finally:
        await consumer.stop()


class Passing:
    """A module as a process that passes records of one topic on to another; ``arguments`` come after its target."""

    def __init__(
        self, server: str, target: str, module: Sequence[str], arguments: Sequence[str] = (), python: Path | None = None
    ) -> None:
        self._command = [str(python or sys.executable), "-m", *module, target, *arguments]
        self._consumer: Any = KafkaConsumer(bootstrap_servers=[server])
        self._places = [TopicPartition(target, number) for number in range(PARTITIONS)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, start_new_session=True, env=os.environ | {"PYTHONWARNINGS": "ignore"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        with_children_gone(self._process)
        self._consumer.close()

    def passed(self) -> float:
        """Records in the target."""
        return float(sum(self._consumer.end_offsets(self._places).values()))


def _rate(done: Callable[[], float], enough: float) -> float:
    """Of what has been done a second, between a tenth of enough and enough; give up after ten minutes."""
    first: tuple[float, float] | None = None
    give_up = time.monotonic() + 600
    while time.monotonic() < give_up:
        count, now = done(), time.perf_counter()
        if first is None and count > enough / 10:
            first = (count, now)
        if first is not None and count >= enough:
            return (count - first[0]) / (now - first[1])
        time.sleep(0.25)
    return 0.0


def _live(broker: OwnBroker, folder: Path, beds: int, seconds: int) -> Iterator[Figure]:
    kafka = cluster(broker, "live.")
    begin = datetime.now(UTC) + timedelta(seconds=_PREPARATION)
    past, coming = _course(begin, beds, seconds)
    with Publisher(kafka) as publisher:
        list(publish(enumerate(past, start=1), publisher, close=True))
    # What happens until the beginning is sent before it has happened.
    as_shipped = {"session_timeout": 10.0, "heartbeat": 2.0, "snapshot_interval": 25.0, "ahead": float(_PREPARATION)}
    workers = [WorkerProcess(kafka, folder, **as_shipped) for _ in "12"]
    try:
        for worker in workers:
            worker.wait_until_ready()
        while sum(worker.events for worker in workers) < len(past):
            if datetime.now(UTC) > begin:
                raise TimeoutError("the workers have not read by now what happened before: the machine is too busy")
            time.sleep(0.5)
        before = [_buckets(worker) for worker in workers]
        half = len(coming) // 2
        with Publisher(kafka) as publisher:
            list(publish(enumerate(coming[:half], start=1), publisher, pace=_from(begin)))
            found = _difference(before, [_buckets(worker) for worker in workers])
            victim = workers.pop()
            gone = _held(victim)
            victim.kill()
            killed = time.time()
            list(publish(enumerate(coming[half:], start=1), publisher, pace=_from(begin)))
        name = f"Kafka, {beds} beds live, two workers"
        p50, p99 = (_quantile(found, share) for share in (0.5, 0.99))
        count = found[-1][1]
        yield Figure(f"{name}: event to alert, p50 of {count:.0f}", "", f"<= {p50 * 1000:.0f} ms")
        yield Figure(f"{name}: event to alert, p99", "< 250 ms", f"<= {p99 * 1000:.0f} ms")
        gap = _first_after(kafka, gone, killed) - killed
        yield Figure(f"{name}: from killing one to the first alert by the other", "< 15 s", f"{gap:.1f} s")
    finally:
        for worker in workers:
            worker.kill()


def _course(begin: datetime, beds: int, seconds: int) -> tuple[list[Event], list[Event]]:
    """What has happened by ``begin``, and what will happen: beds with vitals every second, and arrests among them."""
    length = timedelta(seconds=seconds)
    events = [_shifted(decode(line), begin - START, "") for line in ward(beds - _ARRESTS, length, _SECOND, shocked=0)]
    course = events_of()
    arrest = min(event.received_at for event in course if event.kind == "resuscitation")
    for number in range(_ARRESTS):
        moved = begin + length * (number / _ARRESTS) - arrest
        events += [_shifted(event, moved, f"-{number}") for event in course if event.subject == "bed-9"]
    events.sort(key=lambda event: event.received_at)
    past = [event for event in events if event.received_at < begin]
    return past, [event for event in events if begin <= event.received_at < begin + length]


def _shifted(event: Event, by: timedelta, suffix: str) -> Event:
    raw = json.loads(encode(event))
    raw["subject"] += suffix
    for name in ("effective_at", "received_at"):
        raw[name] = (datetime.fromisoformat(raw[name]) + by).isoformat()
    return decode(json.dumps(raw))


def _from(begin: datetime) -> Pace:
    """The pace of the wall clock."""
    pace = Pace(1.0, clock=time.time)
    pace._start = begin, begin.timestamp()
    return pace


Buckets = list[tuple[float, float]]


def _buckets(worker: WorkerProcess) -> Buckets:
    """Upper bounds in seconds, and how many alerts were as fast."""
    found = re.findall(r'event_to_alert_seconds_bucket\{le="([^"]+)"\} (\S+)', worker.ask("/metrics")[1])
    return [(float(bound), float(count)) for bound, count in found]


def _difference(before: Sequence[Buckets], after: Sequence[Buckets]) -> Buckets:
    bounds = [bound for bound, _ in after[0]]
    counts = [
        sum(late[place][1] - early[place][1] for early, late in zip(before, after, strict=True))
        for place in range(len(bounds))
    ]
    return list(zip(bounds, counts, strict=True))


def _quantile(buckets: Buckets, share: float) -> float:
    """The bound below which so many of them lie."""
    return next((bound for bound, count in buckets if count >= share * buckets[-1][1]), float("inf"))


def _held(worker: WorkerProcess) -> set[int]:
    """The partitions that a worker said it holds."""
    last = re.findall(r"holds partitions ([\d, ]+)", worker.log.read_text(encoding="utf-8"))[-1]
    return {int(number) for number in last.split(",")}


def _first_after(kafka: KafkaSettings, partitions: set[int], moment: float) -> float:
    """When the first change of an alert was stored in some partitions after a moment, in seconds since 1970."""
    consumer: Any = KafkaConsumer(**kafka.client_options(), auto_offset_reset="earliest")
    try:
        # Alerts have the key of their patient and as many partitions as the inputs, so they lie in the same ones.
        consumer.assign([TopicPartition(kafka.topic(TopicName.ALERTS), number) for number in partitions])
        times = []
        while batches := consumer.poll(timeout_ms=3000):
            times += [record.timestamp / 1000 for records in batches.values() for record in records]
        # A record sent just before the end may be stored after it.
        return min((when for when in times if when > moment + 1.0), default=float("inf"))
    finally:
        consumer.close()
