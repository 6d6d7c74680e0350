"""Pytest plugin: collects ``*.scenario.yaml``, so that hospitals test their own rule packs with plain pytest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from rules.pack import Pack
    from rules.settings import SiteSettings

_SUFFIX: Final = ".scenario.yaml"
_PACKS: Final = "rescue_monitor_packs"
_SETTINGS: Final = "rescue_monitor_settings"
_RULES: Final = pytest.StashKey["tuple[tuple[Pack, ...], SiteSettings]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which rule packs and site settings the scenarios are played with."""
    parser.addini(_PACKS, "rule packs (YAML) to play scenarios with instead of the bundled ones", "paths", [])
    parser.addini(_SETTINGS, "site settings (YAML) to play scenarios with", "string", "")
    group = parser.getgroup("rescue-monitor")
    group.addoption(
        "--rescue-monitor-pack", action="append", metavar="FILE", help=f"a rule pack, instead of the ini {_PACKS}"
    )
    group.addoption("--rescue-monitor-settings", metavar="FILE", help=f"site settings, instead of the ini {_SETTINGS}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect scenario files."""
    if not file_path.name.endswith(_SUFFIX):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A scenario file: one test."""

    def collect(self) -> Iterator[pytest.Item]:
        """The scenario in it."""
        _rules(self.config)
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(_SUFFIX))


class ScenarioFailedError(Exception):
    """A scenario came out otherwise than expected, or cannot be used; the text says how or why."""


class ScenarioItem(pytest.Item):
    """Plays a scenario."""

    def runtest(self) -> None:
        """Fail with everything that came out otherwise than expected."""
        from rules.settings import SettingsError
        from rules.testing import Run, ScenarioError, load_scenario

        packs, settings = _rules(self.config)
        try:
            scenario = load_scenario(self.path)
            failures = Run(scenario, packs, settings).failures()
        except (ScenarioError, SettingsError) as error:
            raise ScenarioFailedError(str(error)) from None
        if failures:
            raise ScenarioFailedError("\n".join([scenario.title, *failures]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """The failures in words, without a traceback."""
        if isinstance(excinfo.value, ScenarioFailedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """What stands above a failure."""
        return self.path, None, f"scenario {self.name}"


def _rules(config: pytest.Config) -> tuple[tuple[Pack, ...], SiteSettings]:
    """The packs and settings, loaded once.

    Raises:
        CollectError: if a file cannot be used.
    """
    found = config.stash.get(_RULES, None)
    if found is not None:
        return found
    from monitor.options import InputError
    from monitor.site import open_rules

    packs = [config.invocation_params.dir / name for name in config.getoption("--rescue-monitor-pack") or ()]
    chosen = config.getoption("--rescue-monitor-settings")
    settings = config.invocation_params.dir / chosen if chosen else None
    if settings is None and config.getini(_SETTINGS):
        settings = config.rootpath / config.getini(_SETTINGS)
    try:
        found = open_rules(settings, packs or config.getini(_PACKS))
    except InputError as error:
        raise pytest.Collector.CollectError(error.message) from None
    config.stash[_RULES] = found
    return found
