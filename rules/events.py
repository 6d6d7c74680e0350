"""The wire models: every fact that can reach the monitor, one frozen pydantic model per kind.

All kinds share an envelope with CloudEvents-style names: ``id`` and ``source`` identify the message, ``subject`` is the
patient, ``effective_at`` says when the fact was true of the patient and ``received_at`` when it reached us. A message
with status ``corrected`` or ``entered-in-error`` names in ``corrects`` the event of the same source
that it replaces or takes back.

Codes, units and plausible ranges are not checked here but against the catalogues (see :mod:`rules.facts`): a message
may be well formed and still be refused because nobody knows its unit. What becomes of a
message of which only a part can be read is in :mod:`rules.salvage`.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails
from typing_extensions import override

from rules.brief import in_one
from rules.notation import (
    Age,
    AgeText,
    Code,
    Comparator,
    Identifier,
    Moment,
    NonNegative,
    Number,
    Ordinal,
    Positive,
    Route,
    SchemaVersion,
    Source,
    Unit,
)
from rules.salvage import Fault, Loss, repair, repeated_key, written_keys

SCHEMA_VERSION: Final = 1
"""Version of the wire format that this release writes and reads."""


class Status(StrEnum):
    """Correction status of a message."""

    FINAL = "final"
    PRELIMINARY = "preliminary"
    CORRECTED = "corrected"
    ENTERED_IN_ERROR = "entered-in-error"


class Presence(StrEnum):
    """A coded fact is present, absent, or explicitly not known."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Method(StrEnum):
    """How a value came about; decides how old it may become before it is unusable."""

    DEVICE = "device"
    CHARTED = "charted"
    LABORATORY = "laboratory"
    POINT_OF_CARE = "point-of-care"
    ESTIMATED = "estimated"


class Specimen(StrEnum):
    """Where a blood sample was drawn."""

    ARTERIAL = "arterial"
    VENOUS = "venous"
    CAPILLARY = "capillary"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=True)


_NAMES_ITS_TARGET: Final[dict[str, Any]] = {
    "if": {"properties": {"status": {"enum": ["corrected", "entered-in-error"]}}, "required": ["status"]},
    "then": {"properties": {"corrects": {"type": "string"}}, "required": ["corrects"]},
}


_CORRECTING: Final = (str(Status.CORRECTED), str(Status.ENTERED_IN_ERROR))


class Envelope(_Frozen):
    """What every message carries.

    ``unreadable`` says what of the message could not be read when it was taken in; a gateway may say so too.
    """

    model_config = ConfigDict(json_schema_extra={"allOf": [_NAMES_ITS_TARGET]})

    schema_version: SchemaVersion
    id: Identifier
    source: Source
    subject: Identifier
    effective_at: Moment
    received_at: Moment
    status: Status = Field(default=Status.FINAL, validate_default=True)
    corrects: Identifier | None = None
    unreadable: Annotated[tuple[Loss, ...], Field(max_length=500)] = ()

    @property
    def happened_at(self) -> datetime:
        """When the fact was true of the patient, by the wall clock."""
        return self.effective_at

    @property
    def key(self) -> str:
        """What identifies the message: its source and its id."""
        return f"{self.source} {self.id}"

    @model_validator(mode="after")
    def _correction_names_its_target(self) -> Envelope:
        if self.corrects is None and self.status in _CORRECTING:
            msg = f"a message with status {self.status} must name in 'corrects' the event that it corrects"
            raise ValueError(msg)
        if self.corrects == self.id:
            msg = "a message cannot correct itself"
            raise ValueError(msg)
        return self


class Quality(StrEnum):
    """What the source says of a reading."""

    VALID = "valid"
    QUESTIONABLE = "questionable"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", use_enum_values=True))
class Reading:
    """One value: a LOINC code or catalogue name, a number and its UCUM unit.

    Null says that it was measured and that the result is not known. With a ``comparator`` the number is only a bound.
    A slotted dataclass because a ward sends thousands of them a second, and its fields are read several times each.
    """

    code: Code
    value: Number | None
    unit: Unit
    quality: Quality = Field(default=Quality.VALID, validate_default=True)
    method: Method | None = None
    specimen: Specimen | None = None
    comparator: Comparator | None = None


class Observations(Envelope):
    """A bundle of readings that were true at the same moment: one message per bed per tick, or one lab panel."""

    kind: Literal["observations"]
    readings: Annotated[tuple[Reading, ...], Field(min_length=1, max_length=500)]


class Quantity(_Frozen):
    """A number with its UCUM unit."""

    value: Positive
    unit: Unit


class InfusionAction(StrEnum):
    """What happened to a continuous infusion."""

    START = "start"
    RATE = "rate"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    BAG_CHANGE = "bag_change"
    ALARM = "alarm"


class InfusionAlarm(StrEnum):
    """A pump alarm that puts delivery in doubt."""

    OCCLUSION = "occlusion"
    EXTRAVASATION = "extravasation"
    AIR_IN_LINE = "air_in_line"
    OTHER = "other"


class Infusion(Envelope):
    """A change of a continuous infusion; ``start`` and ``rate`` carry the rate that holds until the next change.

    Whatever carries a rate sets it, a bag change too. A rate that is missing or cannot be used makes what runs unknown
    until one that can. ``line`` is the line as its sender calls it. ``pump`` identifies the device that delivers, as
    does a line called after it (``pump-3``). Two pumps add up, two statements about one pump are about one infusion,
    and what a chart says beside a pump is taken for its charting. Of lines without a pump, nobody knows whether they
    are the same infusion, charted twice.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _NAMES_ITS_TARGET,
                {
                    "if": {"properties": {"action": {"const": "alarm"}}},
                    "then": {"properties": {"alarm": {"type": "string"}}, "required": ["alarm"]},
                    "else": {"properties": {"alarm": {"type": "null"}}},
                },
            ]
        }
    )

    kind: Literal["infusion"]
    drug: Code
    action: InfusionAction
    rate: NonNegative | None = None
    unit: Unit | None = None
    concentration: Quantity | None = None
    salt: Code | None = None
    line: Identifier = "main"
    pump: Identifier | None = None
    alarm: InfusionAlarm | None = None

    @property
    def device(self) -> str | None:
        """The pump, where the message identifies it."""
        return self.pump or (self.line if self.line.lower().startswith("pump") else None)

    @model_validator(mode="after")
    def _alarm_with_its_action(self) -> Infusion:
        if (self.action == InfusionAction.ALARM) != (self.alarm is not None):
            msg = "'alarm' belongs to action 'alarm', and only to it"
            raise ValueError(msg)
        return self


class DoseStatus(StrEnum):
    """Only ``given`` counts as treatment; the others explain why it does not."""

    GIVEN = "given"
    ORDERED = "ordered"
    HELD = "held"
    REFUSED = "refused"


class Dose(Envelope):
    """A discrete dose; ``effective_at`` is the end of the administration, ``started_at`` its beginning."""

    kind: Literal["dose"]
    drug: Code
    dose: Positive
    unit: Unit
    route: Route = "iv"
    dose_status: DoseStatus = Field(default=DoseStatus.GIVEN, validate_default=True)
    started_at: Moment | None = None
    completed: bool = True


class Fluid(Envelope):
    """Volume given by ``effective_at``; with ``started_at`` it is spread evenly from then on.

    A volume of zero says that none was given, which is more than saying nothing.
    """

    kind: Literal["fluid"]
    fluid: Literal["crystalloid", "albumin", "other_colloid", "blood_product"]
    volume: NonNegative
    unit: Literal["mL", "L"]
    started_at: Moment | None = None


class ProcedureAction(StrEnum):
    """Procedures with duration start and stop; the others are done."""

    START = "start"
    STOP = "stop"
    DONE = "done"


class Procedure(Envelope):
    """A procedure or a support: intubation, prone session, source control, culture taken, ECMO, ketogenic diet ..."""

    kind: Literal["procedure"]
    code: Code
    action: ProcedureAction


class Finding(_Frozen):
    """A coded finding: present, absent or explicitly unknown."""

    code: Code
    presence: Presence = Field(default=Presence.PRESENT, validate_default=True)
    since: Moment | None = None


class Assessment(Envelope):
    """The result of a bedside examination or image: its findings, and numbers where it measured any.

    ``examination`` is the kind of examination (``echo``, ``fluid_responsiveness``, ``arterial_line_check`` ...); the
    examination itself is recorded as done even when it found nothing.
    """

    kind: Literal["assessment"]
    examination: Code
    findings: tuple[Finding, ...] = ()
    readings: tuple[Reading, ...] = ()


class Susceptibility(_Frozen):
    """One drug tested against an isolate: susceptible, intermediate or resistant."""

    drug: Code
    result: Literal["S", "I", "R"]


class Culture(Envelope):
    """A culture result: the organism found (or none) and what it was tested against; ``effective_at`` is collection."""

    kind: Literal["culture"]
    specimen_type: Code
    organism: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    organism_group: Literal["bacterial", "fungal", "viral", "anaerobic", "mycobacterial"] | None = None
    susceptibilities: tuple[Susceptibility, ...] = ()


class Seizure(Envelope):
    """A clinical or electrographic seizure event."""

    kind: Literal["seizure"]
    action: Literal["start", "stop", "ongoing"]
    semiology: Literal["tonic_clonic", "focal_impaired", "absence", "myoclonic", "electrographic", "unspecified"]


class Resuscitation(Envelope):
    """A cardiac-arrest clock event in the words of Utstein.

    ``last_seen_at`` is when somebody found was last seen well; ``clock_ahead_s`` by how many seconds the device that
    stamped ``effective_at`` is known to be ahead of the wall clock.
    """

    kind: Literal["resuscitation"]
    action: Literal[
        "collapse",
        "found",
        "cpr_start",
        "cpr_stop",
        "shock",
        "rhythm",
        "rosc",
        "rearrest",
        "cannulation",
        "ecmo_flow",
        "stopped",
    ]
    rhythm: Literal["vf", "vt", "pea", "asystole", "organised"] | None = None
    witnessed: bool | None = None
    energy_joules: Positive | None = None
    last_seen_at: Moment | None = None
    clock_ahead_s: Annotated[float, Field(ge=-86_400, le=86_400, allow_inf_nan=False)] = 0.0

    @property
    @override
    def happened_at(self) -> datetime:
        return self.effective_at - timedelta(seconds=self.clock_ahead_s)


class Goals(StrEnum):
    """Goals of care as recorded."""

    FULL = "full"
    NO_ESCALATION = "no_escalation"
    DNR = "dnr"
    COMFORT = "comfort"
    UNKNOWN = "unknown"


class Encounter(Envelope):
    """Facts about the patient and the stay; only the fields present are changed."""

    kind: Literal["encounter"]
    event: Literal["admission", "update", "transfer", "discharge"] = "update"
    unit_name: Identifier | None = None
    bed: Identifier | None = None
    age_years: Age | AgeText | None = None
    sex: Literal["male", "female"] | None = None
    weight_kg: Positive | None = None
    height_cm: Positive | None = None
    conditions: tuple[Finding, ...] = ()
    allergies: tuple[Finding, ...] = ()
    goals_of_care: Goals | None = None


class Action(Envelope):
    """What a clinician did with an alert.

    ``based_on`` is the sequence number of the alert's change that the clinician saw; with it, an answer to an alert
    that somebody else has answered meanwhile is refused. To decline needs one of the reasons of the pack. To retry is
    an answer to the notice that a patient is not watched because of a fault in the monitor, and to nothing else.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _NAMES_ITS_TARGET,
                {
                    "if": {"properties": {"action": {"const": "decline"}}},
                    "then": {"properties": {"reason": {"type": "string"}}, "required": ["reason"]},
                },
            ]
        }
    )

    kind: Literal["action"]
    alert_id: Identifier
    action: Literal["acknowledge", "accept", "decline", "snooze", "retry"]
    actor: Identifier
    role: Identifier
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    based_on: Ordinal | None = None

    @model_validator(mode="after")
    def _decline_says_why(self) -> Action:
        if self.action == "decline" and self.reason is None:
            msg = "declining an alert needs a reason"
            raise ValueError(msg)
        return self


Event = (
    Observations
    | Infusion
    | Dose
    | Fluid
    | Procedure
    | Assessment
    | Culture
    | Seizure
    | Resuscitation
    | Encounter
    | Action
)

_VALID: Final = str(Quality.VALID)

_ADAPTER: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


class MalformedEventError(ValueError):
    """A message that is not an event of the wire format; the text names each place and reason."""


def decode(message: bytes | str) -> Event:
    """Decode one JSON message.

    JSON is read strictly: ``true`` and ``"4"`` are no numbers, and no key may be given twice. What can be used of a
    message is used: a reading or field that cannot be read is left out and listed in ``unreadable``. A byte order mark
    before it says nothing.

    Raises:
        MalformedEventError: naming the field and the reason of each fault.
    """
    if isinstance(message, bytes):
        message = message.removeprefix(BOM_UTF8)
    try:
        event = _ADAPTER.validate_json(message, strict=True)
    except ValidationError as error:
        event = _salvaged(message, error)
    else:
        if isinstance(event, Observations) and _each_key_once(event, written_keys(message)):
            return event
    repeated = repeated_key(message)
    if repeated is not None:
        raise MalformedEventError("message: a key is given twice")
    return event


def _salvaged(message: bytes | str, error: ValidationError) -> Event:
    """The event without what of it cannot be read."""
    faults = [Fault(_path(detail), _words(detail)) for detail in error.errors(include_url=False, include_context=False)]
    repaired = repair(message, faults)
    if repaired is not None:
        try:
            return _ADAPTER.validate_json(repaired, strict=True)
        except ValidationError:
            pass  # more is wrong with it than what could be left out
    raise MalformedEventError(in_one(fault.text for fault in faults)) from None


def _each_key_once(event: Observations, written: int | None) -> bool:
    """Whether a bundle of so many keys certainly has none twice.

    That is plain for nearly all bundles by counting those that it needs; the others are looked at key by key.
    """
    if written is None or event.unreadable:
        return False
    optional = written - len(event.model_fields_set) - 3 * len(event.readings)
    if not optional:
        return True
    for reading in event.readings:
        said = (reading.method, reading.specimen, reading.comparator)
        optional -= (reading.quality != _VALID) + sum(given is not None for given in said)
    return not optional


def encode(event: Event) -> str:
    """One line of JSON without the fields that have their default; ``decode(encode(e)) == e``."""
    return event.model_dump_json(exclude_defaults=True)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the wire format, generated from the models."""
    schema = _ADAPTER.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rescue-monitor event", **schema}


_UNQUOTED: Final[Mapping[str, str]] = {"union_tag_invalid": "'kind' is none of the known kinds"}
"""Reasons in other words than the library's, which quote what was given."""


_UNKNOWN_KEY: Final = ("extra_forbidden", "unexpected_keyword_argument")


def _path(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Where a fault is; a key that nobody knows is content and not named."""
    path = detail["loc"]
    return (*path[:-1], "(unknown key)") if detail["type"] in _UNKNOWN_KEY else path


def _words(detail: ErrorDetails) -> str:
    """The reason of a fault without anything of what was given: reasons are listed where no patient may be named."""
    return _UNQUOTED.get(detail["type"]) or detail["msg"]
