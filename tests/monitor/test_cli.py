import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from monitor import cli
from rules.settings import SiteSettings
from streams.logfile import write_log
from streams.ward import Ward
from tests.streams.fake_engine import FakeEngine, timer, vitals

ROOT = Path(__file__).parents[2]
RUN = [sys.executable, "-c", "import sys; from monitor.cli import main; sys.exit(main())"]


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_ward(settings: Path | None, packs: Sequence[Path]) -> Ward:
        return Ward((), SiteSettings(), FakeEngine)

    monkeypatch.setattr(cli, "open_ward", open_ward)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "ward.jsonl"
    write_log([timer("p1", 0), vitals("p2", 5), vitals("p1", 20)], path)
    return path


def spoil(log: Path) -> None:
    log.write_bytes(log.read_bytes() + b'{"kind": "nonsense"}\n')


@pytest.mark.usefixtures("fake_engine")
def test_text_shows_alerts_the_patients_and_the_figures(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(log)]) == cli.OK
    out, err = capsys.readouterr()
    assert "2026-01-31 (UTC)\n" in out
    assert "!!  MEDIUM  NEW ALERT  p1  09:10\n" in out
    assert "Patients" in out
    assert "Read 3 events with 2 readings of 2 patients" in out
    assert err == ""


@pytest.mark.usefixtures("fake_engine")
def test_jsonl_is_nothing_but_changes(log: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["replay", str(log), "--format", "jsonl"]) == cli.OK
    out, err = capsysbinary.readouterr()
    kinds = [json.loads(line)["kind"] for line in out.splitlines()]
    assert kinds == ["status", "status", "alert", "status"]
    assert b"Read 3 events" in err


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_the_summary_can_be_left_out(log: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(log), "--no-summary", "--format", form]) == cli.OK
    out, err = capsys.readouterr()
    assert "Read 3 events" not in out + err


@pytest.mark.usefixtures("fake_engine")
def test_a_bad_line_is_named_and_kept_and_changes_the_exit_code(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(log)
    rejects = tmp_path / "rejects.jsonl"
    assert cli.main(["replay", str(log), "--rejects", str(rejects)]) == cli.BAD_LINES
    out, err = capsys.readouterr()
    assert f"not read: {log}:4: " in err
    assert "Not read: 1 bad line" in out
    assert "Read 3 events" in out
    kept = json.loads(rejects.read_text(encoding="utf-8"))
    assert (kept["file"], kept["line"], kept["raw"]) == (str(log), 4, '{"kind": "nonsense"}')


@pytest.mark.usefixtures("fake_engine")
def test_without_bad_lines_there_is_no_rejects_file(log: Path, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    assert cli.main(["replay", str(log), "--rejects", str(rejects)]) == cli.OK
    assert not rejects.exists()


@pytest.mark.usefixtures("fake_engine")
def test_many_bad_lines_are_counted_rather_than_listed(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(50):
        spoil(log)
    assert cli.main(["replay", str(log)]) == cli.BAD_LINES
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 21
    assert err.endswith("not read: further bad lines are only counted (--rejects FILE keeps them)\n")
    assert "Not read: 50 bad lines" in out


@pytest.mark.usefixtures("fake_engine")
def test_a_log_may_come_from_standard_input(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(log.read_bytes())))
    assert cli.main(["replay", "-"]) == cli.OK
    assert "Read 3 events" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_engine")
def test_until_stops_at_a_log_time(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(log), "--until", "2026-01-31T10:06+01:00"]) == cli.OK
    out = capsys.readouterr().out
    assert "Read 2 events" in out
    assert "NEW ALERT" not in out


@pytest.mark.usefixtures("fake_engine")
def test_speed_plays_in_log_time(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paces: list[float] = []

    class NoWaiting:
        def __init__(self, speed: float) -> None:
            paces.append(speed)

        def wait_for(self, moment: object) -> None:
            pass

    monkeypatch.setattr("streams.replay.Pace", NoWaiting)
    assert cli.main(["replay", str(log), "--speed", "60"]) == cli.OK
    assert paces == [60]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["replay"], "Missing argument 'LOG'"),
        (["replay", "x", "--speed", "0"], "'0' is not a number above 0"),
        (["replay", "x", "--speed", "nan"], "'nan' is not a number above 0"),
        (["replay", "x", "--until", "noon"], "'noon' is not an ISO 8601 time"),
        (["replay", "x", "--until", "2026-01-31T09:45"], "has no time zone; write for example 2026-01-31T09:45Z"),
        (["replay", "x", "--rejects", "./x"], "--rejects must not be the log itself"),
        (["play"], "No such command 'play'"),
        (["schema", "alerts"], "'alerts' is not one of 'events', 'changes'"),
    ],
)
def test_a_wrong_command_line_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.USAGE
    assert message in capsys.readouterr().err


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda d, _: ["replay", str(d / "none.jsonl")], "{d}/none.jsonl: No such file or directory"),
        (lambda d, _: ["replay", str(d)], "{d}: Is a directory"),
        (lambda d, _: ["replay", write(d / "x.gz", b"plain")], "{d}/x.gz: the compressed data are damaged"),
        (
            lambda d, log: ["replay", str(log), "--settings", write(d / "s.yaml", b"lateness: soon")],
            "{d}/s.yaml: lateness: ",
        ),
        (lambda d, log: ["replay", str(log), "--settings", write(d / "s.yaml", b"\xff")], "{d}/s.yaml: not UTF-8 text"),
        (lambda d, log: ["replay", str(log), "--settings", write(d / "s.yaml", b"[1")], "{d}/s.yaml: not YAML"),
        (lambda d, log: ["replay", str(log), "--settings", str(d / "none.yaml")], "{d}/none.yaml: "),
        (lambda d, log: ["replay", str(log), "--pack", write(d / "p.yaml", b"id: x")], "{d}/p.yaml: "),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    arguments: Callable[[Path, Path], list[str]],
    message: str,
    log: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(arguments(tmp_path, log)) == cli.UNREADABLE
    out, err = capsys.readouterr()
    assert message.format(d=tmp_path) in err
    assert err.startswith("Error: ")
    assert "Traceback" not in out + err


@pytest.mark.usefixtures("fake_engine")
def test_a_rejects_file_that_cannot_be_written_is_named(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(log)
    rejects = tmp_path / "nowhere" / "rejects.jsonl"
    assert cli.main(["replay", str(log), "--rejects", str(rejects)]) == cli.UNREADABLE
    assert f"{rejects}: No such file or directory" in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == cli.OK
    out = capsys.readouterr().out
    assert "rescue-monitor replay ward.jsonl.gz" in out
    assert [int(code) for code in re.findall(r"^ +(\d+) {2,}\S", out, re.MULTILINE)] == [
        cli.OK,
        cli.USAGE,
        cli.BAD_LINES,
        cli.UNREADABLE,
        cli.INTERRUPTED,
        cli.READER_GONE,
    ]
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("subject", "title"), [("events", "rescue-monitor event"), ("changes", "rescue-monitor change")]
)
def test_schema_is_json_schema(subject: str, title: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", subject]) == cli.OK
    document = json.loads(capsys.readouterr().out)
    assert document["title"] == title
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_an_import_of_something_else_is_refused_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "log.jsonl"
    assert cli.main(["import", "mimic-iv", str(tmp_path), "-o", str(output)]) == cli.UNREADABLE
    assert f"{tmp_path} is not a MIMIC-IV folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_override_of_an_unknown_parameter_is_named(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = write(tmp_path / "s.yaml", b"overrides: {septic-shock: {nonsense: 1}}")
    assert cli.main(["replay", str(log), "--settings", settings]) == cli.UNREADABLE
    assert f"{settings}: overrides.septic-shock.nonsense: the pack has no such parameter" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_it_quietly(log: Path) -> None:
    with subprocess.Popen(
        [*RUN, "replay", str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) == cli.READER_GONE
        assert process.stderr.read() == b""


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_ctrl_c_ends_it_cleanly(form: str) -> None:
    with subprocess.Popen(
        [*RUN, "replay", "-", "--format", form],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - a shell may ignore it
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"bad line\n")
        process.stdin.flush()
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert b"standard input:1" in first
    assert process.returncode == cli.INTERRUPTED
    assert b"Traceback" not in err


def test_a_progress_bar_is_shown_on_a_terminal_only(log: Path) -> None:
    master, slave = pty.openpty()
    done = subprocess.run(
        [*RUN, "replay", str(log)], stdout=subprocess.PIPE, stderr=slave, cwd=ROOT, timeout=60, check=False
    )
    os.close(slave)
    shown = os.read(master, 65536)
    os.close(master)
    assert done.returncode == cli.OK
    assert b"replay" in shown
    assert b"\x1b" not in done.stdout
