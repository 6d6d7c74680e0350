"""Beds 1 to 6: septic shock that is refractory, that only looks like it, or that cannot be judged; and a quiet bed."""

from __future__ import annotations

from typing import Final

from monitor.demo.bedside import START, Bed, accept, admit, chart, crystalloid, done, dose, echo, gas, lab, update

OTHER_SHOCK: Final = "tamponade acute_rv_failure hypovolaemia pulmonary_embolism lvot_obstruction"
"""Other causes of shock, which an echocardiogram looks for."""

SEPTIC_SHOCK: Final = (
    # An obstructed, infected kidney. Shock goes on rising after fluid, antimicrobial, source control and vasopressin;
    # at first nobody has looked at the heart, then the echo shows that it is failing too.
    Bed(
        "bed-1",
        vitals=[
            ("06:45", 58, 122, 94, 28),
            ("07:00", 54, 124, 94, 29),
            ("07:40", 55, 122, 95, 28),
            ("08:15", 58, 118, 95, 27),
            ("09:00", 57, 120, 95, 27),
            ("10:15", 55, 126, 93, 30),
            ("10:45", 57, 128, 93, 30),
            ("11:35", 60, 124, 94, 28),
        ],
        pumps={
            "norepinephrine": [
                ("07:32", 0.08),
                ("07:45", 0.16),
                ("08:00", 0.22),
                ("08:18", 0.28),
                ("08:35", 0.36),
                ("08:50", 0.42),
                ("09:05", 0.46),
                ("09:40", 0.50),
                ("10:15", 0.54),
            ],
            "vasopressin": [("08:47", 0.03)],
            "dobutamine": [("10:24", 3.0), ("10:35", 5.0)],
        },
        facts=[
            (
                "07:00",
                "07:00",
                "chart",
                admit(
                    "female",
                    58,
                    70,
                    165,
                    has="suspected_infection source_needs_control",
                    has_not="limb_ischaemia mesenteric_ischaemia acute_coronary_syndrome active_gi_bleeding "
                    "uncontrolled_bleeding intracranial_haemorrhage irreversible_brain_injury terminal_illness "
                    "child_pugh_c_cirrhosis neutropenia chronic_dialysis",
                ),
            ),
            ("07:00", "07:00", "chart", chart(gcs=14)),
            ("06:55", "07:00", "chart", crystalloid(0, "04:00")),
            ("07:06", "07:09", "lab", gas(lactate=4.6, ph=7.27, ionised_calcium=1.12)),
            ("06:50", START, "chart", done("transducer_levelled")),
            ("07:10", "08:02", "lab", lab(sodium=137, glucose=9.2, creatinine=2.1, platelets=96, haemoglobin=11.2)),
            ("07:15", "07:17", "chart", chart(core_temperature=39.1)),
            ("07:20", "07:21", "chart", done("culture_taken")),
            ("07:30", "07:30", "chart", crystalloid(700, "07:05")),
            ("07:35", "07:46", "chart", dose("meropenem", 1000)),
            ("07:55", "07:55", "chart", crystalloid(700, "07:30")),
            ("08:20", "08:20", "chart", crystalloid(700, "07:55")),
            ("08:40", "08:40", "chart", accept("bed-1", "septic-shock/SEP-2/vasopressin")),
            ("09:00", "09:01", "chart", chart(capillary_refill=4, urine_output=20)),
            ("09:02", "09:05", "lab", gas(lactate=5.0, ph=7.24, ionised_calcium=1.10)),
            ("09:25", "09:31", "chart", done("source_control")),
            ("10:00", "10:01", "chart", chart(capillary_refill=5, urine_output=10)),
            ("10:00", "10:03", "lab", gas(lactate=5.7, ph=7.21, ionised_calcium=1.08)),
            ("10:00", "10:41", "lab", lab(sodium=138, glucose=11.4, platelets=71, haemoglobin=10.4)),
            (
                "10:10",
                "10:18",
                "chart",
                echo(f"{OTHER_SHOCK} severe_aortic_regurgitation aortic_dissection", lvef=24, cardiac_index=1.9),
            ),
            ("10:45", "10:47", "chart", dose("hydrocortisone", 50)),
            ("11:00", "11:01", "chart", chart(capillary_refill=5, core_temperature=38.4, urine_output=10)),
            ("11:05", "11:08", "lab", gas(lactate=5.9, ph=7.22, ionised_calcium=1.09)),
            ("11:10", "11:11", "chart", chart(cardiac_index=2.0)),
        ],
    ),
    # Pneumonia on a high dose that looks refractory, but the pump has stopped delivering.
    Bed(
        "bed-2",
        vitals=[
            ("06:45", 67, 104, 95, 22),
            ("09:04", 67, 106, 95, 22),
            ("09:07", 55, 116, 94, 24),
            ("09:11", 53, 124, 92, 26),
            ("09:14", 54, 124, 92, 26),
            ("09:18", 66, 112, 94, 24),
            ("09:22", 74, 106, 95, 22),
            ("09:40", 69, 102, 95, 22),
            ("11:35", 70, 96, 96, 20),
        ],
        pumps={
            "norepinephrine": [
                ("05:50", 0.10),
                ("06:20", 0.22),
                ("06:50", 0.34),
                ("07:50", 0.42),
                ("08:10", 0.50),
                ("09:05", "occlusion"),
                ("09:05", "pause"),
                ("09:13", "resume"),
                ("09:35", 0.42),
                ("10:00", 0.36),
                ("10:45", 0.30),
            ],
            "vasopressin": [("06:55", 0.03)],
        },
        facts=[
            ("05:20", START, "chart", admit("male", 61, 90, 180, has="suspected_infection")),
            ("05:30", START, "lab", gas(lactate=4.2, ph=7.28, ionised_calcium=1.14)),
            ("05:40", START, "chart", done("culture_taken")),
            ("05:50", START, "chart", dose("piperacillin_tazobactam", 4500)),
            ("06:10", START, "chart", dose("hydrocortisone", 50)),
            ("06:30", START, "chart", crystalloid(2800, "05:20")),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("08:00", "08:01", "chart", chart(core_temperature=38.2, urine_output=35)),
            ("08:30", "08:33", "lab", gas(lactate=3.1, ph=7.31, ionised_calcium=1.12)),
            ("08:35", "08:36", "chart", chart(capillary_refill=4)),
            ("09:45", "09:46", "chart", chart(capillary_refill=3)),
            ("10:50", "10:53", "lab", gas(lactate=2.3, ph=7.34, ionised_calcium=1.13)),
            ("10:55", "10:56", "chart", chart(capillary_refill=2, urine_output=50)),
        ],
    ),
    # Cholangitis that meets every criterion, until the laboratory reports a sample that had gone astray.
    Bed(
        "bed-3",
        vitals=[("06:45", 67, 100, 96, 20), ("09:00", 66, 102, 96, 20), ("11:35", 69, 94, 97, 18)],
        pumps={
            "norepinephrine": [
                ("05:00", 0.12),
                ("05:40", 0.20),
                ("07:38", 0.30),
                ("07:45", 0.40),
                ("07:55", 0.48),
                ("10:30", 0.42),
                ("11:10", 0.36),
            ],
            "vasopressin": [("06:40", 0.03)],
        },
        facts=[
            ("04:30", START, "chart", admit("female", 49, 62, 168, has="suspected_infection")),
            ("04:40", START, "chart", done("culture_taken")),
            ("05:00", START, "chart", dose("meropenem", 1000)),
            ("05:45", START, "chart", crystalloid(2000, "04:30")),
            ("06:10", START, "lab", gas(lactate=4.0, ph=7.30, ionised_calcium=1.15)),
            ("06:50", START, "chart", dose("hydrocortisone", 50)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("07:30", "07:42", "chart", echo(OTHER_SHOCK, lvef=60)),
            ("07:40", "10:10", "lab", lab(lactate=1.6)),
            ("08:30", "08:31", "chart", chart(capillary_refill=2, core_temperature=38.0)),
            ("08:40", "08:43", "lab", gas(lactate=2.4, ph=7.33, ionised_calcium=1.14)),
            ("09:25", "09:26", "chart", chart(capillary_refill=2, urine_output=40)),
            ("10:15", "10:16", "chart", chart(capillary_refill=2)),
            ("11:05", "11:06", "chart", chart(capillary_refill=2, urine_output=55)),
            ("11:10", "11:13", "lab", gas(lactate=1.5, ph=7.36, ionised_calcium=1.15)),
        ],
    ),
    # The dose climbs past the threshold while the last lactate grows old: nobody can say whether shock is refractory.
    Bed(
        "bed-4",
        vitals=[("06:45", 64, 92, 96, 19), ("10:00", 63, 94, 96, 19), ("11:35", 66, 90, 97, 18)],
        pumps={
            "norepinephrine": [
                ("05:40", 0.10),
                ("06:30", 0.22),
                ("07:40", 0.34),
                ("08:30", 0.46),
                ("09:15", 0.54),
                ("11:10", 0.46),
            ]
        },
        facts=[
            ("05:10", START, "chart", admit("male", 71, 78, 176, has="suspected_infection")),
            ("05:20", START, "chart", done("culture_taken")),
            ("05:35", START, "chart", dose("ceftriaxone", 2000)),
            ("06:00", START, "lab", gas(lactate=3.8, ph=7.32, ionised_calcium=1.13)),
            ("06:25", START, "chart", crystalloid(2400, "05:15")),
            ("06:30", START, "chart", dose("hydrocortisone", 50)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("08:00", "08:02", "chart", chart(capillary_refill=3, core_temperature=37.9, urine_output=45)),
            ("10:34", "10:37", "lab", gas(lactate=1.6, ph=7.37, ionised_calcium=1.14)),
            ("10:36", "10:37", "chart", chart(capillary_refill=2, urine_output=60)),
        ],
    ),
    # An old woman for whom the family and the team decide, after the suggestion, against further escalation.
    Bed(
        "bed-5",
        vitals=[("06:45", 57, 108, 93, 26), ("09:40", 56, 110, 92, 27), ("11:35", 56, 108, 92, 26)],
        pumps={"norepinephrine": [("06:20", 0.10), ("06:50", 0.18), ("07:40", 0.27)]},
        facts=[
            ("05:30", START, "chart", admit("female", 84, 52, 158, has="suspected_infection limb_ischaemia")),
            ("05:45", START, "chart", done("culture_taken")),
            ("05:50", START, "lab", gas(lactate=3.4, ph=7.30, ionised_calcium=1.10)),
            ("06:10", START, "chart", dose("ceftriaxone", 2000)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("06:50", START, "chart", crystalloid(1600, "05:40")),
            ("08:50", "08:53", "lab", gas(lactate=3.6, ph=7.29, ionised_calcium=1.09)),
            ("09:00", "09:02", "chart", chart(core_temperature=36.4, urine_output=10)),
            ("09:40", "09:41", "chart", update(goals_of_care="no_escalation")),
        ],
    ),
    # Pneumonia, doing well. The arterial line is flushed twice and comes apart once: pressures that are not the
    # patient's.
    Bed(
        "bed-6",
        vitals=[("06:45", 79, 84, 97, 17), ("09:00", 77, 82, 97, 16), ("11:35", 80, 80, 97, 16)],
        pumps={},
        artefacts={"08:42": 300, "09:48": 31, "09:49": 4, "09:50": 2, "09:51": 3, "10:30": 300},
        facts=[
            ("06:30", START, "lab", lab(creatinine=0.8, bilirubin=0.6, platelets=212, sodium=140, haemoglobin=13.1)),
            ("06:10", START, "chart", admit("male", 47, 82, 181)),
            ("06:40", START, "chart", chart(fio2=0.21, gcs=15, urine_output_24h=1900)),
            ("06:50", START, "lab", gas(lactate=1.2, ph=7.41, pao2=92)),
            ("06:40", START, "chart", done("transducer_levelled")),
            ("07:20", "07:20", "chart", update(has="suspected_infection")),
            ("07:25", "07:26", "chart", done("culture_taken")),
            ("07:40", "07:44", "chart", dose("ceftriaxone", 2000)),
            ("08:30", "08:31", "chart", chart(urine_output_24h=1900)),
            ("09:50", "09:52", "chart", chart(map_noninvasive=78, urine_output_24h=1900)),
            ("11:10", "11:11", "chart", chart(urine_output_24h=1900)),
            ("10:10", "10:11", "chart", chart(fio2=0.21, gcs=15, core_temperature=37.6, urine_output=80)),
            ("10:15", "10:18", "lab", gas(lactate=1.1, ph=7.42, pao2=95)),
        ],
    ),
)
