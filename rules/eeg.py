"""What the EEG shows by its software and by readings of it: seizures, their burden, and since when it is quiet.

It counts while it is usable and sends. A value that has grown old after showing a seizure leaves open whether that goes
on; time in which nothing was sent was not watched.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.instants import FOREVER, HOUR, MINUTE, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth
from rules.values import Operator, Value, compare, exact, number, unknown

if TYPE_CHECKING:
    from rules.minutes import MinuteSeries
    from rules.timeline import Fact
    from rules.view import View

BIN: Final = 10 * MINUTE
"""What one value of ``eeg_seizure_minutes`` covers."""
WATCHED: Final = 28 * HOUR
"""How far back the minutes of the EEG are looked through, beyond the time asked for (local setting)."""
LOOK_BACK: Final = 2 * HOUR
"""How far back the onset is sought in a running seizure burden; beyond that, the episode's own beginning counts."""
_VALUES: Final = "signal:eeg_seizure_minutes"
_EXACT: Final = 10**9
"""Parts of a minute in which sums are exact: samples are kept to so many decimals."""
_AT: Final = attrgetter("at")
_FAULTS: Final = (("eeg_valid", "absent"), ("eeg_artefact", "present"))
"""What is recorded of an EEG that is not usable."""
_LIMITS: Final[tuple[tuple[str, str, Operator], ...]] = (
    ("eeg_impedance", "eeg_impedance_limit", "gt"),
    ("eeg_electrodes_off", "eeg_electrodes_limit", "gte"),
)
"""Signals, and the parameters beyond which an EEG is not usable."""
_SOFTWARE: Final = ("eeg_seizure_burden", "eeg_longest_run", "burst_suppression")
"""What EEG software sends each minute."""


NEVER: Final = -FOREVER
"""When something was last said that never was."""


class Change(NamedTuple):
    """What a coded fact says, and when it last changed from one value to others; -1 where it never did."""

    said: str | None
    at: int


UNCHANGED: Final = Change(None, -1)


class Sight(NamedTuple):
    """Whether a seizure is going on by one kind of evidence."""

    truth: Truth
    finding: Finding | None = None
    missing: str | None = None


class Span(NamedTuple):
    """A stretch with seizures; of one that goes on, ``end`` is the present instant."""

    start: int
    end: int


def running(view: View, at: int) -> bool:
    """Whether a usable EEG was running, or was read, at an instant.

    It runs from the record of its start to that of its end, and while its software sends values. A reading of it on
    record neither begins nor ends it: where no EEG runs, it covers its own time, as long as a value would count.
    """
    return _usable(view, at) and (_monitored_since(view, at) is not None or _read(view, at) or _sending(view, at))


def watched(view: View, at: int) -> bool:
    """Whether a seizure would be known from the EEG at an instant: what its software no longer sends, nobody saw."""
    if not _usable(view, at):
        return False
    if _sending(view, at) or _read(view, at):
        return True
    since = _monitored_since(view, at)
    return since is not None and not _sent(view, since, at)


def faults(view: View) -> tuple[Finding, ...]:
    """What makes the EEG unusable now."""
    found = []
    for concept, bad in _FAULTS:
        value, fact = view.coded(concept)
        if value == bad and fact is not None:
            found.append(Finding(concept, "not valid" if bad == "absent" else "artefact", fact.at, fact.event))
    for name, parameter, operator in _LIMITS:
        value_ = view.value(name)
        if value_.known and compare(value_, operator, view.number(parameter)) is MET:
            found += value_.findings
    return tuple(found)


def ever(view: View) -> bool:
    """Whether EEG software ever sent a value."""
    return newest_burden(view) is not None or view.timeline.latest(_VALUES, view.at) is not None


def quiet(view: View) -> bool:
    """Whether a usable EEG shows no seizure now."""
    sights = [sight for sight in (binned(view), burden(view)) if sight is not None]
    return bool(sights) and all(s.truth is NOT_MET for s in sights) and not faults(view)


def quiet_since(view: View, back: int) -> int:
    """Since when a usable EEG that shows no seizure now has shown none without a break."""
    began = [_bins_quiet_since(view)]
    series = burden_series(view)
    newest = view.newest_minute(series, view.max_age("eeg_seizure_burden") or 0) if series is not None else None
    if series is not None and newest is not None:
        began.append(_burden_from(view, series, newest, back))
    ended = burden_ended(view, back)
    sound = max(_fault_ended(view, back), -1 if ended is None else ended[0])
    return max(min(instant for instant in began if instant is not None), sound)


def binned(view: View) -> Sight | None:
    """The last 10 minutes by the EEG software's ten-minute values."""
    fact = view.timeline.latest(_VALUES, view.at)
    if fact is None:
        return None
    value = view.value("eeg_seizure_minutes")
    truth = compare(value, "gt", 0.0)
    if truth is not UNKNOWN:
        return Sight(truth, value.findings[0])
    return Sight(UNKNOWN, None, value.missing[0]) if fact.value.bounds[1] > 0 else None


def burden(view: View) -> Sight | None:
    """The running burden of the last hour: rising means seizing, and so does a high one that does not fall.

    A high one that falls says that there were seizures, not that there are.
    """
    series, newest = burden_series(view), newest_burden(view)
    if series is None or newest is None:
        return None
    high = view.number("eeg_status_burden")
    value = view.value("eeg_seizure_burden")
    if not value.known:
        return Sight(UNKNOWN, None, value.missing[0]) if (series.at(newest) or 0.0) > 0 else None
    earlier = series.newest_before((newest + 1) * MINUTE - BIN, BIN)
    before = None if earlier is None else series.at(earlier)
    if before is not None and value.low > before:
        return Sight(MET, value.findings[0])
    if value.low < high:
        return Sight(NOT_MET, value.findings[0])
    if before is not None and value.low < before:
        return Sight(UNKNOWN, value.findings[0], "seizure_now")
    return Sight(MET, value.findings[0])


def newest_burden(view: View) -> int | None:
    """The last minute, however long ago, of which the running burden is known."""
    series = burden_series(view)
    return None if series is None else view.newest_minute(series, FOREVER)


def burden_series(view: View) -> MinuteSeries | None:
    """The minutes of the running burden."""
    return view.timeline.series("signal:eeg_seizure_burden")


def burden_span(view: View) -> Iterator[Span]:
    """The unbroken run of a high burden up to now."""
    series = burden_series(view)
    last = view.newest_minute(series, BIN) if series is not None else None
    if series is None or last is None or (series.at(last) or 0.0) < view.number("eeg_status_burden"):
        return
    first = minute = last
    while minute >= last - LOOK_BACK // MINUTE and first - minute <= BIN // MINUTE:
        value = series.at(minute)
        if value is not None and value <= 0:
            break
        first = minute if value is not None else first
        minute -= 1
    yield Span(first * MINUTE, view.at)


def burden_ended(view: View, back: int) -> tuple[int, bool] | None:
    """When the last seizure in the running burden ended at the latest, and whether that was seen.

    The burden is nought only an hour after it; that hour counts as far as it was observed. A value that shows seizures
    and is followed by none in time leaves their end unseen.
    """
    series, limit, newest = burden_series(view), view.max_age("eeg_seizure_burden") or 0, newest_burden(view)
    if series is None or newest is None:
        return None
    oldest, nought = (view.at - back) // MINUTE, None
    for minute in range(newest, min(newest, oldest) - 1, -1):
        value = series.at(minute)
        if value is not None and value > 0:
            end = (minute + 1) * MINUTE
            if nought is None:
                return end, view.recent(end, limit)
            if (nought - minute - 1) * MINUTE > limit:
                return end, False
            earliest = max(end - HOUR, min(end, (nought + 1) * MINUTE - HOUR))
            return max(earliest, min(end, _burden_from(view, series, minute, back))), True
        nought = minute if value is not None else nought
    return None


def hourly_burden(view: View) -> Value:
    """Seizure minutes in an hour, in percent: the software's own figure or the sum of its ten-minute values.

    Of ten-minute values the hour up to the newest counts. What is missing between them may have been seizure; what was
    before the first of them is not counted.
    """
    own, summed = view.value("eeg_seizure_burden"), _summed(view)
    if summed is None:
        return own
    if not own.known:
        return summed
    return own if own.low >= summed.low else summed


def longest_run(view: View) -> Value:
    """The longest electrographic seizure of the last hour; ten-minute values that are full say at least ten minutes."""
    own = view.value("eeg_longest_run")
    latest = view.timeline.latest(_VALUES, view.at)
    full = view.known(_VALUES, view.at, _newest_full, None)
    if full is not None and latest is not None and full.at <= latest.at - HOUR:
        full = None
    if full is not None and view.value("eeg_seizure_minutes").known and not (own.known and own.low * MINUTE >= BIN):
        minutes = BIN / MINUTE
        words = f"at least {number(minutes)} min"
        return Value(minutes, minutes, (), (Finding("electrographic_run", words, full.at, full.event),))
    return own


def _usable(view: View, at: int) -> bool:
    return not faults(view if at == view.at else view.past(at))


def _monitored_since(view: View, at: int) -> int | None:
    """Since when an EEG has been recorded as running, or None where it is not."""
    return view.known("state:ceeg", at, _monitored, None)


def _read(view: View, at: int) -> bool:
    """Whether a reading of the EEG was recorded just before an instant."""
    limit = view.max_age("eeg_seizure_burden") or 0
    done = view.known("state:ceeg", at, newest_said, NEVER, "done")
    if at - done > limit:
        return False
    view.note(done + limit + TICK)
    return True


def _summed(view: View) -> Value | None:
    newest = view.timeline.latest(_VALUES, view.at)
    if newest is None or not view.value("eeg_seizure_minutes").known:
        known = newest is None or newest.value.bounds[1] <= 0
        return None if known else unknown("eeg_seizure_minutes", low=0.0)
    facts, sums = view.timeline.facts(_VALUES), view.after_each(_VALUES, _added, _Sums())
    end = newest.at
    begin = max(end - HOUR, facts[0].at - BIN)
    first, last = (bisect_right(facts, instant, key=_AT) for instant in (end - HOUR, view.at))
    cut = bisect_left(facts, begin + BIN, first, last, key=_AT)
    before = sums[first - 1] if first else _Sums()
    minutes, most = ((sums[last - 1][part] - before[part]) / _EXACT for part in (0, 1))
    # What the first of them say of the time before the hour is not counted.
    covered = (sums[cut - 1].instants - before.instants if cut > first else 0) - begin * (cut - first)
    covered += BIN * (last - cut)
    open_minutes = max(0, end - begin - covered) / MINUTE
    low, high = round(minutes / 0.6, 6), round(min(most + open_minutes, 60) / 0.6, 6)
    text = f"{number(minutes)} of the last 60 min ({number(round(low, 1))} %)"
    finding = Finding("electrographic_burden", text, end, newest.event)
    return Value(low, high, ("eeg_seizure_minutes",) if high > low else (), (finding,))


class _Sums(NamedTuple):
    """Of ten-minute values up to one of them: the least and the most minutes, in whole parts, and their instants."""

    least: int = 0
    most: int = 0
    instants: int = 0


def _added(sums: _Sums, fact: Fact) -> _Sums:
    least, most = fact.value.bounds
    parts = (round(max(least, 0.0) * _EXACT), round(min(most, BIN / MINUTE) * _EXACT))
    return _Sums(sums.least + parts[0], sums.most + parts[1], sums.instants + fact.at)


def _burden_from(view: View, series: MinuteSeries, minute: int, back: int) -> int:
    """Since when the running burden had been observed without a break at a minute."""
    limit = (view.max_age("eeg_seizure_burden") or 0) // MINUTE
    first, oldest = minute, minute - back // MINUTE
    while (
        before := next((m for m in range(first - 1, first - 2 - limit, -1) if series.at(m) is not None), None)
    ) is not None:
        if before < oldest:
            break
        first = before
    return first * MINUTE


def _bins_quiet_since(view: View) -> int | None:
    limit = view.max_age("eeg_seizure_minutes") or 0
    since, last = view.known(_VALUES, view.at, _quiet, _Quiet(), limit)
    return since if last > NEVER and view.recent(last, limit) else None


class _Quiet(NamedTuple):
    """Since when ten-minute values have shown no seizure without a break, and when the newest was."""

    since: int | None = None
    last: int = NEVER


def _quiet(known: _Quiet, fact: Fact, limit: int) -> _Quiet:
    if fact.value.bounds[1] > 0:
        return _Quiet(None, fact.at)
    unbroken = known.since is not None and fact.at - known.last <= limit
    return _Quiet(known.since if unbroken else fact.at - BIN, fact.at)


def _newest_full(newest: Fact | None, fact: Fact) -> Fact | None:
    return fact if fact.value.bounds[0] * MINUTE >= BIN else newest


def _monitored(since: int | None, fact: Fact) -> int | None:
    match fact.value.value:
        case "present":
            return fact.at if since is None else since
        case "absent":
            return None
        case _:
            return since


def newest_said(newest: int, fact: Fact, value: str) -> int:
    """When a coded fact last had a value."""
    return fact.at if fact.value.value == value else newest


def newest_change(known: Change, fact: Fact, before: str, after: str | None = None) -> Change:
    """When a coded fact last changed from a value to another, or to any other."""
    said = fact.value.value
    changed = known.said == before and (said == after if after is not None else said != before)
    return Change(said, fact.at if changed else known.at)


def _fault_ended(view: View, back: int) -> int:
    """When the EEG last became usable again; before every instant where it always was."""
    ended = [-1]
    for concept, bad in _FAULTS:
        ended.append(view.known(f"state:{concept}", view.at, newest_change, UNCHANGED, bad).at)
    for name, parameter, operator in _LIMITS:
        series = view.timeline.series(f"signal:{name}")
        worst = None if series is None else _last_minute(view, series, back, operator, view.number(parameter))
        ended += [] if worst is None else [(worst + 1) * MINUTE]
    return max(ended)


def _last_minute(view: View, series: MinuteSeries, back: int, operator: Operator, limit: float) -> int | None:
    """The newest minute looked through whose median stands so."""
    last = view.at // MINUTE - 1
    minutes = range(last, last - back // MINUTE, -1)
    return next(
        (m for m in minutes if (v := series.at(m)) is not None and compare(exact(v), operator, limit) is MET), None
    )


def _sending(view: View, at: int) -> bool:
    """Whether EEG software had sent a value that still counted at an instant."""
    fact = view.timeline.latest(_VALUES, at)
    limit = view.max_age("eeg_seizure_minutes")
    if fact is not None and limit is not None and at - fact.at <= limit:
        view.note(fact.at + limit + TICK)
        return True
    return any(_minute_counts(view, name, at) for name in _SOFTWARE)


def _minute_counts(view: View, name: str, at: int) -> bool:
    series, limit = view.timeline.series(f"signal:{name}"), view.max_age(name)
    if series is None or limit is None:
        return False
    newest = series.newest_before(at, limit)
    view.note(series.next_end(view.at))
    if newest is not None:
        view.note((newest + 1) * MINUTE + limit + TICK)
    return newest is not None


def _sent(view: View, begin: int, end: int) -> bool:
    """Whether EEG software sent any value between two instants."""
    newest = view.timeline.latest(_VALUES, end)
    if newest is not None and newest.at >= begin:
        return True
    found = (view.timeline.series(f"signal:{name}") for name in _SOFTWARE)
    return any(series.newest_before(end, end - begin) is not None for series in found if series is not None)
