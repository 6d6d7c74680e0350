"""ARDS: one that fails by an EOLIA criterion, one that improves in prone position, one known by saturation only."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import ROUTINE, Course, Pump, Sampling, TrueState, begun, dose, ended, found

_NOTHING_AGAINST: Final = (
    "advanced_cancer intracranial_haemorrhage immunosuppression right_heart_failure acute_rv_failure "
    "uncontrolled_bleeding anticoagulation_contraindicated covid19 influenza pneumothorax "
    "unstable_spine_or_pelvis open_abdomen_or_chest suspected_infection"
)
_IMAGED: Final = (
    found("-18:00", "chest_imaging", "bilateral_opacities"),
    found("6:00", "chest_imaging", "bilateral_opacities"),
    found("26:00", "chest_imaging", "bilateral_opacities"),
)
_BESIDE_GAS: Final = tuple(sampling for sampling in ROUTINE if sampling.panel != "gas")
_SEDATION: Final = Pump("propofol", "ug/kg/min", (("-21:30", 40.0),))

ARDS: Final = (
    Course(
        name="ards-refractory",
        title="ARDS that fails after protective ventilation and a prone session (EOLIA: P/F below 80 for 6 h)",
        pathway="ards",
        ages=(30, 62),
        admitted="-23:00",
        has="ards_risk_factor passive_patient",
        has_not=_NOTHING_AGAINST,
        ventilated=True,
        drivers={
            "shunt": (("-22:00", 0.25), ("-3:00", 0.27), ("-0:10", 0.29), ("0:20", 0.39), ("12:00", 0.40)),
            "paco2": (("-22:00", 48), ("0:00", 54)),
            "temperature": (("-22:00", 38.4), ("6:00", 37.9)),
            "plateau_pressure": (("-22:00", 27), ("6:00", 28)),
            "gcs": (("-22:00", 6),),
        },
        settings={
            "fio2": (("-22:00", 0.7), ("-3:00", 0.9)),
            "peep": (("-22:00", 12), ("-3:00", 14)),
            "tidal_volume": (("-22:00", 6.0),),
            "rate": (("-22:00", 26),),
        },
        pumps=(_SEDATION,),
        facts=(
            begun("-22:00", "intubated"),
            *_IMAGED,
            begun("-18:00", "prone"),
            ended("-1:30", "prone"),
            dose("-17:00", "dexamethasone", 20),
            dose("7:00", "dexamethasone", 20),
        ),
        samples=(
            *_BESIDE_GAS,
            Sampling("gas", "-20:30", "4:00", 0.0),
            Sampling("gas", "0:20", "0:55", 0.05),
            Sampling("plateau", "-21:00", "6:00"),
        ),
        truth=(
            TrueState("present", "-22:00", "bilateral opacities, a known insult, P/F below 300 on PEEP", "ARD-0"),
            TrueState(
                "refractory",
                "6:20",
                "P/F below 80 for 6 h on FiO2 0.9, tidal volume 6 mL/kg and PEEP 14, after a prone session",
                "ARD-3",
            ),
        ),
    ),
    Course(
        name="ards-improves-prone",
        title="ARDS that looks refractory before anybody turned the patient prone, and improves after it",
        pathway="ards",
        ages=(30, 70),
        admitted="-15:00",
        has="ards_risk_factor passive_patient",
        has_not=_NOTHING_AGAINST,
        ventilated=True,
        drivers={
            "shunt": (
                ("-14:00", 0.25),
                ("-3:00", 0.26),
                ("-1:00", 0.33),
                ("2:00", 0.33),
                ("4:00", 0.24),
                ("12:00", 0.20),
                ("20:00", 0.16),
            ),
            "paco2": (("-14:00", 46), ("8:00", 43)),
            "temperature": (("-14:00", 38.2), ("8:00", 37.5)),
            "plateau_pressure": (("-14:00", 27), ("8:00", 25)),
            "gcs": (("-14:00", 6),),
        },
        settings={
            "fio2": (("-14:00", 0.7), ("-2:30", 0.8), ("5:00", 0.7), ("9:00", 0.6), ("15:00", 0.5)),
            "peep": (("-14:00", 12), ("15:00", 10)),
            "tidal_volume": (("-14:00", 6.0),),
            "rate": (("-14:00", 24),),
        },
        pumps=(Pump("propofol", "ug/kg/min", (("-13:30", 40.0),)),),
        facts=(
            begun("-14:00", "intubated"),
            found("-13:00", "chest_imaging", "bilateral_opacities"),
            found("12:00", "chest_imaging", "bilateral_opacities"),
            begun("2:00", "prone"),
            ended("18:30", "prone"),
            dose("-12:00", "dexamethasone", 20),
            dose("12:00", "dexamethasone", 20),
        ),
        samples=(*_BESIDE_GAS, Sampling("gas", "-3:20", "1:30", 0.05), Sampling("plateau", "-13:00", "6:00")),
        truth=(
            TrueState("present", "-14:00", "bilateral opacities, a known insult, P/F below 300 on PEEP", "ARD-0"),
            TrueState("apparent", "0:30", "P/F below 100, but never turned prone", "ARD-2", "2:00"),
        ),
    ),
    Course(
        name="ards-saturation",
        title="ARDS on high-flow oxygen, known by saturation and ultrasound: no blood gas is taken",
        pathway="ards",
        admitted="-3:00",
        has="ards_risk_factor",
        has_not=_NOTHING_AGAINST,
        arterial_line=False,
        drivers={
            "shunt": (("-3:00", 0.24), ("3:00", 0.27), ("12:00", 0.22)),
            "temperature": (("-3:00", 38.4), ("8:00", 37.8)),
            "paco2": (("0:00", 35),),
        },
        settings={"fio2": (("-2:30", 0.5), ("1:00", 0.6)), "flow": (("-2:30", 45), ("1:00", 50))},
        facts=(
            begun("-2:30", "high_flow_nasal_oxygen"),
            found("-2:00", "chest_imaging", "opacities_on_ultrasound"),
            found("20:00", "chest_imaging", "opacities_on_ultrasound"),
        ),
        samples=_BESIDE_GAS,
        truth=(
            TrueState("present", "-2:00", "S/F at most 315 on high-flow oxygen, opacities by ultrasound", "ARD-0g"),
        ),
    ),
)
