"""Testing rule packs: scenarios as YAML files, and a bedside for tests in Python.

A scenario is a patient's course with what the monitor must say of it; hospitals can test their own packs with it. See
``tests/scenarios`` for examples and ``docs/scenarios.md`` for every field.
"""

from rules.testing.bedside import Bedside, NoAlertError
from rules.testing.run import Run, matches
from rules.testing.scenario import (
    PATIENT,
    SUFFIX,
    CardText,
    Expectation,
    Happening,
    Never,
    Scenario,
    ScenarioError,
    Time,
    load_scenario,
    read_yaml,
)

__all__ = [
    "PATIENT",
    "SUFFIX",
    "Bedside",
    "CardText",
    "Expectation",
    "Happening",
    "Never",
    "NoAlertError",
    "Run",
    "Scenario",
    "ScenarioError",
    "Time",
    "load_scenario",
    "matches",
    "read_yaml",
]
