"""Random courses of ARDS that often end in refractory hypoxaemia."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.courses.patients import admission, often, rarely, readings_at, some_findings
from tests.rules.strategies import Course

_AGAINST: Final = (
    "ecmo_refused",
    "advanced_cancer",
    "intracranial_haemorrhage",
    "immunosuppression",
    "anticoagulation_contraindicated",
    "influenza",
    "active_gi_bleeding",
    "allergy_hydrocortisone",
    "chronic_home_oxygen",
    "pregnancy",
    "open_abdomen_or_chest",
)


def ards(draw: st.DrawFn, course: Course) -> None:
    """A ventilated patient whose oxygenation fails over a day, with most of what the definition asks for."""
    admission(draw, course, {"sex": "female", "weight_kg": 65.0, "height_cm": 165.0})
    present = {"covid19": draw(st.sampled_from(["absent", "present", "unknown"]))}
    recovers = rarely(draw)
    if recovers or often(draw):
        present |= {"bilateral_opacities": "present", "ards_risk_factor": "present"}
    if often(draw):
        present |= {"influenza": "absent", "passive_patient": "present"}
    _airway(draw, course)
    conditions = [{"code": code, "presence": presence} for code, presence in present.items()]
    course.add("encounter", 1, conditions=conditions)
    begin = 16 * 60
    end = begin + draw(st.sampled_from([600, 420, 840]))
    proned = draw(st.sampled_from(["done", "done", "short", "contraindicated", "no"]))
    _prone(draw, course, proned, begin)
    _settings(draw, course, begin, end)
    _gases(draw, course, begin, end)
    some_findings(draw, course, _AGAINST, begin, end)
    _treatments(draw, course, begin, end)
    if recovers:
        course.add("procedure", end - 30, code="intubated", action="stop")
        _extubated(draw, course, end)


def _airway(draw: st.DrawFn, course: Course) -> None:
    """The tube as it is charted: mostly as such, else only as ventilation, or not at all since there was none."""
    charted = draw(st.sampled_from(["tube", "tube", "tube", "ventilation", "none", "tracheostomy"]))
    if charted == "none":
        course.add("encounter", -30, conditions=[{"code": "intubated", "presence": "absent"}])
        return
    course.add("procedure", 0, code="invasive_ventilation" if charted == "ventilation" else "intubated", action="start")
    if charted == "tracheostomy":
        at = draw(st.sampled_from([600, 1100, 1300]))
        course.add("procedure", at, code="intubated", action="stop")
        course.add("procedure", at + draw(st.sampled_from([0, 5])), code="invasive_ventilation", action="start")


def _extubated(draw: st.DrawFn, course: Course, begin: int) -> None:
    """High-flow oxygen after the tube, on which oxygenation holds or fails once more."""
    if not often(draw):
        return
    course.add("procedure", begin - 30, code="high_flow_nasal_oxygen", action="start")
    for at in range(begin, begin + 720, 180):
        flow = draw(st.sampled_from([50, 50, 20]))
        readings_at(course, at, {"oxygen_flow": (flow, "L/min"), "fio2": (0.6, "1")})
        readings_at(course, at + 5, {"pao2": (draw(st.sampled_from([110, 54, 54])), "mm[Hg]")}, lag=5)
    if often(draw):
        conditions = [{"code": "bilateral_opacities", "presence": draw(st.sampled_from(["present", "absent"]))}]
        course.add("encounter", begin + draw(st.sampled_from([60, 400])), conditions=conditions)


def _prone(draw: st.DrawFn, course: Course, proned: str, begin: int) -> None:
    if proned == "contraindicated":
        course.add("encounter", begin, conditions=[{"code": "prone_contraindicated", "presence": "present"}])
    elif proned != "no":
        start = begin - 720
        course.add("procedure", start, code="prone", action="start")
        length = 960 if proned == "done" else draw(st.sampled_from([300, 715]))
        if often(draw):
            course.add("procedure", start + length, lag=draw(st.sampled_from([0, 15])), code="prone", action="stop")


def _settings(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    """FiO2, PEEP and tidal volume by device or by hand, with now and then a change or a gap."""
    every = draw(st.sampled_from([30, 30, 60, 120]))
    by_hand = {"method": "charted"} if every > 30 or rarely(draw) else {}
    fio2, peep, volume = draw(st.sampled_from([0.9, 0.9, 1.0, 0.7])), draw(st.sampled_from([14, 10, 8])), 340
    if rarely(draw):
        volume = 480
    for at in range(begin, end, every):
        if rarely(draw):
            continue
        if rarely(draw):
            fio2, peep = draw(st.sampled_from([0.6, 0.8, 1.0])), draw(st.sampled_from([8, 10, 16]))
        values = {"fio2": (fio2, "1"), "peep": (peep, "cm[H2O]"), "tidal_volume": (volume, "mL")}
        readings_at(course, at, values, lag=draw(st.sampled_from([0, 0, 0, 20])), **by_hand)
    for at in draw(st.lists(st.integers(begin // 60, end // 60), min_size=1, max_size=3, unique=True)):
        readings_at(course, at * 60, {"plateau_pressure": (draw(st.sampled_from([29, 28, 34])), "cm[H2O]")})
    if rarely(draw):
        readings_at(course, begin + 60, {"respiratory_rate": (draw(st.sampled_from([20, 35])), "/min")})


def _gases(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    level = draw(st.sampled_from([42, 42, 65, 68, 90, 150]))
    ph, paco2 = draw(st.sampled_from([(7.34, 48), (7.34, 48), (7.2, 68)]))
    at = begin + draw(st.sampled_from([30, 0, 95]))
    while at < end:
        values = {"pao2": (level + draw(st.integers(-3, 3)), "mm[Hg]"), "ph": (ph, "[pH]"), "paco2": (paco2, "mm[Hg]")}
        if rarely(draw):
            values["fio2"] = (0.85, "1")
        specimen: dict[str, Any] = {"specimen": draw(st.sampled_from(["arterial", "venous"]))} if rarely(draw) else {}
        readings_at(course, at, values, lag=draw(st.sampled_from([4, 5, 0, 40])), **specimen)
        at += draw(st.sampled_from([180, 120, 95, 60, 300]))
    for _ in range(draw(st.integers(0, 2))):
        _saturations(draw, course, draw(st.integers(begin, end)))


def _saturations(draw: st.DrawFn, course: Course, at: int) -> None:
    """Some minutes of pulse oximetry, good or not."""
    spo2, perfusion = draw(st.sampled_from([96, 88, 78])), draw(st.sampled_from([1.5, 0.2]))
    pulse = draw(st.sampled_from([110, 55]))
    for minute in range(draw(st.integers(2, 8))):
        values = {
            "spo2": (spo2, "%"),
            "perfusion_index": (perfusion, "%"),
            "pleth_rate": (pulse, "/min"),
            "heart_rate": (110, "/min"),
        }
        readings_at(course, at + minute, values)


def _treatments(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    if rarely(draw):
        at = draw(st.integers(begin, end))
        course.add("infusion", at, drug="cisatracurium", action="start", rate=0.15, unit="mg/kg/h")
    if rarely(draw):
        course.add("dose", draw(st.integers(begin, end)), drug="dexamethasone", dose=20, unit="mg")
    if rarely(draw):
        course.add("fluid", draw(st.integers(begin, end)), fluid="crystalloid", volume=3000, unit="mL")
    if rarely(draw):
        course.add("procedure", draw(st.integers(begin, end)), code="ecmo_vv", action="start")
