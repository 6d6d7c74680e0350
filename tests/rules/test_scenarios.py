"""The scenarios under tests/scenarios, which the plugin in monitor/pytest_plugin.py collects and plays."""

from __future__ import annotations

import re
from pathlib import Path

from rules.testing import SUFFIX, load_scenario

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests/scenarios").rglob(f"*{SUFFIX}"))


def test_every_scenario_expects_something() -> None:
    idle = [path.name for path in FILES if not (load_scenario(path).expect or load_scenario(path).never)]
    assert FILES
    assert not idle


def test_make_test_plays_all_scenarios_and_demands_full_coverage() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    needed, played, ignored = (
        re.search(pattern, makefile, re.MULTILINE)
        for pattern in (
            r"^test:.*\bscenarios\b.*##",
            r"^\t.*rules test tests/scenarios .*--fail-under 100$",
            r"--ignore=tests/scenarios",
        )
    )
    assert played
    assert needed or not ignored, "pytest leaves the scenarios out only because they are played before"
