"""icu/inputevents: infusions, doses, fluids and the weight that the pumps were given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

from streams.sources.mimic_iv.infusions import Interval, infusion_records
from streams.sources.mimic_iv.items import Drug, Volume
from streams.sources.mimic_iv.records import record
from streams.sources.mimic_iv.sorting import Sorter
from streams.sources.mimic_iv.source import OTHER_STAY, Source, number
from streams.sources.mimic_iv.stays import Stay
from streams.sources.mimic_iv.times import arrival, stamp, to_moment, to_stamp

INPUTS: Final = "icu/inputevents"
PIECE: Final = timedelta(hours=1)
"""A volume that runs longer is sent in pieces of this length, so that it counts as it runs."""

LONGEST: Final = timedelta(days=31)
"""A row that claims to have run longer has a wrong time."""

PLACEHOLDER: Final = 1
"""A weight in kg that stands for "not entered"."""

_COLUMNS: Final = ("stay_id", "starttime", "endtime", "itemid", "amount", "amountuom", "rate", "rateuom", "orderid")
_OPTIONAL: Final = ("storetime", "linkorderid", "patientweight", "statusdescription", "pairing")
_CUT_SHORT: Final = ("Paused", "Stopped")


class Row(NamedTuple):
    """A row with its times read."""

    stay: Stay
    start: str
    end: str
    item: str
    amount: str
    amount_unit: str
    rate: str
    rate_unit: str
    order: str
    storetime: str
    link: str
    weight: str
    status: str
    pairing: str

    @property
    def stored(self) -> str | None:
        """When the row was stored."""
        return stamp(self.storetime)


def input_records(source: Source) -> Iterator[str]:
    """Everything that inputevents says. Infusions and weights are sorted by stay and time first, in bounded memory."""
    infusions, weights = source.sorter(), source.sorter()
    drugs, fluids = source.items.drugs, source.items.fluids
    for fields in source.rows(INPUTS, _COLUMNS, _OPTIONAL):
        row = _row(source, fields)
        if row is None:
            continue
        if (weight := number(row.weight)) is not None and weight > PLACEHOLDER:
            weights.add(f"{row.stay.stay_id}\t{row.start}\t{weight!r}\t{arrival(row.start, row.stored)}")
        if row.item in drugs or row.item in fluids:
            source.note_storing(row.stored)
            if row.pairing == "order":
                source.report.notes["rows of inputevents whose end was paired by order only"] += 1
        if row.item in drugs:
            drug = drugs[row.item]
            if row.rate and not drug.always_dose:
                _add_interval(source, row, drug, infusions)
            else:
                yield from _dose(source, row, drug)
        elif row.item in fluids:
            yield from _fluid(source, row, fluids[row.item])
        else:
            source.unmapped(INPUTS, row.item)
    yield from infusion_records(source, infusions.sorted())
    yield from _weights(source, weights.sorted())


def _row(source: Source, fields: tuple[str, ...]) -> Row | None:
    stay_id, started, ended, item, *rest = fields
    stay = source.stays.by_id.get(stay_id)
    if stay is None:
        source.report.refuse(INPUTS, OTHER_STAY)
        return None
    start, end = stamp(started), stamp(ended)
    if start is None or end is None:
        source.report.refuse(INPUTS, "no time")
        return None
    row = Row(stay, start, end, item, *rest)
    if end < start:
        source.report.refuse(INPUTS, "ends before it starts")
    elif to_moment(end) - to_moment(start) > LONGEST:
        source.report.refuse(INPUTS, f"lasts longer than {LONGEST.days} days")
    elif row.status == "Rewritten":
        source.report.refuse(INPUTS, "rewritten: what the row says was not given")
    else:
        return row
    return None


def _add_interval(source: Source, row: Row, drug: Drug, infusions: Sorter) -> None:
    rate, unit = number(row.rate), source.items.units.rates.get(row.rate_unit)
    if row.end == row.start:
        source.report.refuse(INPUTS, "rate without duration")
        return
    if rate is None or rate < 0:
        source.report.refuse(INPUTS, "rate is not a number" if rate is None else "negative rate")
        rate = None
    elif unit is None:
        source.report.refuse(INPUTS, f"rate unit not known: {row.rate_unit or '(none)'}")
        rate = None
    elif unit == "mg/kg/min" and number(row.weight) == 1:
        # mimic-code, norepinephrine.sql: such rows are documented wrongly, the number is in ug/kg/min.
        source.report.notes["rate in mg/kg/min for a weight of 1 kg, read as ug/kg/min"] += 1
        unit = "ug/kg/min"
    if rate is None:
        source.report.notes["rate intervals without a rate that can be used: the drug ran, at an unknown rate"] += 1
        unit = None
    interval = Interval(row.end, row.order, row.link, rate, unit, drug.salt, row.status, row.stored)
    infusions.add(f"{row.stay.stay_id}\t{drug.drug}\t{row.start}\t{json.dumps(interval)}")


def _dose(source: Source, row: Row, drug: Drug) -> Iterator[str]:
    amount = number(row.amount)
    unit = drug.units.get(row.amount_unit) or source.items.units.amounts.get(row.amount_unit)
    if amount is None or amount <= 0:
        source.report.refuse(INPUTS, "amount is not a number" if amount is None else "amount not above zero")
        return
    if unit is None:
        source.report.refuse(INPUTS, f"amount unit not known: {row.amount_unit or '(none)'}")
        return
    if unit == "{dose}" and amount != 1:
        source.report.notes["a 'dose' of an amount in no stated unit, sent as one dose"] += 1
        amount = 1.0
    body: dict[str, Any] = {"kind": "dose", "drug": drug.drug, "dose": amount, "unit": unit, "route": drug.route}
    body |= {"started_at": row.start, "completed": row.status not in _CUT_SHORT}
    name = f"dose/{row.item}/{row.start}/{row.end}/{row.order}"
    yield record(row.stay.subject, INPUTS, arrival(row.end, row.stored), row.end, name, body)


def _fluid(source: Source, row: Row, fluid: Volume) -> Iterator[str]:
    amount, unit = number(row.amount), source.items.units.volumes.get(row.amount_unit)
    if amount is None or amount <= 0:
        source.report.refuse(INPUTS, "amount is not a number" if amount is None else "amount not above zero")
        return
    if unit is None:
        source.report.refuse(INPUTS, f"volume unit not known: {row.amount_unit or '(none)'}")
        return
    start, end = to_moment(row.start), to_moment(row.end)
    given, since = 0.0, start
    while since < end or since == start:
        until = min(since + PIECE, end)
        volume = amount - given if until == end else round(amount * ((until - since) / (end - start)), 6)
        given += volume
        begin, finish = to_stamp(since), to_stamp(until)
        if volume > 0:
            body = {"kind": "fluid", "fluid": fluid.fluid, "volume": round(volume, 6), "unit": unit}
            body["started_at"] = begin
            name = f"fluid/{row.item}/{begin}/{finish}/{row.order}"
            yield record(row.stay.subject, INPUTS, arrival(finish, row.stored), finish, name, body)
        if until == end:
            break
        since = until


def _weights(source: Source, lines: Iterator[str]) -> Iterator[str]:
    """The weight the pumps were given, whenever it changes."""
    last: tuple[str, str] | None = None
    for line in lines:
        stay_id, start, weight, received = line.split("\t")
        if last == (stay_id, weight):
            continue
        last = (stay_id, weight)
        source.report.stays_with_weight.add(stay_id)
        body = {"kind": "encounter", "weight_kg": float(weight)}
        subject = source.stays.by_id[stay_id].subject
        yield record(subject, INPUTS, received, start, f"pump_weight/{start}/{weight}", body)
