"""Kills workers and stops the broker while a log is played, and compares what was said with a replay of the log."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event, decode, encode
from rules.outputs import Rejection
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.kafka.admin import TopicAdmin
from streams.kafka.settings import KafkaSettings
from streams.replay import replay
from streams.summary import Tally
from streams.topics import INPUTS
from streams.ward import Ward
from tests.integration.brokers import ROOT, OwnBroker, with_children_gone
from tests.integration.workers import WorkerProcess, dead_letters, exactly, published, said
from tests.streams.stream import Words, events_of, words

PARTITIONS: Final = 6
_AT_REST: Final = 150.0
"""Seconds within which everything must be there once the last harm has been done."""

_HUNG: Final = -1
"""Stands for the exit code of a worker that did not end when it was told to."""

_PATIENCE: Final = 300.0
"""Seconds for which workers wait for the publisher, which is away with the broker: here only time marks count."""

_NOISE: Final = 5
"""Records that cannot be used, sent to each input with each harm."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to it: how often, in an order and at moments that the seed decides.

    ``wards`` is how many copies of the demo's ten beds there are, ``pause`` the longest time between two harms in
    seconds.
    """

    seed: int
    kills: int
    restarts: int
    joins: int
    broker_stops: int
    broker_kills: int
    wards: int
    pause: float

    def harms(self) -> list[str]:
        """In which order."""
        counts = {
            "kill": self.kills,
            "restart": self.restarts,
            "join": self.joins,
            "broker stop": self.broker_stops,
            "broker kill": self.broker_kills,
        }
        harms = [name for name, count in counts.items() for _ in range(count)]
        random.Random(self.seed).shuffle(harms)
        return harms


@dataclass(slots=True)
class Report:
    """What came of it: all but ``expected``, ``twice`` and ``ended`` must be empty or 0."""

    expected: int
    lost: list[tuple[str, int]]
    invented: list[tuple[str, int]]
    different: list[tuple[str, int]]
    rejects_lost: list[str]
    rejects_invented: list[str]
    twice: int
    rejects_twice: list[str]
    ended: Counter[int] = field(default_factory=Counter)
    """Exit codes of workers that ended by themselves."""

    @property
    def good(self) -> bool:
        """Whether nothing was lost, invented or changed, and each dead letter published once."""
        changes = self.lost or self.invented or self.different
        return not (changes or self.rejects_lost or self.rejects_invented or self.rejects_twice)

    def lines(self) -> Iterator[str]:
        """It for people."""
        yield f"changes expected: {self.expected}; lost {len(self.lost)}, invented {len(self.invented)}, "
        yield f"  different {len(self.different)}; published more than once: {self.twice}"
        yield f"dead letters lost {len(self.rejects_lost)}, invented {len(self.rejects_invented)}; "
        yield f"  published more than once: {len(self.rejects_twice)}"
        yield f"workers that ended by themselves, by exit code: {dict(self.ended) or 'none'}"


class Supervisor:
    """Keeps a number of workers running, as an orchestrator would: who ends is started again."""

    def __init__(self, kafka: KafkaSettings, folder: Path, count: int) -> None:
        self._kafka, self._folder = kafka, folder
        self.count = count
        self.workers: list[WorkerProcess] = []
        self.ended: Counter[int] = Counter()

    def look_after(self) -> None:
        """Start who is missing."""
        for worker in list(self.workers):
            if (code := worker.process.poll()) is not None:
                self.ended[code] += 1
                self.workers.remove(worker)
        while len(self.workers) < self.count:
            self.workers.append(WorkerProcess(self._kafka, self._folder, patience=_PATIENCE))

    def remove(self, worker: WorkerProcess, *, kill: bool) -> None:
        """Make an end of one."""
        self.workers.remove(worker)
        try:
            code = 0 if kill else worker.stop()
        except subprocess.TimeoutExpired:
            code = _HUNG
        worker.kill()
        if code:
            self.ended[code] += 1

    def stop(self) -> None:
        """Make an end of all."""
        for worker in self.workers:
            worker.kill()


class Load:
    """``rescue-monitor replay --to kafka`` at a pace, started again with its bookmark whenever it fails."""

    def __init__(self, kafka: KafkaSettings, log: Path, speed: float) -> None:
        place = ["--bootstrap-servers", kafka.bootstrap_servers[0], "--prefix", kafka.prefix]
        pace = ["--speed", f"{speed:.1f}", "--resume", str(log.with_suffix(".bookmark")), "--close"]
        self._command = [sys.executable, "-m", "monitor.cli", "replay", str(log), "--to", "kafka", *pace, *place]
        self._output = log.with_suffix(".txt")
        self._process: subprocess.Popen[bytes] | None = None
        self.finished = False

    def look_after(self) -> None:
        """Start it, or start it again."""
        if self.finished:
            return
        if self._process is not None and (code := self._process.poll()) is not None:
            self.finished = code == 0
            self._process = None
        if self._process is None and not self.finished:
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(
                    self._command,
                    stdout=output,
                    stderr=output,
                    cwd=ROOT,
                    start_new_session=True,
                    env=os.environ | {"PYTHONWARNINGS": "ignore"},
                )

    def stop(self) -> None:
        """Make an end of it."""
        if self._process is not None:
            with_children_gone(self._process)


class Noise:
    """Sends what cannot be used, and knows where it went."""

    def __init__(self, kafka: KafkaSettings, seed: int) -> None:
        self._kafka = kafka
        self._chance = random.Random(seed)
        self.sources: set[str] = set()

    def send(self) -> None:
        """Send some to every input; a broker that is away is waited for."""
        producer: Any = KafkaProducer(**self._kafka.client_options(), acks="all")
        try:
            for name in INPUTS:
                for _ in range(_NOISE):
                    value = self._chance.randbytes(40)
                    key = b"bed-%d" % self._chance.randrange(10)
                    place = producer.send(self._kafka.topic(name), key=key, value=value).get(timeout=60)
                    self.sources.add(f"{place.topic}[{place.partition}]@{place.offset}")
        finally:
            producer.close()


def run(plan: Plan, folder: Path, tell: Callable[[str], None]) -> Report:
    """Do it all, with a broker, workers and a log of its own in ``folder``."""
    events = _events(plan.wards)
    log = folder / "ward.jsonl"
    log.write_text("".join(f"{encode(event)}\n" for event in events), encoding="utf-8")
    wanted, refused = _expected(events)
    broker = OwnBroker(folder)
    broker.start()
    kafka = KafkaSettings(bootstrap_servers=(broker.servers,), prefix="chaos.")
    with TopicAdmin(kafka) as admin:
        admin.create(partitions=PARTITIONS)
    harms = plan.harms()
    crew, noise = Supervisor(kafka, folder, 2), Noise(kafka, plan.seed)
    lasts = (events[-1].received_at - events[0].received_at).total_seconds()
    load = Load(kafka, log, lasts / (len(harms) * plan.pause * 0.6))
    try:
        _do_harm(plan, harms, broker, crew, load, noise, tell)
        _wait(lambda: load.finished, [crew, load])
        _wait(lambda: set(wanted) <= set(said(kafka)), [crew])
        _wait(lambda: noise.sources <= set(dead_letters(kafka)[0]), [crew])
        report = _report(kafka, wanted, refused, noise.sources)
        report.ended = crew.ended
        return report
    finally:
        load.stop()
        crew.stop()
        broker.stop()


def _do_harm(
    plan: Plan,
    harms: Sequence[str],
    broker: OwnBroker,
    crew: Supervisor,
    load: Load,
    noise: Noise,
    tell: Callable[[str], None],
) -> None:
    chance = random.Random(plan.seed + 1)
    for number, harm in enumerate(harms, start=1):
        until = time.monotonic() + chance.uniform(0.2, 1.0) * plan.pause
        while time.monotonic() < until:
            crew.look_after()
            load.look_after()
            time.sleep(0.2)
        tell(f"{number}/{len(harms)} {harm}")
        noise.send()
        match harm:
            case "kill" | "restart" if crew.workers:
                crew.remove(chance.choice(crew.workers), kill=harm == "kill")
            case "join":
                crew.count = 2 if crew.count == 3 else 3
                if len(crew.workers) > crew.count:
                    crew.remove(crew.workers[0], kill=False)
            case "broker stop":
                broker.restart()
            case "broker kill":
                broker.kill()
                broker.start()


def _wait(holds: Callable[[], bool], looked_after: Sequence[Supervisor | Load]) -> None:
    """Wait for something, not for ever: what is missing then is reported."""
    until = time.monotonic() + _AT_REST
    while not holds() and time.monotonic() < until:
        for one in looked_after:
            one.look_after()
        time.sleep(1.0)


def _events(wards: int) -> list[Event]:
    """The demo's log in several copies of other patients, in the order in which they were received."""
    copies = [_of_ward(event, ward) for event in events_of(DEMO_LOG) for ward in range(wards)]
    return sorted(copies, key=lambda event: event.received_at)


def _of_ward(event: Event, ward: int) -> Event:
    raw = json.loads(encode(event))
    raw["subject"] = f"{raw['subject']}-{ward}"
    return decode(json.dumps(raw))


def _expected(events: Sequence[Event]) -> tuple[Words, int]:
    """What a replay says, and how many events it refuses."""
    changes = list(replay(events, Ward(load_packs(), SiteSettings()), Tally()))
    refused = {(change.patient, change.event) for change in changes if isinstance(change, Rejection)}
    return words(change for change in changes if not isinstance(change, Rejection)), len(refused)


def _report(kafka: KafkaSettings, wanted: Words, refused: int, noise: set[str]) -> Report:
    found = said(kafka)
    letters, often = dead_letters(kafka)
    right = exactly(wanted)
    different = [place for place, lines in found.items() if place in wanted and lines != right[place]]
    of_engine = [source for source in letters if source not in noise]
    return Report(
        expected=len(wanted),
        lost=sorted(set(wanted) - set(found)),
        invented=sorted(set(found) - set(wanted)),
        different=sorted(different),
        rejects_lost=sorted(noise - set(letters)) + ["of the engine"] * max(0, refused - len(of_engine)),
        rejects_invented=sorted(of_engine) if len(of_engine) > refused else [],
        twice=sum(count > 1 for count in published(kafka).values()),
        rejects_twice=sorted(source for source, count in often.items() if count > 1),
    )
