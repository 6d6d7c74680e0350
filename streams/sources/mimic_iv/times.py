"""Times of MIMIC-IV, which have no zone: read as UTC, written so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1 << 16)
def stamp(text: str) -> str | None:
    """The UTC text (``2171-11-14T11:00:00Z``) of MIMIC's ``2171-11-14 11:00:00``, None if the text is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is not None else to_stamp(moment.replace(tzinfo=UTC))


def to_stamp(moment: datetime) -> str:
    """The UTC text of an aware UTC datetime, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def to_moment(text: str) -> datetime:
    """The aware datetime of a stamp."""
    return datetime.fromisoformat(text)


def arrival(effective: str, stored: str | None) -> str:
    """When a fact reached the ward: when it was stored, but never before it was true."""
    return effective if stored is None or stored < effective else stored
