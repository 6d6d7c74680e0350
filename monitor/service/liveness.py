"""Whether events come as they should: of each input whether it can be read, and when something last came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.service.models import InputState, InputStatus
from streams.embedded.wall import Wall
from streams.turns import Standing

_FAULTS: Final = frozenset({"waiting", "failed", "silent"})
_MOST: Final = 1000
"""Senders of whom nobody said that they would come are remembered up to so many inputs."""


@dataclass(slots=True)
class _Input:
    standing: Standing
    expected: float | None
    heard: tuple[datetime, float] | None = None
    """By the wall, and by the steady clock."""


class Liveness(Collector):
    """All inputs by name: files that are followed, and senders over HTTP by the token they send with.

    It is told by the threads that read and asked by others: each step is one look-up or assignment.

    Args:
        files: names of the files that are followed.
        expected: of some inputs the seconds within which something is expected to come again; a name that is no file's
            is a sender's.
        wall: the time of day.
        steady: seconds that pass as the wall's do, and never jump: by them silence is noticed.
    """

    def __init__(
        self, files: Iterable[str], expected: Mapping[str, float], wall: Wall, steady: Callable[[], float]
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._began = wall(), steady()
        self._files = frozenset(files)
        self._inputs = {name: _Input(Standing("waiting", "not opened yet"), expected.get(name)) for name in self._files}
        for name, interval in expected.items():
            self._inputs.setdefault(name, _Input(Standing("reading"), interval))

    def stands(self, name: str, standing: Standing) -> None:
        """A file can be read, or cannot."""
        self._inputs[name].standing = standing

    def heard(self, name: str) -> None:
        """Something that can be used has just come."""
        known = self._inputs.get(name)
        if known is None:
            if len(self._inputs) >= _MOST:
                return
            known = self._inputs.setdefault(name, _Input(Standing("reading"), None))
        known.heard = self._wall(), self._steady()

    def heard_from(self, sender: str) -> None:
        """The same of a sender over HTTP; one who is called like a file does not speak for it."""
        self.heard(f"{sender} over HTTP" if sender in self._files else sender)

    def inputs(self) -> tuple[InputStatus, ...]:
        """How each is now."""
        now = self._steady()
        return tuple(_status(name, known, self._began, now) for name, known in sorted(self._inputs.copy().items()))

    def faults(self) -> tuple[InputStatus, ...]:
        """Those from which events do not come as they should."""
        return tuple(found for found in self.inputs() if not found.ready)

    def collect(self) -> Iterator[Metric]:
        """Figures for Prometheus, made when they are asked for."""
        ready = GaugeMetricFamily("rescue_monitor_input_ready", "1 if events come as they should.", labels=["input"])
        state = GaugeMetricFamily(
            "rescue_monitor_input_state", "1 for the state that an input is in.", labels=["input", "state"]
        )
        heard = GaugeMetricFamily(
            "rescue_monitor_input_last_event_timestamp_seconds",
            "When an event that can be used last came, since the service began.",
            labels=["input"],
        )
        for found in self.inputs():
            ready.add_metric([found.name], float(found.ready))
            for one in get_args(InputState):
                state.add_metric([found.name, one], float(found.state == one))
            if found.heard_at is not None:
                heard.add_metric([found.name], found.heard_at.timestamp())
        yield from (ready, state, heard)


def _status(name: str, known: _Input, began: tuple[datetime, float], now: float) -> InputStatus:
    state: InputState = known.standing.state
    heard = known.heard
    since, second = heard or began
    if state not in _FAULTS and known.expected is not None and now - second > known.expected:
        state = "silent"
    return InputStatus(
        name=name,
        state=state,
        ready=state not in _FAULTS,
        reason=known.standing.reason,
        since=since,
        heard_at=None if heard is None else heard[0],
        expected=known.expected,
    )
