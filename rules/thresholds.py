"""Which numbers of a pack can still decide something about a signal, where a pathway stands now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from rules.conditions import Node, Use
from rules.conditions.numbers import Compare, Persistent, Stayed, Sustained
from rules.engine import PatientEngine
from rules.glance import age_of
from rules.pack import Pack
from rules.parameters import Parameter
from rules.pathway import Pathway, Verdict
from rules.quantities import QUANTITIES
from rules.track import Track

_COMPARING: Final = (Compare, Sustained, Stayed, Persistent)


class Threshold(NamedTuple):
    """A number that a rule compares a signal with, in the signal's unit.

    ``source`` is the text of the source, empty where the number has none; ``local`` if it is the site's own or a
    design choice.
    """

    pathway: str
    parameter: str
    title: str
    value: float
    source: str
    local: bool


def thresholds(engine: PatientEngine, track: Track, signal: str) -> Iterator[Threshold]:
    """The numbers that a signal is compared with where a pathway stands now, in the order of its pack.

    A stage that has been passed, the resolution while there is nothing to resolve, and what speaks for or against a
    therapy that nobody thinks of decide nothing: their numbers are left out.
    """
    if track.present is None:
        return
    pack, uses = track.pathway.pack, _uses(track.pathway)
    deciding = _deciding(pack, track.present.verdict)
    age = age_of(engine.timeline)
    measures = {signal, *(name for name, quantity in QUANTITIES.items() if quantity.shown_on == signal)}
    for name, parameter in pack.parameters.items():
        if any(place in deciding for measure in measures for place in uses.get((measure, name), ())):
            for value in _values(parameter, age):
                yield Threshold(
                    pathway=pack.id,
                    parameter=name,
                    title=parameter.title,
                    value=value,
                    source=pack.sources[parameter.source].text if parameter.source in pack.sources else "",
                    local=parameter.overridden or parameter.strength == "D",
                )


def _deciding(pack: Pack, verdict: Verdict) -> set[str]:
    """The places of a pack that can still decide something about a patient with a verdict."""
    rank = 0 if verdict.stage is None else pack.rank(verdict.stage)
    ahead = pack.stages[rank:]
    found = {f"stages.{stage.id}" for stage in ahead}
    found |= {f"checks.{hard.check}" for stage in ahead for hard in stage.hard}
    found |= {f"therapies.{counsel.therapy}" for counsel in verdict.counsel}
    return found | ({"recognition", "onset"} if verdict.stage is None else {"resolution"})


@lru_cache(maxsize=32)
def _uses(pathway: Pathway) -> Mapping[tuple[str, str], frozenset[str]]:
    """For each measure and parameter that are compared with one another, the places of the pack where they are."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for path, root in pathway.pack.roots():
        place = ".".join(path.split(".")[:2])
        for node in _spelt_out(pathway.pack, root):
            if isinstance(node, _COMPARING):
                found[node.measure, node.threshold].add(place)
    return {key: frozenset(places) for key, places in found.items()}


def _spelt_out(pack: Pack, root: Node) -> Iterator[Node]:
    """A condition and all that it is made of, those included that the pack names elsewhere."""
    for node in root.walk():
        yield node
        if isinstance(node, Use):
            yield from _spelt_out(pack, pack.conditions[node.name])


def _values(parameter: Parameter, age: float | None) -> tuple[float, ...]:
    """The value that holds for somebody of an age; all that may hold if the age is not known."""
    if not parameter.by_age:
        return (parameter.number,)
    return tuple(band.value for band in parameter.by_age) if age is None else parameter.for_ages(age, age)
