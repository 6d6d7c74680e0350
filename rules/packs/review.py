"""Everything that can be said against a pack, with the line of its text where that stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import yaml

from rules.pack import Pack
from rules.packs.places import Places
from rules.packs.reading import read_pack
from rules.packs.texts import badly_worded, orders
from rules.packs.unused import find_unused


class Fault(NamedTuple):
    """What is wrong, and where: the path in the pack and the line of the text, as far as they are known."""

    line: int | None
    path: str
    reason: str


class Review(NamedTuple):
    """A pack, if it can be read at all, and what can be said against it in the order of the text.

    ``faults`` must be mended; ``warnings`` are for a person to look at.
    """

    pack: Pack | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


def review(text: str) -> Review:
    """Check the text of a pack: what loading checks, and what is there twice or never used."""
    try:
        places = Places(text)
        pack, found = read_pack(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"not YAML: {getattr(error, 'problem', None) or error}"
        return Review(None, (Fault(None if mark is None else mark.line + 1, "", reason),))
    found = [*found, *places.repeated()]
    if pack is None:
        return Review(None, _placed(found, places))
    found += [*find_unused(pack), *badly_worded(pack)]
    return Review(pack, _placed(found, places), _placed(orders(pack), places))


def _placed(found: Iterable[str], places: Places) -> tuple[Fault, ...]:
    """What was found, each given as ``path: reason``, once and in the order of the text."""
    faults = []
    for fault in dict.fromkeys(found):
        path, _, reason = fault.partition(": ")
        faults.append(Fault(places.line(path), path, reason))
    return tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.path, fault.reason)))
