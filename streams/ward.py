"""All patients of one log: one engine per patient, and one order for all that they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Final, Protocol

from rules.engine import PatientEngine
from rules.events import Event
from rules.outputs import Change, Rejection
from rules.pack import Pack
from rules.settings import SiteSettings
from streams.deadlines import Deadlines

TURN: Final = timedelta(minutes=1)
"""How far the ward's clock moves before deadlines are looked at and changes are handed out again."""

_INSTANT: Final = timedelta(milliseconds=1)
"""The resolution of the engine's time."""


class Engine(Protocol):
    """What the ward asks of a patient's engine; :class:`rules.engine.PatientEngine` in production.

    Its clock is the latest time it has heard of, and it decides what lies the lateness bound behind its clock.
    """

    @property
    def due(self) -> datetime | None:
        """The clock time at which something could next change with no new fact."""

    def observe(self, event: Event) -> Sequence[Change]:
        """Take in a fact that arrived; its ``received_at`` moves the clock."""

    def advance(self, to: datetime) -> Sequence[Change]:
        """Move the clock, and decide each thing due by then at its exact time."""


EngineFactory = Callable[[str, Sequence[Pack], SiteSettings], Engine]


class Ward:
    """All patients of one stream of events.

    The ward's *clock* is the latest ``received_at`` seen, and its *watermark* lies ``settings.lateness`` behind it. A
    change is handed out when the watermark has passed its ``decided_at``, after every deadline of every patient before
    the watermark has been decided, in the order of ``(decided_at, patient, sequence)``. So the changes come in one
    order however the messages of different patients were interleaved or, within the lateness, shuffled; and the
    deadline of a quiet patient is met although only others send messages.

    For speed, this is done once per :data:`TURN` of received time rather than for each event. That delays changes by up
    to one turn of log time, and alters neither their content nor their order.
    """

    def __init__(
        self, packs: Sequence[Pack], settings: SiteSettings, make_engine: EngineFactory = PatientEngine
    ) -> None:
        self.late = 0
        """Events so far that arrived more than the lateness behind the clock: the result may depend on their order."""
        self.lateness = settings.lateness
        self.clock: datetime | None = None
        self._packs = packs
        self._settings = settings
        self._make_engine = make_engine
        self._engines: dict[str, Engine] = {}
        self._watermark: datetime | None = None
        self._next_turn: datetime | None = None
        self._deadlines = Deadlines()
        self._heard: set[str] = set()
        self._held: list[tuple[datetime, str, int, str, str, int, Change]] = []
        self._count = 0

    @property
    def due(self) -> datetime | None:
        """The clock time at which :meth:`advance` may next have something to say if no event arrives."""
        self._schedule_heard()
        nearest = [self._deadlines.next] if self._deadlines.next is not None else []
        if self._held:
            nearest.append(_shift(self._held[0][0], self.lateness))
        return _shift(min(nearest), _INSTANT) if nearest else None

    def feed(self, event: Event) -> list[Change]:
        """Take in one event of any patient; returns the changes that are ready to be handed out."""
        patient, received = event.subject, event.received_at
        engine = self._engines.get(patient)
        if engine is None:
            engine = self._engines[patient] = self._make_engine(patient, self._packs, self._settings)
        if self._watermark is not None and received < self._watermark:
            self.late += 1
        if changes := engine.observe(event):
            self._hold(changes)
        self._heard.add(patient)
        if self.clock is None or received > self.clock:
            self.clock = received
            if self._next_turn is None or received >= self._next_turn:
                return self._turn(received)
        return []

    def advance(self, to: datetime) -> list[Change]:
        """Move the clock to ``to`` without an event; returns the changes that are ready. The clock never goes back."""
        if self.clock is None or to > self.clock:
            self.clock = to
        return self._turn(self.clock)

    def finish(self, at: datetime | None = None) -> list[Change]:
        """Decide all that is left, up to the clock or ``at`` if that is later: no event up to there will arrive."""
        end = max(filter(None, (self.clock, at)), default=None)
        if end is None:
            return []
        self.clock = end
        for patient in sorted(self._engines):
            self._hold(self._engines[patient].advance(_shift(end, self.lateness)))
        return self._hand_out(None)

    def _turn(self, clock: datetime) -> list[Change]:
        self._next_turn = _shift(clock, TURN)
        self._watermark = _shift(clock, -self.lateness)
        self._schedule_heard()
        # Another event may still be received at this very instant: decide only what lies before it.
        safe = _shift(clock, -_INSTANT)
        for patient in self._deadlines.take(safe):
            engine = self._engines[patient]
            self._hold(engine.advance(safe))
            self._deadlines.note(patient, engine.due)
        return self._hand_out(_shift(self._watermark, -_INSTANT))

    def _schedule_heard(self) -> None:
        for patient in self._heard:
            self._deadlines.note(patient, self._engines[patient].due)
        self._heard.clear()

    def _hold(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._count += 1  # keeps the engine's own order where the rest is equal
            if isinstance(change, Rejection):
                key = (change.decided_at, change.patient, 0, f"{change.event} {change.source}", change.place or "")
            else:
                key = (change.decided_at, change.patient, change.sequence, "", "")
            heappush(self._held, (*key, self._count, change))

    def _hand_out(self, watermark: datetime | None) -> list[Change]:
        ready = []
        while self._held and (watermark is None or self._held[0][0] <= watermark):
            ready.append(heappop(self._held)[-1])
        return ready


def _shift(moment: datetime, by: timedelta) -> datetime:
    """``moment + by``, or the end of time on that side."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta(0) else datetime.min.replace(tzinfo=UTC)
