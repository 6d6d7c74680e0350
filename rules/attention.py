"""Whether an alert asks for an answer, why it asks anew, and what that waits for."""

from __future__ import annotations

from typing import Final, NamedTuple

from rules.instants import format_duration
from rules.lifecycle import AlertState, shown
from rules.outputs import Priority

CLOSING: Final = "the window is about to close"

_BY_AN_ANSWER: Final = {
    AlertState.SNOOZED: "it was snoozed, and is called for again",
    AlertState.DECLINED: "it was declined, and is called for again",
}
"""Why an alert comes back that somebody's answer has kept back: that is no flapping, and is not damped."""


class Damping(NamedTuple):
    """What came back ``returns`` times ``within`` so many milliseconds interrupts only once in that time."""

    returns: int
    within: int


class Call(NamedTuple):
    """A reason to interrupt: in words; whether it is one more return; whether damping does not delay it."""

    why: str
    returned: bool = False
    undamped: bool = False


class Asking(NamedTuple):
    """What is remembered of the interruptions of one alert; instants in milliseconds.

    ``level`` is the highest priority for which it has interrupted or is about to since it came, or the one at which it
    was answered since; None where nothing stands. ``answered`` is the priority at which it was last answered, ``fixes``
    what to fix first has been told and not put right since, and ``closing`` whether it was announced that the window is
    about to close.

    ``rank`` is the furthest stage of which it has told, where it is about one, by its place in the pack.

    ``returns`` are the instants at which it came back lately, ``last`` is when it last interrupted, and ``peak`` at
    which priority. ``wanted`` is why it is to interrupt where it has not yet; it waits while ``hushed`` (and why), and
    while it is damped for ``flapping``, at most ``until`` an instant.
    """

    level: Priority | None = None
    answered: Priority | None = None
    fixes: tuple[str, ...] = ()
    closing: bool = False
    returns: tuple[int, ...] = ()
    last: int | None = None
    peak: Priority | None = None
    wanted: str | None = None
    hushed: str | None = None
    flapping: str | None = None
    until: int | None = None
    rank: int | None = None

    @property
    def delayed(self) -> str | None:
        """Why an interruption that is wanted waits."""
        return self.hushed or self.flapping

    @property
    def ready(self) -> bool:
        """Whether an interruption is wanted, and nothing delays it."""
        return self.wanted is not None and self.delayed is None

    def call(self, state: AlertState, cause: str | None, priority: Priority, fixes: tuple[str, ...]) -> Call | None:
        """Why an alert in a state, with the cause of that state, is to interrupt now that the rules stand behind it."""
        if not priority.interrupts:
            return None
        before = self.last is not None
        if state in _BY_AN_ANSWER:
            return Call(_BY_AN_ANSWER[state], undamped=True)
        if not shown(state):
            return Call(_came_back(state, cause), returned=before)
        if self.level is None or priority.urgency > self.level.urgency:
            return Call(self._risen(state, priority), returned=before)
        if set(fixes) - set(self.fixes):
            return Call("something else is to be fixed first", returned=before)
        return None

    def _risen(self, state: AlertState, priority: Priority) -> str:
        if self.answered is not None and priority.urgency > self.answered.urgency:
            return f"more urgent than what was {state}"
        return (
            "more urgent than before" if self.peak is None or self.peak.urgency < priority.urgency else "urgent again"
        )

    def gone_further(self, rank: int) -> bool:
        """Whether the state has reached a stage beyond those of which it has told."""
        return self.rank is not None and rank > self.rank

    def told_of(self, rank: int) -> Asking:
        """With a stage that it tells of. What falls and rises while it is shown is told of once."""
        return self._replace(rank=rank if self.rank is None else max(rank, self.rank))

    def stands(self, priority: Priority, fixes: tuple[str, ...], *, closing: bool) -> Asking:
        """Now that it is known how urgent it is. What falls and rises while it is shown has been told of: no return."""
        asking = self.put_right(fixes)._replace(closing=self.closing and closing)
        if self.wanted is not None and self.level is not None and priority.urgency < self.level.urgency:
            # It was to interrupt, and has not: that it falls before it could does not count as told.
            asking = asking._replace(level=priority)
        # Below the priorities that interrupt, nothing needs to be told.
        return asking if priority.interrupts else asking.at_rest()._replace(fixes=fixes)

    def put_right(self, fixes: tuple[str, ...]) -> Asking:
        """With only ``fixes`` left to fix."""
        return self._replace(fixes=tuple(fix for fix in self.fixes if fix in fixes))

    def called(self, call: Call, priority: Priority, fixes: tuple[str, ...], now: int, damping: Damping) -> Asking:
        """With a reason to interrupt that has come up: it is wanted until it has interrupted or was answered."""
        lately = tuple(at for at in self.returns if at > now - damping.within)
        returns = (*lately, now) if call.returned else lately
        asking = self.at_rest()._replace(level=priority, fixes=fixes, returns=returns, wanted=call.why)
        undamped = call.undamped or self.peak is None or priority.urgency > self.peak.urgency
        if undamped or self.last is None or len(returns) < damping.returns:
            return asking
        until = self.last + damping.within
        return asking._replace(until=until, flapping=damped(len(returns), damping.within))

    def held_back(self, now: int, hushed: str | None) -> Asking:
        """With what keeps the interruption back at an instant, if one is wanted."""
        if self.wanted is None:
            return self
        asking = self._replace(hushed=hushed)
        return asking if self.until is not None and now < self.until else asking._replace(until=None, flapping=None)

    def interrupted(self, priority: Priority, now: int) -> Asking:
        """It has interrupted."""
        return self.at_rest()._replace(last=now, peak=priority, answered=None)

    def was_answered(self, priority: Priority) -> Asking:
        """Somebody has answered what is on the screen."""
        return self.at_rest()._replace(level=priority, answered=priority)

    def at_rest(self) -> Asking:
        """Without an interruption that is wanted."""
        return self._replace(wanted=None, hushed=None, flapping=None, until=None)

    def left(self) -> Asking:
        """It is not shown any more: when it comes back, nothing of it has been answered."""
        return Asking(returns=self.returns, last=self.last, peak=self.peak)


NEVER_ASKED: Final = Asking()


def damped(returns: int, within: int) -> str:
    """Why an interruption is damped."""
    return f"came back {returns} times in {format_duration(within)}"


def _came_back(state: AlertState, cause: str | None) -> str:
    match state:
        case AlertState.NEW:
            return ""
        case AlertState.SUPPRESSED:
            return f"no longer kept back ({cause})"
        case _:
            return f"came back after it was {state}"
