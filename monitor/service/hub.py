"""The live feed: what becomes durable, handed to every reader; nobody waits for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from monitor.service.board import Board
from monitor.service.models import Beat
from rules.outputs import encode_change
from streams.embedded.entries import Entry

MOST_READERS: Final = 1000
_MOST_WAITING: Final = 500
"""Messages that may wait for a reader before the reader is dropped; it comes back and reads them from the log."""


class Message(NamedTuple):
    """A server-sent event and its position in the feed; None for a sign of life."""

    position: int | None
    data: bytes


class Reader:
    """One reader of the feed."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self.dropped = False

    def put(self, message: Message) -> bool:
        """Give it a message; false, and dropped, if too many wait."""
        if self._queue.qsize() >= _MOST_WAITING:
            self.drop()
            return False
        self._queue.put_nowait(message)
        return True

    def drop(self) -> None:
        """Give it nothing any more."""
        self.dropped = True
        self._queue.put_nowait(None)

    async def next(self) -> Message | None:
        """The next message; None once it has been dropped."""
        return None if self.dropped else await self._queue.get()


class Hub:
    """All readers. Everything happens in the event loop."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()

    @property
    def readers(self) -> int:
        """How many there are."""
        return len(self._readers)

    def join(self) -> Reader:
        """A new reader, from now on."""
        reader = Reader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """A reader has gone."""
        self._readers.discard(reader)

    def publish(self, messages: Iterable[Message]) -> None:
        """Hand messages to everybody; each was encoded once."""
        for message in messages:
            self._readers = {reader for reader in self._readers if reader.put(message)}

    def close(self) -> None:
        """Drop everybody: the service ends."""
        for reader in self._readers:
            reader.drop()
        self._readers.clear()


def encode(entry: Entry, board: Board) -> Message:
    """An entry of the feed as a server-sent event: the change as on the wire; of an alert, with its summary."""
    data = encode_change(entry.change)
    if entry.beside is not None:
        summary = board.summary(entry, then=True).model_dump_json()
        data = f'{data[:-1]},"summary":{summary}}}'
    return Message(entry.position, f"id: {entry.position}\nevent: {entry.change.kind}\ndata: {data}\n\n".encode())


def beat(content: Beat) -> Message:
    """A sign of life."""
    return Message(None, f"event: heartbeat\ndata: {content.model_dump_json()}\n\n".encode())
