"""How far inputs have been read, past what is no record: marks of transactions, and records of those given up."""

from __future__ import annotations

from typing import Final, NamedTuple

Place = tuple[str, int]
"""A topic, with its prefix, and a partition of it."""

_SHRUNK_FOR: Final = 60.0
"""Seconds after which it is believed that a partition has become shorter: a new leader knows its end a little later."""


class ShrunkError(Exception):
    """There is less in an input than has been read of it."""


class _Reached(NamedTuple):
    position: int
    after: int


class Reach:
    """How far each partition has been read; told in the client's thread, asked in another."""

    def __init__(self) -> None:
        self._reached: dict[Place, _Reached] = {}
        self._shrunk_since: dict[Place, float] = {}

    def clear(self) -> None:
        """Partitions have been dealt out anew."""
        self._reached.clear()
        self._shrunk_since.clear()

    def note(self, place: Place, position: int, last: int | None) -> None:
        """The client goes on at a ``position``; the ``last`` record that it has just given, if it has given any."""
        before = self._reached.get(place, _Reached(0, 0))
        self._reached[place] = _Reached(position, before.after if last is None else last + 1)

    def end(self, place: Place, stable: int | None, seconds: float) -> int | None:
        """The offset after the last record of a partition that can be read, if that is known.

        Args:
            place: which.
            stable: the offset up to which all transactions have ended, as the client last heard; None or negative if
                it has heard nothing yet.
            seconds: the present, by a clock that never goes back.

        Raises:
            ShrunkError: if there has been less for some time than has been read.
        """
        if stable is None or stable < 0:
            return None
        reached = self._reached.get(place, _Reached(0, 0))
        if stable >= reached.after:
            self._shrunk_since.pop(place, None)
            return reached.after if reached.position >= stable else stable
        if seconds - self._shrunk_since.setdefault(place, seconds) > _SHRUNK_FOR:
            raise ShrunkError(shrunk(place, stable, reached.after))
        return None


def shrunk(place: Place, end: int, read: int) -> str:
    """That a partition has become shorter, in words."""
    topic, partition = place
    return f"{topic}[{partition}] ends at {end}, but has been read up to {read}: it was made anew, or has lost records"
