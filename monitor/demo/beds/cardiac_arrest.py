"""Bed 9: a cardiac arrest that does not respond, until it does."""

from __future__ import annotations

from typing import Final

from monitor.demo.bedside import END, START, Bed, admit, arrest, chart, crystalloid, defibrillator, done, dose, gas, lab

NOTHING_AGAINST: Final = (
    "untreated_fungal_infection untreated_tuberculosis strongyloides_risk active_gi_bleeding recent_severe_tbi "
    "cerebral_malaria aortic_dissection severe_aortic_regurgitation uncontrolled_bleeding active_internal_bleeding "
    "exsanguinating_trauma severe_frailty severe_dementia terminal_illness peripheral_arterial_disease "
    "chronic_dialysis advanced_cancer"
)

CARDIAC_ARREST: Final = (
    # Coronary disease, and a pneumonia with septic shock. Ventricular fibrillation, three shocks in vain: E-CPR to be
    # discussed, and nobody is asked about a steroid. The fifth shock brings circulation back, and it lasts.
    Bed(
        "bed-9",
        vitals=[
            ("06:45", 72, 96, 95, 20),
            ("09:45", 66, 104, 94, 22),
            ("10:49", 66, 108, 94, 22),
            ("10:50", None, None, None, 10),
            ("11:06", None, None, None, 10),
            ("11:07", 74, 118, 91, 16),
            (END, 70, 106, 95, 16),
        ],
        pumps={"norepinephrine": [("09:40", 0.08), ("09:50", 0.12)]},
        facts=[
            (
                "-1d 18:00",
                START,
                "chart",
                admit("male", 57, 84, 178, has="suspected_infection arrest_in_hospital", has_not=NOTHING_AGAINST),
            ),
            ("-1d 18:20", START, "chart", done("culture_taken")),
            ("-1d 18:40", START, "chart", dose("ceftriaxone", 2000)),
            ("06:00", START, "lab", lab(sodium=138, glucose=8.1, creatinine=2.3, platelets=148, bilirubin=0.8)),
            ("06:40", START, "chart", chart(fio2=0.4, gcs=15)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("06:50", START, "lab", gas(lactate=1.5, ph=7.38, pao2=78)),
            ("09:30", "09:30", "chart", crystalloid(2600, "07:20")),
            ("09:40", "09:43", "lab", gas(lactate=2.6, ph=7.34, pao2=74, potassium=4.3)),
            ("10:45", "10:59", "chart", dose("hydrocortisone", 50)),
            ("10:50", "10:50", "chart", arrest("collapse", witnessed=True)),
            ("10:51", "10:51", "chart", arrest("cpr_start")),
            ("10:52", "10:52", "defibrillator", arrest("rhythm", rhythm="vf")),
            ("10:52:10", "10:52:10", "defibrillator", arrest("shock", energy_joules=200)),
            ("10:54:10", "10:54:10", "defibrillator", arrest("rhythm", rhythm="vf")),
            ("10:54:20", "10:54:20", "defibrillator", arrest("shock", energy_joules=200)),
            ("10:55", "10:55", "chart", dose("epinephrine", 1)),
            ("10:56:20", "10:56:20", "defibrillator", arrest("rhythm", rhythm="vf")),
            ("10:56:30", "10:56:30", "chart", dose("amiodarone", 300)),
            ("10:56:30", "10:56:30", "defibrillator", arrest("shock", energy_joules=200)),
            ("10:57:30", "10:58:30", "lab", gas(lactate=7.8, ph=7.12, potassium=4.6)),
            ("10:58:30", "10:58:30", "defibrillator", arrest("rhythm", rhythm="vf")),
            ("10:58:40", "10:58:40", "defibrillator", arrest("shock", energy_joules=200)),
            ("10:59", "10:59", "chart", dose("epinephrine", 1)),
            ("11:02:30", "11:02:30", "defibrillator", arrest("rhythm", rhythm="vf")),
            ("11:02:40", "11:02:40", "defibrillator", arrest("shock", energy_joules=200)),
            ("11:03", "11:03", "chart", dose("epinephrine", 1)),
            ("11:04", "11:04", "chart", dose("amiodarone", 150)),
            ("11:06:30", "11:06:30", "chart", arrest("rosc", rhythm="organised")),
            *defibrillator(
                "10:51:30", "11:06:30", etco2=(21, 1), cpr_fraction=(88, 1), cpr_depth=(5.4, 0.1), cpr_rate=(110, 2)
            ),
            *defibrillator("11:06:30", END, etco2=(38, 1)),
            ("11:12", "11:15", "lab", gas(lactate=5.9, ph=7.24, potassium=4.4, pao2=92)),
        ],
    ),
)
