"""The scenarios under tests/scenarios, which the plugin in monitor/pytest_plugin.py collects and plays."""

from __future__ import annotations

from pathlib import Path

from rules.testing import SUFFIX, load_scenario

FILES = sorted((Path(__file__).parents[1] / "scenarios").rglob(f"*{SUFFIX}"))


def test_every_scenario_expects_something() -> None:
    idle = [path.name for path in FILES if not (load_scenario(path).expect or load_scenario(path).never)]
    assert FILES
    assert not idle
