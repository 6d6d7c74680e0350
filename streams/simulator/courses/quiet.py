"""Patients of whom a monitor of failing treatment has nothing to say, whatever their instruments show."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import ROUTINE, Course, Pump, Sampling, TrueState, begun, done, given

_STILL: Final = (TrueState("over", "-8:00", "none of the four states is there: nothing to interrupt anybody for"),)

QUIET: Final = (
    Course(
        name="quiet-postoperative",
        title="after a large operation, awake, with an arterial line",
        has_not="suspected_infection",
        drivers={"shunt": (("0:00", 0.07), ("6:00", 0.05)), "temperature": (("-4:00", 36.2), ("2:00", 37.3))},
        settings={"fio2": (("-8:00", 0.3), ("4:00", 0.21)), "flow": (("-8:00", 3.0), ("4:00", 0.0))},
        samples=ROUTINE,
        truth=_STILL,
    ),
    Course(
        name="quiet-vasopressor",
        title="after heart surgery, a little norepinephrine being weaned, no infection",
        admitted="-6:00",
        has_not="suspected_infection",
        drivers={"vasoplegia": (("-4:00", 16), ("6:00", 8), ("14:00", 0)), "temperature": (("0:00", 36.8),)},
        pumps=(Pump("norepinephrine", "ug/kg/min", (("-5:00", 0.1), ("3:00", 0.06), ("7:00", 0.03), ("11:00", "stop"))),),
        samples=ROUTINE,
        truth=_STILL,
    ),
    Course(
        name="quiet-pneumonia",
        title="pneumonia that does well on antimicrobials and a little oxygen",
        admitted="-10:00",
        has="suspected_infection",
        arterial_line=False,
        drivers={
            "shunt": (("-10:00", 0.14), ("12:00", 0.09)),
            "temperature": (("-10:00", 38.9), ("10:00", 37.4)),
            "hypoperfusion": (("-10:00", 0.05), ("0:00", 0.0)),
        },
        settings={"fio2": (("-9:30", 0.35), ("6:00", 0.28)), "flow": (("-9:30", 4.0), ("6:00", 2.0))},
        facts=(
            done("-9:20", "culture_taken"),
            *(given(at, "piperacillin_tazobactam") for at in ("-9:00", "-1:00", "7:00", "15:00", "23:00")),
        ),
        samples=ROUTINE,
        truth=_STILL,
    ),
    Course(
        name="quiet-ventilated",
        title="ventilated after a head injury, healthy lungs, sedated",
        admitted="-20:00",
        has_not="suspected_infection ards_risk_factor bilateral_opacities",
        ventilated=True,
        drivers={"shunt": (("0:00", 0.08),), "gcs": (("0:00", 7),), "plateau_pressure": (("0:00", 18),)},
        settings={
            "fio2": (("-19:00", 0.3),),
            "peep": (("-19:00", 6),),
            "tidal_volume": (("-19:00", 6.2),),
            "rate": (("-19:00", 16),),
        },
        pumps=(Pump("propofol", "ug/kg/min", (("-19:00", 40.0), ("5:00", 30.0))),),
        facts=(begun("-19:30", "intubated"),),
        samples=(*ROUTINE, Sampling("plateau", "-18:00", "6:00")),
        truth=_STILL,
    ),
    Course(
        name="quiet-epilepsy",
        title="known epilepsy, seizure-free, watched after an operation",
        admitted="-12:00",
        has="known_epilepsy",
        has_not="suspected_infection",
        arterial_line=False,
        samples=(*ROUTINE, Sampling("room_air", "-2:00", "1:00")),
        truth=_STILL,
    ),
)
