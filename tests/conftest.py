"""Scenarios are collected by the project's own plugin, also in a checkout that is not installed.

A fault in the engine sets a patient aside; in a test it is raised, so that none goes unseen.
"""

import pytest

from rules.engine import PatientEngine
from rules.outputs import Change

_BULKHEAD = PatientEngine._set_aside


def _raise(engine: PatientEngine, error: Exception, during: str, now: int) -> list[Change]:
    raise error


pytest.MonkeyPatch().setattr(PatientEngine, "_set_aside", _raise)  # for every test that does not ask for bulkheads


@pytest.fixture
def bulkheads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults set patients aside, as they do outside of tests."""
    monkeypatch.setattr(PatientEngine, "_set_aside", _BULKHEAD)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.has_plugin("rescue_monitor"):
        pluginmanager.import_plugin("monitor.pytest_plugin")
