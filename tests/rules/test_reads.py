"""What quantities, predicates and landmarks say they read is what they read: no more, and no less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from rules import catalogue
from rules.conditions import Decide, Elapsed
from rules.engine import PatientEngine
from rules.glance import glance
from rules.instants import MINUTE
from rules.landmarks import LANDMARKS
from rules.logic import MET, NOT_MET, Evaluation
from rules.lookback import Reader
from rules.outputs import StatusChange
from rules.pack import Pack
from rules.packs import channels_read, load_packs, parse_pack
from rules.packs.reads import channels_of
from rules.pathway import Fold
from rules.predicates import PREDICATES, Predicate
from rules.quantities import QUANTITIES
from rules.testing import SUFFIX, load_scenario
from rules.testing.run import Run
from rules.timeline import UndeclaredReadError, kind_of, with_kinds
from rules.track import Track
from rules.view import View
from rules.wording import placeholders
from tests.rules.strategies import MINI_PACK, PATIENT, SITE, make, moment, packs, readings, scaled

pytestmark = pytest.mark.xdist_group("reads")  # the scenarios are played once

SCENARIOS: Final = sorted(Path(__file__).parents[1].joinpath("scenarios").rglob(f"*{SUFFIX}"))
CATALOGUE: Final = catalogue.load()
ANYWAY: Final = frozenset({"signal:age"})
"""Read for thresholds that depend on age, by whatever has one."""


def declared(source: Reader) -> frozenset[str]:
    """The channels that a source says it reads."""
    return channels_of(source, CATALOGUE)


def asked_for(pack: Pack) -> tuple[tuple[str, Any], ...]:
    """The sources that a pack names."""
    nodes = [node for _, root in pack.roots() for node in root.walk()]
    names = {measure for node in nodes for measure in node.measures()} | set(pack.display)
    names |= {measure for therapy in pack.therapies for measure in placeholders(therapy.suggestion)}
    names |= {node.name for node in nodes if isinstance(node, Decide)}
    names |= {node.since for node in nodes if isinstance(node, Elapsed)}
    names |= {therapy.deadline.since for therapy in pack.therapies if therapy.deadline is not None}
    registries: tuple[dict[str, Any], ...] = (QUANTITIES, PREDICATES, LANDMARKS)
    return tuple(
        (f"{type(registry[name]).__name__} {name}", registry[name])
        for name in sorted(names)
        for registry in registries
        if name in registry
    )


def ask(source: Any, view: View) -> None:
    """Ask a source everything that it can be asked."""
    for part in ("value", "decide", "find", "samples"):
        answer = getattr(source, part, None)
        if answer is not None:
            answer(view)
    if getattr(source, "steps", None) is not None:
        source.steps(view, 0)


def read_by_each(track: Track, engine: PatientEngine) -> Iterator[tuple[str, Reader, set[str]]]:
    """What each source of a pathway reads of a patient now, and when each dense signal was last measured."""
    entry, now, series = track.present, engine.reached, engine.timeline.dense.values()
    if entry is None or now is None:
        return
    measured = {(found.newest + 1) * MINUTE for found in series if found.newest is not None}
    for at in {now, *measured}:
        for name, source in asked_for(track.pathway.pack):
            view = track.pathway.view(engine.timeline, entry.fold, at, full=True)
            read = engine.timeline.listen()
            engine.timeline._memo.clear()
            ask(source, view)
            yield name, source, set(read)


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[Reader, set[str]]]:
    """What each source was seen to read, in scenarios of all pathways."""
    found: dict[str, tuple[Reader, set[str]]] = {}
    for path in sorted(telling()):
        scenario = load_scenario(path)
        engine = Run(scenario).bed.engine
        track = next(track for track in engine.tracks if track.pathway.pack.id == scenario.pathway)
        for name, source, read in read_by_each(track, engine):
            found.setdefault(name, (source, set()))[1].update(read)
    return found


def telling() -> set[Path]:
    """Scenarios that together mention everything that is declared, and in a longer run all of them."""
    texts = {path: path.read_text(encoding="utf-8") for path in SCENARIOS}
    sources = [source for pack in packs() for _, source in asked_for(pack)]
    names = {channel.partition(":")[2] for source in sources for channel in source.reads} - {""}
    first = {
        next((path for path, text in texts.items() if f"{name}:" in text or f" {name}" in text), None) for name in names
    }
    return {path for path in first if path is not None} | set(SCENARIOS[:: max(1, round(40 / scaled(1)))])


def test_whatever_is_read_is_declared(seen: dict[str, tuple[Reader, set[str]]]) -> None:
    undeclared = {name: sorted(read - with_kinds(declared(source)) - ANYWAY) for name, (source, read) in seen.items()}
    assert {name: channels for name, channels in undeclared.items() if channels} == {}


def test_whatever_is_declared_is_read(seen: dict[str, tuple[Reader, set[str]]]) -> None:
    """By some source that declares it: several share what they declare."""
    named = {channel for source, _ in seen.values() for channel in source.reads}
    read = {channel for source, found in seen.values() for channel in found if channel in declared(source)}
    kinds = {channel for _, found in seen.values() for channel in found if channel.endswith(":")}
    assert {channel for channel in named - read if kind_of(channel) not in kinds} == set()


UNDECLARED: Final = Predicate(
    "secretive",
    "reads what it does not declare",
    "nobody",
    ("state:abscess",),
    lambda view: Evaluation(MET if view.coded("prone")[0] is None else NOT_MET),
)
SECRETIVE: Final = MINI_PACK.replace("onset: {use: high}", "onset: {predicate: secretive}")


def test_a_predicate_that_reads_what_it_does_not_declare_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICATES, UNDECLARED.name, UNDECLARED)
    engine = PatientEngine(PATIENT, [parse_pack("secretive.yaml", SECRETIVE)], SITE)
    engine.observe(make("observations", 0, readings=readings(lactate=(4, "mmol/L"))))
    with pytest.raises(UndeclaredReadError, match=r"mini reads what nothing in it declares: state:prone"):
        engine.advance(moment(1))


def test_what_another_pack_declares_is_not_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its facts are kept, but they would not wake the pathway."""
    monkeypatch.setitem(PREDICATES, UNDECLARED.name, UNDECLARED)
    engine = PatientEngine(PATIENT, [parse_pack("secretive.yaml", SECRETIVE), *packs()], SITE)
    engine.observe(make("observations", 0, readings=readings(lactate=(4, "mmol/L"))))
    with pytest.raises(UndeclaredReadError, match="mini"):
        engine.advance(moment(1))


def test_a_card_that_shows_what_no_rule_declares_is_refused() -> None:
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.timeline.latest("signal:nonsense", 0)
    with pytest.raises(UndeclaredReadError, match="signal:nonsense"):
        engine.timeline.listen()


LOOKS: Final[dict[str, Callable[[PatientEngine], object]]] = {
    "glance": glance,
    "trend": lambda engine: (engine.timeline.series("signal:cvp"), engine.timeline.facts("signal:cvp")),
    "treatment": lambda engine: engine.timeline.facts("infusion:nonsense"),
    "view": lambda engine: engine.tracks[0].pathway.view(engine.timeline, Fold(), 0).coded("nonsense"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_look_from_outside_is_not_taken_for_reading_by_a_rule(look: Callable[[PatientEngine], object]) -> None:
    """It may ask for what no rule declares: the next event is judged all the same."""
    engine = PatientEngine(PATIENT, packs(), SITE)
    engine.observe(make("observations", 0, readings=readings(lactate=(4, "mmol/L"))))
    engine.advance(moment(1))
    look(engine)
    judged = engine.observe(make("resuscitation", 2, action="cpr_start"))
    assert any(isinstance(change, StatusChange) for change in judged)


RECORDED_ONLY: Final[dict[str, str]] = {
    "known_epilepsy": "status epilepticus is treated alike with and without it",
    "lv_distension": "of a patient on ECMO; no rule judges ECMO that runs",
    "arterial_line": "whether there is a line is read from its pressures",
    "arterial_line_check": "its findings are read, not that it was done",
    "chest_imaging": "its findings are read, not that it was done",
    "mechanical_cpr": "no rule tells compressions by a device from those by hand",
    "vte_prophylaxis": "no rule judges it",
}
"""Concepts that no rule reads, and why they are recorded all the same."""


def test_every_concept_is_read_by_some_rule_or_said_to_be_recorded_only() -> None:
    read = frozenset[str]().union(*(channels_read(pack, CATALOGUE) for pack in load_packs()))
    unread = {concept.name for concept in CATALOGUE.concepts} - {channel.removeprefix("state:") for channel in read}
    assert unread == RECORDED_ONLY.keys()
