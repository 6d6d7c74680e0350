"""From wire events to timeline facts: codes resolved, units converted, implausible values refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import inf, isnan, nan, nextafter
from typing import Any, Final, Literal, NamedTuple

from rules import events
from rules.catalogue import Catalogue, Drug, UnknownCodeError
from rules.instants import to_instant
from rules.outputs import RefusalReason
from rules.units import UnitError, conversion, dose_conversion, rate_conversion
from rules.values import widened

UNREADABLE: Final = "rate_unreadable"
"""The rate was said in a way that nobody can use: without its unit or concentration, in a unit that is not known."""
IMPLAUSIBLE: Final = "rate_implausible"
"""The rate, alone or with the concentration it was worked out with, is beyond what any pump would run."""
CONCENTRATION: Final = "concentration"
"""A bag or its concentration was changed, and the rate was not said with it."""
STANDSTILL: Final = ("stop", "pause")


class Sample(NamedTuple):
    """A value of a sparse signal in its canonical unit: not a number where it was measured but cannot be read.

    With a ``comparator`` the value is only a bound.
    """

    value: float
    method: str | None = None
    specimen: str | None = None
    comparator: str | None = None

    @property
    def readable(self) -> bool:
        """Whether anything is known of it."""
        return not isnan(self.value)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest that it may be."""
        match self.comparator:
            case _ if not self.readable:
                return -inf, inf
            case "<":
                return -inf, nextafter(self.value, -inf)
            case "<=":
                return -inf, self.value
            case ">=":
                return self.value, inf
            case ">":
                return nextafter(self.value, inf), inf
            case _:
                return self.value, self.value


class Flow(NamedTuple):
    """A change of one line of an infusion.

    ``rate`` is in the drug's canonical unit once multiplied by ``weight ** weight_power`` and, where a drug has salts,
    by the factor of ``salt``. ``by_volume`` is a rate that hangs on the concentration. ``doubt`` is why the rate is not
    known from now on; :data:`CONCENTRATION` concerns only a rate by volume. ``pump`` identifies what delivers it.
    """

    action: str
    line: str
    rate: float | None = None
    weight_power: int = 0
    salt: str | None = None
    alarm: str | None = None
    by_volume: bool = False
    doubt: str | None = None
    pump: str | None = None
    source: str = ""

    @property
    def stream(self) -> str:
        """What goes by one rate: a pump, or a line as one source charts it."""
        return f"{self.source} {self.line}" if self.pump is None else self.pump

    @property
    def says_rate(self) -> bool:
        """Whether it sets the rate, or says that it can no longer be known; a stop and a pause leave it aside."""
        stated = self.rate is not None or self.doubt not in (None, CONCENTRATION)
        return stated and self.action not in STANDSTILL


class Rate(NamedTuple):
    """What a message says of the rate of a line, as in :class:`Flow`."""

    rate: float | None = None
    weight_power: int = 0
    salt: str | None = None
    by_volume: bool = False
    doubt: str | None = None


class Given(NamedTuple):
    """A discrete dose in the drug's canonical unit once multiplied by ``weight ** weight_power``.

    ``amount`` is None where the source says that a dose was given but not how much (unit ``{dose}``), or says it in a
    way that nobody can use.
    """

    amount: float | None
    weight_power: int
    route: str
    status: str
    started: int | None
    completed: bool


class Volume(NamedTuple):
    """Millilitres of a kind of fluid, spread evenly from ``started`` where that is known.

    ``millilitres`` is None where the amount that was said cannot be used.
    """

    millilitres: float | None
    fluid: str
    started: int | None


class Coded(NamedTuple):
    """The value of a coded fact: a presence, a procedure state, or one of a closed list; ``since`` if it was said."""

    value: str
    since: int | None = None


class Move(NamedTuple):
    """The patient is admitted to a unit, transferred to it or discharged from it; ``unit`` if it was named."""

    event: Literal["admission", "transfer", "discharge"]
    unit: str | None = None


class CultureResult(NamedTuple):
    """What grew, if anything, and what it was tested against; a ``preliminary`` report may still change."""

    specimen: str
    organism: str | None
    group: str | None
    susceptibilities: tuple[tuple[str, str], ...]
    preliminary: bool = False


class SeizureEvent(NamedTuple):
    """A seizure starting, going on or stopping."""

    action: str
    semiology: str


class ArrestEvent(NamedTuple):
    """A cardiac-arrest clock event; ``logged`` says that it comes from a device's own log, with a clock of its own."""

    action: str
    rhythm: str | None
    witnessed: bool | None
    energy_joules: float | None
    last_seen: int | None = None
    logged: bool = False


class Answer(NamedTuple):
    """What a clinician did with an alert: its subject, the action, and what was on the screen.

    That is the stage it was made at, how urgent it was, and what was to be fixed first; None where nobody kept it.
    """

    subject: str
    action: str
    stage: str | None
    reason: str | None
    priority: str | None = None
    fixes: tuple[str, ...] | None = None


class Refusal(NamedTuple):
    """A part of an event that cannot be used: where, which kind of reason, and the details."""

    place: str | None
    reason: RefusalReason
    detail: str


class ReadingPlan(NamedTuple):
    """How to treat readings of one code in one unit, worked out once.

    ``channel`` is None where no rule reads the signal, or nobody knows which it is; a ``fault`` comes with a range that
    no value lies in. Of a ``dense`` signal the bare number is wanted, unless it was entered ``by_hand`` and may then be
    older.
    """

    unit: str
    channel: str | None
    dense: bool
    factor: float
    offset: float
    low: float
    high: float
    by_hand: bool = False
    plausible: tuple[float, float] = (-inf, inf)
    fault: Refusal | None = None


Outcome = tuple[str, Any] | Refusal

GoingOn = dict[str | None, dict[int, float]]
"""Samples of a minute by channel and instant."""

NOTHING: Final[GoingOn] = {}

BY_HAND: Final = frozenset(("charted", "laboratory", "point-of-care"))
"""Methods of values that come one by one, and not from a device that goes on sending."""

_INVALID: Final = str(events.Quality.INVALID)

_LARGEST: Final = 1e9
"""No amount in any canonical unit is larger; beyond it arithmetic would overflow."""

UNMEASURED: Final = "{dose}"
"""The unit of a dose whose amount was not recorded."""

_DONE: Final = {"start": "present", "stop": "absent", "done": "done"}


class Translator:
    """Turns events into ``(channel, value)`` pairs by one catalogue; remembers how each code and unit is treated.

    Args:
        catalogue: the signals, drugs and concepts known.
        wanted: the channels that any loaded rule reads; other signals are checked and then dropped.
    """

    def __init__(self, catalogue: Catalogue, wanted: frozenset[str]) -> None:
        self._catalogue = catalogue
        self.wanted = wanted
        self._plans: dict[tuple[str, str], ReadingPlan] = {}
        self._usual: dict[str, ReadingPlan] = {}
        self.dense = frozenset(f"signal:{signal.name}" for signal in catalogue.signals if signal.dense)
        """The channels of signals that come about once a minute or faster."""
        self.live = frozenset(f"signal:{signal.name}" for signal in catalogue.signals if signal.live)
        """Those of which the minute that is still going on counts."""

    def _plan(self, code: str, unit: str) -> ReadingPlan:
        found = self._plans.get((code, unit))
        if found is None:
            found = self._plans[code, unit] = self._make_plan(code, unit)
        self._usual[code] = found
        return found

    def _make_plan(self, code: str, unit: str) -> ReadingPlan:
        try:
            signal = self._catalogue.signal(code)
        except UnknownCodeError as error:
            return ReadingPlan(unit, None, False, 1.0, 0.0, inf, -inf, fault=Refusal(None, "unknown_code", str(error)))
        channel = f"signal:{signal.name}"
        wanted = channel if channel in self.wanted else None
        by_hand = signal.dense and signal.max_age_charted is not None
        try:
            scale = conversion(signal, unit)
        except UnitError as error:
            fault = Refusal(None, "unknown_unit", str(error))
            return ReadingPlan(unit, wanted, signal.dense, 1.0, 0.0, inf, -inf, by_hand, fault=fault)
        low, high = widened(*signal.plausible)
        return ReadingPlan(unit, wanted, signal.dense, scale.factor, scale.offset, low, high, by_hand, signal.plausible)

    def facts(self, event: events.Event, at: int = 0, going_on: GoingOn = NOTHING) -> Iterator[Outcome]:
        """The facts of an event, and what of it cannot be used.

        Args:
            event: what arrived.
            at: when it was true of the patient.
            going_on: the samples of dense signals in the minute of ``at``; further samples are added to them here, by
                the shortest way, and are not among the facts. A time that has its sample keeps it.
        """
        if isinstance(event, events.Observations) and not event.unreadable:
            return self._readings(event.readings, at, going_on)
        return self._others(event, at, going_on)

    def _others(self, event: events.Event, at: int, going_on: GoingOn) -> Iterator[Outcome]:
        for outcome in self._read(event, at, going_on):
            if not (isinstance(outcome, Refusal) and _told(event, outcome.place)):
                yield outcome
        for loss in event.unreadable:
            yield Refusal(loss.place, "unreadable", loss.reason)

    def _read(self, event: events.Event, at: int, going_on: GoingOn) -> Iterator[Outcome]:
        match event:
            case events.Observations():
                yield from self._readings(event.readings, at, going_on)
            case events.Infusion():
                yield from self._infusion(event)
            case events.Dose():
                yield from self._dose(event)
            case events.Fluid():
                yield from _fluid(event)
            case events.Procedure():
                yield from self._coded(event.code, _DONE[event.action], "code")
            case events.Assessment():
                yield from self._coded(event.examination, "done", "examination")
                yield from self._findings("findings", event.findings)
                yield from self._readings(event.readings)
            case events.Culture():
                yield from self._culture(event)
            case events.Seizure():
                yield "seizure", SeizureEvent(event.action, event.semiology)
            case events.Resuscitation():
                yield from self._resuscitation(event)
            case events.Encounter():
                yield from self._encounter(event)
            case events.Action():
                return

    def _readings(
        self, readings: tuple[events.Reading, ...], at: int = 0, going_on: GoingOn = NOTHING
    ) -> Iterator[Outcome]:
        """One outcome per reading that some rule wants or that cannot be used; this is the hot path of a replay."""
        usual = self._usual
        for reading in readings:
            plan = usual.get(reading.code)
            if plan is None or plan[0] != reading.unit:
                plan = self._plan(reading.code, reading.unit)
            _, channel, dense, factor, offset, low, high, by_hand, *_ = plan
            if reading.value is None or reading.comparator is not None:
                yield from self._bounded(f"readings.{readings.index(reading)}", reading, plan)
                continue
            value = reading.value * factor + offset
            if low <= value <= high and reading.quality != _INVALID:
                if by_hand and reading.method in BY_HAND:
                    dense = False
                samples = going_on.get(channel) if dense else None
                if samples is not None:
                    samples.setdefault(at, value)
                elif channel is not None:
                    yield channel, (value if dense else Sample(round(value, 9), reading.method, reading.specimen))
            else:
                yield _refused(f"readings.{readings.index(reading)}", reading, plan)
                yield from _unread(reading, plan)

    def _bounded(self, place: str, reading: events.Reading, plan: ReadingPlan) -> Iterator[Outcome]:
        """A reading of which at most a bound is known; of a dense signal that is too little for a median."""
        value = None if reading.value is None else reading.value * plan.factor + plan.offset
        if value is not None and (plan.fault or not plan.low <= value <= plan.high or reading.quality == _INVALID):
            yield _refused(place, reading, plan)
        elif plan.fault is not None and plan.fault.reason == "unknown_code":
            yield plan.fault._replace(place=place)
        elif value is None:
            yield Refusal(place, "unreadable", f"{reading.code} has no value")
        elif plan.dense:
            yield Refusal(place, "unreadable", f"{reading.code}: only a bound, of a signal that is read by the minute")
        else:
            if plan.channel is not None:
                yield plan.channel, Sample(round(value, 9), reading.method, reading.specimen, reading.comparator)
            return
        yield from _unread(reading, plan)

    def _infusion(self, event: events.Infusion) -> Iterator[Outcome]:
        """The change of the line, and what of it cannot be used: such a rate is unknown from then on."""
        try:
            drug = self._catalogue.drug(event.drug)
        except UnknownCodeError as error:
            yield Refusal("drug", "unknown_code", str(error))
            return
        flow = Flow(event.action, event.line, alarm=event.alarm, pump=event.device, source=event.source)
        rated = _rate(drug, event)
        if isinstance(rated, Refusal):
            yield rated
            rated = Rate(doubt=IMPLAUSIBLE if rated.reason == "implausible" else UNREADABLE)
        if event.action not in STANDSTILL:
            flow = flow._replace(**rated._asdict())
        yield f"infusion:{drug.name}", flow

    def _dose(self, event: events.Dose) -> Iterator[Outcome]:
        """What was given; how much is not known where its amount cannot be used. What acts locally is no dose."""
        try:
            drug = self._catalogue.drug(event.drug)
        except UnknownCodeError as error:
            yield Refusal("drug", "unknown_code", str(error))
            return
        amount = None if event.unit == UNMEASURED else _amount(drug, event.dose, event.unit)
        if isinstance(amount, Refusal):
            yield amount
            amount = None
        if event.route in drug.local_routes:
            return
        known, weight_power = amount or (None, 0)
        started = _instant(event.started_at)
        given = Given(known, weight_power, event.route, event.dose_status, started, event.completed)
        yield f"dose:{drug.name}", given

    def _culture(self, event: events.Culture) -> Iterator[Outcome]:
        tested: list[tuple[str, str]] = []
        for index, test in enumerate(event.susceptibilities):
            try:
                tested.append((self._catalogue.drug(test.drug).name, test.result))
            except UnknownCodeError as error:
                yield Refusal(f"susceptibilities.{index}", "unknown_code", str(error))
        preliminary = event.status == events.Status.PRELIMINARY
        yield (
            "culture",
            CultureResult(event.specimen_type, event.organism, event.organism_group, tuple(tested), preliminary),
        )

    def _encounter(self, event: events.Encounter) -> Iterator[Outcome]:
        if event.event != "update":
            yield "stay", Move(event.event, event.unit_name)
        if event.age_years is not None:
            yield "signal:age", _age(event.age_years)
        for loss in event.unreadable:
            signal = _STATED.get(loss.place)
            if signal is not None:
                yield f"signal:{signal}", Sample(nan)
        if event.sex is not None:
            yield "state:sex", Coded(event.sex)
        for name, value, unit in (("weight", event.weight_kg, "kg"), ("height", event.height_cm, "cm")):
            if value is not None:
                reading = events.Reading(code=name, value=value, unit=unit)
                for outcome in self._readings((reading,)):
                    yield outcome._replace(place=name) if isinstance(outcome, Refusal) else outcome
        if event.goals_of_care is not None:
            yield "state:goals_of_care", Coded(str(event.goals_of_care))
        yield from self._findings("conditions", event.conditions)
        yield from self._findings("allergies", event.allergies)

    def _findings(self, field: str, findings: tuple[events.Finding, ...]) -> Iterator[Outcome]:
        for index, finding in enumerate(findings):
            yield from self._coded(finding.code, str(finding.presence), f"{field}.{index}", _instant(finding.since))

    def _coded(self, code: str, value: str, place: str, since: int | None = None) -> Iterator[Outcome]:
        try:
            concept = self._catalogue.concept(code)
        except UnknownCodeError as error:
            yield Refusal(place, "unknown_code", str(error))
            return
        if concept.kind == "coded" and value not in concept.values:
            known = ", ".join(concept.values)
            yield Refusal(place, "unknown_code", f"{concept.name} has no value {value!r} (known: {known})")
            return
        yield f"state:{concept.name}", Coded(value, since)
        if value == "absent":
            yield from ((f"state:{name}", Coded(value, since)) for name in concept.kinds)

    def _resuscitation(self, event: events.Resuscitation) -> Iterator[Outcome]:
        """The event of the arrest; flow of ECMO in it is ECMO for every pathway."""
        logged = event.clock_ahead_s != 0
        seen = _instant(event.last_seen_at)
        yield (
            "resuscitation",
            ArrestEvent(event.action, event.rhythm, event.witnessed, event.energy_joules, seen, logged),
        )
        if event.action == "ecmo_flow":
            yield "state:ecmo_va", Coded("present")


def _amount(drug: Drug, dose: float, unit: str) -> tuple[float, int] | Refusal:
    """A dose in the drug's canonical unit, and the power of the weight that belongs to it, or why it cannot be used."""
    try:
        scale = dose_conversion(drug, unit)
    except UnitError as error:
        return Refusal("unit", "unknown_unit", str(error))
    amount = round(dose * scale.factor, 9)
    if not amount <= _LARGEST:
        return Refusal("dose", "implausible", f"{drug.name} {dose:g} {unit} is beyond any dose")
    return amount, scale.weight_power


def _rate(drug: Drug, event: events.Infusion) -> Rate | Refusal:
    """What a message says of the rate, or why that cannot be used."""
    if event.salt is not None and event.salt not in drug.salts:
        known = ", ".join(sorted(drug.salts)) or "none"
        return Refusal("salt", "unknown_code", f"{drug.name} has no salt {event.salt!r} here (known: {known})")
    if event.rate is not None and event.unit is not None:
        return _canonical(drug, event, event.rate, event.unit)
    lost = {loss.place.partition(".")[0] for loss in event.unreadable}
    if event.rate is None and event.action not in ("start", "rate") and not lost & {"rate", "unit", "salt"}:
        changed = event.action == "bag_change" or event.concentration is not None or "concentration" in lost
        return Rate(doubt=CONCENTRATION if changed else None)
    lacking = "rate" if event.rate is None else "unit"
    return Refusal(lacking, "unreadable", f"{drug.name}: action '{event.action}' without its {lacking}")


def _canonical(drug: Drug, event: events.Infusion, rate: float, unit: str) -> Rate | Refusal:
    bag = event.concentration
    try:
        scale = rate_conversion(drug, unit, bag.unit if bag else None)
    except UnitError as error:
        return Refusal("unit", "unknown_unit", str(error))
    canonical = rate * scale.factor * (bag.value if bag and scale.uses_concentration else 1.0)
    if not canonical <= _LARGEST:
        return Refusal("rate", "implausible", f"{drug.name} {rate:g} {unit} is beyond any pump")
    return Rate(canonical, scale.weight_power, event.salt, scale.uses_concentration)


_STATED: Final = {"age_years": "age", "weight_kg": "weight", "height_cm": "height"}
"""Signals by the field of an encounter that states them."""


def _told(event: events.Event, place: str | None) -> bool:
    """Whether the message says itself that it could not be read there."""
    return place is not None and any(f"{loss.place}.".startswith(f"{place}.") for loss in event.unreadable)


def _age(stated: float | str) -> Sample:
    """An age in years, or the bound that was told of it (``> 89``)."""
    if isinstance(stated, str):
        comparator = stated.rstrip("0123456789 ")
        return Sample(float(stated.removeprefix(comparator)), comparator=comparator)
    return Sample(stated)


def _unread(reading: events.Reading, plan: ReadingPlan) -> Iterator[Outcome]:
    """What a reading that cannot be used leaves behind: the value from before does not stand on."""
    if plan.channel is not None:
        sent = plan.dense and not (plan.by_hand and reading.method in BY_HAND)
        yield plan.channel, nan if sent else Sample(nan, reading.method, reading.specimen)


def _fluid(event: events.Fluid) -> Iterator[Outcome]:
    millilitres = event.volume * (1000 if event.unit == "L" else 1)
    usable = millilitres <= _LARGEST
    if not usable:
        yield Refusal("volume", "implausible", f"{event.volume:g} {event.unit} is beyond any bag")
    yield "fluid", Volume(millilitres if usable else None, event.fluid, _instant(event.started_at))


def _refused(place: str, reading: events.Reading, plan: ReadingPlan) -> Refusal:
    """Why a reading is not used: never clipped, never guessed."""
    if plan.fault is not None:
        return plan.fault._replace(place=place)
    if reading.quality == _INVALID:
        return Refusal(place, "invalid_quality", f"{reading.code} was marked invalid by its source")
    low, high = ((limit - plan.offset) / plan.factor for limit in plan.plausible)
    detail = f"{reading.code} {reading.value:g} {reading.unit} is outside {low:g} to {high:g}"
    return Refusal(place, "implausible", detail)


def _instant(moment: datetime | None) -> int | None:
    return None if moment is None else to_instant(moment)
