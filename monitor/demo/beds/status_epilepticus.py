"""Bed 8: status epilepticus that is first underdosed, and then refractory in earnest."""

from __future__ import annotations

from typing import Final

from monitor.demo.bedside import END, START, Bed, admit, begun, chart, dose, lab, seizure, update

STATUS_EPILEPTICUS: Final = (
    # Epilepsy after a stroke. Half a dose of lorazepam and a third of a dose of levetiracetam do not help, nor do full
    # doses: by then it is refractory, and under an anaesthetic with continuous EEG it stops.
    Bed(
        "bed-8",
        vitals=[
            ("06:45", 94, 76, 97, 15),
            ("07:51", 95, 78, 97, 15),
            ("07:53", 118, 132, 92, 24),
            ("08:10", 112, 128, 94, 23),
            ("08:55", 106, 122, 95, 22),
            ("09:10", 78, 96, 98, 16),
            (END, 80, 84, 98, 16),
        ],
        pumps={"midazolam": [("08:54", 0.2), ("09:02", 0.4)]},
        facts=[
            ("04:30", START, "chart", admit("male", 66, 78, 176, has="known_epilepsy")),
            ("06:40", START, "chart", chart(gcs=14)),
            ("06:00", START, "lab", lab(sodium=139, glucose=6.4, ionised_calcium=1.18, creatinine=0.9)),
            ("07:52", "07:53", "chart", seizure("start")),
            ("07:58", "07:59", "chart", dose("lorazepam", 2)),
            ("08:02", "08:02", "chart", seizure("ongoing")),
            ("08:10", "08:11", "chart", dose("levetiracetam", 1500, "08:00")),
            ("08:16", "08:16", "chart", seizure("ongoing")),
            ("08:25", "08:38", "chart", dose("lorazepam", 4)),
            ("08:37", "08:38", "chart", dose("levetiracetam", 3000, "08:27")),
            ("08:38", "08:38", "chart", seizure("ongoing")),
            ("08:40", "08:42", "chart", begun("ceeg")),
            ("08:47", "08:47", "chart", seizure("ongoing")),
            ("08:52", "08:53", "chart", begun("intubated")),
            ("09:06", "09:07", "chart", seizure("stop")),
            ("09:20", "09:22", "chart", update(has="seizure_suppressed_on_eeg")),
        ],
    ),
)
