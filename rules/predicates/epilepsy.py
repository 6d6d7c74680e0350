"""Checks of status epilepticus: seizures, what was given against them, levels and interactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rules import anaesthesia, antiseizure, eeg, seizures
from rules.instants import MINUTE, TICK, clock_time
from rules.loading import Course
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth, disjunction
from rules.predicates.base import Predicate
from rules.values import Value, compare
from rules.view import View

_T2: Final = {
    "tonic_clonic": "t2_tonic_clonic",
    "focal_impaired": "t2_focal",
    "myoclonic": "t2_tonic_clonic",
    "unspecified": "t2_tonic_clonic",
}
"""The dossier gives no t2 for absence and electrographic seizures."""


def _still_seizing(view: View) -> Evaluation:
    now = seizures.seizing(view)
    return Evaluation(now.truth, "seizing", now.findings, now.missing)


def _seen_only_on_eeg(view: View) -> Evaluation:
    """Nobody has seen the seizure that the EEG shows."""
    now = seizures.seizing(view)
    known = seizures.bouts(view, electrographic=False)
    seen = now.truth is MET and not now.by_eeg_only
    only = not seen and (now.by_eeg_only or not known or known[-1].stop is not None)
    return Evaluation(MET if only else NOT_MET, "seizure on the EEG only")


def _prolonged(view: View) -> Evaluation:
    """A seizure has lasted longer than the t1 of how it looked, from when it first looked so."""
    now = seizures.seizing(view)
    label = "seizure longer than t1"
    truth: Truth = NOT_MET
    for electrographic in (False, True):
        for bout in seizures.bouts(view, electrographic=electrographic)[-1:]:
            end = view.at if bout.stop is None else bout.stop
            due = seizures.t1_of(view, bout)
            view.note(due)
            if due <= end:
                going = bout.stop is None and now.truth is not NOT_MET
                found = Finding("seizure", f"since {clock_time(bout.start)}", bout.start, bout.event)
                if going and now.truth is MET:
                    return Evaluation(MET, label, (found,))
                truth = UNKNOWN if going else truth
    return Evaluation(truth, label, (), now.missing if truth is UNKNOWN else ())


def _without_recovery(view: View) -> Evaluation:
    """Two seizures close together, and consciousness did not come back between them."""
    label = "two seizures without recovery between them"
    window = view.duration("recovery_window")
    every = [bout for electrographic in (False, True) for bout in seizures.bouts(view, electrographic=electrographic)]
    known = sorted(every, key=lambda bout: (bout.start, bout.looked[0]))
    if len(known) < 2:  # noqa: PLR2004 - it takes two
        return Evaluation(NOT_MET, label)
    first, second = known[-2:]
    begin, end = first.end, second.start
    after = view.at if second.stop is None else second.stop
    view.note(after + window + TICK)
    near = 0 <= end - begin <= window and view.at - after <= window
    if not near or seizures.recovered(view, begin, end):
        return Evaluation(NOT_MET, label)
    found = (Finding("seizure", f"ended {clock_time(begin)}, another {clock_time(end)}", end, second.event),)
    back, score = (view.timeline.latest(name, end) for name in ("state:returned_to_baseline", "signal:gcs"))
    absent = back is not None and back.at >= begin and back.value.value == "absent"
    coma = score is not None and score.at >= begin and score.value.bounds[1] <= view.number("gcs_coma")
    if absent or coma:
        return Evaluation(MET, label, found)
    if seizures.recovered(view, after, view.at) and second.stop is not None:
        return Evaluation(NOT_MET, label)
    return Evaluation(UNKNOWN, label, found, ("returned_to_baseline",))


def _recovered_before_seizure(view: View) -> Evaluation:
    """Consciousness came back between the present, or last, run of seizures and the one before it."""
    label = "consciousness came back before this seizure"
    onset = seizures.onset(view)
    if onset is None or not seizures.recovered(view, seizures.before_onset(view), onset):
        return Evaluation(NOT_MET, label)
    return Evaluation(MET, label, (Finding("seizure", f"another one from {clock_time(onset)}", onset),))


def _electrographic_seizures(view: View) -> Evaluation:
    burden = eeg.hourly_burden(view)
    return Evaluation(MET if burden.low > 0 else NOT_MET, "seizures on the EEG in the last hour", burden.findings)


def _electrographic_status(view: View) -> Evaluation:
    """Ten minutes in a row, or a fifth of an hour, by the EEG software; nothing known of the EEG is no status."""
    burden, run = eeg.hourly_burden(view), eeg.longest_run(view)
    parts = [
        Evaluation(compare(burden, "gte", view.number("eeg_status_burden")), "burden", burden.findings, burden.missing),
        Evaluation(compare(run, "gte", view.number("eeg_status_run")), "longest run", run.findings, run.missing),
    ]
    doubtful = eeg.ever(view) and (burden.low > 0 or seizures.seizing(view).truth is UNKNOWN)
    if not doubtful:
        parts = [part._replace(truth=NOT_MET) if part.truth is UNKNOWN else part for part in parts]
    return disjunction(parts[:1] if parts[1].truth is UNKNOWN else parts, "electrographic status", stop_early=False)


def _past_t2(view: View) -> Evaluation:
    """Seizing, and for longer than the t2 of how it looks."""
    now, began = seizures.seizing(view), seizures.onset(view)
    label = "seizing longer than t2"
    if began is None or now.truth is NOT_MET:
        return Evaluation(NOT_MET, label)
    seen = {kind: seizures.first_known(view, "seizure", (began, view.at), seizures.newest_word, kind) for kind in _T2}
    due = min((at + view.duration(_T2[kind]) for kind, at in seen.items() if at is not None), default=None)
    view.note(due)
    if due is None or view.at < due:
        return Evaluation(NOT_MET, label)
    found = Finding("seizure", f"seizing since {clock_time(began)}", began)
    return Evaluation(now.truth, label, (found,), now.missing)


def _paralysed_no_eeg(view: View) -> Evaluation:
    """Nobody can tell: a neuromuscular blocker is in effect and there is no EEG."""
    label = "paralysed without EEG"
    if seizures.blind(view) and seizures.seizing(view).truth is not MET:
        return Evaluation(UNKNOWN, label, (), ("paralysed_no_eeg",))
    return Evaluation(NOT_MET, label)


def _seizure_unobserved(view: View) -> Evaluation:
    now = seizures.seizing(view)
    missing = tuple(item for item in now.missing if item != "paralysed_no_eeg")
    return Evaluation(UNKNOWN if missing else NOT_MET, "seizure without an update", (), missing)


def _eeg_invalid(view: View) -> Evaluation:
    found = eeg.faults(view)
    return Evaluation(MET if found else NOT_MET, "EEG not usable", found)


def _quiet_eeg(view: View) -> Evaluation:
    return Evaluation(MET if eeg.quiet(view) else NOT_MET, "no seizure on a usable EEG")


def _eeg_seen(view: View) -> Evaluation:
    """Whether there is an EEG by which an anaesthetic could be judged."""
    there = eeg.running(view, view.at)
    return Evaluation(MET if there else UNKNOWN, "EEG running", (), () if there else ("ceeg",))


def _free_for(parameter: str) -> Callable[[View], Evaluation]:
    def decide(view: View) -> Evaluation:
        wanted = view.duration(parameter)
        since, missing = seizures.free_since(view, wanted)
        if since is None:
            return Evaluation(UNKNOWN if missing else NOT_MET, "seizure-free", (), missing)
        due = since + wanted
        view.note(due)
        found = (Finding("seizure", f"none since {clock_time(since)}", since),) if since > 0 else ()
        return Evaluation(MET if view.at >= due else NOT_MET, "seizure-free", found)

    return decide


def _awake_or_quiet(view: View) -> Evaluation:
    """Awake since the last seizure, or a usable EEG shows none: silence alone is not recovery."""
    label = "awake, or no seizure on the EEG"
    if eeg.quiet(view):
        return Evaluation(MET, label)
    since, missing = seizures.free_since(view)
    if since is None:
        return Evaluation(UNKNOWN, label, (), missing)
    awake = seizures.awake_since(view, since)
    return Evaluation(MET if awake is MET else UNKNOWN, label, (), () if awake is MET else ("ceeg", "gcs"))


def _line(courses: Callable[[View], list[Course]], label: str, nothing: str) -> Callable[[View], Evaluation]:
    def decide(view: View) -> Evaluation:
        given = courses(view)
        done, nearest = antiseizure.adequate(view, given), antiseizure.best(given)
        if done is not None:
            return Evaluation(MET, label, (antiseizure.in_words(view, done),))
        found = (Finding("antiseizure", nothing) if nearest is None else antiseizure.in_words(view, nearest),)
        missing = antiseizure.perhaps_adequate(view, given)
        return Evaluation(UNKNOWN if missing else NOT_MET, label, found, missing)

    return decide


_first_line_adequate = _line(antiseizure.first_line, "benzodiazepine dose adequate", "no benzodiazepine given")
_second_line_adequate = _line(antiseizure.second_line, "second-line dose adequate", "no second-line drug completed")


def _asm_underdosed(view: View) -> Evaluation:
    """The second-line dose is too low; where none counts for another reason, that is said instead."""
    label = "second-line dose below guideline"
    adequate = _second_line_adequate(view)
    if adequate.truth is not NOT_MET:
        return adequate._replace(truth=NOT_MET if adequate.truth is MET else UNKNOWN, label=label)
    courses = antiseizure.second_line(view)
    nearest = antiseizure.best(courses)
    if nearest is None and (courses or antiseizure.incomplete(view)):
        return Evaluation(NOT_MET, label)
    gap = () if nearest is None else (f"dose gap: {antiseizure.gap_in_words(view, nearest)}",)
    return Evaluation(MET, label, (*adequate.findings, *(Finding("second_line_gap", text) for text in gap)))


def _asm_not_completed(view: View) -> Evaluation:
    label = "second-line drug not completed"
    if _second_line_adequate(view).truth is MET:
        return Evaluation(NOT_MET, label)
    found = antiseizure.incomplete(view)
    return Evaluation(MET if found else NOT_MET, label, found)


def _valproate_carbapenem(view: View) -> Evaluation:
    """Valproate does not count beside a carbapenem, be it given against the seizures or taken before them."""
    label = "carbapenem with valproate"
    if _second_line_adequate(view).truth is MET:
        return Evaluation(NOT_MET, label)
    discounted = [course.end for course in antiseizure.second_line(view) if course.discounted]
    taken = discounted[-1] if discounted else antiseizure.home_valproate(view)
    found = () if taken is None else antiseizure.carbapenem(view, taken)
    return Evaluation(MET if found else NOT_MET, label, found)


def _home_asm_missed(view: View) -> Evaluation:
    found = antiseizure.missed(view)
    return Evaluation(
        NOT_MET if found is None else MET, "home antiseizure drug missed", () if found is None else (found,)
    )


def _level_subtherapeutic(view: View) -> Evaluation:
    """A level drawn long enough after the dose before it, and since ECMO began, is too low."""
    label = "level below the therapeutic range"
    enough = view.number("adequate_share")
    courses = antiseizure.second_line(view)
    parts = []
    for drugs, wait, judge in (
        (("phenytoin", "fosphenytoin"), "phenytoin_level_after", _phenytoin),
        (("valproate",), "valproate_level_after", _valproate),
    ):
        others = [course for course in courses if course.drug not in drugs and not course.discounted]
        if not any(course.share.low >= enough for course in others):
            parts.append(judge(view, _Drawn(drugs, view.duration(wait), [c.end for c in courses if c.drug in drugs])))
    return disjunction(parts, label, stop_early=False)


class _Drawn(NamedTuple):
    """When a level of some drugs counts: ``wait`` after the dose before it, and not if a load was given since."""

    drugs: tuple[str, ...]
    wait: int
    loads: list[int]

    def level(self, view: View, signal: str) -> Finding | None:
        """The newest level, if it is not too old, was drawn late enough and no ECMO was started after it."""
        value, fact = view.value(signal), view.timeline.latest(f"signal:{signal}", view.at)
        if fact is None or not value.findings:
            return None
        doses = [*self.loads]
        for drug in self.drugs:
            given = view.timeline.upto(f"dose:{drug}", fact.at)
            doses += [dose.at for dose in given if dose.value.status == "given"]
        if doses and fact.at < max(doses) + self.wait:
            return None
        return None if _ecmo_since(view, fact.at) else value.findings[0]


def _ecmo_since(view: View, instant: int) -> bool:
    """Whether ECMO was begun after an instant; to chart again that it runs does not begin it."""
    for concept in ("ecmo", "ecmo_va", "ecmo_vv"):
        running = False
        for fact in view.timeline.upto(f"state:{concept}", view.at):
            present = fact.value.value == "present"
            if present and not running and (fact.value.since or fact.at) > instant:
                return True
            running = present
    return False


def _phenytoin(view: View, drawn: _Drawn) -> Evaluation:
    if (free := drawn.level(view, "phenytoin_free")) is not None:
        truth = compare(view.value("phenytoin_free"), "lt", view.number("phenytoin_free_low"))
        return Evaluation(truth, "phenytoin", (free,))
    total = drawn.level(view, "phenytoin_total")
    if total is None:
        return Evaluation(NOT_MET, "phenytoin")
    albumin, level = view.value("albumin"), view.value("phenytoin_total")
    if not albumin.findings:
        return Evaluation(UNKNOWN, "phenytoin", (total,), ("albumin",))
    slope, offset = view.number("albumin_slope"), view.number("albumin_offset")
    low = max(level.low, 0.0) / (slope * albumin.high + offset)
    high = level.high / (slope * max(albumin.low, 0.0) + offset)
    corrected = Value(round(low, 1), round(high, 1), (*level.missing, *albumin.missing))
    text = f"phenytoin {corrected.text('mg/L')} corrected for albumin"
    truth = compare(corrected._replace(low=low, high=high), "lt", view.number("phenytoin_low"))
    return Evaluation(truth, "phenytoin", (total._replace(text=text),), corrected.missing)


def _valproate(view: View, drawn: _Drawn) -> Evaluation:
    found = drawn.level(view, "valproate_level")
    if found is None:
        return Evaluation(NOT_MET, "valproate")
    return Evaluation(compare(view.value("valproate_level"), "lt", view.number("valproate_low")), "valproate", (found,))


def _anaesthetised(view: View) -> Evaluation:
    label, begun = "anaesthetised in this episode", anaesthesia.start(view)
    if begun.at is not None:
        return Evaluation(MET, label, (Finding("anaesthetic", f"since {clock_time(begun.at)}", begun.at),))
    return Evaluation(NOT_MET if begun.perhaps is None else UNKNOWN, label, (), begun.missing)


def _day_of_anaesthesia(view: View) -> Evaluation:
    """Anaesthesia was begun so long ago, with or without gaps since, that status may be super-refractory."""
    label, begun, long = "a day since anaesthesia began", anaesthesia.start(view), view.duration("super_refractory_for")
    for instant in (begun.at, begun.perhaps):
        view.note(None if instant is None else instant + long)
    if begun.at is not None and view.at - begun.at >= long:
        found = Finding("anaesthetic", f"begun {clock_time(begun.at)}", begun.at)
        return Evaluation(MET, label, (found,))
    if begun.perhaps is not None and view.at - begun.perhaps >= long:
        return Evaluation(UNKNOWN, label, (), begun.missing)
    return Evaluation(NOT_MET, label)


def _anaesthetic_running(view: View) -> Evaluation:
    truth, label = anaesthesia.running(view), "anaesthetic running"
    steps = anaesthesia.deepest(view)
    if truth is UNKNOWN:
        return Evaluation(UNKNOWN, label, (), steps.value(view.at).missing or ("anaesthetic_rate",))
    return Evaluation(truth, label)


def _anaesthetic_begun(view: View) -> Evaluation:
    """An anaesthetic was begun or raised for the seizures; sedation for another reason that was left alone was not."""
    label = "anaesthetic begun or raised for the seizures"
    return Evaluation(MET if anaesthesia.begun_or_raised(view) else NOT_MET, label)


def _anaesthetic_gap(view: View) -> Evaluation:
    label = "anaesthesia interrupted"
    course = anaesthesia.course(view)
    gaps = course.gaps if course is not None else ()
    found = tuple(
        Finding(
            "anaesthetic", f"off or too low for {(g.end - g.start) // MINUTE} min from {clock_time(g.start)}", g.start
        )
        for g in gaps
    )
    return Evaluation(MET if gaps else NOT_MET, label, found)


def _eeg_target_reached(view: View) -> Evaluation:
    """Under anaesthesia the EEG shows no seizure, or burst suppression, or was read so."""
    label = "EEG target reached under anaesthesia"
    begun = anaesthesia.start(view)
    began = begun.at if begun.perhaps is None else begun.perhaps
    if began is None or compare(anaesthesia.depth(view).value(view.at), "gt", 0.0) is not MET:
        return Evaluation(NOT_MET, label)
    value, fact = view.coded("seizure_suppressed_on_eeg")
    if value == "present" and fact is not None and fact.at >= began:
        return Evaluation(MET, label, (Finding("seizure_suppressed_on_eeg", "recorded", fact.at, fact.event),))
    ratio = view.value("burst_suppression")
    if ratio.known and ratio.low >= view.number("burst_suppression_target") and not eeg.faults(view):
        return Evaluation(MET, label, ratio.findings)
    quiet = eeg.quiet(view) and seizures.seizing(view).truth is NOT_MET
    return Evaluation(MET if quiet else NOT_MET, label)


def _recurred_on_wean(view: View) -> Evaluation:
    """Seizing again, after a while without, once anaesthesia had been reduced or withdrawn."""
    label = "seizures recurred on reduction or withdrawal of the anaesthetic"
    now, began = seizures.seizing(view), seizures.onset(view)
    reduced = NOT_MET if began is None else anaesthesia.reduced_before(view, began)
    if began is None or now.truth is NOT_MET or reduced is NOT_MET:
        return Evaluation(NOT_MET, label)
    found = Finding("seizure", f"again since {clock_time(began)}, after the anaesthetic was reduced", began)
    missing = (*now.missing, *(() if reduced is MET else anaesthesia.start(view).missing))
    return Evaluation(UNKNOWN if missing else MET, label, (found,), missing)


def _p(
    name: str,
    title: str,
    decide: Callable[[View], Evaluation],
    reads: tuple[str, ...] = seizures.READS,
    parameters: tuple[str, ...] = (),
    source: str = "AES 2016, ESETT, ACNS 2021 (see the pack's parameters)",
    *,
    never: Truth | None = None,
) -> Predicate:
    used = tuple(dict.fromkeys((*seizures.PARAMETERS, *parameters)))
    return Predicate(
        name,
        title,
        source,
        reads,
        decide,
        parameters=used,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
        of_doses=antiseizure.OF_DOSES,
        can_be_met=never is not MET,
        can_be_not_met=never is not NOT_MET,
        can_be_unknown=never is not UNKNOWN,
    )


_DOSES: Final = antiseizure.READS
_DOSED: Final = antiseizure.PARAMETERS
_DEEP: Final = anaesthesia.READS
_DEPTH: Final = anaesthesia.PARAMETERS
_LEVELS: Final = (
    *_DOSES,
    "signal:phenytoin_total",
    "signal:phenytoin_free",
    "signal:valproate_level",
    "signal:albumin",
    "state:ecmo",
    "state:ecmo_va",
    "state:ecmo_vv",
)
_LEVELLED: Final = (
    *_DOSED,
    "phenytoin_level_after",
    "valproate_level_after",
    "phenytoin_low",
    "phenytoin_free_low",
    "valproate_low",
    "albumin_slope",
    "albumin_offset",
)
_TARGET: Final = (*_DEEP, "signal:burst_suppression")

EPILEPSY: Final = (
    _p("still_seizing", "seizing now, by what was seen or by the EEG", _still_seizing),
    _p("seen_only_on_eeg", "seizures only on the EEG", _seen_only_on_eeg, never=UNKNOWN),
    _p(
        "seizure_prolonged",
        "a seizure has lasted longer than its t1",
        _prolonged,
        parameters=tuple(dict.fromkeys(seizures.T1.values())),
    ),
    _p("seizures_without_recovery", "two seizures without recovery between them", _without_recovery),
    _p(
        "recovered_before_seizure",
        "consciousness came back before this seizure",
        _recovered_before_seizure,
        never=UNKNOWN,
    ),
    _p("electrographic_seizures", "seizures on the EEG in the last hour", _electrographic_seizures, never=UNKNOWN),
    _p(
        "electrographic_status",
        "electrographic status epilepticus",
        _electrographic_status,
        parameters=("eeg_status_run",),
    ),
    _p("past_t2", "seizing longer than t2", _past_t2, parameters=tuple(dict.fromkeys(_T2.values()))),
    _p("paralysed_no_eeg", "paralysed without EEG", _paralysed_no_eeg, never=MET),
    _p("seizure_unobserved", "a seizure without an update", _seizure_unobserved, never=MET),
    _p("eeg_invalid", "EEG not usable", _eeg_invalid, never=UNKNOWN),
    _p("quiet_eeg", "no seizure on a usable EEG", _quiet_eeg, never=UNKNOWN),
    _p("eeg_seen", "EEG running", _eeg_seen, never=NOT_MET),
    _p(
        "seizure_free",
        "no seizure for the time that ends status",
        _free_for("resolved_for"),
        parameters=("resolved_for",),
    ),
    _p(
        "seizure_free_after_anaesthesia",
        "no seizure for the time that ends status after anaesthesia",
        _free_for("resolved_after_anaesthesia"),
        parameters=("resolved_after_anaesthesia",),
    ),
    _p("awake_or_quiet", "awake since the last seizure, or none on a usable EEG", _awake_or_quiet, never=NOT_MET),
    _p("first_line_adequate", "benzodiazepine dose adequate", _first_line_adequate, _DOSES, _DOSED),
    _p("second_line_adequate", "second-line dose adequate", _second_line_adequate, _DOSES, _DOSED),
    _p("asm_underdosed", "second-line dose below guideline", _asm_underdosed, _DOSES, _DOSED),
    _p("asm_not_completed", "second-line drug not completed", _asm_not_completed, _DOSES, _DOSED, never=UNKNOWN),
    _p("valproate_carbapenem", "carbapenem with valproate", _valproate_carbapenem, _DOSES, _DOSED, never=UNKNOWN),
    _p("home_asm_missed", "home antiseizure drug missed", _home_asm_missed, _DOSES, _DOSED, never=UNKNOWN),
    _p("level_subtherapeutic", "level below the therapeutic range", _level_subtherapeutic, _LEVELS, _LEVELLED),
    _p("anaesthetised", "anaesthetised in this episode", _anaesthetised, _DEEP, _DEPTH),
    _p(
        "day_of_anaesthesia",
        "a day since anaesthesia began",
        _day_of_anaesthesia,
        _DEEP,
        (*_DEPTH, "super_refractory_for"),
    ),
    _p("anaesthetic_running", "anaesthetic running", _anaesthetic_running, _DEEP, _DEPTH),
    _p("anaesthetic_begun", "anaesthetic begun for the seizures", _anaesthetic_begun, _DEEP, _DEPTH, never=UNKNOWN),
    _p("anaesthetic_gap", "anaesthesia interrupted", _anaesthetic_gap, _DEEP, _DEPTH, never=UNKNOWN),
    _p(
        "eeg_target_reached",
        "EEG target reached under anaesthesia",
        _eeg_target_reached,
        _TARGET,
        (*_DEPTH, "burst_suppression_target"),
        never=UNKNOWN,
    ),
    _p("recurred_on_wean", "seizures recurred when the anaesthetic was reduced", _recurred_on_wean, _DEEP, _DEPTH),
)
