"""Whether a patient is seizing, and since when: from seizures on record and from the EEG.

This is the one place that decides it. A seizure that was seen goes on until its stop is recorded, but only for as long
as somebody confirms it: after that nobody knows. Nor does anybody under a neuromuscular blocker without an EEG, where
neither a stop nor silence means anything. The EEG counts by its software's values and by electrographic seizures on
record; a value that has grown old after showing a seizure is unknown, not over. Time that nobody observed is never
free of seizures: an EEG that was lost begins anew, and so does what a blocker hid.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rules import eeg
from rules.facts import SeizureEvent
from rules.instants import FOREVER, MINUTE, TICK, clock_time
from rules.logic import MET, NOT_MET, UNKNOWN, Finding, Truth

if TYPE_CHECKING:
    from rules.view import View

ELECTROGRAPHIC: Final = "electrographic"

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


_LIFTED: Final = ("present", "absent")


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


def t1_of(view: View, bout: Bout) -> int:
    """When a seizure had lasted, or will have, as long as the t1 of how it looked, from when it first looked so."""
    due = min(at + view.duration(T1[kind]) for at, kind in bout.seen)
    view.note(due)
    return due


def t1_seen(view: View) -> int | None:
    """The same of the newest seizure that was seen and goes on; None where none does."""
    known = bouts(view, electrographic=False)
    return t1_of(view, known[-1]) if known and known[-1].stop is None else None


def paralysed_since(view: View, at: int) -> int | None:
    """Since when a neuromuscular blocker has been in effect at an instant: its last dose, or the present rate."""
    effect = view.duration("nmba_effect")
    began: list[int] = []
    flagged = view.timeline.latest("state:neuromuscular_blockade", at)
    for name in view.once("blockers", _blockers):
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


def _blockers(view: View) -> tuple[str, ...]:
    """The neuromuscular blockers of which anything is on record: mostly none, and this is asked of every seizure."""
    facts = view.timeline.facts
    return tuple(name for name in _NMBA if facts(f"dose:{name}") or facts(f"infusion:{name}"))


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


def blind(view: View) -> bool:
    """Whether nobody can see a seizure now: paralysed, and no EEG."""
    return _blind(view, view.at)


def spans(view: View) -> list[eeg.Span]:
    """Every stretch with seizures, oldest first."""
    found = []
    for electrographic in (False, True):
        known = bouts(view, electrographic=electrographic)
        for index, bout in enumerate(known):
            open_end = view.at if index == len(known) - 1 else bout.last_seen
            found.append(eeg.Span(bout.start, open_end if bout.stop is None else bout.stop))
    bins = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    found += [eeg.Span(fact.at - eeg.BIN, fact.at) for fact in bins if fact.value.bounds[0] > 0]
    return sorted([*found, *eeg.burden_span(view)])


def chains(view: View) -> list[eeg.Span]:
    """Seizures without recovery between them, run together, oldest first."""
    return view.once("chains", _chains)


def _chains(view: View) -> list[eeg.Span]:
    found: list[eeg.Span] = []
    for span in spans(view):
        last = found[-1] if found else None
        close = last is not None and span.start - last.end <= view.duration("recovery_window")
        if last is not None and (span.start <= last.end or (close and not recovered(view, last.end, span.start))):
            found[-1] = eeg.Span(last.start, max(last.end, span.end))
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
    return begin is not None and recovered_at(view, begin, end) is not None


def recovered_at(view: View, begin: int, end: int) -> int | None:
    """When consciousness is first known to have come back between two instants, or None."""
    back = view.timeline.upto("state:returned_to_baseline", end)
    found = [fact.at for fact in back if fact.at >= begin and fact.value.value == "present"][:1]
    full, scores = view.number("gcs_full"), view.timeline.upto("signal:gcs", end)
    found += [fact.at for fact in scores if fact.at >= begin and fact.value.bounds[0] >= full][:1]
    return min(found, default=None)


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
    """The end of every seizure so far, or when it was last seen; and whether its end was seen."""
    for electrographic in (False, True):
        known = bouts(view, electrographic=electrographic)
        for index, bout in enumerate(known):
            followed = bout.stop is None and index < len(known) - 1
            yield (bout.last_seen if bout.stop is None else bout.stop), (bout.stop is not None or followed)
    bins = view.timeline.upto("signal:eeg_seizure_minutes", view.at)
    limit = view.max_age("eeg_seizure_minutes") or 0
    for fact, following in zip(bins, [*bins[1:], None], strict=False):
        if fact.value.bounds[1] > 0:
            followed = view.recent(fact.at, limit) if following is None else following.at - fact.at <= limit
            yield fact.at, followed
    burden = eeg.burden_ended(view, back)
    if burden is not None:
        yield burden


def _hidden_until(view: View) -> int:
    """Until when a blocker hid what nobody watched; before every instant where none did."""
    effect, over = view.duration("nmba_effect"), -1
    flagged = view.timeline.latest("state:neuromuscular_blockade", view.at)
    for name in _NMBA:
        last = [fact.at for fact in view.timeline.upto(f"dose:{name}", view.at) if fact.value.status == "given"][-1:]
        if view.timeline.facts(f"infusion:{name}"):
            last += _delivered(view, name, view.at)[1]
        over = max([over, *(instant + effect for instant in last)])
    if flagged is not None and flagged.value.value == "absent":
        over = min(over, flagged.at) if over > flagged.at else max(over, _flag_lifted(view))
    return over if 0 <= over <= view.at and not eeg.watched(view, over) else -1


def _not_looked_through(view: View, back: int) -> int:
    """Until when minutes of an EEG are not looked through; before every instant where there are none."""
    series, oldest = eeg.burden_series(view), view.at - back
    if series is None or series.newest_before(oldest, FOREVER) is None:
        return -1
    back_again = recovered_at(view, oldest, view.at)
    view.note(None if back_again is None else back_again + back + TICK)
    return oldest


def _flag_lifted(view: View) -> int:
    """When a recorded blockade was recorded as over; before every instant where there was none."""
    facts = view.timeline.upto("state:neuromuscular_blockade", view.at)
    lifted = [fact.at for before, fact in pairwise(facts) if (before.value.value, fact.value.value) == _LIFTED]
    return max(lifted, default=-1)


def _events_and_bins(view: View) -> Iterator[eeg.Span]:
    for electrographic in (False, True):
        for bout in bouts(view, electrographic=electrographic):
            yield eeg.Span(bout.start, bout.last_seen if bout.stop is None else bout.stop)
    for fact in view.timeline.upto("signal:eeg_seizure_minutes", view.at):
        if fact.value.bounds[0] > 0:
            yield eeg.Span(fact.at - eeg.BIN, fact.at)


def _last_evidence(view: View) -> int | None:
    ended = [span.end for span in _events_and_bins(view)]
    newest = eeg.newest_burden(view)
    return max([*ended, *([(newest + 1) * MINUTE] if newest is not None else [])], default=None)


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
    return [_followed(view, last, limit)]


def _recorded(view: View) -> eeg.Sight | None:
    """The newest electrographic seizure on record, as long as it has not ended."""
    known = bouts(view, electrographic=True)
    if not known or known[-1].stop is not None:
        return None
    return _followed(view, known[-1], view.duration("seizure_update_limit"))


def _followed(view: View, bout: Bout, limit: int) -> eeg.Sight:
    if bout.stop is not None:
        return eeg.Sight(NOT_MET)
    if view.at - bout.last_seen > limit:
        return eeg.Sight(UNKNOWN, None, f"seizure_update (last {clock_time(bout.last_seen)})")
    view.note(bout.last_seen + limit + TICK)
    seen = bout.seen[-1]
    words = f"{seen[1].replace('_', ' ')}, going on since {clock_time(bout.start)}"
    return eeg.Sight(MET, Finding("seizure", words, bout.last_seen, bout.event))


def _blind(view: View, at: int) -> bool:
    return paralysed_since(view, at) is not None and not eeg.watched(view, at)
