"""Both ends of Kafka by command: a log goes in, alerts are read, dead letters are listed and sent again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from monitor import cli
from rules.events import Event, decode, encode
from rules.outputs import AlertChange, encode_change
from streams.deadletters import DeadLetter
from streams.kafka.admin import TopicAdmin
from streams.kafka.reading import Record, TopicReader
from streams.kafka.settings import KafkaSettings
from streams.logfile import read_log
from streams.replay import replay
from streams.summary import Tally
from streams.topics import INPUTS, TopicName, rank_of, topic_of
from tests.integration.brokers import MARKS, ROOT, Broker, wait_until

pytestmark = list(MARKS)

DEMO = ROOT / "monitor/demo/ward.jsonl"
SECRET = "not-for-anybody"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def topics(broker: Broker, kafka: KafkaSettings) -> KafkaSettings:
    broker.need_to_be_real()
    with TopicAdmin(kafka) as admin:
        admin.create(partitions=3)
    return kafka


@pytest.fixture
def run(broker: Broker, kafka: KafkaSettings, capfd: pytest.CaptureFixture[str]) -> Run:
    broker.need_to_be_real()

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = cli.main([*arguments, "--bootstrap-servers", broker.servers, "--prefix", kafka.prefix])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def send(topics: KafkaSettings) -> Iterator[Callable[..., None]]:
    producer: Any = KafkaProducer(**topics.client_options(), acks="all")

    def send_one(name: TopicName, **record: Any) -> None:
        producer.send(topics.topic(name), **record).get(timeout=30)

    yield send_one
    producer.close()


def records(kafka: KafkaSettings, name: TopicName) -> list[Record]:
    with TopicReader(kafka, name) as reader:
        return list(reader.present())


def events_in(kafka: KafkaSettings, name: TopicName) -> list[Record]:
    """The records but for time marks, which are about nobody."""
    return [record for record in records(kafka, name) if record.key is not None]


def events_of(path: Path) -> list[Event]:
    with read_log(path, lambda bad: pytest.fail(str(bad))) as log:
        return [event for _, event in log]


@cache
def demo_alerts() -> tuple[AlertChange, ...]:
    changes = replay(events_of(DEMO), cli.open_ward(None, ()), Tally())
    return tuple(change for change in changes if isinstance(change, AlertChange))


def test_topics_are_created_described_and_checked(run: Run, kafka: KafkaSettings) -> None:
    code, out, _ = run("topics", "check")
    assert (code, out.count(": missing")) == (3, 8)
    code, out, err = run("topics", "create", "--partitions", "2")
    assert (code, out.count("created "), err) == (0, 8, "")
    assert run("topics", "create")[:2] == (0, "all topics are there already\n")
    assert run("topics", "check")[:2] == (0, "all topics are right\n")
    code, out, _ = run("topics", "describe")
    assert f"{kafka.prefix}icu.status\n" in out
    assert "cleanup.policy=compact" in out


def test_a_log_arrives_whole_and_each_patients_events_in_their_order(run: Run, topics: KafkaSettings) -> None:
    code, _, err = run("replay", str(DEMO), "--to", "kafka")
    events = events_of(DEMO)
    assert (code, err) == (0, f"{len(events)} events published\n")
    homes: dict[bytes | None, set[int]] = {}
    for name in INPUTS:
        wanted = [event for event in events if topic_of(event) is name]
        found = events_in(topics, name)
        assert len(found) == len(wanted)
        for patient in {event.subject for event in events}:
            received = [decode(one.value or b"") for one in found if one.key == patient.encode()]
            assert received == [event for event in wanted if event.subject == patient]
        for one in found:
            homes.setdefault(one.key, set()).add(one.partition)
    assert {len(partitions) for partitions in homes.values()} == {1}


def test_publishing_goes_on_where_it_stopped(run: Run, topics: KafkaSettings, tmp_path: Path) -> None:
    lines = DEMO.read_text(encoding="utf-8").splitlines(keepends=True)
    log, bookmark = tmp_path / "ward.jsonl", tmp_path / "ward.bookmark"
    log.write_text("".join(lines[:100]), encoding="utf-8")
    assert run("replay", str(log), "--to", "kafka", "--resume", str(bookmark))[2] == "100 events published\n"
    log.write_text("".join(lines[:130]), encoding="utf-8")
    assert run("replay", str(log), "--to", "kafka", "--resume", str(bookmark))[2] == "30 events published\n"
    assert run("replay", str(log), "--to", "kafka", "--resume", str(bookmark))[2] == "0 events published\n"
    assert sum(len(events_in(topics, name)) for name in INPUTS) == 130
    log.write_text("".join(lines[5:]), encoding="utf-8")
    code, _, err = run("replay", str(log), "--to", "kafka", "--resume", str(bookmark))
    assert code == 4
    assert "belongs to another log" in err


def test_lines_that_are_no_events_are_reported_and_the_rest_is_published(
    run: Run, topics: KafkaSettings, tmp_path: Path
) -> None:
    log = tmp_path / "ward.jsonl"
    log.write_text("{}\n" + DEMO.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    code, _, err = run("replay", str(log), "--to", "kafka")
    assert code == 3
    assert f"not read: {log}:1:" in err
    assert err.endswith("1 events published\n")


def test_without_topics_the_way_to_make_them_is_said(run: Run) -> None:
    code, _, err = run("replay", str(DEMO), "--to", "kafka")
    assert code == 4
    assert "make them with: rescue-monitor topics create" in err
    code, _, err = run("alerts")
    assert code == 4
    assert "no such topic" in err


def test_only_the_present_state_of_each_alert_is_shown(run: Run, send: Callable[..., None]) -> None:
    changes = demo_alerts()
    for change in [*changes, *changes[:3]]:  # a worker that crashed says its last words again
        send(TopicName.ALERTS, key=change.patient.encode(), value=encode_change(change).encode())
    send(TopicName.ALERTS, key=b"bed-1", value=b'{"kind": "noise", "patient": "' + SECRET.encode() + b'"}')
    newest = {change.id: change for change in changes}
    code, out, err = run("alerts", "--format", "jsonl")
    shown = [AlertChange.model_validate_json(line) for line in out.splitlines()]
    assert code == 3
    assert "not an alert: " in err
    assert SECRET not in err
    assert {change.id: change for change in shown} == newest
    assert len(shown) == len(newest) < len(changes)
    assert "Surviving Sepsis Campaign" in run("alerts")[1]


def test_followed_alerts_come_as_they_change(
    broker: Broker, topics: KafkaSettings, send: Callable[..., None], tmp_path: Path
) -> None:
    first, *later = demo_alerts()
    send(TopicName.ALERTS, key=first.patient.encode(), value=encode_change(first).encode())
    output = tmp_path / "alerts.jsonl"
    with output.open("wb") as file:
        command = ["alerts", "--follow", "--format", "jsonl", "--bootstrap-servers", broker.servers]
        follower = subprocess.Popen(
            [sys.executable, "-m", "monitor.cli", *command, "--prefix", topics.prefix],
            stdout=file,
            cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - a shell may ignore it
        )
        try:
            wait_until(lambda: len(output.read_bytes().splitlines()) == 1, 60, "the first alert is shown")
            for change in [first, *later]:
                send(TopicName.ALERTS, key=change.patient.encode(), value=encode_change(change).encode())
            wait_until(lambda: len(output.read_bytes().splitlines()) == 1 + len(later), 60, "all changes are shown")
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(60) == 130
    lines = output.read_text(encoding="utf-8").splitlines()
    assert Counter(lines) == Counter(encode_change(change) for change in [first, *later])


def test_a_dead_letter_is_sent_again_once_and_unchanged(
    run: Run, topics: KafkaSettings, send: Callable[..., None]
) -> None:
    event = encode(events_of(DEMO)[0]).encode()
    vitals = topics.topic(TopicName.VITALS)
    letters = [
        DeadLetter(vitals, 0, 17, "unknown_unit: readings.0", b"bed-1", event),
        DeadLetter(vitals, 0, 18, "not UTF-8 text", b"\xff", b"\xfe" + SECRET.encode()),
    ]
    for letter in [*letters, letters[0]]:  # twice is once
        send(TopicName.REJECTED, key=letter.key, value=letter.value, headers=letter.headers())
    code, out, _ = run("rejected")
    assert code == 0
    assert out == f"{vitals}[0]@17  unknown_unit: readings.0\n{vitals}[0]@18  not UTF-8 text\n"
    listed = [json.loads(line) for line in run("rejected", "--format", "jsonl")[1].splitlines()]
    assert listed[0]["value"] == event.decode()
    assert {"key_base64", "value_base64"} <= set(listed[1])

    code, _, err = run("rejected", "--resubmit", "--only", f"{vitals}[0]@17")
    assert (code, err) == (0, "1 sent again\n")
    assert [(one.key, one.value) for one in records(topics, TopicName.VITALS)] == [(b"bed-1", event)]
    assert run("rejected")[1] == f"{vitals}[0]@18  not UTF-8 text\n"
    assert run("rejected", "--only", f"{vitals}[0]@17")[0] == 2


def test_what_is_in_the_topic_of_dead_letters_and_is_none_is_named(run: Run, send: Callable[..., None]) -> None:
    send(TopicName.REJECTED, key=b"bed-1", value=b"{}")
    code, out, err = run("rejected")
    assert (code, out) == (3, "")
    assert "not a dead letter: " in err


def test_a_ward_decides_the_same_from_kafka_as_from_the_log(run: Run, topics: KafkaSettings) -> None:
    run("replay", str(DEMO), "--to", "kafka")
    arrived = [decode(one.value or b"") for name in INPUTS for one in events_in(topics, name)]
    arrived.sort(key=lambda event: (event.received_at, event.subject, rank_of(event)))
    again = replay(arrived, cli.open_ward(None, ()), Tally())
    assert tuple(change for change in again if isinstance(change, AlertChange)) == demo_alerts()
