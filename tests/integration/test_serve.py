"""``rescue-monitor serve`` as a process: killed, ended in order, fed from files and from standard input."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from monitor import cli
from monitor.cli import open_ward
from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Action, encode
from rules.outputs import Rejection
from streams.logfile import read_log
from streams.replay import in_stream_order, replay
from streams.summary import Tally
from tests.integration.brokers import ROOT, wait_until
from tests.integration.serving import ServiceProcess, chain_holds, run_with_kills, said, uninterrupted
from tests.streams.stream import events_of, said_by_replay, words

pytestmark = pytest.mark.slow

SERVE = (sys.executable, "-m", "monitor.cli", "serve", "--listen", "127.0.0.1:0")
BEDS = ("bed-1", "bed-4", "bed-9")


def test_killed_under_load_it_loses_nothing_and_invents_nothing(tmp_path: Path) -> None:
    events = list(in_stream_order(events_of(DEMO_LOG, *BEDS)))
    found, _ = run_with_kills(tmp_path, events, kills=4, seed=5)
    assert found == uninterrupted(tmp_path, events)
    assert chain_holds(tmp_path / "service.db")


def test_standard_input_is_read_to_its_end_and_every_deadline_met(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{encode(event)}\n" for event in events_of(DEMO_LOG, *BEDS)) + "\nnonsense\n\n")
    with log.open("rb") as lines:
        process = subprocess.Popen(
            [*SERVE, "--database", str(tmp_path / "service.db"), "--follow", "-"],
            stdin=lines,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
    try:
        wait_until(lambda: said_so_far(tmp_path) == len(said_by_replay(*BEDS)), 90, "all has been said")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert said(tmp_path / "service.db") == said_by_replay(*BEDS)


def test_a_file_is_followed_as_it_grows_and_read_on_after_a_kill(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [f"{encode(event)}\n" for event in in_stream_order(events_of(DEMO_LOG, "bed-4"))]
    middle = len(lines) // 2
    # The second half of a line may come later than the first.
    log.write_text("".join(lines[:middle]) + lines[middle][:30], encoding="utf-8")
    service = ServiceProcess(tmp_path, "--follow", str(log))
    service.wait_until_ready()
    wait_until(lambda: said_so_far(tmp_path) > 0, 60, "something has been said")
    service.kill()
    with log.open("a", encoding="utf-8") as file:
        file.write(lines[middle][30:] + "".join(lines[middle + 1 :]))
    service.start()
    wanted = uninterrupted(tmp_path, list(in_stream_order(events_of(DEMO_LOG, "bed-4"))))
    wait_until(lambda: said_so_far(tmp_path) == len(wanted), 60, "all has been said")
    assert service.stop() == 0
    assert said(service.database) == wanted


def test_rules_that_do_not_fit_the_kept_state_end_it_with_their_own_code(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path)
    service.wait_until_ready()
    assert service.send(events_of(DEMO_LOG, "bed-4")[:50])
    assert service.stop() == 0
    site = tmp_path / "site.yaml"
    site.write_text("strict_fluid: true\n", encoding="utf-8")
    other = ServiceProcess(tmp_path, "--settings", str(site))
    assert other.process.wait(60) == 78
    log = other.log.read_text(encoding="utf-8")
    assert "made with other site settings" in log
    assert "bed-4" not in log


def test_the_log_that_is_exported_is_replayed_to_the_same_words_answers_included(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path)
    service.wait_until_ready()
    events = list(in_stream_order(events_of(DEMO_LOG, "bed-1")))
    answer = next(place for place, event in enumerate(events) if event.kind == "action")
    assert service.send(events[:answer])
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}") as client:
        alert = next(a for a in client.get("/v1/alerts").json()["alerts"] if a["subject"] == "hydrocortisone")
        body = {"action": "acknowledge", "based_on": alert["sequence"]}
        done = client.post(f"/v1/alerts/{alert['id']}/actions", json=body)
    assert done.status_code == 201, done.text
    log = tmp_path / "log.jsonl.zst"
    assert cli.main(["export", "--database", str(service.database), "-o", str(log)]) == cli.OK
    assert service.stop() == 0
    with read_log(log, lambda bad: pytest.fail(str(bad))) as lines:
        exported = [event for _, event in lines]
    assert len(exported) == answer + 1
    assert isinstance(exported[-1], Action)
    changes = list(replay(exported, open_ward(None, ()), Tally()))
    replayed = words(change for change in changes if not isinstance(change, Rejection))
    # A replay decides everything up to its end; the service had reasons to wait for more.
    assert said(service.database).items() <= replayed.items()
    assert any('"change":"acknowledged"' in text for text in said(service.database).values())


def said_so_far(folder: Path) -> int:
    database = folder / "service.db"
    return len(said(database)) if database.exists() and database.stat().st_size else 0
