"""The pytest plugin: a hospital's scenarios are tests, played with its own packs and settings."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from rules.testing import SUFFIX
from tests.rules.strategies import MINI_PACK

ROOT = Path(__file__).parents[2]
INSTALLED = any(found.name == "rescue_monitor" for found in entry_points(group="pytest11"))

PASSING = """
title: A raised lactate is the state
source: made up
pathway: mini
events:
  - {at: 08:00, encounter: {age_years: 50}}
  - {at: 08:00, assessment: {examination: echo}}
  - {at: 08:01, observe: {lactate: 4 mmol/L}}
expect:
  - {at: 08:02, verdict: PSEUDO(gap)}
"""


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """A repository with a pack, a setting and a scenario of its own."""
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs/mini.yaml").write_text(MINI_PACK, encoding="utf-8")
    (tmp_path / "site.yaml").write_text("overrides: {mini: {lactate_high: 3.0}}\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nrescue_monitor_packs = packs/mini.yaml\nrescue_monitor_settings = site.yaml\n", encoding="utf-8"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / f"tests/raised{SUFFIX}").write_text(PASSING, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, everything: bool = False) -> tuple[int, str]:
    """Run pytest as in a hospital's repository.

    With all plugins that are installed, ours among them, or only with that of this checkout, which starts sooner.
    """
    plugin = () if everything and INSTALLED else ("-p", "monitor.pytest_plugin")
    command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    environment |= {} if everything else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_scenario_is_a_test_with_the_hospital_s_own_pack(hospital: Path) -> None:
    code, output = run(hospital, "-v", everything=True)
    assert code == 0, output
    assert f"tests/raised{SUFFIX}::raised PASSED" in output
    assert "1 passed" in output


def test_the_settings_of_the_hospital_are_used(hospital: Path) -> None:
    scenario = hospital / f"tests/raised{SUFFIX}"
    scenario.write_text(PASSING.replace("4 mmol/L", "2.5 mmol/L"), encoding="utf-8")
    code, output = run(hospital)
    assert code == 1
    assert "at 01 08:02:00: expected PSEUDO(gap), got NOT_APPLICABLE" in output


def test_a_failure_is_told_in_words_without_a_traceback(hospital: Path) -> None:
    scenario = hospital / f"tests/raised{SUFFIX}"
    scenario.write_text(PASSING.replace("PSEUDO(gap)", "CONFIRMED"), encoding="utf-8")
    code, output = run(hospital)
    assert code == 1
    assert "A raised lactate is the state\nat 01 08:02:00: expected CONFIRMED, got PSEUDO(gap)" in output
    assert "Traceback" not in output
    assert "def runtest" not in output


def test_a_file_that_is_no_scenario_fails_and_names_itself(hospital: Path) -> None:
    (hospital / f"tests/broken{SUFFIX}").write_text("title: t\n", encoding="utf-8")
    code, output = run(hospital)
    assert code == 1
    assert f"broken{SUFFIX}: pathway: Field required" in output
    assert "1 failed, 1 passed" in output


def test_options_go_before_the_ini(hospital: Path) -> None:
    (hospital / "other.yaml").write_text("overrides: {mini: {lactate_high: 5.0}}\n", encoding="utf-8")
    assert run(hospital, "--rescue-monitor-settings", "other.yaml")[0] == 1
    assert run(hospital, "--rescue-monitor-pack", "packs/mini.yaml")[0] == 0


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("packs/mini.yaml", "format: 1\n", "Field required"),
        ("site.yaml", "overrides: {maxi: {x: 1}}\n", "overrides.maxi: no such rule pack is loaded"),
    ],
)
def test_a_pack_or_settings_that_cannot_be_used_end_the_run(hospital: Path, file: str, text: str, reason: str) -> None:
    (hospital / file).write_text(text, encoding="utf-8")
    code, output = run(hospital)
    assert code == pytest.ExitCode.INTERRUPTED
    assert reason in output
    assert "Traceback" not in output
    assert "def collect" not in output


def test_scenarios_are_spread_over_processes(hospital: Path) -> None:
    (hospital / f"tests/again{SUFFIX}").write_text(PASSING, encoding="utf-8")
    code, output = run(hospital, "-p", "xdist", "-n", "2")
    assert code == 0, output
    assert "2 passed" in output


def test_every_scenario_of_the_project_is_collected_once() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/scenarios"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    collected = sorted(line.partition("::")[0] for line in done.stdout.splitlines() if f"{SUFFIX}::" in line)
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/scenarios").rglob(f"*{SUFFIX}"))
    assert files
    assert collected == files
