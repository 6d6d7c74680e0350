"""Events from files and from standard input, beside those that come over HTTP."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from monitor.service.liveness import Liveness
from rules.events import Event
from streams.embedded.driver import BusyError, StoppedError
from streams.embedded.offers import Examiner, Offer, Receipt, Submission, order_of
from streams.embedded.wall import Wall
from streams.following import Following
from streams.intake import TimeMark
from streams.logfile import STANDARD_INPUT
from streams.marks import Marks, marks_to_json
from streams.provenance import OWN
from streams.standard_input import StandardInput
from streams.turns import Line, Standing, Turn

_AT_ONCE: Final = 500
_WAIT: Final = 0.2
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)", re.DOTALL)
_log: Final = logging.getLogger(__name__)

Submit = Callable[[Submission], None]


class Followed(NamedTuple):
    """A file that is followed, or ``-`` for standard input, and what it is called."""

    name: str
    path: str

    @classmethod
    def read(cls, text: str) -> Followed:
        """``NAME=FILE``, or a file that is called by the last part of its path."""
        named = _NAMED.fullmatch(text)
        if named is not None:
            return cls(named[1], named[2])
        return cls("standard input" if text == STANDARD_INPUT else Path(text).name, text)


class _Source(Protocol):
    def turn(self, seconds: float) -> Turn: ...

    def taken(self, lines: Sequence[Line]) -> None: ...

    def marks(self) -> Marks: ...

    def close(self) -> None: ...


class Follower:
    """A thread that reads one input, up to whose end every deadline is met if it has one.

    How far a file has been read is noted with the events, so that a restart goes on there.

    Args:
        followed: which.
        marks: how far it has been read before.
        examiner: reads messages.
        submit: has them applied.
        wall: the time of day.
        seconds: a clock that never goes back.
        liveness: told how it is.
    """

    def __init__(
        self,
        followed: Followed,
        marks: Marks,
        examiner: Examiner,
        submit: Submit,
        wall: Wall,
        seconds: Callable[[], float],
        liveness: Liveness,
    ) -> None:
        self._followed = followed
        self._source: _Source = (
            StandardInput() if followed.path == STANDARD_INPUT else Following(followed.path, marks, self._warn)
        )
        self._examiner = examiner
        self._submit = submit
        self._wall = wall
        self._seconds = seconds
        self._liveness = liveness
        self._ended = threading.Event()
        self._newest: Event | None = None
        self._standing: Standing | None = None
        self._waiting: list[tuple[Line, Offer]] = []
        self._thread = threading.Thread(target=self._run, name="input", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; what has been read is applied."""
        self._ended.set()
        self._thread.join()
        self._source.close()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                turn = self._source.turn(self._seconds())
                self._use(turn)
                self._note(turn.standing)
                if not turn.more:
                    self._ended.wait(_WAIT)
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - one input must not take others with it, nor end unseen
            # Without its text, which may quote a message about a patient.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            _log.critical("input %s: unexpected %s\n%s", self._followed.name, kind, places)
            self._liveness.stands(self._followed.name, Standing("failed", f"unexpected {kind}"))

    def _use(self, turn: Turn) -> None:
        for line in turn.lines:
            offer = self._examiner.read(line.text, self._wall())
            # What was received at the same instant stays together, in the order of a stream.
            if len(self._waiting) >= _AT_ONCE and not _together(self._waiting[-1][1].content, offer.content):
                self._hand_over()
            self._waiting.append((line, offer))
        if not turn.more:
            self._hand_over()
            if turn.standing.state == "ended" and self._newest is not None:
                mark = TimeMark(source=OWN, received_at=self._newest.received_at)
                self._newest = None
                self._apply([Offer(mark)])

    def _hand_over(self) -> None:
        """Have messages applied, and wait until they are durable."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._source.taken([line for line, _ in waiting])
        offers = [offer for _, offer in waiting]
        ordered = [offers[place] for place in order_of(offers)]
        for offer in ordered:
            if isinstance(offer.content, Event):
                newer = self._newest is None or offer.content.received_at > self._newest.received_at
                self._newest = offer.content if newer else self._newest
        receipts = self._apply(ordered)
        if any(receipt.status != "rejected" for receipt in receipts):
            self._liveness.heard(self._followed.name)
        refused = sum(receipt.status == "rejected" for receipt in receipts)
        if refused:
            self._warn(f"events that were refused: {refused}; see the rejected ones")

    def _apply(self, offers: Sequence[Offer]) -> list[Receipt]:
        done: Future[list[Receipt]] = Future()
        marks = self._source.marks()
        source = (self._followed.path, marks_to_json(marks)) if marks else None
        while True:
            try:
                self._submit(Submission(offers, self._wall(), done.set_result, source))
                return done.result()
            except BusyError:
                self._ended.wait(_WAIT)

    def _note(self, standing: Standing) -> None:
        if standing == self._standing:
            return
        self._standing = standing
        self._liveness.stands(self._followed.name, standing)
        level = logging.INFO if standing.state in ("reading", "ended") else logging.WARNING
        _log.log(level, "input %s: %s", self._followed.name, ": ".join(filter(None, standing)))

    def _warn(self, text: str) -> None:
        _log.warning("input %s: %s", self._followed.name, text)


def _together(one: object, other: object) -> bool:
    return isinstance(one, Event) and isinstance(other, Event) and one.received_at == other.received_at
