"""ICU stays: the patients that the monitor watches, and which stay a row of the hospital's tables belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.sources.mimic_iv import tables
from streams.sources.mimic_iv.report import ImportReport
from streams.sources.mimic_iv.times import stamp, to_moment, to_stamp

BEFORE: Final = timedelta(hours=24)
"""How long before admission to intensive care a hospital's result still belongs to the stay."""

_OPEN: Final = "9999"


@dataclass(frozen=True, slots=True)
class Stay:
    """One ICU stay; times are stamps, ``outtime`` None while it is open."""

    stay_id: str
    patient: str
    hospital_stay: str
    intime: str
    outtime: str | None
    unit: str
    age_years: int | None
    sex: str | None
    opens: str

    @property
    def subject(self) -> str:
        """The name of this stay in events."""
        return f"mimic-{self.stay_id}"


class Stays:
    """The stays to convert, by their number and by patient and time."""

    def __init__(self, by_id: Mapping[str, Stay]) -> None:
        self.by_id = by_id
        self._by_patient: defaultdict[str, list[Stay]] = defaultdict(list)
        for stay in by_id.values():
            self._by_patient[stay.patient].append(stay)

    def holding(self, patient: str, hospital_stay: str, at: str) -> Iterator[Stay]:
        """The stays of a patient to which a fact at an instant belongs: from 24 h before admission to discharge.

        A fact of another hospital stay belongs to none; one without a hospital stay goes by time alone.
        """
        for stay in self._by_patient.get(patient, ()):
            if stay.opens <= at <= (stay.outtime or _OPEN) and hospital_stay in ("", stay.hospital_stay):
                yield stay

    def knows(self, patient: str) -> bool:
        """Whether any stay of this patient is converted."""
        return patient in self._by_patient


def read_stays(directory: Path, chosen: Collection[int] | None, report: ImportReport) -> Stays:
    """The stays of ``icu/icustays`` (all, or those chosen) with age and sex from ``hosp/patients``.

    Raises:
        MimicFolderError: if there is no ``icu/icustays``.
    """
    tables.require(directory, "icu/icustays")
    wanted = None if chosen is None else {str(number) for number in chosen}
    columns = ("stay_id", "subject_id", "hadm_id", "first_careunit", "intime", "outtime")
    found = []
    for row in tables.rows(directory, "icu/icustays", columns, report):
        stay_id, _, _, _, intime, outtime = row
        if wanted is not None and stay_id not in wanted:
            continue
        if not stay_id.isdecimal() or stamp(intime) is None or (outtime and stamp(outtime) is None):
            report.refuse("icu/icustays", "no stay number or no time of admission")
        else:
            found.append(row)
    people = _people(directory, {row[1] for row in found}, report)
    stays = {row[0]: _stay(row, people.get(row[1])) for row in found}
    report.stays = len(stays)
    return Stays(stays)


def _stay(row: tuple[str, ...], person: tuple[str, int, int] | None) -> Stay:
    stay_id, patient, hospital_stay, unit, intime, outtime = row
    admitted = stamp(intime) or ""
    sex, anchor_age, anchor_year = person or (None, None, None)
    age = None if anchor_age is None or anchor_year is None else anchor_age + int(admitted[:4]) - anchor_year
    opens = to_stamp(to_moment(admitted) - BEFORE)
    return Stay(stay_id, patient, hospital_stay, admitted, stamp(outtime), unit, age, sex, opens)


def _people(directory: Path, patients: set[str], report: ImportReport) -> dict[str, tuple[str, int, int]]:
    people = {}
    columns = ("subject_id", "gender", "anchor_age", "anchor_year")
    for patient, gender, age, year in tables.rows(directory, "hosp/patients", columns, report):
        if patient not in patients:
            continue
        if age.isdecimal() and year.isdecimal() and gender in _SEX:
            people[patient] = (_SEX[gender], int(age), int(year))
        else:
            report.refuse("hosp/patients", "age, year or sex not understood")
    return people


_SEX: Final = {"F": "female", "M": "male"}
