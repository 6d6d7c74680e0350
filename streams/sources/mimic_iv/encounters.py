"""icu/icustays and hosp/patients: admission with age and sex, and discharge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import Source

STAYS: Final = "icu/icustays"


def encounter_records(source: Source) -> Iterator[str]:
    """Admission and discharge of each stay; age is the patient's in the year of admission."""
    for stay in source.stays.by_id.values():
        body: dict[str, Any] = {"kind": "encounter", "event": "admission"}
        if unit := "".join(character for character in stay.unit if " " <= character <= "~").strip():
            body["unit_name"] = unit
        if stay.age_years is None:
            source.report.notes["stays without age and sex"] += 1
        else:
            body |= {"age_years": stay.age_years, "sex": stay.sex}
        yield record(stay.subject, STAYS, stay.intime, stay.intime, "admission", body)
        if stay.outtime is not None:
            body = {"kind": "encounter", "event": "discharge"}
            yield record(stay.subject, STAYS, stay.outtime, stay.outtime, "discharge", body)
