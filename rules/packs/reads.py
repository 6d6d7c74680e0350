"""Which timeline channels a pack reads: only these facts are kept, and only these make it judge again."""

from __future__ import annotations

from rules.catalogue import Catalogue
from rules.conditions import Decide, Elapsed, Node
from rules.landmarks import LANDMARKS
from rules.pack import Pack
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.view import names_of
from rules.wording import placeholders

ALWAYS_READ = frozenset({"state:admitted", "state:goals_of_care", "signal:age"})
_SHIFTS = "fluid"
"""Whoever reads the weight reads this too: much fluid makes an old one useless."""


def channels_read(pack: Pack, catalogue: Catalogue) -> frozenset[str]:
    """The timeline channels that any condition of a pack reads."""
    channels = set(ALWAYS_READ)
    for measure in pack.display:
        channels |= _measure_channels(measure)
    for _, root in pack.roots():
        for node in root.walk():
            channels |= _node_channels(node, catalogue)
    for therapy in pack.therapies:
        for measure in placeholders(therapy.suggestion):
            channels |= _measure_channels(measure)
        if therapy.deadline is not None:
            channels |= _landmark_channels(therapy.deadline.since)
    if "signal:weight" in channels:
        channels.add(_SHIFTS)
    return frozenset(channels)


def longer(pack: Pack) -> dict[str, int]:
    """Channels that a quantity, predicate or landmark of a pack looks back on further than usual, and how far."""
    nodes = [node for _, root in pack.roots() for node in root.walk()]
    names = {name for node in nodes for name in (*node.measures(), *_referred(node))}
    names |= {measure for therapy in pack.therapies for measure in placeholders(therapy.suggestion)}
    names |= {therapy.deadline.since for therapy in pack.therapies if therapy.deadline is not None}
    found: dict[str, int] = {}
    for name in names:
        asked = (registry[name] for registry in (QUANTITIES, PREDICATES, LANDMARKS) if name in registry)
        for source in asked:
            found |= {
                channel: max(found.get(channel, 0), source.remembers) for channel in source.reads if source.remembers
            }
    return found


def _referred(node: Node) -> tuple[str, ...]:
    match node:
        case Decide():
            return (node.name,)
        case Elapsed():
            return (node.since,)
        case _:
            return ()


def _landmark_channels(name: str) -> set[str]:
    landmark = LANDMARKS.get(name)
    return set(landmark.reads) if landmark else set()


def _node_channels(node: Node, catalogue: Catalogue) -> set[str]:
    channels = {f"state:{concept}" for concept in node.concepts()}
    for measure in node.measures():
        channels |= _measure_channels(measure)
    if isinstance(node, Elapsed):
        channels |= _landmark_channels(node.since)
    infusions, doses = node.infusions(), node.doses()
    if isinstance(node, Decide):
        predicate = PREDICATES[node.name]
        channels |= set(predicate.reads)
        infusions = doses = predicate.classes
    channels |= {f"infusion:{name}" for drug in infusions for name in names_of(catalogue, drug)}
    channels |= {f"dose:{name}" for drug in doses for name in names_of(catalogue, drug)}
    if infusions or doses:
        channels.add("signal:weight")
    return channels


def _measure_channels(measure: str) -> set[str]:
    quantity = QUANTITIES.get(measure)
    return set(quantity.reads) if quantity else {f"signal:{measure}"}
