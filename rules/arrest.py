"""A cardiac arrest as it was recorded, on the clock of Utstein: what happened, which shocks failed, how it ended.

An arrest goes on until circulation has lasted (no compressions needed for so long, recorded as such or not), until ECMO
flows, or until the team stops. A return of circulation that does not last is part of it. Compressions that nobody
charted as ended stop counting once circulation is evident; hours after the last word of it nobody can tell any more.

A rhythm that a monitor shows is no arrest: that needs somebody who found no circulation, called for help, compressed or
shocked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rules.facts import ArrestEvent
from rules.instants import FOREVER, HOUR, MINUTE, TICK
from rules.shocks import Shock, Shocks

if TYPE_CHECKING:
    from rules.timeline import Fact
    from rules.view import View

CHANNEL: Final = "resuscitation"

UNCONFIRMED: Final = 2 * HOUR
"""How long after the last word of an arrest nobody can say any more whether it goes on (local setting)."""

LOST: Final = 4 * HOUR
"""How long after the last word of it an arrest is over, nobody knows how (local setting)."""

EVIDENT: Final = 10 * MINUTE
"""For how long circulation must be seen, with nothing charted of the resuscitation, to be evident (local setting)."""

EVIDENT_GAP: Final = 15 * MINUTE
"""How far apart the pressures may be by which it is seen (local setting)."""

CIRCULATING: Final = 60.0
"""Mean pressure in mm[Hg] that compressions do not keep up for minutes (local setting)."""

PULSE: Final = 20.0
"""Arterial pulse pressure in mm[Hg] above which there may be circulation (general clinical knowledge)."""

NO_FLOW_ETCO2: Final = 10.0
"""EtCO2 in mm[Hg] below which a pressure is no circulation (AHA 2025, secondary source only)."""

RHYTHM_HOLDS: Final = 10 * MINUTE
"""For how long a rhythm seen on a monitor counts as the first of an arrest found later (local setting)."""

TWIN: Final = MINUTE
"""Shocks that two sources record less than this apart are one: as far as clocks may differ (local setting)."""

SHOCKED: Final = "shocked"
"""A rhythm that nobody charted, and that was shocked: whoever shocks (a defibrillator that decides for itself shocks
nothing else) has seen a shockable one. The log of a device, on a clock of its own, names rhythms itself."""

SHOCKABLE: Final = ("vf", "vt", SHOCKED)
RHYTHMS: Final = {
    SHOCKED: "shockable (it was shocked; nobody charted it)",
    "vf": "ventricular fibrillation",
    "vt": "ventricular tachycardia",
    "pea": "pulseless electrical activity",
}
"""Rhythms by their full names, where these say more than the code."""
PULSELESS: Final = ("vf", "pea", "asystole")
"""Rhythms without circulation; ventricular tachycardia may have one."""

_BEGINNING: Final = ("collapse", "found", "cpr_start", "rearrest")
_GOES_ON: Final = ("cpr_stop", "rosc", "cannulation", "ecmo_flow", "stopped")
"""What says of an arrest that was lost from sight that it went on, and how."""
_AT: Final = attrgetter("at")

SIGNS: Final = (
    "dose:epinephrine",
    "signal:map_invasive",
    "signal:systolic_invasive",
    "signal:diastolic_invasive",
    "signal:map_noninvasive",
    "signal:etco2",
    "signal:cpr_rate",
)
"""What circulation is seen by while compressions are charted, and what says that they go on."""

READS: Final = (CHANNEL, *SIGNS)
"""All that the course of an arrest is read from; of the signs no more than the last hours."""

Ending = Literal["rosc", "quiet", "evident", "ecmo", "stopped", "lost"]
"""Circulation lasted, as recorded, because nobody needed to compress, or as evident; ECMO flows; the team stopped;
or nobody charted any more."""


class Arrest(NamedTuple):
    """An arrest as known after some event of it.

    Attributes:
        began: the earliest moment at which it is known to have been going on.
        collapse: when the patient collapsed, if anybody knows.
        found: when the patient was found, and ``last_seen`` when last seen well before that.
        witnessed: whether somebody saw the collapse; ``told`` is when that was said.
        initial_rhythm: the first rhythm, if it was charted no later than the first shock.
        rhythm: the latest rhythm.
        first_compressions: when compressions began.
        compressing: since when compressions have been going on, as charted or as a device measures them.
        paused: since when they have not, although they are needed.
        compressed: milliseconds of compressions in stretches that are over.
        pauses: lengths of the pauses that are over.
        quiet: the latest moment at which compressions were needed, while none are given.
        rosc: since when there has been circulation; ``returned`` says that there has been at some time.
        shocks: the shocks during the arrest, if there were any.
        cannulation: when cannulation for ECMO began.
        ended: when it was over, and ``ending`` how.
        newest: the last word of it.
        alone: whether only the rhythm on a monitor says that there is no circulation (again).
        left_open: since when compressions are charted as going on although circulation is evident.
        again: whether there was another arrest before it.
    """

    began: int
    newest: int
    quiet: int
    collapse: int | None = None
    found: int | None = None
    last_seen: int | None = None
    witnessed: bool | None = None
    told: int = 0
    initial_rhythm: str | None = None
    rhythm: str | None = None
    first_compressions: int | None = None
    compressing: int | None = None
    paused: int | None = None
    compressed: int = 0
    pauses: tuple[int, ...] = ()
    rosc: int | None = None
    returned: bool = False
    shocks: Shocks | None = None
    cannulation: int | None = None
    ended: int | None = None
    ending: Ending | None = None
    alone: bool = False
    left_open: int | None = None
    again: bool = False

    @property
    def failed(self) -> int:
        """How many shocks have failed."""
        return self.shocks.failed if self.shocks is not None else 0

    @property
    def shocked(self) -> int:
        """How many shocks were given."""
        return len(self.shocks) if self.shocks is not None else 0

    @property
    def needs_compressions(self) -> bool:
        """Whether there is no circulation, as far as recorded."""
        return self.ended is None and self.rosc is None

    def low_flow(self, at: int, pause: int) -> int | None:
        """Milliseconds under resuscitation by an instant, or None before the first compressions.

        Minutes with circulation are left out. Of a pause that nobody explained no more than ``pause`` counts: a longer
        one was either circulation that nobody charted, or no resuscitation.
        """
        if self.first_compressions is None:
            return None
        if self.compressing is not None:
            going_on = at - self.compressing
        else:
            going_on = 0 if self.paused is None else min(at - self.paused, pause)
        return self.compressed + sum(min(length, pause) for length in self.pauses) + going_on


def course(view: View) -> Arrest | None:
    """The arrest that is going on, or the last one, at the view's instant; None where none was recorded."""
    return view.once(CHANNEL, _course)


class Courses:
    """The arrest as known after each of the facts, kept up to date: where facts are added, only these are followed.

    Args:
        lasting: how long circulation must last to end an arrest.
        seen: after which facts, by time, circulation was evident, and since when.

    Attributes:
        arrests: by fact.
    """

    __slots__ = ("_gaps", "_lasting", "_seen", "arrests")

    def __init__(self, lasting: int, seen: Mapping[int, int] | None = None) -> None:
        self.arrests: list[Arrest | None] = []
        self._lasting = lasting
        self._seen = seen or {}
        self._gaps: list[int] = []

    def follow(self, facts: Sequence[Fact], since: int = -FOREVER) -> Courses:
        """Follow the facts, of which those before an instant are as they were."""
        known = bisect_left(facts, since, key=_AT)
        del self.arrests[known:]
        while self._gaps and self._gaps[-1] >= known - 1:
            self._gaps.pop()
        arrest = self.arrests[-1] if self.arrests else None
        for index in range(known, len(facts)):
            fact = facts[index]
            if index and fact.at - facts[index - 1].at >= EVIDENT:
                self._gaps.append(index - 1)
            arrest = _after(arrest, fact, self._lasting, self._seen)
            self.arrests.append(arrest)
        return self

    def left_alone(self, facts: Sequence[Fact], at: int) -> Iterator[int]:
        """After which facts up to an instant nothing was said for long, and those that are the last word of it."""
        last = max(bisect_left(facts, at, key=_AT) - 1, 0)
        yield from (index for index in self._gaps if index < last)
        yield from range(last, bisect_right(facts, at, key=_AT))


def _course(view: View) -> Arrest | None:
    lasting, record = view.duration("sustained_rosc"), view.timeline
    facts = record.facts(CHANNEL)
    if not facts:
        return None
    charted = facts

    def as_charted(seen: tuple[tuple[int, int], ...]) -> Courses:
        def extend(known: Courses, since: int) -> Courses:
            return known.follow(charted, since)

        return record.memo(("arrest", lasting, seen), (CHANNEL,), lambda: Courses(lasting, dict(seen)), extend)

    found = as_charted(())
    measured = _measured(view, charted, found, lasting)
    if measured:
        # What a device adds is more each minute: nothing of that is kept.
        facts = sorted((*charted, *measured), key=_AT)
        found = Courses(lasting).follow(facts)
    seen = _seen(view, facts, found)
    if seen:
        found = Courses(lasting, dict(seen)).follow(facts) if measured else as_charted(seen)
    index = bisect_right(facts, view.at, key=_AT)
    last = found.arrests[index - 1] if index else None
    if last is None:
        return None
    arrest = _settled(last, view.at, lasting, dict(seen).get(last.newest))
    if arrest.ended is None:
        view.note(arrest.newest + LOST)
        if arrest.compressing is None:
            view.note(arrest.quiet + lasting)
    return arrest


def _seen(view: View, facts: Sequence[Fact], courses: Courses) -> tuple[tuple[int, int], ...]:
    """After which words of an arrest circulation was evident although compressions went on as charted.

    Each with the time of the word, and since when; hours after the word it does not matter any more.
    """
    found = []
    for index in courses.left_alone(facts, view.at):
        fact, arrest = facts[index], courses.arrests[index]
        until = min(facts[index + 1].at if index + 1 < len(facts) else view.at, view.at)
        pressed = arrest is not None and arrest.ended is None and arrest.compressing is not None
        if pressed and until == view.at:
            view.note(fact.at + EVIDENT)
        if pressed and EVIDENT <= until - fact.at < LOST:
            since = evident(view, fact.at, until)
            if since is not None:
                view.note(fact.at + LOST)
                found.append((fact.at, since))
    return tuple(found)


def _measured(view: View, facts: Sequence[Fact], courses: Courses, lasting: int) -> list[Fact]:
    """Compressions that a device measures while none are charted as given, as if somebody had charted them.

    Circulation that was charted takes more than that, and what the device measured before compressions were charted
    ends none of these. Hours after the word that they follow it does not matter any more.
    """
    series, holds = view.timeline.series("signal:cpr_rate"), view.max_age("cpr_rate") or 0
    found: list[Fact] = []
    if series is None:
        return found
    arrest: Arrest | None = None
    last: int | None = None  # until when they went on by the device alone

    def say(arrest: Arrest | None, action: str, at: int) -> Arrest | None:
        found.append(facts[0]._replace(at=at, event="cpr_rate", value=ArrestEvent(action, None, None, None)))
        return _after(arrest, found[-1], lasting, {})

    for index in range(bisect_right(facts, view.at - LOST, key=_AT), bisect_right(facts, view.at, key=_AT)):
        fact = facts[index]
        if last is not None and fact.at - last > holds:
            arrest, last = say(arrest, "cpr_stop", last), None
        arrest = _after(arrest, fact, lasting, {}) if found else courses.arrests[index]
        if arrest is None or arrest.compressing is None or fact.value.action == "cpr_start":
            last = None
        if arrest is None or not (arrest.needs_compressions and (arrest.compressing is None or last is not None)):
            continue
        until = min(facts[index + 1].at if index + 1 < len(facts) else view.at, view.at)
        view.note(series.next_end(view.at) if until == view.at else None)
        for minute in range(-(-fact.at // MINUTE), until // MINUTE):
            if series.at(minute) is None:
                continue
            if last is not None and minute * MINUTE - last > holds:
                arrest, last = say(arrest, "cpr_stop", last), None
            if last is None:
                arrest = say(arrest, "cpr_start", minute * MINUTE)
            last = (minute + 1) * MINUTE
            view.note(fact.at + LOST)
    if last is not None and view.at - last > holds:
        say(arrest, "cpr_stop", last)
    view.note(None if last is None else last + holds + TICK)
    return found


def follow(facts: Sequence[Fact], lasting: int, seen: Mapping[int, int] | None = None) -> list[Arrest | None]:
    """The arrest as known after each of the facts: see :class:`Courses`."""
    return Courses(lasting, seen).follow(facts).arrests


def _after(arrest: Arrest | None, fact: Fact, lasting: int, seen: Mapping[int, int]) -> Arrest | None:
    """The arrest as known after one more fact."""
    event: ArrestEvent = fact.value
    if arrest is not None:
        settled = _settled(arrest, fact.at, lasting, seen.get(arrest.newest))
        found_again = settled.ending == "lost" and event.action in _GOES_ON
        arrest = arrest if found_again else settled
    only = arrest is not None and arrest.alone and arrest.first_compressions is None
    old = only and arrest is not None and fact.at - arrest.newest > RHYTHM_HOLDS
    over = arrest is None or arrest.ended is not None or (old and event.action in _BEGINNING)
    if over and _begins(arrest, event):
        again = arrest is not None and (arrest.again or not arrest.alone)
        arrest = Arrest(fact.at, fact.at, fact.at, alone=event.action == "rhythm", again=again)
    if arrest is not None and arrest.ended is None:
        arrest = _charted(_told(arrest, fact), fact)
        act = _ACTIONS.get(event.action)
        arrest = arrest if act is None else act(arrest, fact)
    return arrest


def _settled(arrest: Arrest, at: int, lasting: int, seen: int | None) -> Arrest:
    """The arrest once time has passed since the last word of it.

    It is over where no compressions were needed for long enough, and where nothing was charted for hours; compressions
    charted as going on did not, from when circulation was evident (``seen``).
    """
    if arrest.ended is not None:
        return arrest
    lost = arrest.newest + LOST
    if seen is not None and seen <= at < lost and arrest.compressing is not None:
        arrest = _still(arrest, seen)._replace(
            rosc=seen, returned=True, quiet=seen, left_open=arrest.compressing, newest=arrest.newest
        )
    over = FOREVER if arrest.compressing is not None else arrest.quiet + lasting
    if at >= over and over <= lost:
        return _over(arrest, over, "quiet" if arrest.rosc is None else "evident" if arrest.left_open else "rosc")
    return _over(arrest, lost, "lost") if at >= lost else arrest


def evident(view: View, since: int, until: int) -> int | None:
    """Since when circulation was evident in a stretch of time without a word of the resuscitation; None if it was not.

    That is once pressures have stood, for :data:`EVIDENT` and with no gap longer than :data:`EVIDENT_GAP`, where
    compressions do not keep them. Compressions that a device measures, and adrenaline, say that they go on.
    """
    first = last = None
    for at, circulating in _signs(view, since, until):
        if not circulating or (last is not None and at - last > EVIDENT_GAP):
            first = None
        if circulating:
            first, last = at if first is None else first, at
            if at - first >= EVIDENT:
                return first
    return None


def _signs(view: View, since: int, until: int) -> list[tuple[int, bool]]:
    """Whether there was circulation, wherever that can be seen, in order of time."""
    record = view.timeline
    mean, systolic, diastolic, etco2, compressions = (
        record.series(f"signal:{name}")
        for name in ("map_invasive", "systolic_invasive", "diastolic_invasive", "etco2", "cpr_rate")
    )
    found: list[tuple[int, bool]] = []
    for minute in range(-(-since // MINUTE), until // MINUTE):
        pressure, high, low, carbon, pushed = (
            None if series is None else series.at(minute) for series in (mean, systolic, diastolic, etco2, compressions)
        )
        pulse = None if high is None or low is None else high - low
        if pressure is None and high is not None and low is not None:
            pressure = low + (high - low) / 3
        if pushed is not None or (carbon is not None and carbon < NO_FLOW_ETCO2):
            found.append(((minute + 1) * MINUTE, False))
        elif pressure is not None:
            found.append(((minute + 1) * MINUTE, pressure >= CIRCULATING and (pulse is None or pulse > PULSE)))
    for series in (mean, systolic, diastolic, etco2, compressions):
        view.note(None if series is None else series.next_end(view.at))
    cuff = (fact for fact in record.upto("signal:map_noninvasive", until) if fact.at > since)
    given = (
        fact for fact in record.upto("dose:epinephrine", until) if fact.at > since and fact.value.status == "given"
    )
    found += [(fact.at, fact.value.value >= CIRCULATING) for fact in cuff if not isnan(fact.value.value)]
    found += [(fact.at, False) for fact in given]
    return sorted(found)


def _begins(last: Arrest | None, event: ArrestEvent) -> bool:
    """Whether an event begins an arrest.

    On ECMO, and once the team has stopped, a rhythm or a shock does not.
    """
    if event.action in _BEGINNING:
        return True
    final = last is not None and last.ending in ("ecmo", "stopped")
    return not final and (event.action == "shock" or (event.action == "rhythm" and event.rhythm in PULSELESS))


def _told(arrest: Arrest, fact: Fact) -> Arrest:
    """What an event says beside its action: who saw it, when the patient was last seen; of two reports the later."""
    event: ArrestEvent = fact.value
    if event.last_seen is not None:
        arrest = arrest._replace(last_seen=event.last_seen)
    if event.witnessed is not None and fact.received >= arrest.told:
        arrest = arrest._replace(witnessed=event.witnessed, told=fact.received)
    alone = arrest.alone and event.action in ("rhythm", "cpr_stop")
    return arrest._replace(newest=fact.at, alone=alone, left_open=None)


def _charted(arrest: Arrest, fact: Fact) -> Arrest:
    """A rhythm that an event names: other than organised, it shows that the shocks before it have failed."""
    rhythm, at = fact.value.rhythm, fact.at
    if rhythm is None:
        return arrest
    arrest = arrest._replace(rhythm=rhythm)
    if arrest.initial_rhythm in (None, SHOCKED) and (arrest.shocks is None or at <= arrest.shocks.first):
        arrest = arrest._replace(initial_rhythm=rhythm)
    if rhythm == "organised":
        return arrest
    if arrest.rosc is None:
        return _failed(arrest, at)._replace(quiet=at)
    return _lost(arrest, at)._replace(alone=True) if rhythm in PULSELESS and at > arrest.rosc else arrest


def _collapsed(arrest: Arrest, fact: Fact) -> Arrest:
    if arrest.rosc is not None and fact.at > arrest.rosc:
        arrest = _lost(arrest, fact.at)
    return arrest if arrest.collapse is not None else arrest._replace(collapse=fact.at)


def _found(arrest: Arrest, fact: Fact) -> Arrest:
    return arrest if arrest.found is not None else arrest._replace(found=fact.at)


def _arrested_again(arrest: Arrest, fact: Fact) -> Arrest:
    arrest = _lost(arrest, fact.at) if arrest.rosc is not None else arrest
    return arrest._replace(quiet=fact.at, collapse=fact.at if arrest.began == fact.at else arrest.collapse)


def _returned(arrest: Arrest, fact: Fact) -> Arrest:
    arrest = _still(arrest, fact.at)._replace(rosc=fact.at, returned=True, quiet=fact.at)
    return _with_shocks(arrest, lambda shock: shock._replace(worked=True))


def _compressing(arrest: Arrest, fact: Fact) -> Arrest:
    """Compressions begin or go on; where circulation was recorded, only a later start says that it was lost again."""
    at = fact.at
    if arrest.compressing is not None or (arrest.rosc is not None and at <= arrest.rosc):
        return arrest
    first = at if arrest.first_compressions is None else arrest.first_compressions
    arrest = _still(arrest, at)._replace(first_compressions=first, compressing=at, rosc=None)
    return _with_shocks(arrest, lambda shock: _resumed(shock, at))


def _pausing(arrest: Arrest, fact: Fact) -> Arrest:
    """Compressions stop; where circulation had been recorded already, they had gone on until now."""
    at = fact.at
    if arrest.compressing is None:
        return arrest if arrest.rosc is None else arrest._replace(quiet=max(arrest.quiet, at))
    arrest = _still(arrest, at)._replace(paused=at, quiet=at)
    return _with_shocks(arrest, lambda s: s._replace(cycle="paused") if s.cycle == "given" and at > s.at else s)


def _resumed(shock: Shock, at: int) -> Shock:
    """A shock once compressions are given: a second time after a pause, they say that it has failed."""
    if shock.cycle == "paused":
        return shock._replace(failed=at)
    return shock._replace(cycle="given") if shock.cycle == "open" else shock


def _shocked(arrest: Arrest, fact: Fact) -> Arrest:
    """A shock during the arrest; while there is circulation it is no evidence that compressions are needed."""
    at, source = fact.at, fact.event.partition(" ")[0]
    last = arrest.shocks.last if arrest.shocks is not None else None
    if arrest.rosc is not None or (last is not None and last.source != source and at - last.at < TWIN):
        return arrest
    if arrest.shocks is None and arrest.initial_rhythm is None and not fact.value.logged:
        arrest = arrest._replace(initial_rhythm=SHOCKED, rhythm=arrest.rhythm or SHOCKED)
    arrest = _failed(arrest, at)
    shock = Shock(at, source, fact.value.energy_joules, cycle="open" if arrest.compressing is None else "given")
    return arrest._replace(quiet=at, shocks=Shocks(arrest.shocks, shock))


def _failed(arrest: Arrest, at: int) -> Arrest:
    """Evidence at an instant that there is still no circulation: the shocks before it have failed."""
    return _with_shocks(arrest, lambda shock: shock._replace(failed=at) if shock.at < at else shock)


def _with_shocks(arrest: Arrest, change: Callable[[Shock], Shock]) -> Arrest:
    """The arrest with a change to the shocks of which it is open what came of them."""
    return arrest if arrest.shocks is None else arrest._replace(shocks=arrest.shocks.changed(change))


def _lost(arrest: Arrest, at: int) -> Arrest:
    """Circulation is lost again."""
    paused = None if arrest.first_compressions is None else at
    return arrest._replace(rosc=None, quiet=at, paused=paused)


def _still(arrest: Arrest, at: int) -> Arrest:
    """The stretch of compressions, or the pause, that went on until an instant is over."""
    if arrest.compressing is not None:
        return arrest._replace(compressed=arrest.compressed + at - arrest.compressing, compressing=None)
    if arrest.paused is not None:
        return arrest._replace(pauses=(*arrest.pauses, at - arrest.paused), paused=None)
    return arrest


def _over(arrest: Arrest, at: int, ending: Ending) -> Arrest:
    return _still(arrest, at)._replace(ended=at, ending=ending)


_ACTIONS: Final[dict[str, Callable[[Arrest, Fact], Arrest]]] = {
    "collapse": _collapsed,
    "found": _found,
    "rearrest": _arrested_again,
    "cpr_start": _compressing,
    "cpr_stop": _pausing,
    "shock": _shocked,
    "rosc": _returned,
    "cannulation": lambda arrest, fact: arrest._replace(cannulation=fact.at),
    "ecmo_flow": lambda arrest, fact: _over(arrest, fact.at, "ecmo"),
    "stopped": lambda arrest, fact: _over(arrest, fact.at, "stopped"),
}
