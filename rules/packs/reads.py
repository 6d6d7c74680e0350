"""Which timeline channels a pack reads: only these facts are kept, and only these make it judge again."""

from __future__ import annotations

from rules.catalogue import Catalogue
from rules.conditions import Decide, Node
from rules.pack import Pack
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.view import names_of

ALWAYS_READ = frozenset({"state:admitted", "state:goals_of_care", "signal:age"})


def channels_read(pack: Pack, catalogue: Catalogue) -> frozenset[str]:
    """The timeline channels that any condition of a pack reads."""
    channels = set(ALWAYS_READ)
    for measure in pack.display:
        channels |= _measure_channels(measure)
    for _, root in pack.roots():
        for node in root.walk():
            channels |= _node_channels(node, catalogue)
    return frozenset(channels)


def _node_channels(node: Node, catalogue: Catalogue) -> set[str]:
    channels = {f"state:{concept}" for concept in node.concepts()}
    for measure in node.measures():
        channels |= _measure_channels(measure)
    infusions, doses = node.infusions(), node.doses()
    if isinstance(node, Decide):
        predicate = PREDICATES[node.name]
        channels |= set(predicate.reads)
        infusions = doses = predicate.classes
    channels |= {f"infusion:{name}" for drug in infusions for name in names_of(catalogue, drug)}
    channels |= {f"dose:{name}" for drug in doses for name in names_of(catalogue, drug)}
    return channels


def _measure_channels(measure: str) -> set[str]:
    quantity = QUANTITIES.get(measure)
    return set(quantity.reads) if quantity else {f"signal:{measure}"}
