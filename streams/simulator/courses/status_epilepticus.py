"""Status epilepticus: underdosed then adequate, refractory, super-refractory with a ketogenic diet, and resolved."""

from __future__ import annotations

from typing import Final

from streams.simulator.course import (
    ROUTINE,
    Course,
    Fact,
    PerKilogram,
    Pump,
    Sampling,
    TrueState,
    begun,
    dose,
    found,
    seizure,
    update,
)

_LEVETIRACETAM: Final = PerKilogram(60, 4500)
"""An adequate second-line dose (ESETT): 60 mg/kg, at most 4500 mg."""
_ROUTINE: Final = (*ROUTINE, Sampling("room_air", "-2:00", "1:00"))
_AFTER: Final = "0:05"
"""How long after the anaesthetic was started seizures end."""


def _anaesthetised(start: str, stopped: str) -> tuple[Fact, ...]:
    """EEG, tube and the first word that the EEG is quiet."""
    return (begun(start, "ceeg"), begun(start, "intubated"), found(stopped, "ceeg", "seizure_suppressed_on_eeg"))


STATUS_EPILEPTICUS: Final = (
    Course(
        name="status-underdosed",
        title="status epilepticus after too small doses; after full doses it is refractory",
        pathway="status-epilepticus",
        acute=True,
        ages=(22, 70),
        has="known_epilepsy",
        has_not="suspected_infection",
        drivers={"gcs": (("-0:10", 15), ("0:00", 5))},
        settings={"eeg": (("1:00", 1),), "suppression": (("1:40", 60),)},
        pumps=(Pump("midazolam", "mg/kg/h", (("1:18", 0.2), ("1:30", 0.4))),),
        facts=(
            *seizure("0:00", "1:36"),
            dose("0:06", "lorazepam", 2),
            dose("0:20", "lorazepam", 1),
            dose("0:35", "levetiracetam", PerKilogram(60, 4500, 0.24), since="0:25"),
            dose("0:55", "levetiracetam", PerKilogram(60, 4500, 0.77), since="0:45"),
            *_anaesthetised("1:10", "2:00"),
        ),
        samples=_ROUTINE,
        truth=(
            TrueState("present", "0:05", "tonic-clonic seizure for 5 minutes", "SE-0"),
            TrueState(
                "apparent",
                "0:45",
                "still seizing, but the benzodiazepine and the second line were underdosed",
                "SE-2",
                "0:55",
            ),
            TrueState(
                "refractory",
                "1:05",
                "still seizing 10 minutes after a full second-line dose, 60 minutes in all",
                "SE-2",
            ),
        ),
    ),
    Course(
        name="status-refractory",
        title="status epilepticus that full doses of two lines do not end",
        pathway="status-epilepticus",
        acute=True,
        ages=(20, 65),
        has_not="suspected_infection",
        drivers={"gcs": (("-0:10", 15), ("0:00", 4))},
        settings={"eeg": (("1:00", 1),), "suppression": (("1:10", 65),)},
        pumps=(Pump("midazolam", "mg/kg/h", (("0:52", 0.2), ("1:00", 0.4))),),
        facts=(
            *seizure("0:00", "1:06"),
            dose("0:06", "lorazepam", 4),
            dose("0:12", "lorazepam", 4),
            dose("0:26", "levetiracetam", _LEVETIRACETAM, since="0:16"),
            *_anaesthetised("0:48", "1:30"),
        ),
        samples=_ROUTINE,
        truth=(
            TrueState("present", "0:05", "tonic-clonic seizure for 5 minutes", "SE-0"),
            TrueState("refractory", "0:36", "still seizing 10 minutes after a full second-line dose", "SE-2"),
        ),
    ),
    Course(
        name="status-super-refractory",
        title="seizures come back when the anaesthetic is reduced after a day; a ketogenic diet ends them",
        pathway="status-epilepticus",
        acute=True,
        ages=(20, 45),
        sex="female",
        admitted="-26:00",
        has_not="suspected_infection known_epilepsy ards_risk_factor bilateral_opacities",
        ventilated=True,
        drivers={"gcs": (("-25:40", 3),), "shunt": (("0:00", 0.07),)},
        settings={
            "fio2": (("-25:00", 0.3),),
            "peep": (("-25:00", 6),),
            "tidal_volume": (("-25:00", 6.2),),
            "rate": (("-25:00", 16),),
            "eeg": (("-24:50", 1),),
            "suppression": (("-24:20", 60), ("14:00", 40)),
            "ketosis": (("0:00", 0), ("3:30", 1)),
        },
        pumps=(
            Pump("midazolam", "mg/kg/h", (("-24:45", 0.4), ("-1:10", 0.2), ("0:20", 0.4))),
            Pump("propofol", "mg/kg/h", (("-24:40", 2.0), ("-24:05", "stop"))),
        ),
        facts=(
            *seizure("-25:45", "-24:30"),
            dose("-25:39", "lorazepam", 4),
            dose("-25:33", "lorazepam", 4),
            dose("-25:19", "levetiracetam", _LEVETIRACETAM, since="-25:29"),
            *_anaesthetised("-24:55", "-23:00"),
            *seizure("0:00", "14:00", "electrographic"),
            update("0:30", "enteral_access_working metabolic_screen_sent", "pregnancy ileus"),
            begun("3:30", "ketogenic_diet"),
        ),
        samples=(
            *(sampling for sampling in ROUTINE if sampling.panel != "gas"),
            Sampling("gas", "-2:00", "3:00"),
            Sampling("diet", "0:20", "6:00"),
        ),
        truth=(
            TrueState("present", "-25:40", "tonic-clonic seizure for 5 minutes", "SE-0"),
            TrueState("refractory", "-25:09", "still seizing 10 minutes after a full second-line dose", "SE-2"),
            TrueState("refractory", "0:00", "seizures recur when the anaesthetic is reduced after 23 h", "SE-3"),
        ),
    ),
    Course(
        name="status-resolved",
        title="status epilepticus that ends with full doses of two lines",
        pathway="status-epilepticus",
        acute=True,
        ages=(20, 70),
        has="known_epilepsy",
        has_not="suspected_infection",
        drivers={"gcs": (("-0:01", 15), ("0:00", 5), ("0:20", 7), ("1:10", 15))},
        facts=(
            *seizure("0:00", "0:21"),
            dose("0:06", "lorazepam", 4),
            dose("0:25", "levetiracetam", _LEVETIRACETAM, since="0:15"),
        ),
        samples=(*_ROUTINE, Sampling("neurology", "0:40", "0:30")),
        truth=(
            TrueState("present", "0:05", "tonic-clonic seizure for 5 minutes", "SE-0", "0:21"),
            TrueState("over", "1:21", "an hour without seizure, and awake"),
        ),
    ),
)
