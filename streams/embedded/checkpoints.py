"""Moves what has been committed from SQLite's write-ahead log into the database, beside the thread that writes."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

from streams.embedded.database import open_database

_EVERY: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Checkpoints:
    """A thread that does it every few seconds, so that no commit has to wait for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        connection = open_database(self._path)
        try:
            while not self._ended.wait(_EVERY):
                try:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                except sqlite3.Error as error:
                    # What is committed is safe where it is; the log only grows.
                    _log.warning("the write-ahead log could not be moved: %s", error)
        finally:
            connection.close()
