import json
from datetime import datetime
from pathlib import Path

import pytest

from monitor import cli
from rules.events import decode
from streams import replay

SMALL = ["simulate", "--beds", "3", "--hours", "0.2", "--mix", "quiet"]


def test_the_log_goes_to_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(SMALL) == cli.OK
    out, err = capsysbinary.readouterr()
    assert {decode(line).subject for line in out.splitlines()} == {"bed-1", "bed-2", "bed-3"}
    assert err == b""


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_log_on_disk_can_be_replayed(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / f"ward.{suffix}"
    assert cli.main([*SMALL, "--out", str(log)]) == cli.OK
    assert str(log) in capsys.readouterr().err
    assert cli.main(["replay", str(log)]) == cli.OK
    assert "of 3 patients" in capsys.readouterr().out


def test_the_truth_is_written_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = tmp_path / "truth.jsonl"
    assert cli.main([*SMALL[:-1], "septic-shock:1", "--truth", str(truth)]) == cli.OK
    capsys.readouterr()
    records = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert [record["patient"] for record in records] == ["bed-1", "bed-2", "bed-3"]
    assert [record["course"] for record in records if record["refractory_from"]] == ["septic-shock-refractory"]


def test_seed_start_and_period_are_used(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    outputs = []
    for options in ([], ["--seed", "2"], ["--every", "5"], ["--start", "2031-05-01T08:00+02:00"], ["--begun", "5"]):
        assert cli.main([*SMALL, *options]) == cli.OK
        outputs.append(capsysbinary.readouterr().out)
    assert len(set(outputs)) == 5
    assert len(outputs[2].splitlines()) > 2 * len(outputs[0].splitlines())
    assert decode(outputs[3].splitlines()[0]).received_at == datetime.fromisoformat("2031-05-01T06:00Z")


def test_with_a_speed_each_line_waits_for_its_time(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    waited: list[tuple[float, datetime]] = []

    class FakePace:
        def __init__(self, speed: float) -> None:
            self.speed = speed

        def wait_for(self, moment: datetime) -> None:
            waited.append((self.speed, moment))

    monkeypatch.setattr(replay, "Pace", FakePace)
    assert cli.main([*SMALL, "--speed", "60"]) == cli.OK
    events = [decode(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert {speed for speed, _ in waited} == {60.0}
    start = min(event.received_at for event in events)
    assert [moment for _, moment in waited] == sorted({start} | {event.received_at for event in events})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mix", "sepsis:1"], "'sepsis' is none of quiet, septic-shock"),
        (["--mix", "quiet:0"], "no course has a share above 0"),
        (["--beds", "0"], "--beds"),
        (["--hours", "0"], "--hours"),
        (["--start", "2026-01-01"], "no time zone"),
        (["--out", "same", "--truth", "same"], "must not be the log itself"),
    ],
)
def test_a_wrong_command_line_is_explained(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", *options]) == cli.USAGE
    assert says in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*SMALL, "--out", str(tmp_path / "nowhere" / "ward.jsonl")]) == cli.UNREADABLE
    assert "nowhere" in capsys.readouterr().err
