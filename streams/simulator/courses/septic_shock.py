"""Septic shock: one that becomes refractory, one that responds, and one that only looks refractory."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import (
    ROUTINE,
    Course,
    PerKilogram,
    Pump,
    Sampling,
    TrueState,
    crystalloid,
    done,
    dose,
    echo,
    given,
)

_FLUID: Final = (
    crystalloid("0:50", PerKilogram(10), "0:15"),
    crystalloid("1:25", PerKilogram(10), "0:50"),
    crystalloid("2:00", PerKilogram(10.5), "1:25"),
)
"""The initial 30 mL/kg, complete after two hours."""
_INFECTION: Final = (
    done("0:20", "culture_taken"),
    *(given(at, "meropenem") for at in ("0:35", "8:35", "16:35", "24:35")),
)
_STEROID: Final = tuple(dose(at, "hydrocortisone", 50) for at in ("4:45", "10:45", "16:45", "22:45"))
_CLOSELY: Final = (
    *(sampling for sampling in ROUTINE if sampling.panel != "gas"),
    Sampling("gas", "0:10", "1:45", 0.05),
    Sampling("refill", "0:30", "0:45"),
)
_NOTHING_AGAINST: Final = (
    "limb_ischaemia mesenteric_ischaemia acute_coronary_syndrome active_gi_bleeding uncontrolled_bleeding "
    "intracranial_haemorrhage untreated_fungal_infection untreated_tuberculosis strongyloides_risk"
)

SEPTIC_SHOCK: Final = (
    Course(
        name="septic-shock-refractory",
        title="septic shock that goes on rising in spite of fluid, antimicrobials and two vasopressors",
        pathway="septic-shock",
        ages=(38, 64),
        admitted="-0:20",
        has="suspected_infection",
        has_not=_NOTHING_AGAINST,
        drivers={
            "vasoplegia": (("-0:30", 8), ("0:20", 28), ("2:00", 44), ("4:00", 62), ("6:00", 70), ("12:00", 76)),
            "hypoperfusion": (("-0:30", 0.1), ("0:40", 0.5), ("4:00", 0.75), ("8:00", 0.9)),
            "temperature": (("-0:30", 38.2), ("1:00", 39.0), ("8:00", 38.0)),
            "shunt": (("0:00", 0.08), ("6:00", 0.14)),
            "creatinine": (("0:00", 1.3), ("12:00", 2.8)),
            "platelets": (("0:00", 160), ("12:00", 75)),
            "gcs": (("0:00", 14), ("6:00", 13)),
        },
        settings={"fio2": (("-0:20", 0.4),)},
        pumps=(
            Pump(
                "norepinephrine",
                "ug/kg/min",
                (
                    ("0:50", 0.10),
                    ("1:15", 0.18),
                    ("1:45", 0.25),
                    ("2:30", 0.35),
                    ("3:10", 0.45),
                    ("3:40", 0.55),
                    ("5:00", 0.65),
                    ("8:00", 0.80),
                ),
            ),
            Pump("vasopressin", "U/min", (("2:45", 0.03),)),
        ),
        facts=(*_FLUID, *_INFECTION, *_STEROID, echo("3:00", 58), echo("13:00", 55), echo("23:00", 55)),
        samples=_CLOSELY,
        truth=(
            TrueState("present", "0:50", "infection, vasopressor needed, lactate above 2 mmol/L", "SEP-1"),
            TrueState(
                "refractory",
                "4:10",
                "norepinephrine equivalents above 0.5 ug/kg/min for 60 min, poor perfusion, fluid given, "
                "other causes excluded by echo",
                "SEP-3",
            ),
        ),
    ),
    Course(
        name="septic-shock-responds",
        title="septic shock that responds to fluid, antimicrobials and a moderate dose",
        pathway="septic-shock",
        admitted="-0:20",
        has="suspected_infection",
        has_not=_NOTHING_AGAINST,
        drivers={
            "vasoplegia": (("-0:30", 8), ("0:20", 30), ("2:30", 46), ("4:00", 44), ("8:00", 26), ("12:00", 4)),
            "hypoperfusion": (("-0:30", 0.1), ("0:40", 0.45), ("3:00", 0.4), ("6:00", 0.05), ("7:00", 0.0)),
            "temperature": (("-0:30", 38.0), ("1:00", 38.8), ("8:00", 37.4)),
            "creatinine": (("0:00", 1.2), ("3:00", 1.6), ("12:00", 1.1)),
        },
        settings={"fio2": (("-0:20", 0.3), ("9:00", 0.21))},
        pumps=(
            Pump(
                "norepinephrine",
                "ug/kg/min",
                (
                    ("0:50", 0.10),
                    ("1:20", 0.20),
                    ("2:00", 0.35),
                    ("5:00", 0.28),
                    ("6:30", 0.18),
                    ("8:00", 0.10),
                    ("9:30", 0.06),
                    ("11:00", "stop"),
                ),
            ),
        ),
        facts=(*_FLUID, *_INFECTION, echo("3:00", 60)),
        samples=_CLOSELY,
        truth=(
            TrueState("present", "0:50", "infection, vasopressor needed, lactate above 2 mmol/L", "SEP-1", "8:00"),
            TrueState("over", "8:00", "norepinephrine at most 0.10 ug/kg/min with a normal lactate, then stopped"),
        ),
    ),
    Course(
        name="septic-shock-interrupted",
        title="septic shock that looks refractory while the pump does not deliver",
        pathway="septic-shock",
        admitted="-0:20",
        has="suspected_infection",
        has_not=_NOTHING_AGAINST,
        drivers={
            "vasoplegia": (
                ("-0:30", 8),
                ("0:20", 28),
                ("2:00", 42),
                ("4:00", 56),
                ("5:00", 54),
                ("7:00", 40),
                ("10:00", 24),
            ),
            "hypoperfusion": (("-0:30", 0.1), ("0:40", 0.5), ("4:00", 0.5), ("7:00", 0.1), ("9:00", 0.0)),
            "temperature": (("-0:30", 38.2), ("1:00", 39.0), ("8:00", 37.6)),
            "creatinine": (("0:00", 1.2), ("6:00", 1.8), ("14:00", 1.4)),
        },
        settings={"fio2": (("-0:20", 0.35),)},
        pumps=(
            Pump(
                "norepinephrine",
                "ug/kg/min",
                (
                    ("0:50", 0.10),
                    ("1:15", 0.20),
                    ("1:50", 0.35),
                    ("2:40", 0.40),
                    ("3:10", 0.50),
                    ("3:52", "occlusion"),
                    ("3:53", "pause"),
                    ("4:05", "resume"),
                    ("4:34", 0.40),
                    ("5:30", 0.32),
                    ("7:00", 0.22),
                    ("9:00", 0.12),
                    ("12:00", 0.06),
                ),
            ),
            Pump("vasopressin", "U/min", (("2:45", 0.03), ("8:00", "stop"))),
        ),
        facts=(*_FLUID, *_INFECTION, *_STEROID[:2], echo("3:00", 57)),
        samples=_CLOSELY,
        truth=(
            TrueState("present", "0:50", "infection, vasopressor needed, lactate above 2 mmol/L", "SEP-1", "12:00"),
            TrueState(
                "apparent",
                "3:52",
                "norepinephrine equivalents above 0.5 ug/kg/min are set, but the pump stood still for 12 minutes",
                "SEP-3",
                "4:34",
            ),
            TrueState("over", "12:00", "norepinephrine at most 0.10 ug/kg/min with a normal lactate"),
        ),
    ),
)
