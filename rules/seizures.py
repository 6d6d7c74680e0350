"""Whether a patient is seizing, and since when: from seizures on record and from the EEG.

This is the one place that decides it. A seizure that was seen goes on until its stop is recorded, but only for as long
as somebody confirms it: after that nobody knows. Nor does anybody under a neuromuscular blocker without an EEG, where
neither a stop nor silence means anything. The EEG counts by its software's values and by electrographic seizures on
record; a value that has grown old after showing a seizure is unknown, not over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.facts import SeizureEvent
from rules.instants import HOUR, MINUTE, TICK, clock_time
from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth
from rules.timeline import RETENTION
from rules.values import Value, number, unknown

if TYPE_CHECKING:
    from rules.timeline import MinuteSeries
    from rules.view import View

ELECTROGRAPHIC: Final = "electrographic"
BIN: Final = 10 * MINUTE
"""What one value of ``eeg_seizure_minutes`` covers."""
LOOK_BACK: Final = 2 * HOUR
"""How far back the onset is sought in a running seizure burden; beyond that, the episode's own beginning counts."""

_NMBA: Final = ("rocuronium", "cisatracurium", "vecuronium", "atracurium", "pancuronium", "suxamethonium")
READS: Final = (
    "seizure",
    "signal:eeg_seizure_minutes",
    "signal:eeg_seizure_burden",
    "signal:eeg_longest_run",
    "signal:eeg_impedance",
    "signal:eeg_electrodes_off",
    "signal:gcs",
    "signal:weight",
    "state:ceeg",
    "state:eeg_valid",
    "state:eeg_artefact",
    "state:neuromuscular_blockade",
    "state:returned_to_baseline",
    *(f"dose:{name}" for name in _NMBA),
    *(f"infusion:{name}" for name in _NMBA),
)
PARAMETERS: Final = (
    "seizure_update_limit",
    "nmba_effect",
    "recovery_window",
    "eeg_status_burden",
    "eeg_impedance_limit",
    "eeg_electrodes_limit",
    "gcs_full",
    "gcs_coma",
)


class Bout(NamedTuple):
    """One seizure on record: its start, every time it was seen (and how), and its stop if that is known."""

    start: int
    seen: tuple[tuple[int, str], ...]
    event: str
    stop: int | None = None

    @property
    def last_seen(self) -> int:
        """When it was last recorded as going on."""
        return self.seen[-1][0]


class Sight(NamedTuple):
    """Whether a seizure is going on by one kind of evidence."""

    truth: Truth
    finding: Finding | None = None
    missing: str | None = None


class Span(NamedTuple):
    """A stretch with seizures; of one that goes on, ``end`` is the present instant."""

    start: int
    end: int


class Seizing(NamedTuple):
    """Whether the patient is seizing, the evidence, what is missing, and whether only the EEG says so."""

    truth: Truth
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    by_eeg_only: bool = False


def seizing(view: View) -> Seizing:
    """Whether the patient is seizing now.

    Any sign of a seizure counts. A usable EEG without one settles what nobody saw; an unconfirmed or paralysed patient
    without such an EEG is unknown. Where nothing was ever recorded there is no seizure.
    """
    return view.once("seizing", _seizing)


def _seizing(view: View) -> Seizing:
    seen = _seen(view)
    on_eeg = [sight for sight in (_recorded(view), _binned(view), _burden(view)) if sight is not None]
    running = [sight for sight in (*seen, *on_eeg) if sight.truth is MET]
    if running:
        by_eeg = not any(sight.truth is MET for sight in seen)
        return Seizing(MET, tuple(s.finding for s in running if s.finding is not None), (), by_eeg)
    quiet = [sight for sight in on_eeg if sight.truth is NOT_MET]
    doubts = tuple(dict.fromkeys(s.missing for s in (*seen, *on_eeg) if s.missing is not None))
    if (quiet and not faults(view)) or not doubts or recovered(view, _last_evidence(view), view.at):
        return Seizing(NOT_MET, tuple(s.finding for s in quiet if s.finding is not None))
    return Seizing(UNKNOWN, (), doubts)


def bouts(view: View, *, electrographic: bool) -> list[Bout]:
    """The seizures on record up to now, of the EEG or those seen, oldest first.

    A stop recorded under a neuromuscular blocker without EEG ends nothing. A new start long after the last word of a
    seizure begins another one.
    """
    return view.once(("bouts", electrographic), lambda view: _bouts(view, electrographic=electrographic))


def _bouts(view: View, *, electrographic: bool) -> list[Bout]:
    found: list[Bout] = []
    seen: list[tuple[int, str]] = []
    for fact in view.timeline.upto("seizure", view.at):
        event: SeizureEvent = fact.value
        if (event.semiology == ELECTROGRAPHIC) is not electrographic:
            continue
        going = bool(found) and found[-1].stop is None
        if event.action == "stop":
            if going and (electrographic or not _blind(view, fact.at)):
                found[-1] = found[-1]._replace(seen=tuple(seen), stop=fact.at)
            continue
        forgotten = going and fact.at - seen[-1][0] > view.duration("seizure_update_limit")
        if not going or (event.action == "start" and forgotten):
            if going:
                found[-1] = found[-1]._replace(seen=tuple(seen))
            seen = []
            found.append(Bout(fact.at, (), fact.event))
        seen.append((fact.at, event.semiology))
    if found and found[-1].stop is None:
        found[-1] = found[-1]._replace(seen=tuple(seen))
    return found


def paralysed_since(view: View, at: int) -> int | None:
    """Since when a neuromuscular blocker has been in effect at an instant: its last dose, or the present rate."""
    effect = view.duration("nmba_effect")
    began: list[int] = []
    flagged = view.timeline.latest("state:neuromuscular_blockade", at)
    for name in _NMBA:
        doses = [fact.at for fact in view.timeline.upto(f"dose:{name}", at) if fact.value.status == "given"]
        ended = doses[-1:]
        if view.timeline.facts(f"infusion:{name}"):
            running, stopped = _delivered(view, name, at)
            began += running
            ended += stopped
        began += [instant for instant in ended if at - instant <= effect]
        for instant in ended:
            view.note(instant + effect + TICK)
    if flagged is not None and flagged.value.value == "present":
        began.append(flagged.value.since or flagged.at)
    latest = max(began, default=None)
    over = flagged is not None and flagged.value.value == "absent" and latest is not None and flagged.at >= latest
    return None if over else latest


def _delivered(view: View, drug: str, at: int) -> tuple[list[int], list[int]]:
    """Since when an infusion has perhaps been running at an instant, or when it ended."""
    rate = view.rate(drug)
    view.note(rate.next_step(view.at))
    since: int | None = None
    for step in rate.steps:
        if step.at > at:
            break
        if not step.high:
            since = None
        elif since is None:
            since = step.at
    ended = rate.since(at)
    return ([since], []) if since is not None else ([], [ended] if ended is not None else [])


def eeg_there(view: View, at: int) -> bool:
    """Whether an EEG was looked at: recorded as running and usable, or its software sent a recent value."""
    running, valid = (view.timeline.latest(f"state:{name}", at) for name in ("ceeg", "eeg_valid"))
    if valid is not None and valid.value.value == "absent":
        return False
    if running is not None and running.value.value == "present":
        return True
    return _fresh_value(view, at)


def faults(view: View) -> tuple[Finding, ...]:
    """What makes the EEG unusable now."""
    found = []
    for concept, bad in (("eeg_valid", "absent"), ("eeg_artefact", "present")):
        value, fact = view.coded(concept)
        if value == bad and fact is not None:
            found.append(Finding(concept, "not valid" if bad == "absent" else "artefact", fact.at, fact.event))
    impedance, off = view.value("eeg_impedance"), view.value("eeg_electrodes_off")
    if impedance.known and impedance.low > view.number("eeg_impedance_limit"):
        found += impedance.findings
    if off.known and off.low >= view.number("eeg_electrodes_limit"):
        found += off.findings
    return tuple(found)


def blind(view: View) -> bool:
    """Whether nobody can see a seizure now: paralysed, and no EEG."""
    return _blind(view, view.at)


def spans(view: View) -> list[Span]:
    """Every stretch with seizures, oldest first."""
    found = []
    for electrographic in (False, True):
        known = bouts(view, electrographic=electrographic)
        for index, bout in enumerate(known):
            open_end = view.at if index == len(known) - 1 else bout.last_seen
            found.append(Span(bout.start, open_end if bout.stop is None else bout.stop))
    bins = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    found += [Span(fact.at - BIN, fact.at) for fact in bins if fact.value.value > 0]
    return sorted([*found, *_burden_span(view)])


def chains(view: View) -> list[Span]:
    """Seizures without recovery between them, run together, oldest first."""
    return view.once("chains", _chains)


def _chains(view: View) -> list[Span]:
    found: list[Span] = []
    for span in spans(view):
        last = found[-1] if found else None
        close = last is not None and span.start - last.end <= view.duration("recovery_window")
        if last is not None and (span.start <= last.end or (close and not recovered(view, last.end, span.start))):
            found[-1] = Span(last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


def onset(view: View) -> int | None:
    """When the present, or last, run of seizures without recovery began."""
    known = chains(view)
    return known[-1].start if known else None


def episode_onset(view: View) -> int | None:
    """When the seizures of the episode began: treatment counts from then."""
    anchor = view.anchors.get("episode")
    if anchor is None or anchor > view.at:
        return onset(view)
    around = [chain for chain in chains(view) if chain.start <= anchor]
    near = around and anchor - around[-1].end <= view.duration("recovery_window")
    return around[-1].start if near else anchor


def recovered(view: View, begin: int | None, end: int) -> bool:
    """Whether consciousness is known to have come back between two instants."""
    if begin is None:
        return False
    back = view.timeline.upto("state:returned_to_baseline", end)
    if any(fact.value.value == "present" for fact in back if fact.at >= begin):
        return True
    full = view.number("gcs_full")
    return any(f.value.value >= full for f in view.timeline.upto("signal:gcs", end) if f.at >= begin)


def awake_since(view: View, instant: int) -> Truth:
    """Whether the patient is known not to be comatose since an instant."""
    if recovered(view, instant, view.at):
        return MET
    score, latest = view.value("gcs"), view.timeline.latest("signal:gcs", view.at)
    if not score.known or latest is None or latest.at < instant:
        return UNKNOWN
    return MET if score.low > view.number("gcs_coma") else NOT_MET


def quiet_on_eeg(view: View) -> bool:
    """Whether a usable EEG shows no seizure now."""
    sights = [sight for sight in (_binned(view), _burden(view)) if sight is not None]
    return bool(sights) and all(s.truth is NOT_MET for s in sights) and not faults(view)


def free_since(view: View) -> tuple[int | None, tuple[str, ...]]:
    """Since when there has been no seizure; None while there is one, or with what is missing to tell."""
    now = seizing(view)
    if now.truth is not NOT_MET:
        return None, now.missing
    if blind(view):
        return None, ("paralysed_no_eeg",)
    ended = [span.end for span in _events_and_bins(view)]
    burden = _burden_ended(view)
    return max([*ended, *([burden] if burden is not None else [])], default=-1), ()


def _events_and_bins(view: View) -> Iterator[Span]:
    for electrographic in (False, True):
        for bout in bouts(view, electrographic=electrographic):
            yield Span(bout.start, bout.last_seen if bout.stop is None else bout.stop)
    for fact in view.timeline.upto("signal:eeg_seizure_minutes", view.at):
        if fact.value.value > 0:
            yield Span(fact.at - BIN, fact.at)


def _last_evidence(view: View) -> int | None:
    ended = [span.end for span in _events_and_bins(view)]
    series = _series(view)
    newest = series.newest_before(view.at, RETENTION) if series is not None else None
    return max([*ended, *([(newest + 1) * MINUTE] if newest is not None else [])], default=None)


def _seen(view: View) -> list[Sight]:
    """The newest seizure that was seen."""
    known = bouts(view, electrographic=False)
    if not known:
        return []
    last, limit = known[-1], view.duration("seizure_update_limit")
    since = paralysed_since(view, view.at)
    if since is not None and not eeg_there(view, view.at) and last.last_seen <= since:
        recent = last.stop is None or since - last.stop <= view.duration("recovery_window")
        return [Sight(UNKNOWN, None, "paralysed_no_eeg")] if recent else []
    return [_followed(view, last, limit)]


def _recorded(view: View) -> Sight | None:
    """The newest electrographic seizure on record, as long as it has not ended."""
    known = bouts(view, electrographic=True)
    if not known or known[-1].stop is not None:
        return None
    return _followed(view, known[-1], view.duration("seizure_update_limit"))


def _followed(view: View, bout: Bout, limit: int) -> Sight:
    if bout.stop is not None:
        return Sight(NOT_MET)
    if view.at - bout.last_seen > limit:
        return Sight(UNKNOWN, None, f"seizure_update (last {clock_time(bout.last_seen)})")
    view.note(bout.last_seen + limit + TICK)
    seen = bout.seen[-1]
    words = f"{seen[1].replace('_', ' ')}, going on since {clock_time(bout.start)}"
    return Sight(MET, Finding("seizure", words, bout.last_seen, bout.event))


def _binned(view: View) -> Sight | None:
    """The last 10 minutes by the EEG software's ten-minute values."""
    fact = view.timeline.latest("signal:eeg_seizure_minutes", view.at)
    if fact is None:
        return None
    value = view.value("eeg_seizure_minutes")
    if value.known:
        return Sight(MET if value.low > 0 else NOT_MET, value.findings[0])
    return Sight(UNKNOWN, None, value.missing[0]) if fact.value.value > 0 else None


def _series(view: View) -> MinuteSeries | None:
    return view.timeline.series("signal:eeg_seizure_burden")


def _burden(view: View) -> Sight | None:
    """The running burden of the last hour: rising means seizing, and so does a high one that does not fall.

    A high one that falls says that there were seizures, not that there are.
    """
    series = _series(view)
    newest = series.newest_before(view.at, RETENTION) if series is not None else None
    if series is None or newest is None:
        return None
    high = view.number("eeg_status_burden")
    value = view.value("eeg_seizure_burden")
    if not value.known:
        return Sight(UNKNOWN, None, "eeg_seizure_burden") if (series.at(newest) or 0.0) >= high else None
    earlier = series.newest_before((newest + 1) * MINUTE - BIN, BIN)
    before = None if earlier is None else series.at(earlier)
    if before is not None and value.low > before:
        return Sight(MET, value.findings[0])
    if value.low < high:
        return Sight(NOT_MET, value.findings[0])
    if before is not None and value.low < before:
        return Sight(UNKNOWN, value.findings[0], "seizure_now")
    return Sight(MET, value.findings[0])


def _burden_span(view: View) -> Iterator[Span]:
    """The unbroken run of a high burden up to now."""
    series = _series(view)
    last = series.newest_before(view.at, BIN) if series is not None else None
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


def _burden_ended(view: View) -> int | None:
    """When the last seizure in the running burden ended at the latest: the burden is nought only an hour later."""
    series = _series(view)
    if series is None:
        return None
    last, nought = view.at // MINUTE - 1, None
    for minute in range(last, last - RETENTION // MINUTE, -1):
        value = series.at(minute)
        if value is not None and value > 0:
            end = (minute + 1) * MINUTE
            return end if nought is None else max(end - HOUR, min(end, (nought + 1) * MINUTE - HOUR))
        nought = minute if value is not None else nought
    return None


def on_eeg(view: View) -> bool:
    """Whether EEG software ever sent a value."""
    series = _series(view)
    dense = series is not None and series.newest_before(view.at, RETENTION) is not None
    return dense or view.timeline.latest("signal:eeg_seizure_minutes", view.at) is not None


def _fresh_value(view: View, at: int) -> bool:
    fact = view.timeline.latest("signal:eeg_seizure_minutes", at)
    limit = view.max_age("eeg_seizure_minutes")
    if fact is not None and limit is not None and at - fact.at <= limit:
        view.note(fact.at + limit + TICK)
        return True
    series, limit = _series(view), view.max_age("eeg_seizure_burden")
    if series is None or limit is None:
        return False
    newest = series.newest_before(at, limit)
    view.note(series.next_end(view.at))
    if newest is not None:
        view.note((newest + 1) * MINUTE + limit + TICK)
    return newest is not None


def _blind(view: View, at: int) -> bool:
    return paralysed_since(view, at) is not None and not eeg_there(view, at)


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


def _summed(view: View) -> Value | None:
    facts = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    if not facts or not view.value("eeg_seizure_minutes").known:
        return unknown("eeg_seizure_minutes", low=0.0) if facts and facts[-1].value.value > 0 else None
    end = facts[-1].at
    begin = max(end - HOUR, facts[0].at - BIN)
    counted = [fact for fact in facts if fact.at > end - HOUR]
    minutes = sum(fact.value.value for fact in counted)
    covered = sum(min(BIN, fact.at - begin) for fact in counted)
    open_minutes = max(0, end - begin - covered) / MINUTE
    low, high = round(minutes / 0.6, 6), round(min(minutes + open_minutes, 60) / 0.6, 6)
    text = f"{number(minutes)} of the last 60 min ({number(round(low, 1))} %)"
    finding = Finding("electrographic_burden", text, end, facts[-1].event)
    return Value(low, high, ("eeg_seizure_minutes",) if high > low else (), (finding,))


def longest_run(view: View) -> Value:
    """The longest electrographic seizure of the last hour; ten-minute values that are full say at least ten minutes."""
    own = view.value("eeg_longest_run")
    facts = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    full = [fact for fact in facts if fact.at > facts[-1].at - HOUR and fact.value.value * MINUTE >= BIN]
    if full and view.value("eeg_seizure_minutes").known and not (own.known and own.low * MINUTE >= BIN):
        minutes = BIN / MINUTE
        words = f"at least {number(minutes)} min"
        return Value(minutes, minutes, (), (Finding("electrographic_run", words, full[-1].at, full[-1].event),))
    return own
