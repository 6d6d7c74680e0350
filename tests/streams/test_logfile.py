import base64
import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from rules.events import Event, encode
from streams import logfile
from streams.logfile import BadLine, DamagedLogError, RejectsFile, read_log, write_log
from tests.streams.fake_engine import vitals

EVENTS: list[Event] = [vitals("p1", minute) for minute in range(5)]
LINES = [encode(event).encode() for event in EVENTS]
SUFFIXES = ["", ".gz", ".zst"]


def read(path: Path | str) -> tuple[list[tuple[int, Event]], list[BadLine]]:
    bad: list[BadLine] = []
    with read_log(path, bad.append) as log:
        return list(log), bad


def compress(content: bytes, suffix: str) -> bytes:
    match suffix:
        case ".gz":
            return gzip.compress(content)
        case ".zst":
            return zstandard.compress(content)
        case _:
            return content


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.jsonl{suffix}"
    assert write_log(EVENTS, path) == 5
    assert read(path) == (list(enumerate(EVENTS, start=1)), [])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_events_are_written_as_equal_bytes(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{name}.jsonl{suffix}" for name in ("one", "two")]
    for path in paths:
        write_log(EVENTS, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_log_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_log(EVENTS[:1], path)

    def failing() -> Iterator[Event]:
        yield EVENTS[1]
        raise KeyError("source failed")

    with pytest.raises(KeyError):
        write_log(failing(), path)
    assert [event for _, event in read(path)[0]] == EVENTS[:1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "log.jsonl"
    with pytest.raises(FileNotFoundError) as caught:
        write_log(EVENTS, path)
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_bad_line_is_reported_and_the_rest_goes_on(tmp_path: Path, suffix: str) -> None:
    content = b"\n".join(
        [LINES[0], b"", b'{"kind": ', b"   ", b"\xff\xfe", LINES[1].replace(b'"id"', b'"idea"'), LINES[2], b""]
    )
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(compress(content, suffix))
    events, bad = read(path)
    assert events == [(1, EVENTS[0]), (7, EVENTS[2])]
    assert [(line.file, line.line_number) for line in bad] == [(str(path), 3), (str(path), 5), (str(path), 6)]
    assert "Invalid JSON" in bad[0].reason
    assert bad[0].raw == b'{"kind": '
    assert bad[1].reason == "not UTF-8 text: invalid start byte at byte 1 of the line"
    assert bad[1].raw == b"\xff\xfe"
    assert "observations.id: Field required" in bad[2].reason
    assert "unknown key" in bad[2].reason


@pytest.mark.parametrize("hole", [1, logfile.LONGEST_LINE + 2])
def test_a_hole_before_a_line_is_none_of_it(tmp_path: Path, hole: int) -> None:
    path = tmp_path / "log.jsonl"
    write_log(EVENTS, path)
    path.write_bytes(b"\0" * hole + path.read_bytes())
    assert read(path) == (list(enumerate(EVENTS, start=1)), [])


def test_windows_line_ends_a_byte_order_mark_and_a_missing_last_line_end_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(LINES))
    assert read(path) == (list(enumerate(EVENTS, start=1)), [])


def test_logs_that_were_put_together_may_each_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(b"\xef\xbb\xbf" + line + b"\n" for line in LINES) + b"\xef\xbb\xbf\n")
    assert read(path) == (list(enumerate(EVENTS, start=1)), [])


@pytest.mark.parametrize("excess", [0, 1, 3_000_000])
def test_a_line_may_be_one_mebibyte_long_and_not_more(tmp_path: Path, excess: int) -> None:
    path = tmp_path / "log.jsonl"
    long = LINES[0] + b" " * (logfile.LONGEST_LINE - len(LINES[0]) + excess)
    path.write_bytes(long + b"\n" + LINES[1])
    events, bad = read(path)
    if excess:
        assert events == [(2, EVENTS[1])]
        assert [(line.line_number, len(line.raw)) for line in bad] == [(1, logfile.LONGEST_LINE)]
        assert bad[0].reason == "the line is longer than 1048576 bytes; only its beginning is kept"
    else:
        assert events == [(1, EVENTS[0]), (2, EVENTS[1])]
        assert bad == []


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_file_is_used_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    source = random.Random(1)
    many: list[Event] = [vitals(f"p{source.getrandbits(64)}", minute) for minute in range(3000)]
    path = tmp_path / f"log.jsonl{suffix}"
    write_log(many, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    events, bad = read(path)
    assert 0 < len(events) < len(many)
    assert [event for _, event in events] == many[: len(events)]
    assert [(line.file, line.line_number) for line in bad] == [(str(path), len(events) + 1)]
    assert bad[0].reason == "the compressed data end too early: the file is truncated"
    assert encode(many[len(events)]).encode().startswith(bad[0].raw)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damage_ends_the_reading_and_is_reported(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(compress(LINES[0] + b"\n", suffix) + b"damage" * 10)
    events, bad = read(path)
    assert events == [(1, EVENTS[0])]
    assert [line.line_number for line in bad] == [2]
    assert "damaged" in bad[0].reason


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_that_is_not_compressed_at_all_cannot_be_opened(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(LINES[0])
    with pytest.raises(DamagedLogError) as caught:
        read(path)
    assert caught.value.filename == str(path)
    assert "damaged" in str(caught.value)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_several_compressed_pieces_are_one_log(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log.jsonl{suffix}"
    path.write_bytes(b"".join(compress(line + b"\n", suffix) for line in LINES))
    assert read(path) == (list(enumerate(EVENTS, start=1)), [])


def test_an_empty_log_has_no_events(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.touch()
    assert read(path) == ([], [])


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join([*LINES, b"no"]))))
    events, bad = read("-")
    assert [event for _, event in events] == EVENTS
    assert [(line.file, line.line_number) for line in bad] == [("standard input", 6)]


def test_any_bytes_end_as_events_or_bad_lines(tmp_path: Path) -> None:
    source = random.Random(2)
    path = tmp_path / "log.jsonl"
    for _ in range(200):
        line = bytearray(LINES[0])
        for _ in range(source.randrange(1, 4)):
            line[source.randrange(len(line))] = source.randrange(256)
        path.write_bytes(bytes(line) + b"\n" + LINES[1])
        events, bad = read(path)
        assert events[-1][1] == EVENTS[1]
        assert len(events) + len(bad) >= 2


def test_rejects_are_kept_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with RejectsFile(path) as rejects:
        assert not path.exists()
        rejects.keep(BadLine("log.jsonl", 3, "bad JSON", "{é".encode()))
        rejects.keep(BadLine("log.jsonl", 5, "not UTF-8", b"\xff"))
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first == {"file": "log.jsonl", "line": 3, "reason": "bad JSON", "raw": "{é"}
    assert base64.b64decode(second.pop("raw_base64")) == b"\xff"
    assert second == {"file": "log.jsonl", "line": 5, "reason": "not UTF-8"}


def test_without_rejects_there_is_no_file(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "rejects.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []
