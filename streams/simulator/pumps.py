"""Infusion pumps: the rates of a course, confirmed now and then, with syringe changes and moves to another line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from streams.simulator.bed import Bed, Instrument
from streams.simulator.course import HOUR, MINUTE, Pump, moment

_CONFIRM: Final = 15 * MINUTE
"""How often a pump repeats a rate that has not changed."""
_SYRINGE: Final = (5.0, 10.0)
"""Hours from one syringe change to the next."""
_CHANGE: Final = (20, 80)
"""Seconds for which delivery stops while a syringe is changed."""
_MOVED: Final = 0.2
"""The part of syringe changes at which the infusion is moved to another line."""
_LINES: Final = ("main", "distal")


def pump(plan: Pump) -> Instrument:
    """The pump of one infusion."""

    def run(bed: Bed) -> Iterator[int]:
        return _Running(bed, plan).run()

    return run


class _Running:
    """One pump at one bed: what it is set to, and to which line it is connected."""

    def __init__(self, bed: Bed, plan: Pump) -> None:
        self._bed, self._plan = bed, plan
        self._chance = bed.chance(f"pump {plan.drug}")
        self._rate = 0.0
        self._stopped = True
        self._line = 0

    def run(self) -> Iterator[int]:
        """Follow the plan; between its steps repeat the rate, and change the syringe when it is empty."""
        steps = deque((moment(at) + self._bed.shift, what) for at, what in self._plan.steps)
        now = steps[0][0]
        syringe = now + self._next_syringe()
        while True:
            yield now
            if steps and steps[0][0] <= now:
                self._step(now, steps.popleft()[1])
            elif not self._stopped and now >= syringe:
                for change in self._change(now):
                    yield change
                    now = change
                syringe = now + self._next_syringe()
            elif not self._stopped:
                self._say(now, "rate")
            following = [now + _CONFIRM, *(at for at, _ in list(steps)[:1]), *([syringe] if syringe > now else [])]
            now = max(now, min(following))  # a step that fell into a syringe change is made up for at once

    def _step(self, now: int, what: float | str) -> None:
        if isinstance(what, str):
            action = what if what in ("pause", "resume", "stop") else "alarm"
            if action in ("pause", "stop"):
                self._deliver(0.0)
            elif action == "resume":
                self._deliver(self._rate)
            self._say(now, action, alarm=what if action == "alarm" else None)
            return
        action = "start" if self._rate == 0.0 else "rate"
        self._rate = what
        self._deliver(what)
        self._say(now, action)

    def _change(self, now: int) -> Iterator[int]:
        """Change the syringe: yields the times at which delivery goes on, on another line now and then."""
        self._deliver(0.0)
        moved = self._chance.random() < _MOVED
        self._say(now, "stop" if moved else "bag_change")
        if not moved:
            self._say(now, "pause")
        now += 1000 * self._chance.randint(*_CHANGE)
        yield now
        self._deliver(self._rate)
        if moved:
            self._line = 1 - self._line
        self._say(now, "start" if moved else "resume")

    def _deliver(self, rate: float) -> None:
        self._stopped = rate == 0.0
        self._bed.body.delivered[self._plan.drug] = rate

    def _say(self, now: int, action: str, alarm: str | None = None) -> None:
        salt = ',"salt":"base"' if self._plan.drug == "norepinephrine" else ""
        rated = f',"rate":{self._rate},"unit":"{self._plan.unit}"{salt}' if action in ("start", "rate") else ""
        more = f',"alarm":"{alarm}"' if alarm is not None else ""
        line = f',"line":"{_LINES[self._line]}"' if self._line else ""
        fields = f'"kind":"infusion","drug":"{self._plan.drug}","action":"{action}"{rated}{line}{more}'
        self._bed.send("pump", now, now + 1_000 + round(self._chance.random() * 2_000), fields)

    def _next_syringe(self) -> int:
        return round(self._chance.uniform(*_SYRINGE) * HOUR)
