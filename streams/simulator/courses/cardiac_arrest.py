"""Cardiac arrest in hospital: one that is refractory, two in which circulation returns, and one found late."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import ROUTINE, Course, Fact, TrueState, arrest, begun, dose

_NOTHING_AGAINST: Final = (
    "suspected_infection advanced_cancer terminal_illness severe_dementia severe_frailty uncontrolled_bleeding "
    "aortic_dissection severe_aortic_regurgitation exsanguinating_trauma active_internal_bleeding"
)
_BEFORE: Final = {"hypoperfusion": (("-1:00", 0.0), ("0:00", 0.15)), "gcs": (("-0:01", 15), ("0:00", 3))}


def _shock(at: str) -> Fact:
    return arrest(at, "shock", energy_joules=200)


def _rhythm(at: str, rhythm: str) -> Fact:
    return arrest(at, "rhythm", rhythm=rhythm)


CARDIAC_ARREST: Final = (
    Course(
        name="arrest-refractory-vf",
        title="witnessed ventricular fibrillation that shocks do not end; E-CPR within the hour",
        pathway="cardiac-arrest",
        acute=True,
        ages=(35, 66),
        has="presumed_reversible_cause",
        has_not=_NOTHING_AGAINST,
        drivers=_BEFORE,
        facts=(
            arrest("0:00", "collapse", witnessed=True),
            arrest("0:01", "cpr_start"),
            _rhythm("0:02:30", "vf"),
            _shock("0:02:40"),
            _rhythm("0:04:40", "vf"),
            _shock("0:04:50"),
            dose("0:05:30", "epinephrine", 1),
            _rhythm("0:06:50", "vf"),
            _shock("0:07:00"),
            dose("0:07:40", "amiodarone", 300),
            _rhythm("0:09:00", "vf"),
            _shock("0:09:10"),
            dose("0:09:40", "epinephrine", 1),
            dose("0:13:40", "epinephrine", 1),
            dose("0:12:00", "amiodarone", 150),
            _rhythm("0:15:00", "vf"),
            dose("0:17:40", "epinephrine", 1),
            _rhythm("0:25:00", "vf"),
            arrest("0:34:00", "cannulation"),
            begun("0:46:00", "ecmo_va"),
            arrest("0:46:00", "ecmo_flow"),
        ),
        samples=ROUTINE,
        truth=(
            TrueState("present", "0:00", "collapse", "CA-0", "0:46"),
            TrueState("refractory", "0:09:00", "three shocks without return of circulation", "CA-2", "0:46"),
            TrueState("over", "0:46", "ECMO flows"),
        ),
    ),
    Course(
        name="arrest-rosc",
        title="ventricular fibrillation that the second shock ends, for good",
        pathway="cardiac-arrest",
        acute=True,
        has_not=_NOTHING_AGAINST,
        drivers=_BEFORE,
        facts=(
            arrest("0:00", "collapse", witnessed=True),
            arrest("0:00:40", "cpr_start"),
            _rhythm("0:02:00", "vf"),
            _shock("0:02:10"),
            _rhythm("0:04:10", "vf"),
            _shock("0:04:20"),
            arrest("0:06:20", "rosc", rhythm="organised"),
        ),
        samples=ROUTINE,
        truth=(
            TrueState("present", "0:00", "collapse", "CA-0", "0:06:20"),
            TrueState("over", "0:26:20", "circulation has lasted for 20 minutes"),
        ),
    ),
    Course(
        name="arrest-transient-rosc",
        title="circulation returns for six minutes, is lost again, and returns for good after half an hour",
        pathway="cardiac-arrest",
        acute=True,
        ages=(35, 66),
        has="presumed_reversible_cause",
        has_not=_NOTHING_AGAINST,
        drivers=_BEFORE,
        facts=(
            arrest("0:00", "collapse", witnessed=True),
            arrest("0:01", "cpr_start"),
            _rhythm("0:02:30", "vf"),
            _shock("0:02:40"),
            _rhythm("0:04:40", "vf"),
            _shock("0:04:50"),
            arrest("0:06:50", "rosc", rhythm="organised"),
            arrest("0:13:00", "rearrest", rhythm="vf"),
            arrest("0:13:00", "cpr_start"),
            _shock("0:13:50"),
            dose("0:14:30", "epinephrine", 1),
            _rhythm("0:15:50", "vf"),
            _shock("0:16:00"),
            _rhythm("0:18:00", "vf"),
            dose("0:18:20", "amiodarone", 300),
            dose("0:18:30", "epinephrine", 1),
            _shock("0:18:40"),
            _rhythm("0:20:40", "vf"),
            _shock("0:20:50"),
            dose("0:22:30", "epinephrine", 1),
            dose("0:26:30", "epinephrine", 1),
            arrest("0:30:00", "rosc", rhythm="organised"),
        ),
        samples=ROUTINE,
        truth=(
            TrueState("present", "0:00", "collapse", "CA-0", "0:30"),
            TrueState(
                "refractory",
                "0:17:10",
                "10 minutes of resuscitation in two parts; circulation did not last",
                "CA-2",
                "0:30",
            ),
            TrueState("over", "0:50", "circulation has lasted for 20 minutes"),
        ),
    ),
    Course(
        name="arrest-unwitnessed-asystole",
        title="found in asystole at night; resuscitation is stopped after half an hour",
        pathway="cardiac-arrest",
        acute=True,
        ages=(50, 85),
        arterial_line=False,
        has_not=_NOTHING_AGAINST,
        drivers=_BEFORE,
        facts=(
            arrest("-0:14", "collapse", seen=False),
            arrest("0:00", "found", witnessed=False, last_seen_at="-0:30"),
            arrest("0:01", "cpr_start"),
            _rhythm("0:02", "asystole"),
            dose("0:04", "epinephrine", 1),
            dose("0:08", "epinephrine", 1),
            _rhythm("0:10", "asystole"),
            dose("0:12", "epinephrine", 1),
            dose("0:16", "epinephrine", 1),
            _rhythm("0:20", "asystole"),
            dose("0:20", "epinephrine", 1),
            arrest("0:29", "stopped"),
        ),
        samples=ROUTINE,
        truth=(
            TrueState("present", "-0:14", "collapse that nobody saw", "CA-0", "0:29"),
            TrueState(
                "refractory", "0:11", "10 minutes of resuscitation in hospital; no candidate for E-CPR", "CA-2", "0:29"
            ),
            TrueState("over", "0:29", "the team stops"),
        ),
    ),
)
