"""Status epilepticus as numbers: seizure burden, doses against their targets, and how long anaesthesia has lasted."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from rules import anaesthesia, antiseizure, eeg, ketosis, seizures
from rules.instants import DAY, HOUR, MINUTE, clock_time
from rules.loading import Course
from rules.logic import Finding
from rules.quantities.base import Quantity
from rules.steps import Steps
from rules.values import Value, exact, number, unknown

if TYPE_CHECKING:
    from rules.view import View


def _seizing_for(view: View) -> Value:
    began = seizures.onset(view)
    now = seizures.seizing(view)
    if began is None or now.missing:
        return unknown(*(now.missing or ("seizure",)), low=0.0)
    minutes = (view.at - began) / MINUTE
    return exact(minutes, Finding("seizing_for", f"since {clock_time(began)}", began))


def _share(courses: Callable[[View], list[Course]], name: str) -> Callable[[View], Value]:
    def value(view: View) -> Value:
        found = antiseizure.best(courses(view))
        if found is None:
            return Value(0.0, 0.0, (), (Finding(name, "none completed in this episode"),))
        low, high = round(found.share.low * 100, 4), round(found.share.high * 100, 4)
        finding = antiseizure.in_words(view, found)._replace(measure=name)
        return Value(low, high, found.share.missing, (finding,))

    return value


def _second_line_gap(view: View) -> Value:
    """What is missing to an adequate second-line dose, in words and milligrams."""
    courses = antiseizure.second_line(view)
    found = antiseizure.best(courses)

    def said(low: float, high: float, text: str) -> Value:
        return Value(low, high, (), (Finding("second_line_gap", text),))

    if antiseizure.adequate(view, courses) is not None:
        return said(0.0, 0.0, "none, second-line dose adequate")
    if found is None:
        return said(0.0, inf, "no second-line drug completed that counts")
    if not found.share.known:
        return said(0.0, inf, f"not known ({', '.join(found.share.missing)} missing)")
    gap = found.target.low - found.given.low
    return said(gap, gap, antiseizure.gap_in_words(view, found))


def _anaesthesia_duration(view: View) -> Value:
    course = anaesthesia.course(view)
    if course is None:
        return Value(0.0, 0.0)
    text = f"since {clock_time(course.start)}, without gaps {number(round(course.least / HOUR, 1))} h"
    missing = course.missing if course.most > course.least else ()
    return Value(
        course.least / HOUR, course.most / HOUR, missing, (Finding("anaesthesia_duration", text, course.start),)
    )


def _ketosis_duration(view: View) -> Value:
    spell = ketosis.spell(view)
    if spell is None:
        return Value(0.0, 0.0)
    words = f"{number(round(spell.least / DAY, 1))} days of ketosis, diet since {clock_time(spell.since)}"
    found = Finding("ketosis_duration", words, spell.since)
    missing = ("beta_hydroxybutyrate",) if spell.most > spell.least else ()
    return Value(spell.least / DAY, spell.most / DAY, missing, (found,))


def _newest_temperature(view: View) -> Value:
    """The newest temperature, of the core where both were taken at once."""
    known = [
        (fact.at, name == "core_temperature", name)
        for name in ("temperature", "core_temperature")
        if view.value(name).findings and (fact := view.timeline.latest(f"signal:{name}", view.at)) is not None
    ]
    return view.value(max(known)[2]) if known else unknown("temperature")


def _propofol(view: View, bridge: int) -> Steps:
    return view.rate("propofol", bridge)


def _propofol_now(view: View) -> Value:
    rate = view.flow("propofol")
    if not rate.high:
        return rate
    return rate._replace(
        findings=(Finding("propofol_dose", rate.text("mg/kg/h"), view.rate("propofol").since(view.at)),)
    )


_DOSES: Final = "adequate doses: ESETT and AES 2016 as the pack's parameters say"

EPILEPSY: Final = (
    Quantity(
        "seizing_for",
        "seizing",
        "min",
        "seizures on record and EEG; an unconfirmed seizure is unknown (local setting)",
        seizures.READS,
        _seizing_for,
        parameters=seizures.PARAMETERS,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "electrographic_burden",
        "electrographic seizure burden of an hour",
        "%",
        "EEG software's own figure, or the sum of its ten-minute values",
        seizures.READS,
        eeg.hourly_burden,
        parameters=seizures.PARAMETERS,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "electrographic_run",
        "longest electrographic seizure of an hour",
        "min",
        "EEG software's own figure, or at least ten minutes where a ten-minute value is full",
        seizures.READS,
        eeg.longest_run,
        parameters=seizures.PARAMETERS,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "first_line_share",
        "benzodiazepine dose",
        "%",
        _DOSES,
        antiseizure.READS,
        _share(antiseizure.first_line, "first_line_share"),
        parameters=antiseizure.PARAMETERS,
        of_doses=antiseizure.OF_DOSES,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "second_line_share",
        "second-line dose",
        "%",
        _DOSES,
        antiseizure.READS,
        _share(antiseizure.second_line, "second_line_share"),
        parameters=antiseizure.PARAMETERS,
        of_doses=antiseizure.OF_DOSES,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "second_line_gap",
        "gap to an adequate second-line dose",
        "mg",
        _DOSES,
        antiseizure.READS,
        _second_line_gap,
        parameters=antiseizure.PARAMETERS,
        of_doses=antiseizure.OF_DOSES,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "anaesthesia_duration",
        "continuous anaesthesia",
        "h",
        "pump rates against the lowest maintenance rate; gaps longer than the limit do not count (local setting)",
        anaesthesia.READS,
        _anaesthesia_duration,
        parameters=anaesthesia.PARAMETERS,
        looks_back=seizures.LOOKS_BACK,
        episode=True,
    ),
    Quantity(
        "ketosis_duration",
        "ketosis during the present diet",
        "d",
        "beta-hydroxybutyrate against its target; between values too far apart nobody knows (local setting)",
        ketosis.READS,
        _ketosis_duration,
        parameters=ketosis.PARAMETERS,
        looks_back=ketosis.LOOKS_BACK,
    ),
    Quantity(
        "newest_temperature",
        "temperature",
        "Cel",
        "the newest one, of the core where both were taken at once",
        ("signal:temperature", "signal:core_temperature"),
        _newest_temperature,
    ),
    Quantity(
        "propofol_dose",
        "propofol",
        "mg/kg/h",
        "the rate charted or pumped",
        ("infusion:propofol", "signal:weight"),
        _propofol_now,
        _propofol,
    ),
)
