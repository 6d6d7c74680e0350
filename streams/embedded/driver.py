"""Drives the runtime in a thread of its own: collects what comes, applies it together, and tells the listener."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from rules.events import Action, Resuscitation
from streams.embedded.audit import Note
from streams.embedded.offers import Submission
from streams.embedded.runtime import Committed, Runtime
from streams.embedded.seals import DamagedError
from streams.embedded.settings import EmbeddedSettings
from streams.tidying import Tidier

T = TypeVar("T")

_LOOK_AROUND_EVERY: Final = 0.25
_log: Final = logging.getLogger(__name__)


class BusyError(Exception):
    """More messages are waiting than may; send them again a little later."""


class StoppedError(Exception):
    """The runtime takes nothing any more."""


class Driver:
    """The thread of a runtime.

    Args:
        runtime: has been recovered.
        settings: the runtime's.
        listener: told in the thread of everything that has become durable, before the senders are.
        failed: told in the thread of something unexpected that has happened; nothing is applied any more.
        seconds: a clock that never goes back.
    """

    def __init__(
        self,
        runtime: Runtime,
        settings: EmbeddedSettings,
        listener: Callable[[Committed], None],
        failed: Callable[[Exception], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        self._listener = listener
        self._failed = failed
        self._seconds = seconds
        self._tidier = Tidier(seconds)
        self._changed = threading.Condition()
        self._waiting: deque[Submission] = deque()
        self._size = 0
        self._pressing = False
        """Whether something is waiting that is to be used at once."""
        self._notes: list[Note] = []
        self._questions: deque[Callable[[Runtime], None]] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="runtime", daemon=True)
        self.seen = self._looked = seconds()
        """When the thread last did something."""

    @property
    def waiting(self) -> int:
        """How many messages wait for being applied."""
        return self._size + self._runtime.waiting

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Apply what is waiting, keep everything, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, submission: Submission) -> None:
        """Have messages applied; from any thread.

        Raises:
            BusyError: if too many are waiting.
            StoppedError: if the runtime has ended or is about to.
        """
        with self._changed:
            if self._stopping:
                raise StoppedError
            if self.waiting + len(submission.offers) > max(self._settings.queue, len(submission.offers)):
                raise BusyError
            self._size += len(submission.offers)
            self._waiting.append(submission)
            self._pressing |= any(isinstance(offer.content, Resuscitation | Action) for offer in submission.offers)
            self._changed.notify()

    def note(self, note: Note) -> None:
        """Have something put on record; from any thread."""
        with self._changed:
            self._notes.append(note)

    def ask(self, question: Callable[[Runtime], T]) -> Future[T]:
        """Ask the runtime something between two transactions; from any thread. It must be answered in milliseconds.

        Raises:
            StoppedError: if the runtime has ended or is about to.
        """
        future: Future[T] = Future()

        def answer(runtime: Runtime) -> None:
            try:
                future.set_result(question(runtime))
            except KeyError as error:
                future.set_exception(error)

        with self._changed:
            if self._stopping:
                raise StoppedError
            self._questions.append(answer)
            self._changed.notify()
        return future

    def _run(self) -> None:
        self._tidier.start()
        try:
            while self._turn():
                pass
            self._runtime.finish()
        except Exception as error:  # noqa: BLE001 - the memory may be ahead of the database: nothing may go on
            # Without its text, which may quote a message about a patient.
            text = f": {error}" if isinstance(error, sqlite3.Error | DamagedError) else ""
            places = "".join(traceback.format_tb(error.__traceback__))
            _log.critical("unexpected %s%s\n%s", type(error).__name__, text, places)
            with self._changed:
                self._stopping = True
            self._failed(error)
        finally:
            self._tidier.stop()

    def _turn(self) -> bool:
        """Wait for something to do, and do it; false once there is nothing more to be done for ever."""
        busy = self._runtime.busy
        with self._changed:
            if not (busy or self._waiting or self._questions or self._stopping):
                self._changed.wait(_LOOK_AROUND_EVERY)
            if self._waiting and self._settings.gather:
                self._changed.wait_for(lambda: self._pressing or self._stopping, self._settings.gather)
            submissions = self._collected()
            notes, self._notes = self._notes, []
            questions, self._questions = self._questions, deque()
        if submissions or notes:
            self._listener(self._runtime.take(submissions, notes))
        elif busy:
            self._listener(self._runtime.go_on())
        for question in questions:
            question(self._runtime)
        idle = not (self._waiting or self._runtime.busy)
        self.seen = self._seconds()
        if idle and self.seen - self._looked >= _LOOK_AROUND_EVERY:
            self._looked = self.seen
            self._listener(self._runtime.let_time_pass())
        self._runtime.tend()
        self._tidier.tidy(idle=idle)
        return not (self._stopping and idle)

    def _collected(self) -> list[Submission]:
        """The next submissions, together no more messages than one transaction takes if they can be parted."""
        found: list[Submission] = []
        size = 0
        while self._waiting and (not found or size + len(self._waiting[0].offers) <= self._settings.batch):
            submission = self._waiting.popleft()
            size += len(submission.offers)
            found.append(submission)
        self._size -= size
        self._pressing = self._pressing and bool(self._waiting)
        return found
