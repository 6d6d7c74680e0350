"""One pathway of one patient over time: its verdicts as a history that late facts may rewrite."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Final, NamedTuple

from rules.instants import HOUR, MINUTE
from rules.outputs import State
from rules.pathway import Fold, Pathway, Verdict, suggested
from rules.steps import earliest
from rules.timeline import Timeline, UndeclaredReadError, kind_of
from rules.trace import Trace

REACH: Final = 24 * HOUR
"""How far back a late fact re-evaluates the past."""


class RestlessError(RuntimeError):
    """Somebody asks to be judged again and again without coming further."""


class Entry(NamedTuple):
    """From ``at`` on, until the next entry, this was remembered and judged."""

    at: int
    fold: Fold
    verdict: Verdict


class Changed(NamedTuple):
    """A stretch of the past whose verdict is now another."""

    start: int
    end: int
    was: Verdict
    became: Verdict


class Track:
    """The history of one pathway.

    Attributes:
        entries: changes of memory or verdict, oldest first; the last one is the present.
        due: when it must be judged again although nothing has been received.
        dirty: the earliest instant whose verdict a late fact may have changed.
        read: the channels that the present verdict was read from; None before the first.
        read_until: of channels that an earlier verdict was read from, until when at most.
        trace: the answers that still stand, so that only what has changed is asked again; None to ask everything.
    """

    __slots__ = ("dirty", "due", "entries", "pathway", "read", "read_until", "trace")

    def __init__(self, pathway: Pathway) -> None:
        self.pathway = pathway
        self.entries: list[Entry] = []
        self.due: int | None = None
        self.dirty: int | None = None
        self.read: set[str] | None = None
        self.read_until: dict[str, int] = {}
        self.trace: Trace | None = Trace()

    @property
    def present(self) -> Entry | None:
        """The latest entry."""
        return self.entries[-1] if self.entries else None

    @property
    def since(self) -> int | None:
        """Since when the present state, its stage, reasons and suppression have held; None before the first verdict."""
        return self.entries[self._began(len(self.entries) - 1)].at if self.entries else None

    def reads(self, channel: str) -> bool:
        """Whether the present verdict was read from a channel: only then can a new fact in it change the verdict."""
        if channel not in self.pathway.channels:
            return False
        return self.read is None or channel in self.read or kind_of(channel) in self.read

    def concerned(self, channel: str, at: int) -> bool:
        """Whether a fact that is true from an instant on can change the present verdict, or one since then."""
        if self.reads(channel):
            return True
        until = max(self.read_until.get(channel, at), self.read_until.get(kind_of(channel), at))
        return channel in self.pathway.channels and at < until

    def touch(self, at: int) -> None:
        """A fact that this pathway reads became known, true from an instant on."""
        if self.dirty is None or at < self.dirty:
            self.dirty = at

    def wake(self, at: int) -> None:
        """Judge again at an instant at the latest."""
        if self.due is None or at < self.due:
            self.due = at

    def judge(self, timeline: Timeline, now: int) -> list[Changed]:
        """Bring the history up to ``now``; what changed in the past that had been judged before.

        A late fact is judged from the instant it was true: first there, then wherever a fact became true or an answer
        could have changed by itself, up to ``now``.

        Raises:
            UndeclaredReadError: if the pathway asks for what nothing in it declares.
            RestlessError: if it asks to be judged again at an instant that is over.
        """
        start = now if self.dirty is None else max(min(self.dirty, now), now - REACH)
        keep = self._index(start - 1) + 1
        old = self.entries[max(keep - 1, 0) :]
        fold = self.entries[keep - 1].fold if keep else Fold()
        del self.entries[keep:]
        at: int | None = start
        before, read = self.read or set(), set[str]()
        while at is not None and at <= now:
            before |= read
            read = timeline.listen()
            step = self.pathway.step(timeline, fold, at, self.trace)
            if not read <= self.pathway.declared:
                raise UndeclaredReadError(read - self.pathway.declared, self.pathway.pack.id)
            fold = step.fold
            last = self.present
            if last is None or last.fold != fold or last.verdict != step.verdict:
                self.entries.append(Entry(at, fold, step.verdict))
            following = timeline.next_change(read, at)
            judged, at = at, earliest(step.next_change, following)
            if at is not None and at <= judged:
                raise RestlessError
        changed = self._compare(old, start, now) if old else []
        timeline.listen()
        self.due, self.dirty, self.read = at, None, read
        self.read_until.update(dict.fromkeys(before - read, now))
        return changed

    def at(self, instant: int) -> Entry | None:
        """The entry in force at an instant."""
        index = self._index(instant)
        return self.entries[index] if index >= 0 else None

    def prune(self, now: int) -> None:
        """Forget entries that no late fact can reach any more, but not since when the oldest that is kept has held."""
        first = max(self._index(now - REACH - HOUR), 0)
        if first:
            self.entries[first] = self.entries[first]._replace(at=self.entries[self._began(first)].at)
            del self.entries[:first]
        self.read_until = {channel: until for channel, until in self.read_until.items() if until > now - REACH}

    def _began(self, index: int) -> int:
        """The first of the unbroken run of entries up to one that agree with it on what :attr:`since` is about."""
        verdict = self.entries[index].verdict
        while index and self.entries[index - 1].verdict[:4] == verdict[:4]:
            index -= 1
        return index

    def _index(self, instant: int) -> int:
        return bisect_right(self.entries, instant, key=_at) - 1

    def _compare(self, old: list[Entry], start: int, end: int) -> list[Changed]:
        """Stretches in ``[start, end)`` with another state, stage or suggestions than before, from a minute on."""
        marks = {start, *(entry.at for entry in (*old, *self.entries) if start < entry.at < end)}
        instants = [*sorted(marks), end]
        changed: list[Changed] = []
        for begin, finish in pairwise(instants):
            was = _in_force(old, begin)
            entry = self.at(begin)
            if was is None or entry is None or _gist(was.verdict) == _gist(entry.verdict):
                continue
            pair = (_gist(was.verdict), _gist(entry.verdict))
            if changed and changed[-1].end == begin and (_gist(changed[-1].was), _gist(changed[-1].became)) == pair:
                changed[-1] = changed[-1]._replace(end=finish)
            else:
                changed.append(Changed(begin, finish, was.verdict, entry.verdict))
        return [stretch for stretch in changed if stretch.end - stretch.start >= MINUTE]


def _gist(verdict: Verdict) -> tuple[State, str | None, frozenset[str]]:
    """What of a verdict is announced as amended when it turns out otherwise."""
    return verdict.state, verdict.stage, suggested(verdict)


def _at(entry: Entry) -> int:
    return entry.at


def _in_force(entries: list[Entry], instant: int) -> Entry | None:
    index = bisect_right(entries, instant, key=_at) - 1
    return entries[index] if index >= 0 else None
