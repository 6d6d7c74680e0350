"""Which scenarios read which parameters, and whether one of them notices that a pack was changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from rules.packs import load_packs
from rules.testing import SUFFIX, Run, Scenario, load_scenario
from rules.view import View
from tests.mutation.packs import Mutant, changed

SCENARIOS: Final = Path(__file__).parents[1] / "scenarios"
_CACHE: Final = Path(__file__).parents[2] / ".cache/mutation"


class Reading(NamedTuple):
    """What playing one scenario read, and how long it took."""

    file: str
    parameters: frozenset[str]
    seconds: float


def files(folder: str) -> list[Path]:
    """The scenarios of a pathway."""
    return sorted((SCENARIOS / folder).glob(f"*{SUFFIX}"))


def read_by(file: Path) -> Reading:
    """Play a scenario and take down which parameters it reads; kept for as long as neither it nor a pack changes."""
    key = hashlib.sha256(file.read_bytes() + "".join(pack.digest for pack in load_packs()).encode()).hexdigest()
    kept = _CACHE / f"{key}.json"
    if kept.exists():
        name, parameters, seconds = json.loads(kept.read_text())
        return Reading(name, frozenset(parameters), seconds)
    asked: set[str] = set()
    originals = {name: getattr(View, name) for name in ("number", "duration", "thresholds")}

    def listening(name: str) -> Any:
        def read(view: View, parameter: str) -> Any:
            asked.add(parameter)
            return originals[name](view, parameter)

        return read

    for name in originals:
        setattr(View, name, listening(name))
    began = time.perf_counter()
    try:
        failures = Run(load_scenario(file)).failures()
    finally:
        for name, original in originals.items():
            setattr(View, name, original)
    if failures:
        msg = f"{file} fails before anything is changed: {failures[0]}"
        raise AssertionError(msg)
    reading = Reading(str(file), frozenset(asked), time.perf_counter() - began)
    _CACHE.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([reading.file, sorted(reading.parameters), reading.seconds]))
    return reading


@cache
def _loaded(file: str) -> Scenario:
    return load_scenario(Path(file))


def noticed_by(mutant: Mutant, readings: Sequence[Reading]) -> str | None:
    """The first scenario that fails with the changed pack; None if all pass."""
    pack = changed(mutant)
    if pack is None:
        return "refused when it is loaded"
    packs = [pack if found.id == pack.id else found for found in load_packs()]
    concerned = [reading for reading in readings if mutant.parameter in reading.parameters]
    words = set(mutant.parameter.split("_"))
    concerned.sort(
        key=lambda reading: (-len(words & set(Path(reading.file).name.split(".")[0].split("-"))), reading.seconds)
    )
    for reading in concerned:
        try:
            if Run(_loaded(reading.file), packs).failures():
                return Path(reading.file).name
        except Exception as error:  # noqa: BLE001 - whatever breaks was noticed
            return f"{Path(reading.file).name}: {type(error).__name__}"
    return None
