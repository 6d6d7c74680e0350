# ruff: noqa: S608 - a test damages its own tables
"""What was kept and is not what was written is found, told in words, and the rest goes on."""

import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from monitor import cli
from monitor.options import OK
from monitor.serve_commands import REFUSED
from streams.embedded.damage import check, demand_whole
from streams.embedded.database import FORMAT, DamagedDatabaseError, DatabaseError, open_database
from streams.embedded.heads import Signer
from streams.embedded.leftover import committed, demand_readable
from streams.embedded.ownership import sole_owner
from streams.embedded.repair import repair
from streams.embedded.seals import SEALED, DamagedError, is_damage
from streams.embedded.store import entries_after
from streams.replay import in_stream_order
from tests.streams.embedded import Embedded
from tests.streams.stream import events_of

EVENTS = list(in_stream_order(events_of()))[:1200]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with something in every table."""
    path = tmp_path_factory.mktemp("kept") / "service.db"
    embedded = Embedded(path)
    for first in range(0, len(EVENTS), 100):
        embedded.send(EVENTS[first : first + 100])
    embedded.read(b"nonsense")
    embedded.runtime._store.note_source("log.jsonl", "[]")
    embedded.runtime._store.keep_history("bed-1", 5, b"state")
    embedded.runtime.finish()
    embedded.connection.close()
    return path


@pytest.fixture
def path(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(kept, tmp_path / "service.db"))


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for trigger in ("audit_is_not_changed", "audit_is_not_cut"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        connection.execute(sql)


def found(path: Path) -> list[str]:
    with closing(open_database(path, read_only=True)) as connection:
        return [str(damage) for damage in check(connection)]


BITS = {
    "segments": "lines = CAST(substr(lines, 1, 40) || x'00' || substr(lines, 42) AS BLOB)",
    "feed": "said = replace(said, 'bed-', 'bad-')",
    "alerts": "position = position + 100000",
    "verdicts": "position = position + 1",
    "patients": "sequence = sequence + 1",
    "states": "data = CAST(substr(data, 1, 80) || x'00' || substr(data, 82) AS BLOB)",
    "history": "data = x'00'",
    "rejected": "value = x'00'",
    "sources": "marks = '[[]]'",
}
CUT = {
    "segments": "lines = substr(lines, 1, length(lines) / 2)",
    "feed": "said = substr(said, 1, length(said) / 2)",
    "states": "data = substr(data, 1, length(data) / 2)",
    "history": "data = x''",
    "rejected": "value = x''",
    "patients": "stay = ''",
}
UNREADABLE = {
    "feed": "said = CAST(x'ff' || substr(CAST(said AS BLOB), 2) AS TEXT)",
    "patients": "stay = CAST(x'ff' || substr(CAST(stay AS BLOB), 2) AS TEXT)",
    "rejected": "reason = CAST(x'ff' || substr(CAST(reason AS BLOB), 2) AS TEXT)",
}
"""Text that is none in UTF-8."""
DAMAGES = [(table, change) for damages in (BITS, CUT, UNREADABLE) for table, change in damages.items()]


def test_each_table_is_tried() -> None:
    assert BITS.keys() | {"losses"} == SEALED.keys()


def test_what_is_whole_is_said_to_be(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(path) == []
    assert cli.main(["database", "check", "--database", str(path)]) == cli.OK


@pytest.mark.parametrize(("table", "damage"), DAMAGES)
def test_a_row_that_was_changed_is_found_and_the_rest_is_saved(
    path: Path, table: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Embedded(path).runtime.patients
    names = ", ".join(key(table))
    change(path, f"UPDATE {table} SET {damage} WHERE ({names}) IN (SELECT {names} FROM {table} LIMIT 1)")
    assert any(text.startswith(f"{table}: ") for text in found(path))
    assert cli.main(["database", "check", "--database", str(path)]) == REFUSED
    assert cli.main(["database", "repair", "--database", str(path)]) == cli.OK
    said = capsys.readouterr().out
    assert f"{table}: 1 rows were damaged" in said
    assert "bed-" not in said
    assert found(path) == []
    assert found(path.with_name("service.db.damaged-1"))
    again = Embedded(path)
    demand_whole(again.connection)
    assert sorted(again.runtime.patients) == sorted(before)
    again.send(EVENTS[-1:])
    again.connection.close()


def key(table: str) -> tuple[str, ...]:
    return SEALED[table][: 2 if table in ("verdicts", "history") else 1]


@pytest.mark.parametrize("table", ["alerts", "verdicts", "patients", "states", "sources"])
def test_what_a_service_relies_on_is_found_at_its_start(path: Path, table: str) -> None:
    change(path, f"UPDATE {table} SET {BITS[table]}")
    with closing(open_database(path)) as connection, pytest.raises(DamagedError, match=table):
        demand_whole(connection)


def test_what_is_read_later_is_found_then(path: Path) -> None:
    change(path, f"UPDATE feed SET {BITS['feed']}")
    with closing(open_database(path)) as connection:
        demand_whole(connection)
        with pytest.raises(DamagedError, match="feed"):
            entries_after(connection, 0, 100_000)


def test_what_was_lost_of_a_patient_is_judged_and_said_again(path: Path) -> None:
    """The state and the newest entries of everybody are gone; the events are not."""
    embedded = Embedded(path)
    wanted = embedded.said()
    embedded.connection.close()
    change(path, "UPDATE states SET data = x'00'")
    change(
        path,
        "UPDATE feed SET said = '' WHERE position IN (SELECT position FROM alerts UNION SELECT position FROM verdicts)",
    )
    repair(path)
    again = Embedded(path)
    assert again.said() == wanted
    again.connection.close()


def test_a_hole_in_the_log_is_found_told_and_then_lived_with(path: Path) -> None:
    change(path, "DELETE FROM segments WHERE first = 300")
    assert found(path) == ["segments: events 300 to 399 are missing"]
    with closing(open_database(path)) as connection, pytest.raises(DamagedError, match="300 to 399"):
        demand_whole(connection)
    assert "segments: events 300 to 399 are lost" in repair(path)
    assert found(path) == []


def test_events_after_a_lost_end_are_used(path: Path) -> None:
    """No state may take what comes now for what it knows already."""
    change(path, "DELETE FROM segments WHERE first >= 900")
    repair(path)
    embedded = Embedded(path)
    here = embedded.runtime._processor._partitions[0].patients[EVENTS[-1].subject]
    before = max(here.positions.values())
    embedded.send([EVENTS[-1].model_copy(update={"id": "after the repair"})])
    assert max(here.positions.values()) > before
    embedded.connection.close()


def test_a_broken_audit_stays_broken(path: Path) -> None:
    change(path, "UPDATE audit SET actor = 'somebody' WHERE number = 2")
    assert found(path) == ["audit: entry 2 has been changed"]
    repair(path)
    assert found(path) == ["audit: entry 2 has been changed"]


def page_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        return int(root)


@pytest.mark.parametrize("table", [*sorted(SEALED.keys() - {"losses"}), "audit"])
def test_a_page_that_is_gone_is_found_and_the_rest_is_saved(path: Path, table: str) -> None:
    with path.open("r+b") as file:
        file.seek((page_of(path, table) - 1) * 4096)
        file.write(b"\xff" * 4096)
    with closing(open_database(path)) as connection, pytest.raises(DamagedError):
        demand_whole(connection)
    assert any(text.startswith(table) for text in repair(path))
    again = Embedded(path)
    assert again.runtime.patients
    again.connection.close()


@pytest.mark.parametrize("table", [*sorted(SEALED.keys() - {"losses"}), "audit"])
def test_a_page_of_another_table_is_told_in_words(kept: Path, tmp_path: Path, table: str) -> None:
    pages = kept.read_bytes()
    place = (page_of(kept, table) - 1) * 4096
    for other in {*SEALED, "audit"} - {table, "losses"}:
        beginning = (page_of(kept, other) - 1) * 4096
        path = tmp_path / f"{other}.db"
        path.write_bytes(pages[:place] + pages[beginning : beginning + 4096] + pages[place + 4096 :])
        assert found(path)
        with closing(open_database(path)) as connection, suppress(DamagedError):
            demand_whole(connection)  # nothing else is raised
        assert repair(path)
        with closing(open_database(path)) as connection:
            demand_whole(connection)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_is_never_begun_on(path: Path, share: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    with pytest.raises((DamagedError, sqlite3.DatabaseError)) as caught, closing(open_database(path)) as connection:
        demand_whole(connection)
    assert is_damage(caught.value)


def test_a_file_without_its_beginning_is_refused_in_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 4096)
    for command in ("check", "repair"):
        assert cli.main(["database", command, "--database", str(path)]) == REFUSED
    assert path.exists()


def test_serve_ends_with_its_own_code_and_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(path, f"UPDATE states SET {BITS['states']}")
    assert cli.main(["serve", "--database", str(path), "--listen", "127.0.0.1:0"]) == REFUSED
    said = capsys.readouterr().err
    assert "a row of states is damaged" in said
    assert "database check" in said


def test_a_database_in_use_is_not_repaired(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sole_owner(path):
        assert cli.main(["database", "repair", "--database", str(path)]) == cli.UNREADABLE
    assert "another service" in capsys.readouterr().err


class TestVersion1:
    @pytest.fixture
    def old(self, path: Path) -> Path:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("DROP TABLE losses")
            for table in SEALED.keys() - {"losses"}:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN seal")
            connection.execute("DROP TABLE sources")
            connection.execute("CREATE TABLE sources (name TEXT PRIMARY KEY, position INTEGER) STRICT, WITHOUT ROWID")
            connection.execute("INSERT INTO sources VALUES ('log.jsonl', 4711)")
            connection.execute("PRAGMA user_version = 1")
        return path

    def test_is_brought_to_the_present_one_when_a_service_starts(self, old: Path) -> None:
        with pytest.raises(DatabaseError, match="when it starts"):
            open_database(old, read_only=True)
        embedded = Embedded(old)
        assert embedded.rows("PRAGMA user_version") == [(FORMAT,)]
        assert embedded.rows("SELECT * FROM sources") == []
        embedded.send(EVENTS[-1:])
        embedded.connection.close()
        assert found(old) == []

    def test_stays_as_it_is_if_that_fails(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streams.embedded.seals.seal", lambda *_: 1 / 0)
        with pytest.raises(DatabaseError):
            open_database(old)
        monkeypatch.undo()
        assert Embedded(old).rows("PRAGMA user_version") == [(FORMAT,)]


def test_a_header_by_which_nothing_may_be_written_is_damage(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite opens such a file and refuses the first event: a service would end with it, and after each restart."""
    data = bytearray(path.read_bytes())
    data[18] ^= 0x80
    path.write_bytes(data)
    assert cli.main(["serve", "--database", str(path), "--listen", "127.0.0.1:0"]) == REFUSED
    assert cli.main(["database", "check", "--database", str(path)]) == REFUSED
    assert "header is damaged" in capsys.readouterr().out
    repair(path)
    assert found(path) == []
    demand_readable(path)


@pytest.mark.parametrize("left", [b"", b"S"])
def test_an_emptied_database_is_none_to_begin_on(path: Path, left: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """SQLite takes such a file for a new one: a service would be ready, and all that it knew would be gone."""
    Signer.of(path, make=True)
    path.write_bytes(left)
    assert cli.main(["serve", "--database", str(path), "--listen", "127.0.0.1:0"]) == REFUSED
    assert cli.main(["database", "check", "--database", str(path)]) == REFUSED
    assert "there is nothing in it, although its key lies beside it" in capsys.readouterr().out


class TestALogThatACrashLeft:
    @pytest.fixture
    def crashed(self, tmp_path: Path) -> Path:
        """What lies there after a kill: the log has not been moved into the database."""
        embedded = Embedded(tmp_path / "running.db")
        for first in range(0, 300, 50):
            embedded.send(EVENTS[first : first + 50])
        for ending in ("", "-wal"):
            shutil.copy(tmp_path / f"running.db{ending}", tmp_path / f"service.db{ending}")
        embedded.connection.close()
        return tmp_path / "service.db"

    def log(self, path: Path) -> Path:
        return path.with_name("service.db-wal")

    def test_is_read_to_its_end(self, crashed: Path) -> None:
        whole, behind = committed(self.log(crashed).read_bytes())
        assert whole > 10
        assert behind == 0
        demand_readable(crashed)
        embedded = Embedded(crashed)
        assert embedded.rows("SELECT sum(count) FROM segments") == [(300,)]
        embedded.connection.close()

    @pytest.mark.parametrize("place", [0, 20, 40, 60, 5000, 50_000])
    def test_is_refused_if_a_bit_of_it_has_turned(self, crashed: Path, place: int) -> None:
        data = bytearray(self.log(crashed).read_bytes())
        data[place] ^= 1
        self.log(crashed).write_bytes(data)
        with pytest.raises(DamagedDatabaseError, match="write-ahead log"):
            demand_readable(crashed)

    def test_that_is_damaged_is_found_by_whoever_is_sent_to_look(
        self, crashed: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["database", "check", "--database", str(crashed)]) == OK
        data = bytearray(self.log(crashed).read_bytes())
        data[50_000] ^= 1
        self.log(crashed).write_bytes(data)
        assert cli.main(["database", "check", "--database", str(crashed)]) == REFUSED
        assert "write-ahead log is damaged" in capsys.readouterr().out

    def test_may_be_torn_at_its_end(self, crashed: Path) -> None:
        """The power failed: nobody was told of the last transaction."""
        data = self.log(crashed).read_bytes()
        for cut in (1, 100, 4000, 4119):
            self.log(crashed).write_bytes(data[:-cut])
            demand_readable(crashed)

    def test_without_anything_is_none(self, crashed: Path) -> None:
        self.log(crashed).write_bytes(b"")
        demand_readable(crashed)
        self.log(crashed).unlink()
        demand_readable(crashed)


def test_what_a_damaged_schema_does_not_name_is_damage() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE rejected (place TEXT, rfason TEXT)")
        for asked in ("SELECT rejected.reason FROM rejected", "SELECT place FROM events"):
            with pytest.raises(sqlite3.OperationalError) as caught:
                connection.execute(asked)
            assert is_damage(caught.value)
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("SELECT FROM")
        assert not is_damage(caught.value)


def test_a_schema_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    open_database(path).close()
    kept = path.read_bytes()
    place = kept.index(b"TABLE segments")
    path.write_bytes(kept[:place] + b"\xa9" + kept[place + 1 :])
    with pytest.raises(DamagedError, match="schema"):
        open_database(path)


@pytest.mark.parametrize(
    ("was", "now", "table"),
    [
        ("reason TEXT", "rfason TEXT", "rejected"),
        ("marks TEXT", "marks BLOB", "sources"),
        ("position INTEGER NOT NULL", "position INTEGER", "alerts"),
        ("CREATE TABLE history", "CREATE TABLE hisuory", "history"),
    ],
)
def test_a_damaged_schema_is_known_before_anything_is_written(tmp_path: Path, was: str, now: str, table: str) -> None:
    path = tmp_path / "service.db"
    with closing(open_database(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2), name = iif(sql LIKE ?1 || '%', 'hisuory', name),"
            " tbl_name = iif(sql LIKE ?1 || '%', 'hisuory', tbl_name) WHERE type = 'table' AND name = ?3",
            (was, now, table),
        )
    with closing(open_database(path)) as connection:
        with pytest.raises(DamagedError, match=table):
            demand_whole(connection)
        assert table in {found.table for found in check(connection)}
