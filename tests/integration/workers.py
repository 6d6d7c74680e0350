"""Workers as processes of their own: started, stopped, killed, and what they have published."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rules.events import Event
from rules.outputs import AlertChange, StatusChange
from streams.deadletters import OpenDeadLetters
from streams.kafka.publish import Publisher, publish
from streams.kafka.reading import TopicReader
from streams.kafka.settings import KafkaSettings
from streams.topics import TopicName
from tests.integration.brokers import ROOT, free_port, wait_until, with_children_gone
from tests.streams.stream import Words

Said = dict[tuple[str, int], set[str]]
"""The different lines that were published of each patient and sequence number: one, if all is right."""


class WorkerProcess:
    """``rescue-monitor worker``, with its output in a file."""

    def __init__(self, kafka: KafkaSettings, folder: Path, *arguments: str, **worker: float | str) -> None:
        self.port = free_port()
        self.log = folder / f"worker-{self.port}.txt"
        settings = folder / f"worker-{self.port}.yaml"
        # Shorter than in a hospital, so that a test that kills does not wait.
        quick = {"session_timeout": 6.0, "heartbeat": 1.0, "snapshot_interval": 2.0} | worker
        content = {
            "bootstrap_servers": list(kafka.bootstrap_servers),
            "prefix": kafka.prefix,
            "worker": quick | {"listen": f"127.0.0.1:{self.port}"},
        }
        settings.write_text(json.dumps(content), encoding="utf-8")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", "worker", "--kafka", str(settings), *arguments],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env=os.environ | {"PYTHONWARNINGS": "ignore"},
                start_new_session=True,
            )

    def ask(self, path: str) -> tuple[int, str]:
        """The answer of its own server; status 0 if it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def figure(self, name: str) -> float:
        """The sum of a figure over its labels."""
        lines = self.ask("/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    @property
    def events(self) -> int:
        """How many events it has applied."""
        lines = [line for line in self.ask("/metrics")[1].splitlines() if 'outcome="used"' in line]
        return round(sum(float(line.split()[-1]) for line in lines))

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return self.ask("/readyz")[0] == 200

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready, 90, "the worker holds partitions")

    def has_applied(self, events: int) -> bool:
        """Whether it has applied so many, and nothing is left."""
        ready = self.is_ready() and self.figure("rescue_monitor_lag_records") == 0
        return ready and self.events >= events

    def kill(self) -> None:
        with_children_gone(self.process)

    def stop(self) -> int:
        """End it in order; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def send(kafka: KafkaSettings, events: Sequence[Event], *, close: bool = False) -> None:
    with Publisher(kafka) as publisher:
        list(publish(enumerate(events, start=1), publisher, close=close))


def exactly(words: Words) -> Said:
    return {place: {line} for place, line in words.items()}


def said(kafka: KafkaSettings) -> Said:
    found: Said = {}
    for patient, sequence, line in _changes(kafka):
        found.setdefault((patient, sequence), set()).add(line)
    return found


def published(kafka: KafkaSettings) -> Counter[tuple[str, int]]:
    """How often each change was published, by patient and sequence number."""
    return Counter((patient, sequence) for patient, sequence, _ in _changes(kafka))


def _changes(kafka: KafkaSettings) -> Iterator[tuple[str, int, str]]:
    for name, model in ((TopicName.ALERTS, AlertChange), (TopicName.STATUS, StatusChange)):
        with TopicReader(kafka, name) as reader:
            for record in reader.present():
                line = (record.value or b"").decode()
                change = model.model_validate_json(line)
                yield change.patient, change.sequence, line


def dead_letters(kafka: KafkaSettings) -> tuple[dict[str, str], Counter[str]]:
    """The reason of each by its source, and how often each was published."""
    letters, often = OpenDeadLetters(), Counter[str]()
    with TopicReader(kafka, TopicName.REJECTED) as reader:
        for record in reader.present():
            letters.take(record.key, record.value, record.headers)
            headers = dict(record.headers)
            often[
                b"@".join(headers[f"source-{part}"] or b"" for part in ("topic", "partition", "offset")).decode()
            ] += 1
    return {letter.source: letter.reason for letter in letters.letters()}, often
