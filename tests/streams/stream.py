"""Four inputs of one partition as lists, a runtime that drives the processor over them, and its crashes."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from monitor.cli import open_ward
from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Event, encode
from rules.outputs import AlertChange, Rejection, StatusChange, encode_change
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.deadletters import DeadLetter
from streams.feed import Feed
from streams.intake import Record, TimeMark
from streams.logfile import read_log
from streams.processor import LIVE_WITHIN, Outcome, Processor
from streams.replay import replay
from streams.states import PARTITION_KEY
from streams.summary import Tally
from streams.topics import AT_ONE_INSTANT, TopicName, topic_of

Words = dict[tuple[str, int], str]
"""What was said, by patient and sequence number."""

SITE = SiteSettings()
PATIENCE = 10.0


@cache
def packs() -> tuple[Pack, ...]:
    return load_packs()


@cache
def events_of(path: Path = DEMO_LOG, *beds: str) -> tuple[Event, ...]:
    with read_log(path, lambda bad: None) as log:
        return tuple(event for _, event in log if not beds or event.subject in beds)


@cache
def said_by_replay(*beds: str) -> Words:
    changes = replay(events_of(DEMO_LOG, *beds), open_ward(None, ()), Tally())
    return words(change for change in changes if not isinstance(change, Rejection))


def words(changes: Iterable[AlertChange | StatusChange]) -> Words:
    return {(change.patient, change.sequence): encode_change(change) for change in changes}


class Inputs:
    """The records of the partition; those of a log arrive long after they were received, unless ``live``."""

    def __init__(self, events: Iterable[Event] = (), *, closed: bool = True, live: bool = False) -> None:
        self.records: dict[TopicName, list[Record]] = {name: [] for name in AT_ONE_INSTANT}
        self._live = live
        last = None
        for event in events:
            self.append(topic_of(event), event.subject.encode(), encode(event).encode(), event.received_at)
            last = event.received_at
        if closed and last is not None:
            self.mark(last)

    def append(self, topic: TopicName, key: bytes | None, value: bytes | None, received: datetime) -> None:
        arrived = received if self._live else received + timedelta(days=300)
        self.records[topic].append(Record(topic, 0, len(self.records[topic]), key, value, arrived))

    def mark(self, at: datetime) -> None:
        value = TimeMark(source="test", received_at=at).model_dump_json().encode()
        for name in AT_ONE_INSTANT:
            self.append(name, None, value, at)

    @property
    def ends(self) -> dict[TopicName, int | None]:
        return {name: len(records) for name, records in self.records.items()}


class Runtime:
    """Reads in pieces of chance sizes; publishes, keeps states and crashes by chance."""

    def __init__(self, inputs: Inputs, seed: int, rules: Sequence[Pack] | None = None) -> None:
        self.inputs = inputs
        self.chance = random.Random(seed)
        self.rules = packs() if rules is None else rules
        self.published: Words = {}
        self.letters: dict[str, DeadLetter] = {}
        self.kept: dict[bytes, bytes] = {}
        self.crashes = 0
        self.start()

    def start(self) -> None:
        self.processor = Processor(self.rules, SITE)
        floors = self.processor.adopt(0, self.kept).floors
        self.read_to = {name: floors.get(name, 0) for name in AT_ONE_INSTANT}
        self.feed = Feed(self.processor, 0, self.read_to, SITE.future_skew, LIVE_WITHIN, PATIENCE)

    def publish(self, outcome: Outcome) -> None:
        for change in (said.change for said in outcome.said):
            line = encode_change(change)
            assert self.published.setdefault((change.patient, change.sequence), line) == line
        for rejected in outcome.rejected:
            self.letters[rejected.letter.source] = rejected.letter
        self.keep(outcome.urgent)

    def keep(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.kept[name.encode()] = self.processor.state(0, name)
            self.processor.kept(0, [name])
        self.kept[PARTITION_KEY] = self.processor.partition_state(0, self.feed.floors())

    def run(self, crashes: float = 0.0, keeping: float = 0.2) -> None:
        """Read everything that is there."""
        while any(self.read_to[name] < len(records) for name, records in self.inputs.records.items()):
            name = self.chance.choice(AT_ONE_INSTANT)
            piece = self.inputs.records[name][self.read_to[name] :][: self.chance.randint(1, 200)]
            self.read_to[name] += len(piece)
            for record in piece:
                self.feed.add(record, 0.0)
            outcome = self.feed.apply(self.inputs.ends, 0.0)
            if self.chance.random() < crashes:
                self.crash(outcome)
                continue
            self.publish(outcome)
            self.keep(name for name in list(self.processor.unkept(0)) if self.chance.random() < keeping)

    def crash(self, outcome: Outcome) -> None:
        """Die after publishing a part of an outcome, and start again from what was kept."""
        self.crashes += 1
        outcome.said = outcome.said[: self.chance.randint(0, len(outcome.said))]
        outcome.rejected.clear()
        outcome.urgent.clear()
        kept = dict(self.kept)
        self.publish(outcome)
        self.kept = kept
        self.start()
