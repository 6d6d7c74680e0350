"""The rule packs and site settings of a command, from the files that its options name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.options import InputError
from rules.pack import Pack
from rules.packs import PackError, check_overrides, load_packs
from rules.settings import SettingsError, SiteSettings


def open_rules(settings: Path | None, packs: Sequence[Path]) -> tuple[tuple[Pack, ...], SiteSettings]:
    """The bundled rule packs and no site settings, unless files say otherwise.

    Raises:
        InputError: if a file cannot be used.
    """
    try:
        loaded = load_packs(packs or None)
        site = SiteSettings() if settings is None else SiteSettings.from_file(settings)
    except (PackError, SettingsError) as error:
        raise InputError(str(error)) from None
    try:
        check_overrides(loaded, site)
    except SettingsError as error:
        raise InputError("\n".join(f"{settings}: {line}" for line in str(error).splitlines())) from None
    return loaded, site
