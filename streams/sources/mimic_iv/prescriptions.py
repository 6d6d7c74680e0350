"""hosp/prescriptions: what was ordered, which is not what was given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.source import OTHER_STAY, Source, number
from streams.sources.mimic_iv.times import stamp

ORDERS: Final = "hosp/prescriptions"
_COLUMNS: Final = ("subject_id", "hadm_id", "pharmacy_id", "starttime", "drug", "dose_val_rx", "dose_unit_rx", "route")


def prescription_records(source: Source) -> Iterator[str]:
    """An ordered dose at the start of each order of a mapped drug. The table does not say when an order was written."""
    table, report = source.items.prescriptions, source.report
    units = source.items.units.prescriptions
    for patient, hospital_stay, pharmacy, started, drug, amount, spelled, route in source.rows(ORDERS, _COLUMNS):
        if not source.stays.knows(patient):
            source.report.refuse(ORDERS, OTHER_STAY)
            continue
        at = stamp(started)
        stays = [] if at is None else list(source.stays.holding(patient, hospital_stay, at))
        if at is None or not stays:
            report.refuse(ORDERS, "no time" if at is None else "not within 24 h before or during a stay")
            continue
        name = drug_name(table.drugs, drug)
        dose, unit = number(amount.replace(",", "")), units.get(spelled)
        if name is None:
            report.unmapped[ORDERS][drug.strip()] += 1
        elif route not in table.routes:
            report.refuse(ORDERS, f"not systemic, or route not known: {route or '(none)'}")
        elif dose is None or dose <= 0:
            report.refuse(ORDERS, "dose is a range or not a number")
        elif unit is None:
            report.refuse(ORDERS, f"dose unit not known: {spelled or '(none)'}")
        else:
            body = {"kind": "dose", "drug": name, "dose": 1.0 if unit == "{dose}" else dose, "unit": unit}
            body |= {"route": table.routes[route], "dose_status": "ordered"}
            for stay in stays:
                order = f"order/{pharmacy}/{name}/{at}/{dose!r}/{unit}/{route}"
                yield record(stay.subject, ORDERS, at, at, order, body)


def drug_name(drugs: Mapping[str, str], text: str) -> str | None:
    """The drug whose longest beginning fits a name such as ``*NF* Ertapenem Sodium``."""
    name = re.sub(r"^\W*nf\W*", "", " ".join(text.lower().split()))
    fitting = [beginning for beginning in drugs if name.startswith(beginning)]
    return drugs[max(fitting, key=len)] if fitting else None
