"""What stands at a bed and sends by itself: monitor, cuff, ventilator, EEG, defibrillator, and the written course."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from streams.simulator import artefacts
from streams.simulator.artefacts import Spell, Values
from streams.simulator.bed import Bed, Instrument
from streams.simulator.course import HOUR, MINUTE, Fact, coded, moment
from streams.simulator.series import Wander

VITALS: Final = (
    ("8867-4", "/min"),
    ("76214-6", "mm[Hg]"),
    ("76215-3", "mm[Hg]"),
    ("76213-8", "mm[Hg]"),
    ("59408-5", "%"),
    ("9279-1", "/min"),
    ("60985-9", "mm[Hg]"),
    ("19889-5", "mm[Hg]"),
)
"""Code and unit of each value of a bundle, by the places in :mod:`streams.simulator.artefacts`."""

_NOISE: Final = ((1.6, 20.0), (1.8, 25.0), (2.0, 40.0), (0.6, 45.0), (1.2, 30.0), (0.8, 60.0), (0.8, 25.0))
"""Fast noise of rate, pressure, pulse pressure, saturation, breathing, venous pressure, end-tidal: spread, memory."""
_HEAD: Final = tuple(f'{{"code":"{code}","value":' for code, _ in VITALS)
_TAIL: Final = tuple(f',"unit":"{unit}"}}' for _, unit in VITALS)
_DOUBTFUL: Final = tuple(f',"unit":"{unit}","quality":"questionable"}}' for _, unit in VITALS)
_OPENING: Final = '"kind":"observations","readings":['

_CUFF_EVERY: Final = (15 * MINUTE, 2 * HOUR)
"""How often a cuff inflates, without and with an arterial line (dossier: 1 to 15 min without)."""
_CUFF_WRONG: Final = 0.03
_REPORT: Final = 15 * MINUTE
"""How often a ventilator repeats its settings."""
_EEG_HOUR: Final = 60
_ELECTRODE_OFF: Final = 0.02
_ROUND: Final = 6 * HOUR
"""How often the transducer is levelled, and the doctor's plan looked at."""


def monitor(every: int) -> Instrument:
    """The bedside monitor, which sends a bundle of vitals so often (milliseconds)."""

    def run(bed: Bed) -> Iterator[int]:
        chance, spells = bed.chance("monitor"), artefacts.spells(bed.chance("artefacts"))
        noise = [Wander(chance, spread, memory) for spread, memory in _NOISE]
        spell = next(spells)
        # Monitors are not in step: each bed has its own fraction of the period, and its own way through the network.
        now, way = round(chance.random() * min(every, MINUTE)), 200 + round(chance.random() * 600)
        while True:
            yield now
            while spell.end <= now:
                spell = next(spells)
            values = _vitals(bed, [wander.step(every) for wander in noise])
            active = spell.begin <= now
            if active:
                artefacts.spoil(values, spell, chance)
            if readings := _readings(values, spell if active and spell.noticed else None):
                _send(bed, now, way + round(chance.random() * 400), readings, spell if active else None)
            now += every

    return run


def _send(bed: Bed, now: int, way: int, readings: str, spell: Spell | None) -> None:
    if spell is not None and spell.kind.silent:
        if spell.kind.kept:
            bed.send("monitor", now, spell.end + way, readings)
        return
    bed.send("monitor", now, now + way, readings)


def _vitals(bed: Bed, noise: Sequence[float]) -> Values:
    """What a monitor shows of the body now, in the order of a bundle."""
    body = bed.body
    beat, press, pulse, oxygen, breath, venous, carbon = noise
    if not body.attached:
        return [None] * len(VITALS)
    mean, swing = body.pressure + press, body.pulse_pressure + pulse
    line = bed.course.arterial_line
    circulates = body.circulation
    return [
        body.heart_rate + beat if circulates else None,
        mean if line else None,
        mean + 0.667 * swing if line else None,
        mean - 0.333 * swing if line else None,
        min(body.saturation + oxygen, 100.0) if circulates else None,
        max(body.respiratory_rate + breath, 0.0) if circulates or body.ventilated else None,
        9.0 + venous if line else None,
        max(body.end_tidal + carbon, 2.0) if body.ventilated or body.compressions else None,
    ]


def _readings(values: Values, noticed: Spell | None) -> str:
    doubtful = () if noticed is None else noticed.kind.places
    parts = [
        f"{_HEAD[place]}{value:.0f}{_DOUBTFUL[place] if place in doubtful else _TAIL[place]}"
        for place, value in enumerate(values)
        if value is not None
    ]
    return f"{_OPENING}{','.join(parts)}]" if parts else ""


def cuff(bed: Bed) -> Iterator[int]:
    """The cuff: the only pressure without an arterial line, a check of it with one; wrong now and then."""
    chance, every = bed.chance("cuff"), _CUFF_EVERY[bed.course.arterial_line]
    now = round(chance.random() * every)
    while True:
        yield now
        body = bed.body
        if body.attached and body.circulation:
            mean = body.pressure + chance.gauss(0.0, 3.0)
            if chance.random() < _CUFF_WRONG:
                mean += chance.choice((-1, 1)) * chance.uniform(20.0, 35.0)
            pulse = body.pulse_pressure * 0.9
            bundle = (
                ("8478-0", mean, "mm[Hg]"),
                ("8480-6", mean + 0.667 * pulse, "mm[Hg]"),
                ("8462-4", mean - 0.333 * pulse, "mm[Hg]"),
            )
            bed.send("monitor", now, now + 1500, observed(bundle))
        now += every


def ventilator(bed: Bed) -> Iterator[int]:
    """A ventilator, or a source of oxygen: its settings when they change, and now and then again."""
    chance, settings = bed.chance("ventilator"), bed.body.settings
    names = [name for name in ("fio2", "peep", "tidal_volume", "rate", "flow") if name in bed.course.settings]
    if not names:
        return
    times = sorted({at for name in names for at in settings[name].times})
    begin = times[0]
    changes = deque(times[1:])
    now = begin
    # A ventilator's own clock is a little off; it says so nowhere.
    ahead = round(chance.uniform(-8_000, 8_000))
    while True:
        yield now
        if bed.body.attached:
            bundle = [_setting(bed, name, chance.gauss(0.0, 1.0)) for name in names]
            bed.send("ventilator", now + ahead, now + 2_000 + round(chance.random() * 2_000), observed(bundle))
        now = begin + ((now - begin) // _REPORT + 1) * _REPORT
        if changes and changes[0] <= now:
            now = changes.popleft()


def _setting(bed: Bed, name: str, noise: float) -> tuple[str, float, str]:
    value = bed.body.setting(name)
    match name:
        case "fio2":
            return "19994-3", 100 * value, "%"
        case "peep":
            return "20077-4", value, "cm[H2O]"
        case "tidal_volume":
            return "76007-4", value * bed.person.predicted_weight + 4 * noise, "mL"
        case "rate":
            return "19834-1", value, "/min"
        case _:
            return "3151-8", value, "L/min"


def eeg(bed: Bed) -> Iterator[int]:
    """Continuous EEG: each minute the seizure burden of the last hour, and how deep the suppression is."""
    if "eeg" not in bed.course.settings:
        return
    chance, hour = bed.chance("eeg"), deque([False] * _EEG_HOUR, maxlen=_EEG_HOUR)
    now = bed.body.settings["eeg"].times[0]
    while True:
        yield now
        hour.append(bed.body.seizing)
        if bed.body.setting("eeg"):
            suppressed = 0.0 if bed.body.seizing else bed.body.setting("suppression")
            bundle = (
                ("eeg_seizure_burden", 100 * sum(hour) / _EEG_HOUR, "%"),
                ("burst_suppression", max(0.0, suppressed + chance.gauss(0.0, 3.0)) if suppressed else 0.0, "%"),
                ("eeg_electrodes_off", float(chance.random() < _ELECTRODE_OFF), "{electrodes}"),
            )
            bed.send("eeg", now, now + 3_000, observed(bundle))
        now += MINUTE


def defibrillator(bed: Bed) -> Iterator[int]:
    """A defibrillator: the quality of compressions four times a minute while they go on."""
    begins = [moment(fact.at) for fact in bed.course.facts if fact.body.get("action") == "collapse"]
    if not begins:
        return
    chance = bed.chance("defibrillator")
    now = min(begins) + bed.shift
    while bed.body.attached:
        yield now
        if bed.body.compressions:
            bundle = (
                ("etco2", bed.body.end_tidal + chance.gauss(0.0, 1.0), "mm[Hg]"),
                ("cpr_rate", chance.gauss(110.0, 3.0), "/min"),
                ("cpr_fraction", min(chance.gauss(88.0, 2.0), 100.0), "%"),
            )
            bed.send("defibrillator", now, now + 300, observed([*bundle, ("cpr_depth", 5.4, "cm")]))
        now += 15_000


def chart(bed: Bed) -> Iterator[int]:
    """The written course: admission, then every fact in turn; the body learns of it when it happens."""
    chance, course, person = bed.chance("chart"), bed.course, bed.person
    now = moment(course.admitted) + bed.shift
    yield now
    admission = {
        "kind": "encounter",
        "event": "admission",
        "bed": bed.name,
        "age_years": person.age,
        "sex": person.sex,
        "weight_kg": person.weight,
        "height_cm": person.height,
        "conditions": coded(course.has, course.has_not),
        "goals_of_care": course.goals,
    }
    bed.tell("chart", now, now + 20_000, admission)
    for fact in sorted(course.facts, key=lambda fact: moment(fact.at)):
        now = moment(fact.at) + bed.shift
        yield now
        bed.body.happen(fact.body)
        if fact.seen:
            late = round(chance.random() * fact.late * MINUTE)
            bed.tell(fact.source, now, now + 100 + late, _placed(fact, bed.shift))


def levelling(bed: Bed) -> Iterator[int]:
    """A nurse levels the transducer of the arterial line, once a shift and a little more often."""
    if not bed.course.arterial_line:
        return
    chance = bed.chance("levelling")
    now = moment(bed.course.admitted) + bed.shift + 20 * MINUTE
    fields = {"kind": "procedure", "code": "transducer_levelled", "action": "done"}
    while bed.body.attached:
        yield now
        bed.tell("chart", now, now + round(chance.random() * 3 * MINUTE), fields)
        now += _ROUND - round(chance.random() * HOUR)


def observed(bundle: Sequence[tuple[str, float, str]]) -> str:
    """The JSON fields of observations: code, value and unit of each."""
    parts = (f'{{"code":"{code}","value":{round(value, 2)},"unit":"{unit}"}}' for code, value, unit in bundle)
    return f"{_OPENING}{','.join(parts)}]"


def _placed(fact: Fact, shift: int) -> dict[str, object]:
    """A fact's fields with the times of the course counted from the start of the log."""
    return {
        key: moment(value) + shift if key in ("started_at", "last_seen_at") else value
        for key, value in fact.body.items()
    }
