"""What the EEG shows by its software and by readings of it: seizures, their burden, and since when it is quiet.

It counts while it is usable and sends. A value that has grown old after showing a seizure leaves open whether that goes
on; time in which nothing was sent was not watched.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.instants import FOREVER, HOUR, MINUTE, TICK
from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth
from rules.values import Operator, Value, compare, exact, number, unknown

if TYPE_CHECKING:
    from rules.minutes import MinuteSeries
    from rules.view import View

BIN: Final = 10 * MINUTE
"""What one value of ``eeg_seizure_minutes`` covers."""
WATCHED: Final = 28 * HOUR
"""How far back the minutes of the EEG are looked through, beyond the time asked for (local setting)."""
LOOK_BACK: Final = 2 * HOUR
"""How far back the onset is sought in a running seizure burden; beyond that, the episode's own beginning counts."""
_FAULTS: Final = (("eeg_valid", "absent"), ("eeg_artefact", "present"))
"""What is recorded of an EEG that is not usable."""
_LIMITS: Final[tuple[tuple[str, str, Operator], ...]] = (
    ("eeg_impedance", "eeg_impedance_limit", "gt"),
    ("eeg_electrodes_off", "eeg_electrodes_limit", "gte"),
)
"""Signals, and the parameters beyond which an EEG is not usable."""
_SOFTWARE: Final = ("eeg_seizure_burden", "eeg_longest_run", "burst_suppression")
"""What EEG software sends each minute."""


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
    return newest_burden(view) is not None or view.timeline.latest("signal:eeg_seizure_minutes", view.at) is not None


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
    fact = view.timeline.latest("signal:eeg_seizure_minutes", view.at)
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
    facts = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    full = [fact for fact in facts if fact.at > facts[-1].at - HOUR and fact.value.bounds[0] * MINUTE >= BIN]
    if full and view.value("eeg_seizure_minutes").known and not (own.known and own.low * MINUTE >= BIN):
        minutes = BIN / MINUTE
        words = f"at least {number(minutes)} min"
        return Value(minutes, minutes, (), (Finding("electrographic_run", words, full[-1].at, full[-1].event),))
    return own


def _usable(view: View, at: int) -> bool:
    return not faults(view if at == view.at else view.past(at))


def _monitored_since(view: View, at: int) -> int | None:
    """Since when an EEG has been recorded as running, or None where it is not."""
    since: int | None = None
    for fact in view.timeline.upto("state:ceeg", at):
        if fact.value.value == "present":
            since = fact.at if since is None else since
        elif fact.value.value == "absent":
            since = None
    return since


def _read(view: View, at: int) -> bool:
    """Whether a reading of the EEG was recorded just before an instant."""
    limit = view.max_age("eeg_seizure_burden") or 0
    done = [fact.at for fact in view.timeline.upto("state:ceeg", at) if fact.value.value == "done"]
    if not done or at - done[-1] > limit:
        return False
    view.note(done[-1] + limit + TICK)
    return True


def _summed(view: View) -> Value | None:
    facts = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    if not facts or not view.value("eeg_seizure_minutes").known:
        return unknown("eeg_seizure_minutes", low=0.0) if facts and facts[-1].value.bounds[1] > 0 else None
    end = facts[-1].at
    begin = max(end - HOUR, facts[0].at - BIN)
    counted = [fact for fact in facts if fact.at > end - HOUR]
    bounds = [fact.value.bounds for fact in counted]
    minutes = sum(max(least, 0.0) for least, _ in bounds)
    most = sum(min(greatest, BIN / MINUTE) for _, greatest in bounds)
    covered = sum(min(BIN, fact.at - begin) for fact in counted)
    open_minutes = max(0, end - begin - covered) / MINUTE
    low, high = round(minutes / 0.6, 6), round(min(most + open_minutes, 60) / 0.6, 6)
    text = f"{number(minutes)} of the last 60 min ({number(round(low, 1))} %)"
    finding = Finding("electrographic_burden", text, end, facts[-1].event)
    return Value(low, high, ("eeg_seizure_minutes",) if high > low else (), (finding,))


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
    facts, limit = view.timeline.upto("signal:eeg_seizure_minutes", view.at), view.max_age("eeg_seizure_minutes") or 0
    if not facts or not view.recent(facts[-1].at, limit):
        return None
    since, later = None, facts[-1].at
    for fact in reversed(facts):
        if later - fact.at > limit or fact.value.bounds[1] > 0:
            break
        since, later = fact.at - BIN, fact.at
    return since


def _fault_ended(view: View, back: int) -> int:
    """When the EEG last became usable again; before every instant where it always was."""
    ended = [-1]
    for concept, bad in _FAULTS:
        facts = view.timeline.upto(f"state:{concept}", view.at)
        ended += [fact.at for before, fact in pairwise(facts) if before.value.value == bad != fact.value.value]
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
    fact = view.timeline.latest("signal:eeg_seizure_minutes", at)
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
    minutes = view.timeline.upto("signal:eeg_seizure_minutes", end)
    if minutes and minutes[-1].at >= begin:
        return True
    found = (view.timeline.series(f"signal:{name}") for name in _SOFTWARE)
    return any(series.newest_before(end, end - begin) is not None for series in found if series is not None)
