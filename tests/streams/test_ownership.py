"""One service owns a database, whatever the file is called."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.embedded.database import DatabaseError, open_database
from streams.embedded.ownership import sole_owner

OTHER = """
import sys
from pathlib import Path
from streams.embedded.database import DatabaseError
from streams.embedded.ownership import sole_owner
try:
    with sole_owner(Path(sys.argv[1])):
        print("owned")
except DatabaseError as error:
    print(error)
"""


def tried_elsewhere(path: Path) -> str:
    """What another process is told that wants the database."""
    found = subprocess.run([sys.executable, "-c", OTHER, str(path)], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def tried_here(path: Path) -> str:
    try:
        with sole_owner(path):
            return "owned"
    except DatabaseError as error:
        return str(error)


def symlink(path: Path) -> Path:
    other = path.with_name("link.db")
    other.symlink_to(path)
    return other


def symlinked_folder(path: Path) -> Path:
    (path.parent.parent / "elsewhere").symlink_to(path.parent)
    return path.parent.parent / "elsewhere" / path.name


def hard_link(path: Path) -> Path:
    other = path.with_name("hard.db")
    other.hardlink_to(path)
    return other


def moved(path: Path) -> Path:
    return path.rename(path.with_name("moved.db"))


def itself(path: Path) -> Path:
    return path


NAMES = [itself, symlink, symlinked_folder, hard_link, moved]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "service.db"


@pytest.mark.parametrize("tried", [tried_here, tried_elsewhere])
@pytest.mark.parametrize("by", NAMES)
def test_nobody_else_gets_it_by_any_name(path: Path, by: Callable[[Path], Path], tried: Callable[[Path], str]) -> None:
    with sole_owner(path):
        connection = open_database(path)
        assert "another service is running on it" in tried(by(path))
        connection.close()


def test_whoever_comes_after_gets_it(path: Path) -> None:
    with sole_owner(path):
        pass
    assert tried_elsewhere(path) == tried_here(path) == "owned"


def test_a_file_with_several_names_is_refused(path: Path) -> None:
    """What SQLite keeps beside one name is not found beside the other."""
    open_database(path).close()
    hard_link(path)
    assert "2 names" in tried_here(path)
    path.unlink()
    assert tried_here(path.with_name("hard.db")) == "owned"


def test_a_refusal_leaves_sqlites_locks_alone(path: Path) -> None:
    with sole_owner(path):
        connection = open_database(path)
        connection.execute("BEGIN IMMEDIATE")
        tried_here(path)
        script = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
        found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert "database is locked" in found.stderr
        connection.close()


def test_nobody_else_can_read_what_is_about_to_be_a_database(path: Path) -> None:
    before = os.umask(0)
    try:
        with sole_owner(path):
            assert path.stat().st_mode & 0o077 == 0
    finally:
        os.umask(before)


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    assert "No such file or directory" in tried_here(tmp_path / "nowhere" / "service.db")
    assert "directory" in tried_here(tmp_path)
