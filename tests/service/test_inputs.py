"""Every input is watched: whether it can be read, and when something last came; files are followed into the log."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import cli
from monitor.service.inputs import Followed
from monitor.service.liveness import Liveness
from monitor.service.models import Unit
from monitor.service.security import TokenFile
from rules.events import Event, encode
from streams.embedded.settings import EmbeddedSettings
from streams.logfile import write_log
from streams.turns import Standing
from tests.integration.brokers import wait_until
from tests.service.running import Running, running
from tests.streams.stream import events_of

pytestmark = pytest.mark.xdist_group("service")

START = datetime(2026, 3, 14, 10, 12, tzinfo=UTC)
LAB = Path("lab.jsonl")


class Clock:
    """A time of day that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START
        self.off = timedelta(0)

    def __call__(self) -> datetime:
        return self.now + self.off

    def seconds(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def states(liveness: Liveness) -> dict[str, str]:
    return {found.name: found.state for found in liveness.inputs()}


def test_a_file_is_called_by_its_name_or_as_somebody_calls_it() -> None:
    assert Followed.read("/var/spool/lab.jsonl") == ("lab.jsonl", "/var/spool/lab.jsonl")
    assert Followed.read("lab=/var/spool/a=b.jsonl") == ("lab", "/var/spool/a=b.jsonl")
    assert Followed.read("./a=b.jsonl") == ("a=b.jsonl", "./a=b.jsonl")
    assert Followed.read("-") == ("standard input", "-")


def test_two_inputs_have_two_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--follow", "/a/lab.jsonl", "--follow", "/b/lab.jsonl"]) == cli.USAGE
    assert "lab.jsonl is given twice; a name can be put before a file" in capsys.readouterr().err
    assert cli.main(["serve", "--follow", "one=/a/lab.jsonl", "--follow", "two=/a/lab.jsonl"]) == cli.USAGE


def test_an_input_that_is_not_there_or_cannot_be_read_is_a_fault(clock: Clock) -> None:
    liveness = Liveness(["lab", "monitors", "archive"], {}, clock, clock.seconds)
    assert [found.name for found in liveness.faults()] == ["archive", "lab", "monitors"], "nothing is known of them yet"
    liveness.stands("lab", Standing("failed", "Input/output error"))
    liveness.stands("monitors", Standing("reading"))
    liveness.stands("archive", Standing("ended"))
    assert [(found.name, found.state, found.reason) for found in liveness.faults()] == [
        ("lab", "failed", "Input/output error")
    ]


def test_an_input_is_silent_once_nothing_came_for_longer_than_was_expected(clock: Clock) -> None:
    liveness = Liveness(["lab"], {"lab": 300.0, "gateway": 60.0}, clock, clock.seconds)
    liveness.stands("lab", Standing("reading"))
    clock.now += timedelta(seconds=60)
    assert liveness.faults() == ()
    clock.now += timedelta(seconds=1)
    assert states(liveness) == {"lab": "reading", "gateway": "silent"}, "nobody has ever heard of it"
    liveness.heard("gateway")
    clock.now += timedelta(seconds=60)
    assert states(liveness) == {"lab": "reading", "gateway": "reading"}
    liveness.heard("lab")
    clock.now += timedelta(seconds=301)
    (gateway, lab) = liveness.inputs()
    assert (lab.state, lab.since, lab.expected) == ("silent", START + timedelta(seconds=121), 300.0)
    assert gateway.since == START + timedelta(seconds=61)


def test_a_clock_that_jumps_makes_nobody_silent_and_nobody_heard(clock: Clock) -> None:
    liveness = Liveness([], {"gateway": 60.0}, clock, clock.seconds)
    clock.off = timedelta(days=1)
    assert states(liveness) == {"gateway": "reading"}
    liveness.heard("gateway")
    clock.off = timedelta(0)
    clock.now += timedelta(seconds=61)
    assert states(liveness) == {"gateway": "silent"}


def test_a_sender_of_whom_nothing_is_expected_is_known_and_never_silent(clock: Clock) -> None:
    liveness = Liveness([], {}, clock, clock.seconds)
    liveness.heard("gateway")
    clock.now += timedelta(days=1)
    assert states(liveness) == {"gateway": "reading"}


def test_a_sender_who_is_called_like_a_file_does_not_speak_for_it(clock: Clock) -> None:
    liveness = Liveness(["lab"], {"lab": 900}, clock, clock.seconds)
    liveness.stands("lab", Standing("reading"))
    clock.now += timedelta(seconds=901)
    liveness.heard_from("lab")
    liveness.heard_from("gateway-7")
    assert states(liveness) == {"lab": "silent", "lab over HTTP": "reading", "gateway-7": "reading"}


def test_an_input_that_has_failed_is_not_called_silent(clock: Clock) -> None:
    liveness = Liveness(["lab"], {"lab": 60.0}, clock, clock.seconds)
    liveness.stands("lab", Standing("failed", "Permission denied"))
    clock.now += timedelta(hours=1)
    assert states(liveness) == {"lab": "failed"}


def figures(service: Running) -> dict[str, float]:
    lines = service.client.get("/metrics").text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def used(service: Running) -> float:
    return sum(value for name, value in figures(service).items() if 'outcome="used"' in name)


def is_used(service: Running, count: int) -> Callable[[], bool]:
    return lambda: used(service) == count


def text(events: list[Event]) -> str:
    return "".join(f"{encode(event)}\n" for event in events)


def test_a_service_without_a_file_is_not_ready_and_says_which(tmp_path: Path) -> None:
    log = tmp_path / LAB
    events = list(events_of())[:30]
    with running(tmp_path / "service.db", follow=[f"lab={log}"]) as service:
        wait_until(lambda: "lab: waiting" in service.client.get("/readyz").text, 20, "it is missed")
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "no\ninput lab: waiting\n")
        assert service.client.get("/livez").status_code == 200, "to start it again would not help"
        assert figures(service)['rescue_monitor_input_ready{input="lab"}'] == 0
        log.write_text(text(events), encoding="utf-8")
        wait_until(is_used(service, 30), 20, "it is read")
        assert service.client.get("/readyz").text == "ok\n"
        known = figures(service)
        assert known['rescue_monitor_input_ready{input="lab"}'] == 1
        assert known['rescue_monitor_input_state{input="lab",state="reading"}'] == 1
        assert known['rescue_monitor_input_last_event_timestamp_seconds{input="lab"}'] == pytest.approx(
            time.time(), abs=60
        )
        (lab,) = Unit.model_validate_json(service.client.get("/v1/unit").content).inputs
        assert (lab.name, lab.state, lab.ready) == ("lab", "reading", True)


def test_a_sender_that_is_expected_and_silent_is_named(tmp_path: Path, clock: Clock) -> None:
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text(f"tokens: [{{sha256: {digest}, actor: gateway, role: operator}}]", encoding="utf-8")
    runtime = EmbeddedSettings(expect={"gateway": 60})
    known = {"Authorization": "Bearer test"}
    with running(tmp_path / "service.db", TokenFile(tokens, clock), wall=clock, runtime=runtime) as service:
        clock.now += timedelta(seconds=50)
        assert service.client.get("/readyz").status_code == 200
        refused = events_of()[0].model_copy(update={"received_at": START + timedelta(days=1)})
        assert service.send([refused], known).json()["results"][0]["status"] == "rejected"
        clock.now += timedelta(seconds=50)
        silent, clocks = service.client.get("/readyz").text.splitlines()[1:]
        assert silent == "input gateway: silent", "nothing that came could be used"
        assert clocks == "clock: this machine's clock is 23 h 59 min behind its senders: their events are refused"
        event = events_of()[0].model_copy(update={"received_at": clock.now, "effective_at": clock.now})
        assert service.send([event], known).json()["results"][0]["status"] == "accepted"
        assert service.client.get("/readyz").status_code == 200
        clock.now += timedelta(seconds=61)
        assert service.client.get("/readyz").status_code == 503


def test_a_file_is_followed_into_the_log_through_rotations_and_restarts(tmp_path: Path) -> None:
    log, database = tmp_path / LAB, tmp_path / "service.db"
    events = list(events_of())[:90]
    log.write_text(text(events[:30]), encoding="utf-8")
    with running(database, follow=[str(log)]) as service:
        wait_until(is_used(service, 30), 20, "the first are used")
        log.rename(tmp_path / "lab.1")
        log.write_text(text(events[30:60]), encoding="utf-8")
        wait_until(is_used(service, 60), 20, "those of the new file are used")
    with (tmp_path / "lab.1").open("a", encoding="utf-8") as late:
        late.write(text(events[60:70]))
    log.rename(tmp_path / "lab.2")
    log.write_text(text(events[70:90]), encoding="utf-8")
    with running(database, follow=[str(log)]) as service:
        wait_until(is_used(service, 30), 20, "those of both are used, and nothing else")


def test_up_to_the_end_of_a_compressed_log_every_deadline_is_met(tmp_path: Path) -> None:
    log = tmp_path / "lab.jsonl.gz"
    write_log(events_of()[:40], log)
    with running(tmp_path / "service.db", follow=[str(log)]) as service:
        wait_until(lambda: 'outcome="mark"' in service.client.get("/metrics").text, 20, "it is told that this was all")
        assert used(service) == 40
        (found,) = Unit.model_validate_json(service.client.get("/v1/unit").content).inputs
        assert (found.state, found.ready) == ("ended", True)


def test_a_pipe_is_an_input_whose_writers_come_and_go(tmp_path: Path) -> None:
    pipe = tmp_path / LAB
    os.mkfifo(pipe)
    events = list(events_of())[:20]
    with running(tmp_path / "service.db", follow=[str(pipe)]) as service:
        for start in (0, 10):
            pipe.write_text(text(events[start : start + 10]), encoding="utf-8")
            wait_until(is_used(service, start + 10), 20, "they are used")
        assert service.client.get("/readyz").status_code == 200


def test_an_input_whose_thread_fails_is_a_fault_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.following.Following.turn", fail)
    with running(tmp_path / "service.db", follow=[f"lab={tmp_path / LAB}"]) as service:
        wait_until(lambda: "lab: failed" in service.client.get("/readyz").text, 20, "it is said")
        assert service.send(list(events_of())[:5]).status_code == 200
