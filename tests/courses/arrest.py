"""Random courses of cardiac arrest that often go on to refractory arrest."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.courses.patients import admission, often, rarely, readings_at, some_findings
from tests.rules.strategies import Course, moment

_AGAINST: Final = (
    "ecmo_refused",
    "severe_frailty",
    "terminal_illness",
    "aortic_dissection",
    "uncontrolled_bleeding",
    "pregnancy",
    "chronic_dialysis",
    "peripheral_arterial_disease",
    "tension_pneumothorax",
    "cardiac_standstill",
    "prone",
)


def arrest(draw: st.DrawFn, course: Course) -> None:
    """An arrest of up to an hour and a half, from the collapse on."""
    admission(draw, course, {"sex": "male", "weight_kg": 85.0})
    if often(draw):
        where = draw(st.sampled_from(["absent", "present"]))
        course.add("encounter", 1, conditions=[{"code": "arrest_in_hospital", "presence": where}])
    end = draw(st.sampled_from([75, 60, 100, 150]))
    rhythm = draw(st.sampled_from(["vf", "vf", "pea", "asystole"]))
    _beginning(draw, course, rhythm)
    _shocks(draw, course, rhythm, end)
    _signals(draw, course, end)
    _drugs(draw, course, end)
    _outcome(draw, course, end)
    some_findings(draw, course, _AGAINST, 5, 60)
    if rarely(draw):
        readings_at(course, 20, {"potassium": (draw(st.sampled_from([5.4, 9.0, 13.0])), "mmol/L")}, lag=5)
        readings_at(course, 22, {"core_temperature": (draw(st.sampled_from([26, 36])), "Cel")})
    if rarely(draw):
        readings_at(course, 25, {"lactate": (draw(st.sampled_from([6, 19])), "mmol/L"), "ph": (6.9, "[pH]")}, lag=4)


def _beginning(draw: st.DrawFn, course: Course, rhythm: str) -> None:
    known: dict[str, Any] = {"witnessed": True} if often(draw) else {}
    if often(draw):
        known["rhythm"] = rhythm
    if often(draw):
        course.add("resuscitation", 5, lag=draw(st.sampled_from([0, 0, 11])), action="collapse", **known)
    else:
        known = {"witnessed": False, "last_seen_at": moment(-15), "rhythm": rhythm}
        course.add("resuscitation", 5, action="found", **known)
    course.add("resuscitation", 5 + draw(st.sampled_from([1, 2, 6, 12])), action="cpr_start")


def _shocks(draw: st.DrawFn, course: Course, rhythm: str, end: int) -> None:
    ahead = draw(st.sampled_from([0, 0, 0, 240]))
    clock: dict[str, Any] = {"clock_ahead_s": ahead} if ahead else {}
    at = 8
    for _ in range(draw(st.integers(2, 7))):
        at += draw(st.sampled_from([2, 2, 3, 5, 8]))
        if at >= end:
            return
        shown = at + ahead / 60
        if rhythm == "vf" and often(draw):
            energy = draw(st.sampled_from([200, 200, 100]))
            course.add("resuscitation", shown, lag=-ahead / 60, action="shock", energy_joules=energy, **clock)
        at += 1
        now = draw(st.sampled_from([rhythm, rhythm, "vf", "organised", "asystole"]))
        course.add("resuscitation", at + ahead / 60, lag=-ahead / 60, action="rhythm", rhythm=now, **clock)


def _signals(draw: st.DrawFn, course: Course, end: int) -> None:
    """What a monitor and a defibrillator say of the compressions, in stretches."""
    at = 7.0
    for _ in range(draw(st.integers(1, 4))):
        every = draw(st.sampled_from([0.5, 1, 2]))
        values: dict[str, tuple[float, str]] = {"etco2": (draw(st.sampled_from([22, 14, 8, 40])), "mm[Hg]")}
        if rarely(draw):
            values |= {"cpr_fraction": (draw(st.sampled_from([85, 52])), "%"), "cpr_rate": (110, "/min")}
            values |= {"cpr_depth": (draw(st.sampled_from([5.4, 4.1])), "cm")}
        if rarely(draw):
            values |= {"map_invasive": (draw(st.sampled_from([30, 70])), "mm[Hg]"), "heart_rate": (90, "/min")}
            values |= {"diastolic_invasive": (draw(st.sampled_from([15, 45])), "mm[Hg]")}
        lag = draw(st.sampled_from([0, 0, 0, 0.05]))
        for _ in range(draw(st.integers(3, 12))):
            if at < end:
                readings_at(course, at, values, lag=lag)
            at += every
        at += draw(st.sampled_from([0, 0, 3, 12]))


def _drugs(draw: st.DrawFn, course: Course, end: int) -> None:
    at = 10
    for _ in range(draw(st.integers(0, 5))):
        lag = draw(st.sampled_from([0, 0, 0, 12]))
        course.add("dose", at, lag=lag, drug="epinephrine", dose=1, unit="mg")
        at += draw(st.sampled_from([3, 4, 5, 9]))
    if often(draw):
        course.add("dose", draw(st.integers(12, 30)), drug="amiodarone", dose=300, unit="mg")


def _outcome(draw: st.DrawFn, course: Course, end: int) -> None:
    outcome = draw(st.sampled_from(["none", "none", "rosc", "paused", "brief", "stopped", "ecmo", "ecmo stated"]))
    at = draw(st.integers(16, end))
    if outcome in ("rosc", "brief", "paused"):
        course.add("resuscitation", at, action="cpr_stop" if outcome == "paused" else "rosc")
        if outcome == "brief":
            course.add("resuscitation", at + draw(st.sampled_from([4, 19, 21])), action="rearrest")
        if outcome != "rosc":
            course.add("resuscitation", at + draw(st.sampled_from([22, 23, 30])), action="cpr_start")
    elif outcome == "stopped":
        course.add("resuscitation", at, action="stopped")
    elif outcome == "ecmo":
        course.add("resuscitation", at, action="cannulation")
        course.add("resuscitation", at + 12, action="ecmo_flow")
    elif outcome == "ecmo stated":
        course.add("procedure", at, code="ecmo_va", action="start")
