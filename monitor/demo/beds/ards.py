"""Beds 7 and 10: ARDS that goes on failing in spite of everything, and one that had not had everything."""

from __future__ import annotations

from typing import Final

from monitor.demo.bedside import (
    END,
    START,
    Bed,
    accept,
    admit,
    begun,
    chart,
    crystalloid,
    done,
    dose,
    echo,
    ended,
    gas,
    lab,
    ventilator,
)

NOTHING_AGAINST_ECMO: Final = (
    "advanced_cancer fatal_intracranial_haemorrhage intracranial_haemorrhage intracranial_herniation "
    "irreversible_lung_destruction unsurvivable_comorbidity right_heart_failure acute_rv_failure immunosuppression "
    "haematological_malignancy stem_cell_transplant_or_gvhd cpr_over_15_min anticoagulation_contraindicated "
    "uncontrolled_bleeding chronic_dialysis renal_replacement pregnancy heparin_induced_thrombocytopenia "
    "chronic_home_oxygen"
)
NOTHING_AGAINST_STEROID: Final = (
    "covid19 influenza untreated_fungal_infection untreated_tuberculosis strongyloides_risk active_gi_bleeding "
    "recent_severe_tbi cerebral_malaria"
)
NOTHING_AGAINST_PRONE: Final = (
    "unstable_spine_or_pelvis open_abdomen_or_chest raised_intracranial_pressure massive_haemoptysis "
    "recent_tracheal_surgery_or_sternotomy late_pregnancy"
)

ARDS: Final = (
    # Pneumonia with ARDS and a little shock. Intubated yesterday, protective ventilation, proned overnight: oxygenation
    # is worse in spite of it, and by half past ten it has been so for six hours. Both pathways want a steroid.
    Bed(
        "bed-7",
        vitals=[
            ("06:45", 70, 108, 89, 26),
            ("08:00", 69, 106, 88, 26),
            ("10:20", 71, 104, 87, 26),
            (END, 72, 102, 87, 26),
        ],
        pumps={"norepinephrine": [("04:40", 0.10), ("05:30", 0.14)]},
        facts=[
            (
                "-1d 06:10",
                START,
                "chart",
                admit(
                    "male",
                    44,
                    80,
                    178,
                    has="suspected_infection bilateral_opacities ards_risk_factor passive_patient",
                    has_not=f"{NOTHING_AGAINST_ECMO} {NOTHING_AGAINST_STEROID} {NOTHING_AGAINST_PRONE}",
                ),
            ),
            ("-1d 06:40", START, "chart", begun("intubated")),
            ("-1d 06:30", START, "chart", done("culture_taken")),
            ("-1d 06:50", START, "chart", dose("ceftriaxone", 2000)),
            ("06:30", START, "chart", dose("ceftriaxone", 2000)),
            ("-1d 16:50", START, "chart", begun("prone")),
            ("05:40", START, "chart", crystalloid(2500, "03:10")),
            ("06:20", START, "chart", done("transducer_levelled")),
            ("02:05", START, "lab", gas(pao2=92, paco2=50, ph=7.33, lactate=1.8)),
            ("04:15", START, "lab", gas(pao2=70, paco2=52, ph=7.31, lactate=2.5)),
            ("06:20", START, "lab", gas(pao2=69, paco2=53, ph=7.30, lactate=2.7)),
            ("05:00", START, "lab", lab(sodium=141, glucose=8.4, creatinine=1.1, platelets=176, bilirubin=0.9)),
            ("06:10", START, "chart", chart(plateau_pressure=28, core_temperature=38.6)),
            ("06:30", START, "chart", echo("tamponade hypovolaemia pulmonary_embolism", lvef=58)),
            *ventilator("00:30", "06:50", fio2=0.9, peep=14, tidal_volume=430, respiratory_rate_set=26),
            *ventilator("07:00", END, fio2=0.9, peep=14, tidal_volume=430, respiratory_rate_set=26),
            ("07:50", "07:54", "chart", dose("hydrocortisone", 50)),
            ("08:25", "08:29", "lab", gas(pao2=68, paco2=53, ph=7.30, lactate=2.3)),
            ("09:05", "09:10", "chart", ended("prone")),
            ("10:20", "10:24", "lab", gas(pao2=66, paco2=54, ph=7.29, lactate=2.1)),
            ("10:40", "10:40", "chart", accept("bed-7", "ards/ARD-3/vv_ecmo")),
        ],
    ),
    # Aspiration in a short, heavy woman. Her tidal volume was set by her actual weight, and she was never turned prone:
    # what looks like refractory hypoxaemia gives way when both are put right.
    Bed(
        "bed-10",
        vitals=[
            ("06:45", 78, 98, 90, 22),
            ("08:40", 77, 100, 89, 22),
            ("09:10", 76, 98, 89, 28),
            ("10:10", 78, 92, 94, 28),
            (END, 79, 88, 95, 28),
        ],
        pumps={},
        facts=[
            (
                "-1d 14:30",
                START,
                "chart",
                admit(
                    "female",
                    51,
                    82,
                    158,
                    has="bilateral_opacities ards_risk_factor passive_patient",
                    has_not=f"suspected_infection {NOTHING_AGAINST_ECMO} {NOTHING_AGAINST_STEROID} "
                    f"{NOTHING_AGAINST_PRONE}",
                ),
            ),
            ("-1d 15:10", START, "chart", begun("intubated")),
            ("-1d 20:00", START, "chart", dose("dexamethasone", 20)),
            ("06:10", START, "lab", gas(pao2=77, paco2=44, ph=7.36, lactate=1.4)),
            ("05:00", START, "lab", lab(sodium=138, glucose=7.9, creatinine=0.8, platelets=231, bilirubin=0.7)),
            ("06:10", START, "chart", chart(plateau_pressure=29)),
            *ventilator("00:30", "06:50", fio2=0.8, peep=12, tidal_volume=480, respiratory_rate_set=22),
            *ventilator("07:00", "09:00", fio2=0.8, peep=12, tidal_volume=480, respiratory_rate_set=22),
            ("08:40", "08:44", "lab", gas(pao2=73, paco2=43, ph=7.36, lactate=1.5)),
            *ventilator("09:00", END, fio2=0.8, peep=12, tidal_volume=310, respiratory_rate_set=28),
            ("09:20", "09:25", "chart", begun("prone")),
            ("09:24", "09:25", "chart", chart(plateau_pressure=24)),
            ("10:55", "10:59", "lab", gas(pao2=128, paco2=49, ph=7.32, lactate=1.3)),
        ],
    ),
)
