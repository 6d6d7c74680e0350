"""What can still be used of a message of which a part cannot be read: one bad reading must not cost all the others.

A part that can be left out without making the rest say something else is left out, and the message says so. A part
whose absence would mean something definite (the organism of a culture, the route of a dose) costs the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Loss(BaseModel):
    """A part of a message that could not be read: where, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Fault(NamedTuple):
    """What is wrong with a message: the path, which begins with its kind, and the words for it."""

    path: tuple[int | str, ...]
    words: str

    @property
    def text(self) -> str:
        """Where and what."""
        return f"{'.'.join(map(str, self.path)) or 'message'}: {self.words}"


_LEFT_OUT: Final[Mapping[str, Any]] = {}
_UNREAD_RATE: Final[Mapping[str, Any]] = {"rate": None, "unit": None}

_FIELDS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "observations": {},
    "assessment": {},
    "encounter": {
        "age_years": _LEFT_OUT,
        "sex": _LEFT_OUT,
        "weight_kg": _LEFT_OUT,
        "height_cm": _LEFT_OUT,
        "bed": _LEFT_OUT,
        "event": _LEFT_OUT,
        "goals_of_care": {"goals_of_care": "unknown"},
    },
    "infusion": {
        "rate": _UNREAD_RATE,
        "unit": _UNREAD_RATE,
        "concentration": _LEFT_OUT,
        "salt": _UNREAD_RATE,
    },
    "dose": {"dose": {"dose": 1, "unit": "{dose}"}, "started_at": _LEFT_OUT},
    "culture": {"organism_group": _LEFT_OUT},
    "resuscitation": {
        "rhythm": _LEFT_OUT,
        "witnessed": _LEFT_OUT,
        "energy_joules": _LEFT_OUT,
        "last_seen_at": _LEFT_OUT,
    },
    "seizure": {"semiology": {"semiology": "unspecified"}},
    "action": {"comment": _LEFT_OUT},
}
"""Fields that a message can do without, by kind, each with what then stands in the message instead."""

_LISTS: Final[Mapping[str, frozenset[str]]] = {
    "observations": frozenset({"readings"}),
    "assessment": frozenset({"readings", "findings"}),
    "encounter": frozenset({"conditions", "allergies"}),
    "culture": frozenset({"susceptibilities"}),
}
"""Lists whose entries can be lost one by one."""

_NO_VALUE: Final = {"value": None, "unit": "1"}
_LONGEST_REASON: Final = 500
_SPACES: Final = " \n\t\r"


def repair(message: bytes | str, faults: Sequence[Fault]) -> str | None:
    """The message without what of it cannot be read; None where too much of it cannot.

    Args:
        message: JSON as it came.
        faults: all that is wrong with it.

    Of a reading whose code can be read the result says that it has no value: what was known before does not stand on.
    Where no reading at all can be read, nothing is left to use, but for a correction: it takes the earlier result back.
    """
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or not faults:
        return None
    lost: dict[str, str] = {}
    entries: dict[str, set[int]] = {}
    for fault in faults:
        kind, field, index = map(str, (*fault.path, "", "", "")[:3])
        instead = _FIELDS.get(kind, {}).get(field)
        listed = field in _LISTS.get(kind, ())
        if instead is not None:
            content.pop(field, None)
            content |= instead
            lost.setdefault(field, fault.words)
        elif listed and index.isdecimal():
            entries.setdefault(field, set()).add(int(index))
            lost.setdefault(".".join(map(str, fault.path[1:])), fault.words)
        elif not (listed and isinstance(content.get(field), list) and content[field]):
            return None  # a list that is too short without its faulty entries has no fault of its own
    if content.get("kind") == "observations" and content.get("corrects") is None:
        readings = content["readings"]
        if len(entries.get("readings", ())) == len(readings):
            return None
    for field, indices in entries.items():
        content[field] = _without(field, content[field], indices)
    told = content.get("unreadable", [])
    if not isinstance(told, list):
        return None
    losses = [{"place": place[:200], "reason": reason[:_LONGEST_REASON]} for place, reason in lost.items()]
    return json.dumps(content | {"unreadable": told + losses})


def _without(field: str, given: list[Any], indices: set[int]) -> list[Any]:
    """The entries of a list; of a reading that cannot be read its code is kept, where that can be read."""
    kept: list[Any] = []
    for index, entry in enumerate(given):
        if index not in indices:
            kept.append(entry)
        elif field == "readings" and isinstance(entry, dict) and isinstance(entry.get("code"), str):
            kept.append({"code": entry["code"], **_NO_VALUE})
    return kept


def written_keys(message: bytes | str) -> int | None:
    """At least how many keys a JSON text has; None where counting does not tell, for a space before a colon.

    Looking for single characters first is cheap, and most senders write no spaces at all.
    """
    if isinstance(message, str):
        spaced = any(space in message and f"{space}:" in message for space in _SPACES)
        return None if spaced else message.count('":')
    spaced = (
        (b" " in message and b" :" in message)
        or (b"\n" in message and b"\n:" in message)
        or (b"\t" in message and b"\t:" in message)
        or (b"\r" in message and b"\r:" in message)
    )
    return None if spaced else message.count(b'":')


def repeated_key(message: bytes | str) -> str | None:
    """A key that an object of a JSON text has twice, if one has."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            found.extend(key for key in keys if keys.count(key) > 1)

    json.loads(message, object_pairs_hook=note)
    return found[0] if found else None
