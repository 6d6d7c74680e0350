"""Files that are renamed, cut, replaced, deleted and made again while they are followed, and while nobody follows."""

import gzip
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from streams.following import Following
from streams.logfile import LONGEST_LINE
from streams.marks import Marks, marks_from_json, marks_to_json
from streams.opened import LEFT_AFTER, SETTLED_AFTER
from streams.turns import Standing
from streams.unpacking import AT_ONCE, unpacker_of

BEGIN, END = 0, 40


def line(number: int, word: str = "event") -> bytes:
    return b'{"%s": %d, "padding": "%s"}' % (word.encode(), number, b"x" * 30)


def lines(begin: int, end: int, word: str = "event") -> bytes:
    return b"".join(line(number, word) + b"\n" for number in range(begin, end))


def wanted(begin: int, end: int, word: str = "event") -> list[bytes]:
    return [line(number, word) for number in range(begin, end)]


class Reader:
    """Whoever follows: has a clock, takes every line, and forgets all but what is kept when it is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1000.0
        self.read: list[bytes] = []
        self.told: list[str] = []
        self.kept: Marks = ()
        self.standing = Standing("waiting")
        self.following = Following(str(path), (), self.told.append)

    def turn(self, seconds: float = 0.2, *, take: bool = True) -> None:
        """Read until there is nothing more at the moment."""
        while self.turn_once(seconds, take=take):
            pass

    def turn_once(self, seconds: float = 0.2, *, take: bool = True) -> bool:
        """Read a piece; whether there is more."""
        self.now += seconds
        found = self.following.turn(self.now)
        self.standing = found.standing
        if take:
            self.read += [one.text for one in found.lines]
            self.following.taken(found.lines)
            self.kept = marks_from_json(marks_to_json(self.following.marks()))
        return found.more

    @property
    def state(self) -> str:
        return self.standing.state

    def wait(self, seconds: float) -> None:
        self.turn(seconds)
        self.turn()

    def kill(self) -> None:
        self.following.close()
        self.following = Following(str(self.path), self.kept, self.told.append)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "log.jsonl")


def nothing(reader: Reader) -> None:
    """Whoever follows goes on."""
    reader.turn()


def killed(reader: Reader) -> None:
    """Whoever follows is killed, and started again."""
    reader.kill()


MEANWHILE = pytest.mark.parametrize("meanwhile", [nothing, killed])
Meanwhile = Callable[[Reader], None]


@MEANWHILE
def test_what_is_added_is_read_once(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    meanwhile(reader)
    with reader.path.open("ab") as file:
        file.write(lines(20, 40))
    reader.turn()
    assert reader.read == wanted(0, 40)
    assert reader.standing == Standing("reading")
    assert reader.told == []


@MEANWHILE
def test_a_file_that_is_renamed_is_read_to_its_end_and_then_the_new_one(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    with reader.path.open("ab") as writer:
        old = reader.path.rename(reader.path.with_suffix(".1"))
        meanwhile(reader)
        writer.write(lines(20, 25))
        writer.flush()
        reader.path.write_bytes(lines(30, 35))
        reader.turn()
        meanwhile(reader)
        # The writer has not noticed yet.
        writer.write(lines(25, 30))
        writer.flush()
        reader.turn()
    assert sorted(reader.read) == sorted(wanted(0, 35))
    assert old.exists()
    reader.wait(LEFT_AFTER)
    assert len(reader.kept) == 1, "the old one is let go"
    assert reader.told == []


@MEANWHILE
def test_who_writes_seldom_may_notice_late_that_the_file_was_renamed(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    reader.wait(10 * LEFT_AFTER)
    with reader.path.open("ab") as writer:
        reader.path.rename(reader.path.with_suffix(".1"))
        reader.path.touch()
        reader.turn()
        meanwhile(reader)
        writer.write(lines(20, 25))
    reader.wait(LEFT_AFTER / 2)
    assert reader.read == wanted(0, 25)


def test_a_name_is_not_missed_at_once(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    reader.path.rename(reader.path.with_suffix(".1"))
    reader.turn(LEFT_AFTER / 2)
    assert reader.state == "reading"
    reader.turn(LEFT_AFTER)
    assert reader.standing == Standing("waiting", "there is no such file")


@MEANWHILE
def test_two_renamings_in_a_row_lose_nothing(reader: Reader, meanwhile: Meanwhile) -> None:
    for number in range(3):
        reader.path.write_bytes(lines(10 * number, 10 * number + 10))
        reader.turn()
        with reader.path.open("ab") as writer:
            reader.path.rename(reader.path.with_suffix(f".{number}"))
            writer.write(lines(100 + number, 101 + number))
        meanwhile(reader)
    reader.turn()
    assert sorted(reader.read) == sorted(wanted(0, 30) + wanted(100, 103))


def test_what_is_renamed_and_gone_while_nobody_follows_is_told_as_lost(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    reader.path.unlink()
    reader.path.write_bytes(lines(20, 30))
    reader.kill()
    reader.turn()
    assert reader.read == wanted(0, 30)
    assert ["lost" in told for told in reader.told] == [True]


@MEANWHILE
def test_a_link_may_lead_to_one_file_after_another(reader: Reader, meanwhile: Meanwhile) -> None:
    folder = reader.path.parent / "days"
    folder.mkdir()
    first, second = folder / "1.jsonl", folder / "2.jsonl"
    first.write_bytes(lines(0, 20))
    reader.path.symlink_to(first)
    reader.turn()
    meanwhile(reader)
    with first.open("ab") as file:
        file.write(lines(20, 25))
    second.write_bytes(lines(25, 30))
    reader.path.unlink()
    reader.path.symlink_to(second)
    reader.turn()
    assert sorted(reader.read) == sorted(wanted(0, 30))
    assert reader.told == []


@MEANWHILE
@pytest.mark.parametrize("size", [0, 5, 20, 200])
def test_a_file_that_is_copied_and_cut_is_read_from_its_beginning(
    reader: Reader, meanwhile: Meanwhile, size: int
) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    shutil.copy(reader.path, reader.path.with_suffix(".1"))
    os.truncate(reader.path, 0)
    with reader.path.open("ab") as file:
        file.write(lines(20, 20 + size))
    meanwhile(reader)
    reader.turn()
    with reader.path.open("ab") as file:
        file.write(lines(20 + size, 30 + size))
    reader.turn()
    assert reader.read == wanted(0, 30 + size)


@MEANWHILE
@pytest.mark.parametrize("hole", [10, 100_000, 3 * LONGEST_LINE])
def test_a_writer_may_go_on_where_it_was_in_a_file_that_was_cut(
    reader: Reader, meanwhile: Meanwhile, hole: int
) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    with reader.path.open("r+b") as writer:
        writer.truncate(0)
        writer.seek(hole)
        writer.write(lines(20, 25))
        writer.flush()
        reader.turn()
        meanwhile(reader)
        writer.write(lines(25, 30))
    reader.turn()
    assert reader.read == wanted(0, 30)


@MEANWHILE
@pytest.mark.parametrize("size", [5, 20, 200])
def test_a_file_that_is_replaced_is_read_from_its_beginning(reader: Reader, meanwhile: Meanwhile, size: int) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    other = reader.path.with_suffix(".new")
    other.write_bytes(lines(0, size, "other"))
    meanwhile(reader)
    other.replace(reader.path)
    reader.turn()
    meanwhile(reader)
    reader.turn()
    assert reader.read == wanted(0, 20) + wanted(0, size, "other")


@MEANWHILE
@pytest.mark.parametrize(("first", "second"), [("event", "other"), ("other", "event")])
def test_a_file_that_only_begins_or_ends_alike_is_another_one(
    reader: Reader, meanwhile: Meanwhile, first: str, second: str
) -> None:
    reader.path.write_bytes(lines(0, 100))
    reader.turn()
    reader.path.write_bytes(lines(0, 50, first) + lines(50, 100, second) + lines(100, 110))
    meanwhile(reader)
    reader.turn()
    assert reader.read == wanted(0, 100) + wanted(0, 50, first) + wanted(50, 100, second) + wanted(100, 110)


@MEANWHILE
def test_a_file_that_is_delivered_anew_with_more_is_gone_on_with(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    meanwhile(reader)
    other = reader.path.with_suffix(".new")
    other.write_bytes(lines(0, 30))
    other.replace(reader.path)
    reader.turn()
    meanwhile(reader)
    reader.turn()
    assert reader.read == wanted(0, 30)


def test_a_file_that_is_not_there_yet_is_waited_for(reader: Reader) -> None:
    reader.turn()
    assert reader.standing == Standing("waiting", "there is no such file")
    reader.kill()
    reader.turn()
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    assert reader.read == wanted(0, 20)
    assert reader.standing == Standing("reading")


@MEANWHILE
def test_a_file_that_is_deleted_and_made_again_is_read_anew(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    reader.path.unlink()
    meanwhile(reader)
    reader.wait(LEFT_AFTER)
    assert reader.state == "waiting"
    reader.path.write_bytes(lines(20, 30))
    reader.turn()
    assert reader.read == wanted(0, 30)
    assert reader.state == "reading"


def test_a_disk_that_comes_late_is_waited_for(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 20))
    reader.turn()
    away = reader.path.with_suffix(".away")
    shutil.copy(reader.path, away)
    reader.path.unlink()
    reader.kill()
    reader.turn()
    assert reader.state == "waiting"
    away.rename(reader.path)
    with reader.path.open("ab") as file:
        file.write(lines(20, 30))
    reader.turn()
    assert reader.read == wanted(0, 30)
    assert reader.told == []


def test_a_pipe_has_one_writer_after_another_and_several_at_once(reader: Reader) -> None:
    os.mkfifo(reader.path)
    reader.turn()
    assert reader.standing == Standing("reading")
    one = os.open(reader.path, os.O_WRONLY)
    other = os.open(reader.path, os.O_WRONLY)
    os.write(one, lines(0, 5))
    os.write(other, lines(5, 10))
    reader.turn()
    os.close(other)
    os.write(one, line(10))
    reader.turn()
    assert reader.read == wanted(0, 10), "the last line has no end yet, and a writer may go on with it"
    os.close(one)
    reader.turn()
    again = os.open(reader.path, os.O_WRONLY)
    os.write(again, b"\xef\xbb\xbf" + lines(11, 15))
    os.close(again)
    reader.turn()
    assert reader.read == wanted(0, 15)
    assert reader.kept == ()


def test_a_pipe_may_take_the_place_of_a_file(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 5))
    reader.turn()
    reader.path.unlink()
    os.mkfifo(reader.path)
    reader.turn()
    writer = os.open(reader.path, os.O_WRONLY)
    os.write(writer, lines(5, 10))
    os.close(writer)
    reader.turn()
    assert reader.read == wanted(0, 10)


@MEANWHILE
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_a_line(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(b"\xef\xbb\xbf" + lines(0, 5).replace(b"\n", b"\r\n") + b"\r\n \r\n")
    reader.turn()
    meanwhile(reader)
    with reader.path.open("ab") as file:  # some programs write a mark whenever they open a file
        file.write(b"\xef\xbb\xbf\r\n\xef\xbb\xbf" + lines(5, 10).replace(b"\n", b"\r\n"))
    reader.turn()
    assert reader.read == wanted(0, 10)


@MEANWHILE
def test_a_last_line_may_be_completed_later(reader: Reader, meanwhile: Meanwhile) -> None:
    reader.path.write_bytes(lines(0, 5) + line(5)[:10])
    reader.turn()
    reader.wait(SETTLED_AFTER)
    meanwhile(reader)
    with reader.path.open("ab") as file:
        file.write(line(5)[10:])
    reader.turn()
    assert reader.read == wanted(0, 5)
    reader.wait(SETTLED_AFTER)
    assert reader.read == wanted(0, 6), "it is whole, although its end has not come"
    meanwhile(reader)
    with reader.path.open("ab") as file:
        file.write(b"\n" + lines(6, 8))
    reader.turn()
    assert reader.read == wanted(0, 8)


def test_a_line_that_is_too_long_is_one_line_and_bounded(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 1) + b"x" * (3 * LONGEST_LINE) + b"\n" + lines(1, 3))
    reader.turn()
    assert [len(text) for text in reader.read] == [len(line(0)), LONGEST_LINE + 1, len(line(1)), len(line(2))]
    reader.kill()
    reader.turn()
    assert len(reader.read) == 4


PACK: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}


@MEANWHILE
@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_is_read_to_its_end_and_what_is_joined_to_it(
    tmp_path: Path, meanwhile: Meanwhile, suffix: str
) -> None:
    pack = PACK[suffix]
    reader = Reader(tmp_path / f"log.jsonl{suffix}")
    reader.path.write_bytes(pack(lines(0, 3000)) + pack(lines(3000, 3010) + line(3010)[:9]))
    reader.turn()
    assert reader.read == wanted(0, 3010)
    assert reader.standing == Standing("ended")
    meanwhile(reader)
    with reader.path.open("ab") as file:
        file.write(pack(line(3010)[9:] + b"\n" + lines(3011, 3020)))
    reader.turn()
    assert reader.read == wanted(0, 3020)


@MEANWHILE
@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_may_come_in_pieces(tmp_path: Path, meanwhile: Meanwhile, suffix: str) -> None:
    reader = Reader(tmp_path / f"log.jsonl{suffix}")
    whole = PACK[suffix](b"".join(os.urandom(30).hex().encode() + b"\n" for _ in range(5000)))
    with reader.path.open("wb") as file:
        for start in range(0, len(whole), len(whole) // 3):
            file.write(whole[start : start + len(whole) // 3])
            file.flush()
            reader.turn()
            meanwhile(reader)
    reader.turn()
    assert len(reader.read) == len(set(reader.read)) == 5000
    assert reader.standing == Standing("ended")


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_that_is_cut_off_or_damaged_has_failed_until_it_is_replaced(
    tmp_path: Path, suffix: str
) -> None:
    reader = Reader(tmp_path / f"log.jsonl{suffix}")
    whole = PACK[suffix](b"".join(os.urandom(30).hex().encode() + b"\n" for _ in range(5000)))
    reader.path.write_bytes(whole[: len(whole) // 2])
    reader.turn()
    assert reader.state == "reading"
    reader.wait(LEFT_AFTER)
    assert reader.standing == Standing("failed", "the compressed data end too early: the file is truncated")
    count = len(reader.read)
    assert 0 < count < 5000
    reader.path.write_bytes(PACK[suffix](lines(0, 5)) + b"damage" * 10)
    reader.turn()
    assert reader.state == "failed"
    assert "damaged" in reader.standing.reason
    assert reader.read[-5:] == wanted(0, 5)
    reader.path.write_bytes(PACK[suffix](lines(5, 10)))
    reader.turn()
    assert reader.standing == Standing("ended")
    assert reader.read[-5:] == wanted(5, 10)


@pytest.mark.parametrize("suffix", PACK)
def test_a_small_compressed_file_that_holds_very_much_is_read_piece_by_piece(tmp_path: Path, suffix: str) -> None:
    reader = Reader(tmp_path / f"log.jsonl{suffix}")
    reader.path.write_bytes(PACK[suffix](b"a\n" * (1 << 18)))
    reader.turn_once()  # opens it
    reader.turn_once()
    assert 0 < len(reader.read) <= AT_ONCE
    reader.kill()
    reader.turn()
    assert len(reader.read) == 1 << 18


@pytest.mark.parametrize("suffix", PACK)
def test_text_is_unpacked_in_pieces_however_much_of_it_there_is(suffix: str) -> None:
    packed = PACK[suffix](b" " * (1 << 27))
    tracemalloc.start()
    try:
        pieces = [len(piece) for piece in unpacker_of(f"log{suffix}").text(packed)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(pieces) == 1 << 27
    assert max(pieces) <= AT_ONCE
    assert peak < 1 << 25


def test_a_window_that_is_too_large_is_told_as_that(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "log.jsonl.zst")
    wide = zstandard.ZstdCompressionParameters(window_log=28)
    packing = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    reader.path.write_bytes(packing.compress(lines(0, 5)) + packing.flush())
    reader.turn()
    assert reader.state == "failed"
    assert "window of more than 128 MiB" in reader.standing.reason
    assert "damaged" not in reader.standing.reason


def test_what_cannot_be_read_has_failed_with_its_reason_until_it_can(reader: Reader) -> None:
    reader.path.mkdir()
    reader.turn()
    assert reader.standing == Standing("failed", "neither a file nor a pipe")
    reader.path.rmdir()
    reader.path.write_bytes(lines(0, 5))
    reader.turn()
    assert reader.read == wanted(0, 5)


def test_a_fault_of_the_disk_costs_no_line(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.path.write_bytes(lines(0, 5))
    reader.turn()
    with reader.path.open("ab") as file:
        file.write(lines(5, 10))

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", fail)
        reader.turn()
        assert reader.standing == Standing("failed", "Input/output error")
    reader.turn()
    assert reader.read == wanted(0, 10)


@pytest.mark.parametrize("renamed", [True, False])
def test_what_may_not_be_opened_for_a_while_is_gone_on_with_later(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, renamed: bool
) -> None:
    reader.path.write_bytes(lines(0, 5))
    reader.turn()
    with reader.path.open("ab") as file:
        file.write(lines(5, 10))
    if renamed:
        reader.path.rename(reader.path.with_suffix(".1"))
        reader.path.write_bytes(lines(10, 15))
    reader.kill()

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", refuse)
        reader.turn()
        reader.turn()
        assert reader.standing == Standing("failed", "Permission denied")
    reader.turn()
    assert reader.read == wanted(0, 15 if renamed else 10)
    assert reader.told == []


def test_a_line_that_was_not_taken_is_read_again(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 5))
    reader.turn()
    with reader.path.open("ab") as file:
        file.write(lines(5, 10))
    reader.turn(take=False)
    reader.kill()
    reader.turn()
    assert reader.read == wanted(0, 10)


def test_what_is_noted_says_nothing_of_what_was_read(reader: Reader) -> None:
    reader.path.write_bytes(lines(0, 5, "lactate"))
    reader.turn()
    assert "lactate" not in marks_to_json(reader.kept)
