"""Random courses of status epilepticus, refractory as a rule and super-refractory often."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.courses.patients import admission, often, rarely, readings_at, some_findings
from tests.rules.strategies import Course, moment

_AGAINST: Final = (
    "pregnancy",
    "pyruvate_carboxylase_deficiency",
    "pancreatitis",
    "liver_failure",
    "type_1_diabetes",
    "ileus",
    "eclampsia",
    "functional_seizure",
    "ketogenic_diet",
)
_FIRST: Final = (("lorazepam", 4, "mg"), ("lorazepam", 4, "mg"), ("lorazepam", 1, "mg"), ("diazepam", 10, "mg"))
_SECOND: Final = (
    ("levetiracetam", 4200, "mg"),
    ("levetiracetam", 4200, "mg"),
    ("levetiracetam", 1000, "mg"),
    ("valproate", 2800, "mg"),
    ("fosphenytoin", 1400, "mg"),
)


def epilepsy(draw: st.DrawFn, course: Course) -> None:
    """Seizures that go on through the first drugs, and in every other course through a day of anaesthesia."""
    admission(draw, course, {"sex": "female", "weight_kg": 70.0, "height_cm": 165.0})
    long = draw(st.booleans())
    kind = draw(st.sampled_from(["tonic_clonic", "tonic_clonic", "focal_impaired", "electrographic"]))
    course.add("seizure", 2, lag=draw(st.sampled_from([0, 0, 7])), action="start", semiology=kind)
    _drugs(draw, course)
    for at in (12, 25, 36, 44):
        if often(draw):
            course.add("seizure", at, lag=draw(st.sampled_from([0, 0, 6])), action="ongoing", semiology=kind)
    if often(draw):
        course.add("procedure", 40, code="ceeg", action="start")
    _laboratory(draw, course, 3)
    if long:
        _anaesthesia(draw, course)
    else:
        _eeg(draw, course, 45, draw(st.integers(70, 200)))
        if often(draw):
            course.add("seizure", draw(st.integers(46, 120)), action="stop", semiology=kind)
    some_findings(draw, course, _AGAINST, 5, 1500 if long else 90)


def _drugs(draw: st.DrawFn, course: Course) -> None:
    at = 7
    for drug, dose, unit in draw(st.lists(st.sampled_from(_FIRST), max_size=2)):
        course.add("dose", at, lag=draw(st.sampled_from([0, 0, 15])), drug=drug, dose=dose, unit=unit)
        at += draw(st.sampled_from([5, 8, 11]))
    at = draw(st.sampled_from([16, 20, 26]))
    for drug, dose, unit in draw(st.lists(st.sampled_from(_SECOND), min_size=1, max_size=2)):
        began = {"started_at": moment(at - 10)} if often(draw) else {}
        course.add("dose", at, lag=draw(st.sampled_from([0, 0, 20])), drug=drug, dose=dose, unit=unit, **began)
        at += draw(st.sampled_from([12, 20]))
    if rarely(draw):
        course.add("dose", 30, drug="meropenem", dose=1000, unit="mg")


def _laboratory(draw: st.DrawFn, course: Course, at: int) -> None:
    if often(draw):
        readings_at(course, at, {"glucose": (draw(st.sampled_from([110, 110, 38])), "mg/dL")}, lag=1)
    if rarely(draw):
        readings_at(course, at, {"sodium": (draw(st.sampled_from([140, 112])), "mmol/L")}, lag=30)
    if rarely(draw):
        readings_at(course, at + 9, {"glucose": (112, "mg/dL")})


def _charted(draw: st.DrawFn, course: Course, times: range, pause: int, drug: str, rate: float) -> None:
    """The rate as charted, weaned in the end; perhaps not for hours, perhaps with its pump from some time on."""
    unconfirmed = draw(st.sampled_from([0, 0, 300]))
    identified = draw(st.sampled_from([None, None, 750, 1300]))
    for at in times:
        pump: dict[str, Any] = {} if identified is None or at < identified else {"pump": "a"}
        if at == 600 and pause:
            course.add("infusion", at, drug=drug, action="pause")
            course.add("infusion", at + pause, drug=drug, action="resume")
        elif (at != 630 or not pause) and not 660 <= at < 660 + unconfirmed:
            weaned = rate / 2 if at > 1200 else rate
            course.add("infusion", at, action="rate", drug=drug, rate=weaned, unit="mg/kg/h", **pump)


def _anaesthesia(draw: st.DrawFn, course: Course) -> None:
    """A day and more under anaesthesia, with what a ketogenic diet must know."""
    drug, rate = draw(st.sampled_from([("midazolam", 0.3), ("midazolam", 0.3), ("propofol", 4.0), ("ketamine", 2.0)]))
    course.add("infusion", 60, action="start", drug=drug, rate=rate, unit="mg/kg/h")
    course.add("seizure", 70, action="stop", semiology="tonic_clonic")
    if often(draw):
        seen = draw(st.sampled_from(["seizure_suppressed_on_eeg", "burst_suppression"]))
        course.add("assessment", 120, examination="ceeg", findings=[{"code": seen, "presence": "present"}])
    hours = draw(st.sampled_from([27, 30, 25]))
    pause = draw(st.sampled_from([0, 0, 20, 45]))
    _charted(draw, course, range(90, hours * 60, 30), pause, drug, rate)
    if rarely(draw):
        course.add("infusion", 300, action="start", drug="thiopental", rate=3.0, unit="mg/kg/h")
        course.add("infusion", draw(st.sampled_from([330, 700, 1210])), action="stop", drug="thiopental")
    if often(draw):
        begin = draw(st.sampled_from([1320, 1440, 1500]))
        course.add("seizure", begin, action="start", semiology="electrographic")
        for at in range(begin + 20, min(begin + 200, hours * 60), 20):
            course.add("seizure", at, action="ongoing", semiology="electrographic")
    known = ["pregnancy", "ileus", "pancreatitis", "liver_failure", "type_1_diabetes", "bleeding_diathesis"]
    findings = [{"code": code, "presence": "absent"} for code in known]
    findings += [{"code": code, "presence": "present"} for code in ("enteral_access_working", "metabolic_screen_sent")]
    if often(draw):
        course.add("encounter", 1400, conditions=findings)
        values = {
            "triglycerides": (draw(st.sampled_from([180, 180, 700])), "mg/dL"),
            "lipase": (40, "U/L"),
            "bicarbonate": (draw(st.sampled_from([23, 23, 12])), "mmol/L"),
            "sodium": (140, "mmol/L"),
            "bilirubin": (0.8, "mg/dL"),
            "glucose": (110, "mg/dL"),
            "potassium": (4.1, "mmol/L"),
            "lactate": (1.2, "mmol/L"),
        }
        readings_at(course, 1400, values, lag=draw(st.sampled_from([0, 35])))
    if rarely(draw):
        course.add("procedure", 1550, code="ketogenic_diet", action="start")
        readings_at(course, 1600, {"glucose": (46, "mg/dL")})
    if rarely(draw):
        _eeg(draw, course, 1300, 1400)


def _eeg(draw: st.DrawFn, course: Course, begin: int, end: int) -> None:
    """Seizure burden by the hour's tenths, or minutes of seizure of each hour's sixths."""
    if draw(st.booleans()):
        at = begin
        level = draw(st.sampled_from([0, 25, 60]))
        while at < end:
            readings_at(course, at, {"eeg_seizure_burden": (level, "%")})
            at += draw(st.sampled_from([1, 1, 5]))
            level = draw(st.sampled_from([level, level, level, 0, 40]))
    else:
        for at in range(begin // 10 * 10 + 10, end, 10):
            readings_at(course, at, {"eeg_seizure_minutes": (draw(st.sampled_from([0, 2, 3, 6])), "min")})
