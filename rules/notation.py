"""How single values are written on the wire: identifiers, times, numbers. JSON is read strictly and guesses nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e][\x20-\x7e]*$")]
Source = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
"""A sender; it has no space, so that source and id together name a message without doubt."""
Code = Annotated[str, Field(min_length=1, max_length=80)]
Unit = Annotated[str, Field(min_length=1, max_length=40)]

_YEAR: Final = r"(?:19|2[0-2])\d\d"
_LEAP_YEAR: Final = r"(?:(?:19|2[0-2])(?:0[48]|[2468][048]|[13579][26])|2000)"
_DATE: Final = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_ZONE: Final = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
TIME_PATTERN: Final = f"^{_DATE}T{_TIME}{_ZONE}$".replace(r"\d", "[0-9]")
"""How a time is written: RFC 3339 with capital letters, from 1900 to 2299, and no leap second."""

_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_AFTER_LAST: Final = datetime(2300, 1, 1, tzinfo=UTC)


def _in_utc(moment: datetime) -> datetime:
    """The same instant in Python's own UTC, with which arithmetic is several times as fast as with pydantic's zones."""
    return moment.astimezone(UTC)


class _InJson:
    """How a value is written in JSON, where that is stricter than what Python code may pass.

    Args:
        form: what JSON must look like.
        read: from that to what Python code may pass, which is then checked in turn.
        published: what the JSON Schema says of it.
    """

    def __init__(self, form: CoreSchema, read: Callable[[Any], Any], published: JsonSchemaValue) -> None:
        self._form = core_schema.no_info_after_validator_function(read, form)
        self._published = published

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        checked = handler(source)
        return core_schema.json_or_python_schema(core_schema.chain_schema([self._form, checked]), checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self._published)


def _whole_number(least: int, most: int | None = None) -> _InJson:
    """A whole number; JSON does not tell 1 from 1.0, and ``true`` is none."""
    number = core_schema.float_schema(ge=least, le=most, multiple_of=1, strict=True, allow_inf_nan=False)
    published = {"const": least} if least == most else {"type": "integer", "minimum": least}
    return _InJson(number, int, published)


Moment = Annotated[
    AwareDatetime,
    Field(ge=_FIRST, lt=_AFTER_LAST),
    AfterValidator(_in_utc),
    _InJson(
        core_schema.custom_error_schema(
            core_schema.str_schema(pattern=TIME_PATTERN, strict=True),
            custom_error_type="time",
            custom_error_message="Input should be a time with its zone, written as 2026-03-14T07:06:00Z",
        ),
        datetime.fromisoformat,
        {"type": "string", "format": "date-time", "pattern": TIME_PATTERN},
    ),
]
"""A time with its zone; MIMIC-IV shifts its dates as far as the year 2200."""
SchemaVersion = Annotated[Literal[1], _whole_number(1, 1)]
Ordinal = Annotated[int, Field(ge=1), _whole_number(1)]
"""A whole number from 1 on."""
_LARGEST: Final = sys.float_info.max
Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=_LARGEST, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=_LARGEST, allow_inf_nan=False)]
Route = Literal["iv", "im", "io", "enteral", "rectal", "buccal", "nasal", "inhaled", "subcutaneous"]
"""How a dose was given."""
Comparator = Literal["<", "<=", ">=", ">"]
"""The value lies below or above the number that is given; words of FHIR."""
Age = Annotated[float, Field(ge=0, le=130)]
AgeText = Annotated[str, Field(pattern=r"^(?:<|<=|>=|>) ?(?:[0-9]|[1-9][0-9]|1[0-2][0-9]|130)$")]
"""An age of which only a bound is told: de-identified data say ``> 89``."""
