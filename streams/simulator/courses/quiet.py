"""Patients of whom a monitor of failing treatment has nothing to say, whatever their instruments show."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import (
    ROUTINE,
    Course,
    PerKilogram,
    Pump,
    Sampling,
    TrueState,
    begun,
    crystalloid,
    done,
    dose,
    echo,
    found,
    given,
)

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
        pumps=(
            Pump("norepinephrine", "ug/kg/min", (("-5:00", 0.1), ("3:00", 0.06), ("7:00", 0.03), ("11:00", "stop"))),
        ),
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
        name="quiet-shock-steady",
        title="septic shock, steady since yesterday on a moderate dose and hydrocortisone, pressure well above target",
        pathway="septic-shock",
        ages=(35, 80),
        admitted="-20:00",
        has="suspected_infection",
        drivers={
            "vasoplegia": (("-20:00", 42),),
            "hypoperfusion": (("-20:00", 0.3), ("1:00", 0.26), ("6:00", 0.12)),
            "temperature": (("-20:00", 38.6), ("0:00", 37.6)),
            "shunt": (("0:00", 0.09),),
            "creatinine": (("-20:00", 1.6), ("12:00", 1.2)),
        },
        settings={"fio2": (("-20:00", 0.35),), "flow": (("-20:00", 4.0),)},
        pumps=(Pump("norepinephrine", "ug/kg/min", (("-19:00", 0.30), ("-8:00", 0.27), ("10:00", 0.26))),),
        facts=(
            crystalloid("-17:30", PerKilogram(31), "-19:30"),
            done("-19:30", "culture_taken"),
            *(given(at, "meropenem") for at in ("-19:20", "-11:20", "-3:20", "4:40", "12:40", "20:40")),
            *(dose(at, "hydrocortisone", 50) for at in ("-14:00", "-8:00", "-2:00", "4:00", "10:00", "16:00", "22:00")),
            echo("-16:00", 60),
        ),
        samples=(*ROUTINE, Sampling("refill", "-2:00", "1:00")),
        truth=(
            TrueState(
                "present", "-19:00", "infection, vasopressor needed; under control, nobody need be called", "SEP-1"
            ),
        ),
    ),
    Course(
        name="quiet-ards-mild",
        title="mild ARDS on protective ventilation and a steroid, slowly better",
        pathway="ards",
        admitted="-30:00",
        has="ards_risk_factor passive_patient",
        has_not="suspected_infection covid19 influenza",
        ventilated=True,
        drivers={
            "shunt": (("-30:00", 0.18), ("0:00", 0.15), ("12:00", 0.14)),
            "paco2": (("-30:00", 44),),
            "temperature": (("-30:00", 38.0), ("6:00", 37.4)),
            "gcs": (("-30:00", 7),),
            "plateau_pressure": (("-30:00", 23),),
        },
        settings={
            "fio2": (("-27:00", 0.5),),
            "peep": (("-27:00", 10),),
            "tidal_volume": (("-27:00", 6.0),),
            "rate": (("-27:00", 22),),
        },
        pumps=(Pump("propofol", "ug/kg/min", (("-26:30", 30.0),)),),
        facts=(
            begun("-27:00", "intubated"),
            *(found(at, "chest_imaging", "bilateral_opacities") for at in ("-26:00", "-2:00", "20:00")),
            *(dose(at, "dexamethasone", 20) for at in ("-24:00", "0:00", "24:00")),
        ),
        samples=(*ROUTINE, Sampling("plateau", "-26:00", "6:00")),
        truth=(TrueState("present", "-26:30", "bilateral opacities, a known insult, P/F below 300 on PEEP", "ARD-0"),),
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
