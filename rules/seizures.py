"""Whether a patient is seizing, and since when: from seizures on record and from the EEG.

This is the one place that decides it. A seizure that was seen goes on until its stop is recorded, but only for as long
as somebody confirms it: after that nobody knows. Nor does anybody under a neuromuscular blocker without an EEG, where
neither a stop nor silence means anything. The EEG counts by its software's values and by electrographic seizures on
record; a value that has grown old after showing a seizure is unknown, not over. Time that nobody observed is never
free of seizures: an EEG that was lost begins anew, and so does what a blocker hid.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import eeg
from rules.bouts import Bout, Bouts, Stretch
from rules.eeg import NEVER, newest_said
from rules.facts import SeizureEvent
from rules.instants import FOREVER, MINUTE, TICK, clock_time
from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth

if TYPE_CHECKING:
    from rules.steps import Steps
    from rules.timeline import Fact
    from rules.view import View

T1: Final = {
    "tonic_clonic": "t1_tonic_clonic",
    "focal_impaired": "t1_focal",
    "absence": "t1_absence",
    "myoclonic": "t1_other",
    "unspecified": "t1_other",
    "electrographic": "t1_electrographic",
}
"""The parameter with the t1 of each kind of seizure."""
_NMBA: Final = ("rocuronium", "cisatracurium", "vecuronium", "atracurium", "pancuronium", "suxamethonium")
READS: Final = (
    "seizure",
    "signal:eeg_seizure_minutes",
    "signal:eeg_seizure_burden",
    "signal:eeg_longest_run",
    "signal:eeg_impedance",
    "signal:eeg_electrodes_off",
    "signal:burst_suppression",
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
LOOKS_BACK: Final = (eeg.WATCHED,)
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


_FLAG: Final = "state:neuromuscular_blockade"
_VALUES: Final = "signal:eeg_seizure_minutes"
_SEIZED: Final = ("seizure", _VALUES)
_RECOVERED: Final = ("state:returned_to_baseline", "signal:gcs")
_AT: Final = attrgetter("at")
_ONSET: Final = attrgetter("onset")


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
    on_eeg = [sight for sight in (_recorded(view), eeg.binned(view), eeg.burden(view)) if sight is not None]
    running = [sight for sight in (*seen, *on_eeg) if sight.truth is MET]
    if running:
        by_eeg = not any(sight.truth is MET for sight in seen)
        return Seizing(MET, tuple(s.finding for s in running if s.finding is not None), (), by_eeg)
    quiet = [sight for sight in on_eeg if sight.truth is NOT_MET]
    doubts = tuple(dict.fromkeys(s.missing for s in (*seen, *on_eeg) if s.missing is not None))
    if (quiet and not eeg.faults(view)) or not doubts or recovered(view, _last_evidence(view), view.at):
        return Seizing(NOT_MET, tuple(s.finding for s in quiet if s.finding is not None))
    return Seizing(UNKNOWN, (), doubts)


def bouts(view: View, *, electrographic: bool) -> tuple[Bout, ...]:
    """The newest two seizures on record up to now, of the EEG or those seen, the newest last.

    A stop recorded under a neuromuscular blocker without EEG ends nothing. A new start long after the last word of a
    seizure begins another one.
    """
    return view.once("bouts", lambda view: _followed(view).known)[electrographic]


def _followed(view: View) -> Bouts:
    """What is known of seizures up to now; a look at another instant changes it, so nobody keeps it."""
    record, reads = view.timeline, set[str]()
    limit, window = view.duration("seizure_update_limit"), view.duration("recovery_window")

    def extend(known: Bouts, since: int) -> Bouts:
        return known.rewind(since)

    heard = record.listen_apart(reads)
    key = ("bouts", limit, window, view.number("gcs_full"))
    known = record.memo(key, (*_SEIZED, *_RECOVERED), lambda: Bouts(limit, window), extend)
    words, values = (record.facts(channel) for channel in _SEIZED)
    known.follow(words, values, view.at, partial(recovered, view), partial(_hidden, view))
    record.listen_apart(heard)
    # Whoever asks for runs without recovery reads of it; others do not.
    record.heard(reads.difference(_RECOVERED))
    return known


def _hidden(view: View, stops: Sequence[int]) -> set[int]:
    """Of the instants at which seizures were recorded as over, those at which nobody could see it."""
    names, record, effect = view.once("blockers", _blockers), view.timeline, view.duration("nmba_effect")
    flows = [channel for name in names if record.facts(channel := f"infusion:{name}")]
    channels = ("seizure", _FLAG, *(f"dose:{name}" for name in names), *flows)
    words = record.facts("seizure")

    def extend(found: list[int], since: int) -> list[int]:
        del found[bisect_left(found, since) :]
        told = (fact for fact in words[bisect_left(words, since, key=_AT) :] if fact.value.action == "stop")
        found += (fact.at for fact in told if _paralysis(view, fact.at).since is not None)
        return found

    key = ("paralysed stops", channels, effect, view.value("weight")[:3] if flows else None)
    paralysed = record.memo(key, channels, list[int], extend)
    few, many = (paralysed, stops) if len(paralysed) < len(stops) else (stops, paralysed)
    return {at for at in few if bisect_left(many, at) < bisect_right(many, at) and _blind(view, at)}


def t1_of(view: View, bout: Bout) -> int:
    """When a seizure had lasted, or will have, as long as the t1 of how it looked, from when it first looked so."""
    due = min(at + view.duration(T1[kind]) for kind, at in bout.looked)
    view.note(due)
    return due


def t1_seen(view: View) -> int | None:
    """The same of the newest seizure that was seen and goes on; None where none does."""
    known = bouts(view, electrographic=False)
    return t1_of(view, known[-1]) if known and known[-1].stop is None else None


class _Paralysis(NamedTuple):
    """Since when a blocker has been in effect, if one is, and when that could be otherwise with no new fact."""

    since: int | None
    changes: tuple[int, ...]


def paralysed_since(view: View, at: int) -> int | None:
    """Since when a neuromuscular blocker has been in effect at an instant: its last dose, or the present rate."""
    found = _paralysis(view, at)
    for instant in found.changes:
        view.note(instant)
    return found.since


def _paralysis(view: View, at: int) -> _Paralysis:
    effect = view.duration("nmba_effect")
    began: list[int] = []
    changes: list[int] = []
    flagged = view.timeline.latest(_FLAG, at)
    for name in view.once("blockers", _blockers):
        ended = _last_dose(view, name, at)
        if view.timeline.facts(f"infusion:{name}"):
            rate = view.rate(name)
            running, stopped = _delivered(rate, at)
            began += running
            ended += stopped
            following = rate.next_step(view.at)
            changes += [] if following is None else [following]
        began += [instant for instant in ended if at - instant <= effect]
        changes += [instant + effect + TICK for instant in ended]
    if flagged is not None and flagged.value.value == "present":
        began.append(flagged.value.since or flagged.at)
    latest = max(began, default=None)
    over = flagged is not None and flagged.value.value == "absent" and latest is not None and flagged.at >= latest
    return _Paralysis(None if over else latest, tuple(changes))


def _last_dose(view: View, drug: str, at: int) -> list[int]:
    """When a drug was last given by an instant, if it was."""
    last = view.known(f"dose:{drug}", at, _newest_given, NEVER)
    return [last] if last > NEVER else []


def _blockers(view: View) -> tuple[str, ...]:
    """The neuromuscular blockers of which anything is on record: mostly none, and this is asked of every seizure."""
    facts = view.timeline.facts
    return tuple(name for name in _NMBA if facts(f"dose:{name}") or facts(f"infusion:{name}"))


def _delivered(rate: Steps, at: int) -> tuple[list[int], list[int]]:
    """Since when an infusion has perhaps been running at an instant, or when it ended."""
    since, ended = rate.more_since(at), rate.since(at)
    return ([since], []) if since is not None else ([], [ended] if ended is not None else [])


def blind(view: View) -> bool:
    """Whether nobody can see a seizure now: paralysed, and no EEG."""
    return _blind(view, view.at)


def onset(view: View) -> int | None:
    """When the present, or last, run of seizures without recovery began."""
    return view.once("onset", _onset)


def _onset(view: View) -> int | None:
    _, _, newest = _now(view)
    return None if newest is None else newest.onset


def _now(view: View) -> tuple[Bouts, int, Stretch | None]:
    """What is known of seizures, with what goes on now: how many stretches are before the newest, and the newest."""
    going = [eeg.Span(known[-1].start, view.at) for known in _kinds(view) if known and known[-1].stop is None]
    spans = [*going, *eeg.burden_span(view)]
    known = _followed(view)
    if known.compared:
        view.timeline.heard(set(_RECOVERED))
    return known, *known.present(spans, partial(recovered, view))


def before_onset(view: View) -> int | None:
    """When the last seizure ended before the present, or last, run of seizures without recovery."""
    known, others, newest = _now(view)
    index = 0 if newest is None else bisect_left(known.stretches, newest.onset, hi=others, key=_ONSET)
    return known.stretches[index - 1].end if index else None


def episode_onset(view: View) -> int | None:
    """When the seizures of the episode began: treatment counts from then."""
    anchor = view.anchors.get("episode")
    if anchor is None or anchor > view.at:
        return onset(view)
    known, others, newest = _now(view)
    if newest is None or newest.onset > anchor:
        index = bisect_right(known.stretches, anchor, hi=others, key=_ONSET)
        newest = known.stretches[index - 1] if index else None
    near = newest is not None and anchor - newest.end <= view.duration("recovery_window")
    return newest.onset if newest is not None and near else anchor


def recovered(view: View, begin: int | None, end: int) -> bool:
    """Whether consciousness is known to have come back between two instants."""
    return begin is not None and recovered_at(view, begin, end) is not None


def recovered_at(view: View, begin: int, end: int) -> int | None:
    """When consciousness is first known to have come back between two instants, or None."""
    back = first_known(view, "state:returned_to_baseline", (begin, end), newest_said, "present")
    awake = first_known(view, "signal:gcs", (begin, end), _newest_awake, view.number("gcs_full"))
    return min((instant for instant in (back, awake) if instant is not None), default=None)


def first_known(
    view: View, channel: str, within: tuple[int, int], newest: Callable[..., int], *given: Hashable
) -> int | None:
    """The first instant between two at which something was said, where ``newest`` leads from one such to the next."""
    begin, end = within
    known = view.after_each(channel, newest, NEVER, *given)
    index = bisect_left(known, begin)
    return known[index] if index < len(known) and known[index] <= end else None


def newest_word(newest: int, fact: Fact, kind: str) -> int:
    """When a seizure that looked so was last recorded as going on."""
    event: SeizureEvent = fact.value
    return fact.at if event.action != "stop" and event.semiology == kind else newest


def _newest_awake(newest: int, fact: Fact, full: float) -> int:
    return fact.at if fact.value.bounds[0] >= full else newest


def _newest_given(newest: int, fact: Fact) -> int:
    return fact.at if fact.value.status == "given" else newest


def awake_since(view: View, instant: int) -> Truth:
    """Whether the patient is known not to be comatose since an instant."""
    if recovered(view, instant, view.at):
        return MET
    score, latest = view.value("gcs"), view.timeline.latest("signal:gcs", view.at)
    if not score.known or latest is None or latest.at < instant:
        return UNKNOWN
    return MET if score.low > view.number("gcs_coma") else NOT_MET


def free_since(view: View, wanted: int = 0) -> tuple[int | None, tuple[str, ...]]:
    """Since when there has been no seizure; None while there is one, or with what is missing to tell.

    A seizure whose end nobody saw ended, at the latest, when consciousness came back or a usable EEG began to show
    none. Whoever is not awake is free of seizures only as long as an EEG has shown none without a break.

    Args:
        view: the patient.
        wanted: for how many milliseconds there must have been none. The EEG is looked through for that time and
            :data:`rules.eeg.WATCHED` besides; what it showed before does not count as free.
    """
    return view.once(("free_since", wanted), lambda view: _free_since(view, eeg.WATCHED + wanted))


def _free_since(view: View, back: int) -> tuple[int | None, tuple[str, ...]]:
    now = seizing(view)
    if now.truth is not NOT_MET:
        return None, now.missing
    if blind(view):
        return None, ("paralysed_no_eeg",)
    ends = [*_ends(view, back)]
    ended = max((end for end, seen in ends if seen), default=-1)
    unseen = max((end for end, seen in ends if not seen), default=-1)
    quiet = eeg.quiet_since(view, back) if eeg.quiet(view) else None
    if unseen > ended:
        known = [instant for instant in (recovered_at(view, unseen, view.at), quiet) if instant is not None]
        if not known:
            return None, ("seizure_update",)
        ended = max(ended, min(known))
    ended = max(ended, _hidden_until(view), _not_looked_through(view, back))
    if quiet is not None and awake_since(view, ended) is not MET:
        ended = max(ended, quiet)
    return ended, ()


def _ends(view: View, back: int) -> Iterator[tuple[int, bool]]:
    """The ends of the newest seizures, or when they were last seen; and whether that was seen."""
    for known in _kinds(view):
        for bout in known:
            yield bout.end, bout.stop is not None or bout is not known[-1]
    limit = view.max_age("eeg_seizure_minutes") or 0
    values = view.known(_VALUES, view.at, _ended, _Ended(), limit)
    yield values.seen, True
    yield values.unseen, False
    if values.last is not None:
        yield values.last, view.recent(values.last, limit)
    burden = eeg.burden_ended(view, back)
    if burden is not None:
        yield burden


class _Ended(NamedTuple):
    """When ten-minute values last showed seizures and another value followed in time, and when none did.

    ``last`` is that of the newest value, if it shows some.
    """

    seen: int = -1
    unseen: int = -1
    last: int | None = None


def _ended(known: _Ended, fact: Fact, limit: int) -> _Ended:
    seen, unseen, last = known
    if last is not None:
        seen, unseen = (last, unseen) if fact.at - last <= limit else (seen, last)
    return _Ended(seen, unseen, fact.at if fact.value.bounds[1] > 0 else None)


def _hidden_until(view: View) -> int:
    """Until when a blocker hid what nobody watched; before every instant where none did."""
    effect, over = view.duration("nmba_effect"), -1
    flagged = view.timeline.latest(_FLAG, view.at)
    for name in view.once("blockers", _blockers):
        last = _last_dose(view, name, view.at)
        if view.timeline.facts(f"infusion:{name}"):
            last += _delivered(view.rate(name), view.at)[1]
        over = max([over, *(instant + effect for instant in last)])
    if flagged is not None and flagged.value.value == "absent":
        lifted = view.known(_FLAG, view.at, eeg.newest_change, eeg.UNCHANGED, "present", "absent").at
        over = min(over, flagged.at) if over > flagged.at else max(over, lifted)
    return over if 0 <= over <= view.at and not eeg.watched(view, over) else -1


def _not_looked_through(view: View, back: int) -> int:
    """Until when minutes of an EEG are not looked through; before every instant where there are none."""
    series, oldest = eeg.burden_series(view), view.at - back
    if series is None or series.newest_before(oldest, FOREVER) is None:
        return -1
    back_again = recovered_at(view, oldest, view.at)
    view.note(None if back_again is None else back_again + back + TICK)
    return oldest


def _last_evidence(view: View) -> int | None:
    ended = [stretch.end for stretch in _followed(view).stretches[-1:]]
    newest = eeg.newest_burden(view)
    return max([*ended, *([(newest + 1) * MINUTE] if newest is not None else [])], default=None)


def _kinds(view: View) -> Iterator[tuple[Bout, ...]]:
    """The newest seizures on record: those seen, and those of the EEG."""
    return (bouts(view, electrographic=electrographic) for electrographic in (False, True))


def _seen(view: View) -> list[eeg.Sight]:
    """The newest seizure that was seen."""
    known = bouts(view, electrographic=False)
    if not known:
        return []
    last, limit = known[-1], view.duration("seizure_update_limit")
    since = paralysed_since(view, view.at)
    if since is not None and not eeg.watched(view, view.at) and last.last_seen <= since:
        recent = last.stop is None or since - last.stop <= view.duration("recovery_window")
        return [eeg.Sight(UNKNOWN, None, "paralysed_no_eeg")] if recent else []
    return [_going_on(view, last, limit)]


def _recorded(view: View) -> eeg.Sight | None:
    """The newest electrographic seizure on record, as long as it has not ended."""
    known = bouts(view, electrographic=True)
    if not known or known[-1].stop is not None:
        return None
    return _going_on(view, known[-1], view.duration("seizure_update_limit"))


def _going_on(view: View, bout: Bout, limit: int) -> eeg.Sight:
    if bout.stop is not None:
        return eeg.Sight(NOT_MET)
    if view.at - bout.last_seen > limit:
        return eeg.Sight(UNKNOWN, None, f"seizure_update (last {clock_time(bout.last_seen)})")
    view.note(bout.last_seen + limit + TICK)
    words = f"{bout.seen[1].replace('_', ' ')}, going on since {clock_time(bout.start)}"
    return eeg.Sight(MET, Finding("seizure", words, bout.last_seen, bout.event))


def _blind(view: View, at: int) -> bool:
    return paralysed_since(view, at) is not None and not eeg.watched(view, at)
