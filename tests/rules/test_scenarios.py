"""Every scenario under tests/scenarios: a patient's course, and what the monitor must say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.testing import Run, load_scenario

SUFFIX = ".scenario.yaml"
FILES = sorted((Path(__file__).parents[1] / "scenarios").rglob(f"*{SUFFIX}"))


@pytest.mark.parametrize("path", FILES, ids=[path.name.removesuffix(SUFFIX) for path in FILES])
def test_scenario(path: Path) -> None:
    scenario = load_scenario(path)
    failures = Run(scenario).failures()
    assert not failures, "\n".join([scenario.title, *failures])


def test_every_scenario_expects_something() -> None:
    idle = [path.name for path in FILES if not (load_scenario(path).expect or load_scenario(path).never)]
    assert FILES
    assert not idle
