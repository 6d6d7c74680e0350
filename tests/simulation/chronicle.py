"""Takes down what every engine was told, through snapshots and restarts, and lets a new one say it all again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple
from unittest.mock import patch
from weakref import WeakKeyDictionary

from rules.engine import PatientEngine
from rules.events import Event
from rules.facts import Sample, Translator
from rules.outputs import Change
from rules.track import Track
from tests.simulation.senders import POISON_NAME, POISON_VALUE
from tests.simulation.world import Fault, World, demand

Told = Event | datetime
"""What an engine was told: a fact, or how far time has passed."""


class _Node(NamedTuple):
    before: _Node | None
    told: Told


class PoisonError(Exception):
    """A mistake in the rules, which shows in one patient."""


class Chronicle:
    """All engines of a simulation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: WeakKeyDictionary[PatientEngine, _Node | None] = WeakKeyDictionary()
        self._kept: dict[bytes, _Node | None] = {}

    def told(self, engine: PatientEngine) -> list[Told]:
        """Everything that went into an engine as it is now; what a crash took away is not in it."""
        found: list[Told] = []
        node = self._told.get(engine)
        while node is not None:
            found.append(node.told)
            node = node.before
        return found[::-1]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Take it down meanwhile."""
        observe, advance, snapshot, restore = (
            PatientEngine.observe,
            PatientEngine.advance,
            PatientEngine.snapshot,
            PatientEngine.restore,
        )

        def noted_observe(engine: PatientEngine, event: Event) -> list[Change]:
            self._told[engine] = _Node(self._told.get(engine), event)
            return observe(engine, event)

        def noted_advance(engine: PatientEngine, to: datetime) -> list[Change]:
            self._told[engine] = _Node(self._told.get(engine), to)
            return advance(engine, to)

        def noted_snapshot(engine: PatientEngine) -> bytes:
            data = snapshot(engine)
            self._kept[data] = self._told.get(engine)
            return data

        def noted_restore(data: bytes, *rules: Any) -> PatientEngine:
            demand(bytes(data) in self._kept, "a state is gone on with that no engine was in")
            engine = restore(data, *rules)
            self._told[engine] = self._kept[bytes(data)]
            return engine

        with (
            patch.object(PatientEngine, "observe", noted_observe),
            patch.object(PatientEngine, "advance", noted_advance),
            patch.object(PatientEngine, "snapshot", noted_snapshot),
            patch.object(PatientEngine, "restore", staticmethod(noted_restore)),
            self._poisoned(),
        ):
            yield

    @contextmanager
    def _poisoned(self) -> Iterator[None]:
        """Rules that have a mistake, which some facts bring to light: it always shows in the same way."""
        facts, judge, inject = Translator.facts, Track.judge, self._world.inject

        def failing_facts(translator: Translator, event: Event, *rest: Any) -> Any:
            if event.id.startswith(POISON_NAME):
                inject(Fault.POISON)
                raise PoisonError
            return facts(translator, event, *rest)

        def failing_judge(track: Track, timeline: Any, now: int) -> Any:
            if any(_is_poison(fact.value) for fact in timeline.channels.get(_POISONED, ())):
                inject(Fault.POISON)
                raise PoisonError
            return judge(track, timeline, now)

        with patch.object(Translator, "facts", failing_facts), patch.object(Track, "judge", failing_judge):
            yield


_POISONED: Final = "signal:lactate"


def _is_poison(value: object) -> bool:
    return isinstance(value, Sample) and value.value == POISON_VALUE
