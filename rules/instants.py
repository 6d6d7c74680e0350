"""Instants and durations as whole milliseconds: exact, cheap to compare, the same on every machine."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
TICK: Final = SECOND
"""Something that changes *after* an instant (a value becoming too old) is evaluated this much later."""

FOREVER: Final = 2**62

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(
    r"P(?!$)(?:(?P<days>\d+)D)?(?:T(?!$)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


def to_instant(moment: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z of an aware datetime, rounded down."""
    since = moment - _EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds // 1_000


def to_datetime(instant: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=instant)


@cache
def parse_duration(text: str) -> int:
    """Milliseconds of an ISO 8601 duration in days, hours, minutes and seconds, e.g. ``PT2H30M``.

    Raises:
        ValueError: if the text is not such a duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        msg = f"{text!r} is not an ISO 8601 duration of days, hours, minutes and seconds (for example PT2H30M)"
        raise ValueError(msg)
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return days * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND


def format_duration(milliseconds: int) -> str:
    """A duration in words for people: ``2 h 30 min``."""
    seconds = milliseconds // SECOND
    parts = [
        f"{amount} {word}"
        for amount, word in (
            (seconds // 86400, "d"),
            (seconds % 86400 // 3600, "h"),
            (seconds % 3600 // 60, "min"),
            (seconds % 60, "s"),
        )
        if amount
    ]
    return " ".join(parts) or "0 s"


def clock_time(instant: int) -> str:
    """Date and time of day to the minute (to the second where it matters), for texts: ``2026-01-31 09:45``."""
    moment = to_datetime(instant)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
