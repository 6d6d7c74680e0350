"""Checks of a cardiac arrest: what is going on, how it began, and whether resuscitation was adequate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from rules.arrest import LOST, READS, RHYTHMS, SHOCKABLE, UNCONFIRMED, course
from rules.instants import TICK, clock_time, format_duration
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth
from rules.predicates.base import Predicate
from rules.stays import in_hospital
from rules.timeline import Fact
from rules.values import number
from rules.view import View, names_of

_NON_SHOCKABLE: Final = ("pea", "asystole")
_OF_AN_ARREST: Final = {
    "resuscitated_before_hospital": "resuscitation began before hospital",
    "resuscitated_in_emergency_department": "resuscitation went on in the emergency department",
    "presumed_reversible_cause": "its cause is presumed to be reversible",
    "reversible_cause_treated": "its reversible cause has been treated",
    "non_cardiac_cause": "its cause is not cardiac",
    "hypothermic_arrest": "the patient was hypothermic",
    "exsanguinating_trauma": "its cause is exsanguinating trauma",
    "signs_of_life": "there were signs of life during CPR",
    "intermittent_rosc": "circulation returned for a while",
}
"""What is stated of one arrest, and says nothing of the next."""


def _answer(label: str, holds: bool, *findings: Finding) -> Evaluation:
    return Evaluation(MET, label, findings) if holds else Evaluation(NOT_MET, label)


def _going_on(view: View) -> Evaluation:
    """An arrest that nobody charted any more for hours may go on or not; so may one that only a monitor shows."""
    label, arrest = "cardiac arrest", course(view)
    if arrest is not None and arrest.ending == "lost":
        return Evaluation(UNKNOWN, label, (), ("outcome_of_resuscitation",))
    if arrest is None or arrest.ended is not None:
        return Evaluation(NOT_MET, label)
    if arrest.alone and arrest.first_compressions is None and arrest.rhythm != "pea":
        return Evaluation(UNKNOWN, label, (), ("circulation",))
    return Evaluation(MET, label, (Finding("cardiac_arrest", f"since {clock_time(arrest.began)}", arrest.began),))


def _in_cardiac_arrest(view: View) -> Evaluation:
    label, arrest = "compressions needed now", course(view)
    if arrest is None or not arrest.needs_compressions:
        return Evaluation(NOT_MET, label)
    if arrest.alone:
        return Evaluation(UNKNOWN, label, (), ("circulation",))
    view.note(arrest.newest + UNCONFIRMED)
    if view.at - arrest.newest >= UNCONFIRMED:
        return Evaluation(UNKNOWN, label, (), ("outcome_of_resuscitation",))
    return Evaluation(MET, label, (Finding("cardiac_arrest", f"since {clock_time(arrest.began)}", arrest.began),))


def _not_responding(view: View) -> Evaluation:
    label, arrest = "compressions without sustained return of circulation", course(view)
    holds = arrest is not None and arrest.ended is None and arrest.first_compressions is not None
    return _answer(label, holds)


def _transient_rosc(view: View) -> Evaluation:
    label, arrest = "circulation returned, not yet sustained", course(view)
    if arrest is None or arrest.ended is not None or arrest.rosc is None or arrest.left_open is not None:
        return Evaluation(NOT_MET, label)
    return Evaluation(MET, label, (Finding("rosc", f"since {clock_time(arrest.rosc)}", arrest.rosc),))


def _rhythm_alone(view: View) -> Evaluation:
    arrest = course(view)
    alone = arrest is not None and arrest.ended is None and arrest.alone
    rhythm = None if arrest is None else arrest.rhythm
    text = RHYTHMS.get(rhythm or "", rhythm or "")
    return _answer("only a rhythm", alone, Finding("rhythm", text, None if arrest is None else arrest.newest))


def _left_open(view: View) -> Evaluation:
    label, arrest = "compressions charted as going on, circulation evident", course(view)
    if arrest is None or arrest.ended is not None or arrest.left_open is None:
        return Evaluation(NOT_MET, label)
    begun, seen = clock_time(arrest.left_open), clock_time(arrest.quiet)
    text = f"charted as begun {begun} and never as ended; circulation evident since {seen}"
    return Evaluation(MET, label, (Finding("compressions", text, arrest.quiet),))


def _outcome_unknown(view: View) -> Evaluation:
    label, arrest = "how the resuscitation went on", course(view)
    if arrest is None or not arrest.needs_compressions:
        return Evaluation(NOT_MET, label)
    view.note(arrest.newest + UNCONFIRMED)
    if view.at - arrest.newest < UNCONFIRMED:
        return Evaluation(NOT_MET, label)
    return Evaluation(UNKNOWN, label, (), ("outcome_of_resuscitation",))


def _ended(label: str, *endings: str) -> Callable[[View], Evaluation]:
    def decide(view: View) -> Evaluation:
        arrest = course(view)
        if arrest is None or arrest.ended is None or arrest.ending not in endings:
            return Evaluation(NOT_MET, label)
        return Evaluation(MET, label, (Finding("cardiac_arrest", label, arrest.ended),))

    return decide


def _cannulating(view: View) -> Evaluation:
    arrest = course(view)
    at = None if arrest is None else arrest.cannulation
    return _answer("cannulation begun", at is not None, Finding("cannulation", "begun", at))


def _compressing(view: View) -> Evaluation:
    arrest = course(view)
    since = None if arrest is None else arrest.compressing
    return _answer("compressions going on", since is not None, Finding("compressions", "going on", since))


def stated(view: View, concept: str, since: int) -> Truth:
    """What was said of a concept since an instant; what was said of an earlier arrest does not count."""
    value, fact = view.coded(concept)
    if fact is None or fact.at < since or value == "unknown":
        return UNKNOWN
    return MET if value == "present" else NOT_MET


def _said_of_this(concept: str) -> Callable[[View], Evaluation]:
    """Stated of this arrest or shortly before it; where it is not the first, what was said before was of another."""

    def decide(view: View) -> Evaluation:
        arrest = course(view)
        before = 0 if arrest is None or arrest.again else view.duration("cause_recent")
        truth = UNKNOWN if arrest is None else stated(view, concept, arrest.began - before)
        label, fact = concept.replace("_", " "), view.coded(concept)[1]
        if truth is UNKNOWN or fact is None:
            return Evaluation(UNKNOWN, label, (), (concept,))
        found = Finding(concept, "present" if truth is MET else "absent", fact.at, fact.event)
        return Evaluation(truth, label, (found,))

    return decide


def _witnessed(view: View) -> Evaluation:
    """Seen by somebody: said so of the collapse, or on its own; somebody who was found was not seen."""
    label, arrest = "collapse witnessed", course(view)
    if arrest is None:
        return Evaluation(UNKNOWN, label, (), ("witnessed_arrest",))
    truth = MET if arrest.witnessed else NOT_MET if arrest.witnessed is False else UNKNOWN
    if truth is UNKNOWN:
        truth = stated(view, "witnessed_arrest", arrest.began)
    if truth is UNKNOWN and arrest.found is not None:
        truth = NOT_MET
    if truth is UNKNOWN:
        return Evaluation(UNKNOWN, label, (), ("witnessed_arrest",))
    text = "witnessed" if truth is MET else "not witnessed"
    return Evaluation(truth, label, (Finding("witnessed_arrest", text, arrest.began),))


def _in_hospital(view: View) -> Evaluation:
    """Said so of this arrest, or admitted before it."""
    label, arrest = "arrest in hospital", course(view)
    if arrest is None:
        return Evaluation(UNKNOWN, label, (), ("arrest_in_hospital",))
    truth = stated(view, "arrest_in_hospital", arrest.began)
    if truth is UNKNOWN:
        inside = in_hospital(view.timeline, arrest.began, view.at)
        truth = UNKNOWN if inside is None else MET if inside else NOT_MET
    if truth is UNKNOWN:
        return Evaluation(UNKNOWN, label, (), ("arrest_in_hospital",))
    text = "in hospital" if truth is MET else "out of hospital"
    return Evaluation(truth, label, (Finding("arrest_in_hospital", text, arrest.began),))


def _rhythm_is(kinds: Iterable[str], *, initial: bool) -> Callable[[View], Evaluation]:
    wanted = tuple(kinds)
    measure = "initial_rhythm" if initial else "rhythm"
    label = f"{measure.replace('_', ' ')} {' or '.join(wanted)}"

    def decide(view: View) -> Evaluation:
        arrest = course(view)
        rhythm = None if arrest is None else arrest.initial_rhythm if initial else arrest.rhythm
        if arrest is None or rhythm is None:
            return Evaluation(UNKNOWN, label, (), (measure,))
        return Evaluation(
            MET if rhythm in wanted else NOT_MET, label, (Finding(measure, RHYTHMS.get(rhythm, rhythm), arrest.began),)
        )

    return decide


def _clock_unsynchronised(view: View) -> Evaluation:
    label, arrest = "defibrillator and wall clock apart", course(view)
    synchronised, fact = view.coded("clocks_synchronised")
    if arrest is None:
        return Evaluation(NOT_MET, label)
    if fact is not None and synchronised == "absent" and fact.at >= arrest.began:
        return Evaluation(MET, label, (Finding("clocks_synchronised", "not synchronised", fact.at, fact.event),))
    if arrest.collapse is None or arrest.collapse - arrest.began <= view.duration("clock_tolerance"):
        return Evaluation(NOT_MET, label)
    text = f"events {format_duration(arrest.collapse - arrest.began)} before the collapse"
    return Evaluation(MET, label, (Finding("clocks_synchronised", text, arrest.began),))


def _doses(view: View, drug_or_class: str, since: int) -> Iterator[Fact]:
    for name in names_of(view.catalogue, drug_or_class):
        yield from (fact for fact in view.timeline.upto(f"dose:{name}", view.at) if fact.at >= since)


def _drug_not_given(view: View) -> Evaluation:
    """Known not to have been given: a drug nobody has charted says nothing, it is charted late in an arrest."""
    label, arrest = "resuscitation drug ordered but not given", course(view)
    if arrest is None:
        return Evaluation(NOT_MET, label)
    reasons = []
    for drug in ("epinephrine", "antiarrhythmic"):
        facts = list(_doses(view, drug, arrest.began))
        given = max((fact.at for fact in facts if fact.value.status == "given"), default=arrest.began - 1)
        for fact in facts:
            status, limit = fact.value.status, fact.at + view.duration("drug_order_limit")
            if status == "given" or fact.at <= given:
                continue
            if status == "ordered":
                view.note(limit + TICK)
            if status != "ordered" or view.at > limit:
                reasons.append(Finding(drug, f"{drug} {status} {clock_time(fact.at)}", fact.at, fact.event))
    return _answer(label, bool(reasons), *reasons)


def _adrenaline_overdue(view: View) -> Evaluation:
    """Due once non-shockable or after failed shocks, then every few minutes; it may have been given and not charted."""
    label, arrest = "no adrenaline charted when due", course(view)
    if arrest is None or not arrest.needs_compressions or arrest.first_compressions is None:
        return Evaluation(NOT_MET, label)
    interval = view.duration("adrenaline_interval")
    given = [fact for fact in _doses(view, "epinephrine", arrest.began) if fact.value.status == "given"]
    if given:
        view.note(given[-1].at + interval + TICK)
        late = view.at - given[-1].at > interval
        return _answer(label, late, Finding("epinephrine", f"last {clock_time(given[-1].at)}", given[-1].at))
    if arrest.failed >= view.number("adrenaline_shocks"):
        return _answer(label, True, Finding("epinephrine", f"none after {arrest.failed} failed shocks"))
    if arrest.rhythm not in _NON_SHOCKABLE:
        return Evaluation(NOT_MET, label)
    view.note(arrest.first_compressions + interval + TICK)
    late = view.at - arrest.first_compressions > interval
    return _answer(label, late, Finding("epinephrine", f"none, rhythm {RHYTHMS.get(arrest.rhythm, arrest.rhythm)}"))


def _antiarrhythmic_missing(view: View) -> Evaluation:
    label, arrest = "no antiarrhythmic charted after the third shock", course(view)
    if arrest is None or not arrest.needs_compressions or arrest.shocked < view.number("antiarrhythmic_shocks"):
        return Evaluation(NOT_MET, label)
    given = any(fact.value.status == "given" for fact in _doses(view, "antiarrhythmic", arrest.began))
    return _answer(label, not given, Finding("antiarrhythmic", f"none after {arrest.shocked} shocks"))


def _low_energy(view: View) -> Evaluation:
    label, arrest = "latest shock below the energy of the device's range", course(view)
    last = arrest.shocks.last if arrest is not None and arrest.shocks is not None else None
    if last is None or last.energy is None:
        return Evaluation(NOT_MET, label)
    low = last.energy < view.number("shock_energy")
    return _answer(label, low, Finding("shock", f"{number(last.energy)} J", last.at))


def _long_pause(view: View) -> Evaluation:
    label, arrest = "compressions paused for long", course(view)
    if arrest is None or not arrest.needs_compressions or arrest.paused is None:
        return Evaluation(NOT_MET, label)
    limit = view.duration("pause_limit")
    view.note(arrest.paused + limit + TICK)
    return _answer(label, view.at - arrest.paused > limit, Finding("compressions", "paused", arrest.paused))


def _about_the_course(
    name: str,
    title: str,
    source: str,
    decide: Callable[[View], Evaluation],
    reads: tuple[str, ...] = (),
    parameters: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    **can_be: bool,
) -> Predicate:
    """A predicate that reads the course of the arrest, which is kept for as long as coded facts are."""
    return Predicate(
        name,
        title,
        source,
        (*READS, *reads),
        decide,
        classes,
        parameters=("sustained_rosc", *parameters),
        looks_back=(LOST,),
        episode=True,
        of_doses=(),
        **can_be,
    )


_ELSO: Final = "ELSO 2021 (source read)"
_KNOWLEDGE: Final = "general clinical knowledge, not checked against a source"
_LOCAL: Final = "local setting"

ARREST: Final = (
    _about_the_course(
        "cardiac_arrest",
        "an arrest that is not over: no sustained return of circulation, no ECMO flow, not stopped by the team; where"
        " only a monitor shows a rhythm, and after four hours without a word of it, that is open",
        _ELSO,
        _going_on,
    ),
    _about_the_course(
        "rhythm_alone",
        "a rhythm without circulation was charted, and nothing else of an arrest: no collapse, compressions or shock",
        _KNOWLEDGE,
        _rhythm_alone,
        can_be_unknown=False,
    ),
    _about_the_course(
        "compressions_left_open",
        "compressions were charted as begun and never as ended, nothing has been charted of them since, and circulation"
        " has been evident for 10 min (local setting)",
        _LOCAL,
        _left_open,
        can_be_unknown=False,
    ),
    _about_the_course(
        "outcome_unknown",
        "nothing has been charted for 2 h of an arrest that had not ended (local setting)",
        _LOCAL,
        _outcome_unknown,
        can_be_met=False,
    ),
    _about_the_course(
        "arrest_lost",
        "nothing has been charted for 4 h of an arrest that had not ended (local setting)",
        _LOCAL,
        _ended("nothing charted for hours", "lost"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "circulation_evident",
        "circulation has lasted although compressions were never charted as ended",
        _LOCAL,
        _ended("circulation evident", "evident"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "in_cardiac_arrest",
        "compressions needed now: from collapse or CPR until return of circulation, ECMO flow or the end of CPR;"
        " unknown two hours after the last word of it, and where only a monitor shows a rhythm",
        _ELSO,
        _in_cardiac_arrest,
    ),
    _about_the_course(
        "not_responding",
        "compressions were begun and there is no sustained return of circulation",
        _ELSO,
        _not_responding,
        can_be_unknown=False,
    ),
    _about_the_course(
        "transient_rosc",
        "circulation has returned, and has not lasted yet",
        _ELSO,
        _transient_rosc,
        can_be_unknown=False,
    ),
    _about_the_course(
        "arrest_over",
        "sustained return of circulation, ECMO flow, or stopped by the team",
        _ELSO,
        _ended("the arrest is over", "rosc", "quiet", "evident", "ecmo", "stopped"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "rosc_sustained",
        "circulation has lasted",
        _ELSO,
        _ended("circulation has lasted", "rosc"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "compressions_not_needed",
        "no compressions for so long that circulation must have lasted, although nobody charted it",
        _ELSO,
        _ended("no compressions for long", "quiet"),
        can_be_unknown=False,
    ),
    _about_the_course("ecmo_flowing", "ECMO flow has begun", _ELSO, _ended("ECMO flow", "ecmo"), can_be_unknown=False),
    _about_the_course(
        "resuscitation_stopped",
        "the team has stopped",
        _KNOWLEDGE,
        _ended("stopped by the team", "stopped"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "cannulating", "cannulation for ECMO has begun in this arrest", _KNOWLEDGE, _cannulating, can_be_unknown=False
    ),
    _about_the_course(
        "compressions_on", "compressions are going on now", _KNOWLEDGE, _compressing, can_be_unknown=False
    ),
    _about_the_course(
        "arrest_witnessed",
        "somebody saw the collapse",
        "ELSO 2021 (secondary source only)",
        _witnessed,
        ("state:witnessed_arrest",),
    ),
    _about_the_course(
        "arrest_in_hospital",
        "the arrest happened in hospital: said so, or admitted before it",
        _KNOWLEDGE,
        _in_hospital,
        ("state:arrest_in_hospital", "stay"),
    ),
    *(
        _about_the_course(
            f"{concept}_in_this_arrest",
            f"said of this arrest: {words}",
            _KNOWLEDGE,
            _said_of_this(concept),
            (f"state:{concept}",),
            ("cause_recent",),
        )
        for concept, words in _OF_AN_ARREST.items()
    ),
    *(
        _about_the_course(
            f"{'initial_' if initial else ''}rhythm_{name}",
            f"the {'initial' if initial else 'latest'} rhythm is {' or '.join(kinds)}",
            "ELSO 2021 (secondary source only)" if initial else _KNOWLEDGE,
            _rhythm_is(kinds, initial=initial),
        )
        for initial, name, kinds in (
            (True, "shockable", SHOCKABLE),
            (True, "non_shockable", _NON_SHOCKABLE),
            (True, "pea", ("pea",)),
            (True, "asystole", ("asystole",)),
            (False, "asystole", ("asystole",)),
            (False, "shockable", SHOCKABLE),
            (False, "electrical", ("pea", "organised")),
        )
    ),
    _about_the_course(
        "clock_unsynchronised",
        "clocks said to be apart, or events of the arrest more than 60 s before the collapse",
        _LOCAL,
        _clock_unsynchronised,
        ("state:clocks_synchronised",),
        ("clock_tolerance",),
        can_be_unknown=False,
    ),
    _about_the_course(
        "drug_not_given",
        "adrenaline or an antiarrhythmic held, refused, or ordered minutes ago, and not given since",
        _LOCAL,
        _drug_not_given,
        parameters=("drug_order_limit",),
        classes=("epinephrine", "antiarrhythmic"),
        can_be_unknown=False,
    ),
    _about_the_course(
        "adrenaline_overdue",
        "no adrenaline charted after failed shocks or in a non-shockable rhythm, or none again in time",
        "AHA 2025 (secondary source only)",
        _adrenaline_overdue,
        parameters=("adrenaline_interval", "adrenaline_shocks"),
        classes=("epinephrine",),
        can_be_unknown=False,
    ),
    _about_the_course(
        "antiarrhythmic_missing",
        "no amiodarone or lidocaine charted after the third shock",
        "AHA 2025 (secondary source only)",
        _antiarrhythmic_missing,
        parameters=("antiarrhythmic_shocks",),
        classes=("antiarrhythmic",),
        can_be_unknown=False,
    ),
    _about_the_course(
        "shock_energy_low",
        "the latest shock had less than 120 J",
        "ARREST trial (source read)",
        _low_energy,
        parameters=("shock_energy",),
        can_be_unknown=False,
    ),
    _about_the_course(
        "compressions_paused",
        "compressions are needed and have been paused for more than 10 s",
        "AHA 2025 (secondary source only)",
        _long_pause,
        parameters=("pause_limit",),
        can_be_unknown=False,
    ),
)
