"""The log of the feed, read piece by piece and encoded once for all who read it from the beginning."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import Final, NamedTuple

from monitor.service.board import Board
from monitor.service.hub import encode
from streams.embedded import store

AT_ONCE: Final = 50
"""Entries in a page: what is read without giving way."""

_HELD: Final = 64
"""Pages that are held (local setting): those who catch up together read the same ones."""


class Page(NamedTuple):
    """Encoded entries of the feed, and the position of the last; nothing where there are none."""

    last: int
    data: bytes


class Pages:
    """The pages that were read last.

    Args:
        board: names what is said in them.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._held: OrderedDict[int, Page] = OrderedDict()

    def held(self, position: int) -> Page | None:
        """The page after a position, if it has been read."""
        return self._held.get(position)

    def read(self, connection: sqlite3.Connection, position: int) -> Page:
        """The entries that follow a position; a full page is held, since it does not change any more."""
        entries = store.entries_after(connection, position, AT_ONCE)
        data = b"".join(encode(entry, self._board).data for entry in entries)
        page = Page(entries[-1].position if entries else position, data)
        if len(entries) == AT_ONCE:
            self._held[position] = page
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return page
