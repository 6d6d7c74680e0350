"""Checks of ARDS: how it came about, whether ventilation was protective, prone sessions, signal quality, recovery."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import Final, NamedTuple

from rules.facts import BY_HAND, Coded
from rules.instants import DAY, HOUR, MINUTE, TICK, clock_time, format_duration
from rules.landmarks.base import ENDED, FIRST
from rules.landmarks.ventilation import AIRWAY, Span, airway, intubated, intubated_spans, overtaken
from rules.logic import MET, NOT_MET, UNKNOWN, Evaluation, Finding, Truth, negation
from rules.predicates.base import Predicate
from rules.quantities.oxygenation import arterial
from rules.quantities.respiratory import (
    FRACTION,
    UNSTEADY,
    arterial_gases,
    probably_venous,
    saturation_before,
)
from rules.timeline import Fact
from rules.values import Value, compare, number
from rules.view import View

_ROUNDING: Final = 1e-6
_WITHOUT_PRESSURE: Final = (
    ("intubated", "absent"),
    ("invasive_ventilation", "absent"),
    ("noninvasive_ventilation", "absent"),
    ("high_flow_nasal_oxygen", "present"),
)
"""Words of a device by which no pressure is measured from then on."""


class Session(NamedTuple):
    """A stretch in prone position; ``end`` is None while it goes on."""

    start: int
    end: int | None
    event: str


def prone_sessions(view: View) -> list[Session]:
    """The prone sessions of this ventilation or this episode, oldest first.

    Of an intubated patient they are what was done with the tube in place: an awake session is no trial of ventilation,
    and one that goes on through intubation counts from then on. What was done before an earlier episode was resolved
    with the tube in place was a trial of that one.
    """
    sessions = _turned(view)
    intubated, episode = view.mark("intubation").at, view.anchors.get("episode")
    if intubated is not None:
        spans = intubated_spans(view)
        sessions = [part for session in sessions for span in spans if (part := _within(session, span)) is not None]

    since, ended = intubated, view.anchors.get(ENDED)
    before = [] if ended is None else airway(view.past(ended))
    if since is not None and ended is not None and before and before[-1].value.value == "present":
        since = max(since, ended)

    def belongs(session: Session) -> bool:
        ended_within = episode is not None and (session.end is None or session.end >= episode)
        return ended_within or (since is not None and session.start >= since)

    return [session for session in sessions if belongs(session)]


def _turned(view: View) -> list[Session]:
    """Every prone session on record, oldest first."""
    sessions: list[Session] = []
    for fact in view.timeline.upto("state:prone", view.at):
        coded: Coded = fact.value
        ongoing = bool(sessions) and sessions[-1].end is None
        if coded.value == "present" and not ongoing:
            sessions.append(Session(fact.at if coded.since is None else coded.since, None, fact.event))
        elif coded.value == "absent" and ongoing:
            sessions[-1] = sessions[-1]._replace(end=fact.at)
    return sessions


def _within(session: Session, span: Span) -> Session | None:
    """The part of a session that lies within a stretch of time."""
    start = max(session.start, span.start)
    ends = [end for end in (session.end, span.end) if end is not None]
    end = min(ends) if ends else None
    return session._replace(start=start, end=end) if end is None or end > start else None


def _prone_attempted(view: View) -> Evaluation:
    """A session was long enough, and a sample well after the turn shows that oxygenation still fails."""
    label = "prone session long enough, and still failing"
    truth: Truth = NOT_MET
    found: tuple[Finding, ...] = ()
    for session in reversed(prone_sessions(view)):
        length = (view.at if session.end is None else session.end) - session.start
        if length < view.duration("prone_accepted"):
            view.note(session.start + view.duration("prone_accepted") if session.end is None else None)
            continue
        text = f"prone for {format_duration(length // MINUTE * MINUTE)} from {clock_time(session.start)}"
        finding = Finding("prone", text, session.start, session.event)
        answers = [*_ratios_since(view, session.start + view.duration("prone_gas_after"))]
        if MET in answers:
            return Evaluation(MET, label, (finding,))
        if NOT_MET not in answers:
            truth, found = UNKNOWN, (finding,)
    return Evaluation(truth, label, found, ("pf_steady",) if truth is UNKNOWN else ())


def _ratios_since(view: View, begin: int) -> Iterator[Truth]:
    """Whether P/F called for prone position, in each arterial sample from an instant on."""
    for gas in arterial_gases(view):
        if gas.at >= begin:
            yield compare(view.past(gas.at).value("pf_steady"), "lt", view.number("prone_pf"))


def _supine_recently(view: View) -> Evaluation:
    label = "turned back supine a short while ago"
    sessions = prone_sessions(view)
    if not sessions or sessions[-1].end is None:
        return Evaluation(NOT_MET, label)
    settled = sessions[-1].end + view.duration("supine_settled")
    view.note(settled)
    finding = Finding("prone", f"supine since {clock_time(sessions[-1].end)}", sessions[-1].end, sessions[-1].event)
    return Evaluation(MET if view.at < settled else NOT_MET, label, (finding,))


def _oxygenation_restored(view: View) -> Evaluation:
    """The newest arterial sample, taken hours after the last prone session, shows that none is needed any more."""
    label = "oxygenation holds up hours after the last prone session"
    sessions = prone_sessions(view)
    if not sessions or sessions[-1].end is None:
        return Evaluation(NOT_MET, label)
    settled = sessions[-1].end + view.duration("supine_settled")
    gas = next(arterial_gases(view), None)
    if gas is None or gas.at < settled:
        return Evaluation(NOT_MET, label)
    if not view.value("pf_steady").known:
        return Evaluation(UNKNOWN, label, (), ("pf_steady",))
    past = view.past(gas.at)
    ratio, fraction, peep = past.value("pf_steady"), past.value("fio2"), past.value("peep")
    vasodilator = _inhaled_vasodilator_new(past)
    truths = {
        compare(ratio, "gte", view.number("prone_pf")),
        compare(fraction, "lte", view.number("stop_fio2")),
        compare(peep, "lte", view.number("stop_peep")),
        negation(vasodilator, "").truth,
    }
    truth = NOT_MET if NOT_MET in truths else UNKNOWN if UNKNOWN in truths else MET
    findings = (*ratio.findings, *fraction.findings, *peep.findings)
    missing = (*fraction.missing, *peep.missing, *vasodilator.missing)
    return Evaluation(truth, label, findings, missing if truth is UNKNOWN else ())


def _inhaled_vasodilator_new(view: View) -> Evaluation:
    """One runs, and has not for long enough that its first effect is over; one that nobody confirmed may be running."""
    label = "inhaled vasodilator started recently"
    found: list[Finding] = []
    missing: list[str] = []
    for name in view.drugs("inhaled_vasodilator"):
        if not view.timeline.facts(f"infusion:{name}"):
            continue
        rate, flow = view.rate(name), view.flow(name)
        running = compare(flow, "gt", 0.0)
        held = rate.held(view.at, "gt", 0.0, view.duration("vasodilator_bump"), HOUR)
        view.note(held.next_change)
        if running is NOT_MET or held.truth is MET:
            continue
        if running is MET and held.truth is NOT_MET:
            found.append(Finding(name, "running for less than the time that its first effect may last", held.since))
        else:
            missing += flow.missing or (f"{name}_rate",)
    if missing and not found:
        return Evaluation(UNKNOWN, label, (), tuple(missing))
    return Evaluation(MET if found else NOT_MET, label, tuple(found))


def _extubated(view: View) -> Evaluation:
    """Extubated within this episode, and not intubated again."""
    label = "extubated"
    facts = airway(view)
    if len(facts) < 2 or facts[-1].value.value != "absent":  # noqa: PLR2004 - it takes a tube to take one out
        return Evaluation(NOT_MET, label)
    ended = facts[-1]
    for fact in reversed(facts):
        if fact.value.value == "present":
            within = ended.at >= view.anchors.get("episode", ended.at)
            finding = Finding("intubated", "extubated", ended.at, ended.event)
            return Evaluation(MET if within else NOT_MET, label, (finding,))
        ended = fact
    return Evaluation(NOT_MET, label)


def _support_taken_off(view: View) -> Evaluation:
    """A record says that no device gives pressure, and no ventilator has begun to measure any since."""
    label = "no pressure support any more"
    for concept, value in _WITHOUT_PRESSURE:
        known = view.timeline.upto(f"state:{concept}", view.at)
        if known and known[-1].value.value == value and not overtaken(view, known):
            return Evaluation(MET, label, (Finding(concept, value, known[-1].at, known[-1].event),))
    return Evaluation(NOT_MET, label)


def _insult_recent(view: View) -> Evaluation:
    """A known insult not longer before the onset than the definition allows.

    What comes back in the same stay began when it was there first.
    """
    label = "insult shortly before onset"
    value, fact = view.coded("ards_risk_factor")
    if value == "present" and fact is not None:
        insult = fact.at if fact.value.since is None else fact.value.since
        began = view.anchors.get(FIRST, view.anchors.get("ARD-0", view.at))
        limit = view.duration("onset_window")
        view.note(insult + limit + TICK)
        finding = Finding("ards_risk_factor", f"since {clock_time(insult)}", insult, fact.event)
        return Evaluation(MET if began - insult <= limit else NOT_MET, label, (finding,))
    for concept in ("covid19", "influenza"):
        infection, fact = view.coded(concept)
        if infection == "present" and fact is not None:
            return Evaluation(MET, label, (Finding(concept, "present", fact.at, fact.event),))
    if value == "absent":
        return Evaluation(NOT_MET, label)
    return Evaluation(UNKNOWN, label, (), ("ards_risk_factor",))


def _vt_not_protective(view: View) -> Evaluation:
    """Tidal volume was above the limit for too large a part of the last hours, minute by minute.

    A minute without a value takes the last one, as long as that may be used. Of a patient intubated more recently only
    the time since then counts.
    """
    label = "tidal volume not protective"
    weight = view.value("predicted_body_weight")
    if not weight.findings:
        return Evaluation(UNKNOWN, label, (), ("pbw",))
    limits = [view.number("vt_limit") * bound + _ROUNDING for bound in (weight.low, weight.high)]
    last = view.at // MINUTE
    first = (view.at - view.duration("vt_window")) // MINUTE
    intubated = view.mark("intubation").at
    if intubated is not None:
        first = min(max(first, intubated // MINUTE), last - 1)
    protective = possibly = known = 0
    volume = 0.0
    for volume in _tidal_volumes(view, first, last):
        known += 1
        protective += volume <= limits[0]
        possibly += volume <= limits[1]
    if not known:
        return Evaluation(UNKNOWN, label, (), ("tidal_volume",))
    total, share = last - first, view.number("vt_share") / 100
    needed = share * total - _ROUNDING
    # With each minute that passes, one comes in and one goes out: either count moves by one at most.
    spare = min(abs(protective - needed), abs(possibly + total - known - needed))
    view.note((view.at // MINUTE + max(1, floor(spare))) * MINUTE)
    per_kilogram = Value(round(volume / weight.high, 1), round(volume / weight.low, 1)).text("mL/kg")
    text = f"{number(volume)} mL, {per_kilogram}; protective for {100 * protective // total} % of the time"
    findings = (Finding("tidal_volume", text, view.at // MINUTE * MINUTE),)
    if protective >= needed:
        return Evaluation(NOT_MET, label, findings)
    if possibly + total - known < needed:
        return Evaluation(MET, label, findings)
    return Evaluation(UNKNOWN, label, findings, ("tidal_volume",))


def _tidal_volumes(view: View, first: int, last: int) -> Iterator[float]:
    """The tidal volume of each minute from the first up to the last that has one, oldest first."""
    series, facts = view.timeline.series("signal:tidal_volume"), view.timeline.upto("signal:tidal_volume", view.at)
    charted = {fact.at // MINUTE: fact.value for fact in facts}
    ages = {method: (view.max_age("tidal_volume", method) or 0) // MINUTE for method in (None, *BY_HAND)}
    expires, volume = -1, 0.0
    for minute in range(first - max(ages.values()), last):
        sent = None if series is None else series.at(minute)
        if sent is not None:
            volume, expires = sent, minute + ages[None]
        elif minute in charted:
            said = charted[minute]
            volume, expires = said.value, minute + ages[said.method] if said.readable else -1
        if first <= minute <= expires:
            yield volume


def _gas_known(view: View) -> Evaluation:
    value = view.value("pf_steady")
    return Evaluation(MET if value.known else NOT_MET, "an arterial sample decides", value.findings)


def _fio2_unsteady(view: View) -> Evaluation:
    label, value = "FiO2 changed before the sample", view.value("pf_steady")
    if FRACTION in value.missing:
        return Evaluation(UNKNOWN, label, value.findings, (FRACTION,))
    return Evaluation(MET if UNSTEADY in value.missing else NOT_MET, label, value.findings)


def _probable_venous_sample(view: View) -> Evaluation:
    """The newest sample contradicts the saturation; of a low oxygen tension without a saturation it cannot be told."""
    label = "probably a venous sample"
    gas = view.timeline.latest("signal:pao2", view.at)
    limit = view.max_age("pao2")
    if gas is None or (limit is not None and view.at - gas.at > limit):
        return Evaluation(NOT_MET, label)
    view.note(gas.at + (limit or DAY) + TICK)
    found = (view.found("pao2", gas.value.value, gas),)
    if gas.value.value < view.number("venous_pao2") and saturation_before(view, gas) is None:
        return Evaluation(UNKNOWN, label, found, ("spo2",))
    return Evaluation(MET if probably_venous(view, gas) else NOT_MET, label, found)


class _Shown(NamedTuple):
    """The saturation in use: when it was true, and of the same minute its signal quality and the heart rate."""

    at: int
    quality: dict[str, float]


def _signal(view: View) -> _Shown | None:
    """The newest usable saturation; of one charted by hand, nobody knows how good the signal was."""
    charted = view.charted("spo2", view.at)
    if charted is not None:
        return _Shown(charted.at, {})
    series = view.timeline.series("signal:spo2")
    if series is None:
        return None
    view.note(series.next_end(view.at))
    age = view.max_age("spo2") or 0
    minute = series.newest_before(view.at, age)
    if minute is None:
        return None
    view.note((minute + 1) * MINUTE + age + TICK)
    found = {}
    for name in ("perfusion_index", "pleth_rate", "heart_rate"):
        other = view.timeline.series(f"signal:{name}")
        value = None if other is None else other.at(minute)
        if value is not None:
            found[name] = value
    return _Shown((minute + 1) * MINUTE, found)


def _faults(view: View) -> Iterator[Finding]:
    """What speaks against the saturation that is measured now."""
    probe, fact = view.coded("spo2_probe_off")
    if probe == "present" and fact is not None:
        yield Finding("spo2_probe_off", "probe off", fact.at, fact.event)
    shown_now = _signal(view)
    if shown_now is None:
        return
    end, quality = shown_now
    index = quality.get("perfusion_index")
    if index is not None and index < view.number("perfusion_low"):
        yield Finding("perfusion_index", f"perfusion index {number(index)} %", end)
    pulse, heart = quality.get("pleth_rate"), quality.get("heart_rate")
    if pulse is not None and heart is not None and abs(pulse - heart) > view.number("pleth_difference"):
        yield Finding("pleth_rate", f"pulse {number(pulse)} against {number(heart)} /min of the ECG", end)
    gas, shown = _compared(view)
    if gas is not None and round(abs(shown - gas.value.value), 6) > view.number("saturation_difference"):
        text = f"{number(shown)} % against {number(gas.value.value)} % in the blood gas"
        yield Finding("sao2", text, gas.at, gas.event)


def _compared(view: View) -> tuple[Fact | None, float]:
    """The newest arterial saturation, if it is not too old, and what the pulse oximeter showed just before it."""
    gas = view.timeline.latest("signal:sao2", view.at)
    limit = view.max_age("sao2") or 0
    if gas is None or not gas.value.readable or not arterial(gas.value) or view.at - gas.at > limit:
        return None, 0.0
    view.note(gas.at + limit + TICK)
    shown = saturation_before(view, gas)
    return (None, 0.0) if shown is None else (gas, shown)


def _sensor_artefact(view: View) -> Evaluation:
    """Something speaks against the saturation; where nothing speaks for it either, it cannot be told."""
    label = "saturation not trustworthy"
    found = tuple(_faults(view))
    if found:
        return Evaluation(MET, label, found)
    shown = _signal(view)
    if shown is None or _compared(view)[0] is not None:
        return Evaluation(NOT_MET, label)
    if "perfusion_index" in shown.quality or {"pleth_rate", "heart_rate"} <= shown.quality.keys():
        return Evaluation(NOT_MET, label)
    return Evaluation(UNKNOWN, label, (), ("spo2_quality",))


def _good_signal(view: View) -> Evaluation:
    """Nothing speaks against the saturation, and both perfusion index and pulse are there to speak for it."""
    label = "saturation with a good signal"
    needed = ("perfusion_index", "pleth_rate", "heart_rate")
    absent = tuple(name for name in needed if view.timeline.series(f"signal:{name}") is None)
    if absent:
        return Evaluation(UNKNOWN, label, (), absent)
    shown = _signal(view)
    if any(_faults(view)):
        return Evaluation(NOT_MET, label)
    missing = tuple(name for name in needed if shown is None or name not in shown.quality)
    return Evaluation(UNKNOWN if missing else MET, label, (), missing)


_LINGERS: Final = ("pressure_lingers", "pressure_outlasts", "peep_least")
_GAS: Final = ("signal:pao2", "signal:fio2", "signal:spo2")
_GAS_NUMBERS: Final = ("venous_pao2", "venous_spo2", "fio2_steady_for")
_OF_A_GAS: Final = ("signal:pao2",)
"""Settings and saturation are read as they were when the sample was drawn."""
_SIGNAL: Final = tuple(f"signal:{name}" for name in ("spo2", "perfusion_index", "pleth_rate", "heart_rate", "sao2"))
_SIGNAL_NUMBERS: Final = ("perfusion_low", "pleth_difference", "saturation_difference")
_PRONE: Final = (*_GAS, "state:prone", *AIRWAY)

ARDS: Final = (
    Predicate(
        "insult_recent",
        "a known insult shortly before onset",
        "Berlin definition (source read)",
        ("state:ards_risk_factor", "state:covid19", "state:influenza"),
        _insult_recent,
        parameters=("onset_window",),
    ),
    Predicate(
        "gas_known",
        "an arterial sample on a steady FiO2 is new enough",
        "local setting",
        _GAS,
        _gas_known,
        parameters=_GAS_NUMBERS,
        can_be_unknown=False,
        looks_back=_OF_A_GAS,
    ),
    Predicate(
        "fio2_unsteady",
        "FiO2 was changed shortly before the newest sample",
        "local setting",
        _GAS,
        _fio2_unsteady,
        parameters=_GAS_NUMBERS,
        looks_back=_OF_A_GAS,
    ),
    Predicate(
        "probable_venous_sample",
        "the newest sample has a low oxygen tension at a good saturation",
        "local setting",
        ("signal:pao2", "signal:spo2"),
        _probable_venous_sample,
        parameters=_GAS_NUMBERS[:2],
        looks_back=_OF_A_GAS,
    ),
    Predicate(
        "vt_not_protective",
        "tidal volume per predicted body weight above the limit for too large a part of the last hours",
        "ATS/ESICM/SCCM 2017 (source read); tolerance: local setting",
        ("signal:tidal_volume", "signal:height", "state:sex", *AIRWAY),
        _vt_not_protective,
        parameters=("vt_limit", "vt_window", "vt_share", "pause_tolerance"),
        looks_back=(HOUR,),
    ),
    Predicate(
        "prone_attempted",
        "a prone session of this ventilation was long enough, and a sample after the turn still fails",
        "PROSEVA (source read)",
        _PRONE,
        _prone_attempted,
        parameters=("prone_accepted", "prone_gas_after", "prone_pf", "pause_tolerance", *_GAS_NUMBERS),
        looks_back=_OF_A_GAS,
        episode=True,
    ),
    Predicate(
        "supine_recently",
        "turned back supine a short while ago",
        "PROSEVA (source read)",
        ("state:prone", *AIRWAY),
        _supine_recently,
        parameters=("supine_settled", "pause_tolerance"),
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "oxygenation_restored",
        "hours after supine no prone position is needed any more, and not by a new inhaled vasodilator",
        "stop rule of PROSEVA (source read); inhaled vasodilator: general clinical knowledge",
        (*_PRONE, "signal:peep"),
        _oxygenation_restored,
        ("inhaled_vasodilator",),
        parameters=(
            "prone_pf",
            "stop_fio2",
            "stop_peep",
            "supine_settled",
            "vasodilator_bump",
            "pause_tolerance",
            *_GAS_NUMBERS,
        ),
        looks_back=(*_OF_A_GAS, HOUR),
        episode=True,
    ),
    Predicate(
        "inhaled_vasodilator_new",
        "an inhaled vasodilator has run for a short while",
        "general clinical knowledge, not checked against a source",
        ("signal:weight",),
        _inhaled_vasodilator_new,
        ("inhaled_vasodilator",),
        parameters=("vasodilator_bump",),
        looks_back=(HOUR,),
    ),
    Predicate(
        "airway_intubated",
        "the airway is intubated, by the newest record that says so, unless a ventilator's pressure contradicts it",
        "local setting",
        AIRWAY,
        intubated,
        parameters=_LINGERS,
    ),
    Predicate(
        "support_taken_off",
        "a device was taken off, or another put on, and no pressure was measured since",
        "local setting",
        (*AIRWAY, "state:high_flow_nasal_oxygen"),
        _support_taken_off,
        parameters=_LINGERS,
        can_be_unknown=False,
    ),
    Predicate(
        "extubated",
        "extubated in this episode",
        "local setting",
        AIRWAY,
        _extubated,
        can_be_unknown=False,
        episode=True,
    ),
    Predicate(
        "sensor_artefact",
        "pulse oximeter: low perfusion, pulse unlike the ECG, probe off, or unlike the blood gas",
        "local setting",
        (*_SIGNAL, "state:spo2_probe_off"),
        _sensor_artefact,
        parameters=_SIGNAL_NUMBERS,
        looks_back=("signal:sao2",),
    ),
    Predicate(
        "good_signal",
        "pulse oximeter with good perfusion and the pulse of the ECG",
        "local setting",
        (*_SIGNAL, "state:spo2_probe_off"),
        _good_signal,
        parameters=_SIGNAL_NUMBERS,
        looks_back=("signal:sao2",),
    ),
)
