"""Events from files and from standard input, beside those that come over HTTP."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final

from rules.events import Event
from streams.embedded.driver import BusyError, StoppedError
from streams.embedded.offers import Examiner, Offer, Receipt, Submission, order_of
from streams.embedded.wall import Wall
from streams.intake import TimeMark
from streams.logfile import LONGEST_LINE, STANDARD_INPUT
from streams.provenance import OWN

_AT_ONCE: Final = 500
_WAIT: Final = 0.2
_CHUNK: Final = 1 << 16
_log: Final = logging.getLogger(__name__)

Submit = Callable[[Submission], None]


class Follower:
    """A thread that reads one file as it grows, or standard input to its end, up to which every deadline is met then.

    How far a file has been read is noted with the events, so that a restart goes on there.

    Args:
        name: a file of events as JSON lines, or ``-`` for standard input.
        start: of a file, how many bytes have been read before.
        examiner: reads messages.
        submit: has them applied.
        wall: the time of day.
    """

    def __init__(self, name: str, start: int, examiner: Examiner, submit: Submit, wall: Wall) -> None:
        self._name = name
        self._position = start
        self._examiner = examiner
        self._submit = submit
        self._wall = wall
        self._ended = threading.Event()
        self._newest: Event | None = None
        self._thread = threading.Thread(target=self._run, name="input", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; what has been read is applied. Standard input may keep the thread, which ends with us."""
        self._ended.set()
        self._thread.join(timeout=None if self._name != STANDARD_INPUT else _WAIT)

    def _run(self) -> None:
        try:
            if self._name == STANDARD_INPUT:
                self._read(sys.stdin.buffer)
            else:
                with Path(self._name).open("rb") as file:
                    file.seek(self._position)
                    self._read(file)
            if not self._ended.is_set() and self._newest is not None:
                mark = TimeMark(source=OWN, received_at=self._newest.received_at)
                self._hand_over([Offer(mark)], self._position)
        except OSError as error:
            _log.error("an input cannot be read any more: %s", error.strerror)
        except StoppedError:
            pass

    def _read(self, file: IO[bytes]) -> None:
        waiting: list[Offer] = []
        for line in self._lines(file):
            if line is None:
                self._hand_over(waiting, self._position)
                waiting = []
                continue
            offer = self._examiner.read(line.removesuffix(b"\n").removesuffix(b"\r"), self._wall())
            before = waiting[-1].content if waiting else None
            # What was received at the same instant stays together, in the order of a stream.
            if len(waiting) >= _AT_ONCE and not _together(before, offer.content):
                self._hand_over(waiting, self._position)
                waiting = []
            waiting.append(offer)
            self._position += len(line)
        self._hand_over(waiting, self._position)

    def _lines(self, file: IO[bytes]) -> Iterator[bytes | None]:
        """Whole lines; None where there is nothing at the moment."""
        rest = b""
        descriptor = file.fileno()
        while not self._ended.is_set():
            chunk = os.read(descriptor, _CHUNK) if self._name == STANDARD_INPUT else file.read(_CHUNK)
            if not chunk:
                yield None
                if self._name == STANDARD_INPUT:
                    break
                self._ended.wait(_WAIT)
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in lines)
            if len(rest) > LONGEST_LINE:
                yield rest
                rest = b""
            if self._name == STANDARD_INPUT:
                yield None
        if rest and not self._ended.is_set():
            yield rest

    def _hand_over(self, offers: Sequence[Offer], position: int) -> None:
        """Have messages applied, and wait until they are durable."""
        ordered = [offers[place] for place in order_of(offers)]
        usable = [offer for offer in ordered if offer.raw or not _blank(offer)]
        for offer in usable:
            if isinstance(offer.content, Event):
                newer = self._newest is None or offer.content.received_at > self._newest.received_at
                self._newest = offer.content if newer else self._newest
        if not usable:
            return
        done: Future[list[Receipt]] = Future()
        source = None if self._name == STANDARD_INPUT else (self._name, position)
        while True:
            try:
                self._submit(Submission(usable, self._wall(), done.set_result, source))
                break
            except BusyError:
                self._ended.wait(_WAIT)
        for receipt in done.result():
            if receipt.status == "rejected":
                _log.warning("an event of an input was refused; see the rejected ones")


def _together(one: object, other: object) -> bool:
    return isinstance(one, Event) and isinstance(other, Event) and one.received_at == other.received_at


def _blank(offer: Offer) -> bool:
    """Whether there was nothing on the line."""
    return not isinstance(offer.content, Event | TimeMark) and offer.content.kind == "empty"
