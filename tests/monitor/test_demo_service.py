"""``rescue-monitor demo``: what its script tells, and that it opens a ward in the browser and ends by itself."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from monitor.demo.script import CLOSES, OPENS, SIMULATED, script
from rules.outputs import AlertChange, AlertChangeKind
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.replay import replay
from streams.summary import Tally
from streams.ward import Ward

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")


@pytest.fixture(scope="module")
def alerts() -> list[AlertChange]:
    changes = list(replay(script(), Ward(load_packs(), SiteSettings()), Tally()))
    return [change for change in changes if isinstance(change, AlertChange)]


def test_the_script_is_in_order_and_ends_when_it_says() -> None:
    events = list(script())
    assert all(one.received_at <= other.received_at for one, other in pairwise(events))
    assert events[0].received_at < OPENS < events[-1].received_at <= CLOSES
    assert {event.subject for event in events} == {f"bed-{number}" for number in range(1, 19)}


def test_about_two_minutes_show_escalation_and_one_alert_taken_back(alerts: list[AlertChange]) -> None:
    shown = [alert for alert in alerts if OPENS < alert.decided_at <= CLOSES]
    escalated = {alert.patient for alert in shown if alert.change is AlertChangeKind.RAISED and alert.interrupts}
    assert {"bed-1", "bed-2", "bed-3", "bed-7", "bed-8", "bed-10"} < escalated
    taken_back = [alert for alert in shown if alert.change is AlertChangeKind.WITHDRAWN]
    assert [(alert.patient, alert.subject) for alert in taken_back] == [("bed-3", "refractory")]
    assert 110 <= (CLOSES - OPENS).total_seconds() / 60 <= 140


def test_of_the_simulated_beds_the_quiet_ones_stay_quiet(alerts: list[AlertChange]) -> None:
    loud = {alert.patient for alert in alerts if alert.interrupts}
    courses = {truth.patient: truth.course for truth in SIMULATED.truth()}
    assert {courses[patient] for patient in loud & courses.keys()} == {"arrest-transient-rosc", "status-resolved"}


@contextmanager
def demo(output: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "monitor.cli", "demo", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"TERM": "xterm"})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_without_a_terminal_it_ends_by_itself_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with demo(subprocess.PIPE, "--speed", "1500") as process:
        out = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0, out
    assert ADDRESS.search(out)
    assert "Taken back. Do not act on what it said." in out
    assert "the script is over" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_on_a_terminal_the_ward_can_be_looked_at_until_ctrl_c() -> None:
    terminal, inside = pty.openpty()
    with demo(inside, "--speed", "3000") as process, os.fdopen(terminal, "rb", buffering=0) as screen:
        os.close(inside)
        out = ""
        while "until you press Ctrl-C" not in out:
            out += screen.read(4096).decode(errors="replace")
        found = ADDRESS.search(out)
        assert found
        seen = httpx.get(f"{found.group()}v1/unit").json()
        assert len(seen["patients"]) == 18
        assert seen["now"] == CLOSES.isoformat().replace("+00:00", "Z")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_in_order(number: signal.Signals) -> None:
    with demo(subprocess.PIPE) as process:
        assert process.stdout is not None
        out = ""
        while "bed-" not in out:
            out += process.stdout.readline().decode()
        process.send_signal(number)
        out += process.communicate(timeout=30)[0].decode()
    assert process.returncode == 0, out
    assert "Error" not in out
    assert "The demo has ended" in out
