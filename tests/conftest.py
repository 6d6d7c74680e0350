"""Scenarios are collected by the project's own plugin, also in a checkout that is not installed."""

import pytest


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    if not pluginmanager.has_plugin("rescue_monitor"):
        pluginmanager.import_plugin("monitor.pytest_plugin")
