"""The bundled rule packs, and loading any pack with errors that name the place and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import ValidationError

from rules import catalogue as catalogues
from rules.catalogue.errors import did_you_mean
from rules.pack import Pack
from rules.packs.reading import read_pack
from rules.packs.reads import channels_read, find_too_long
from rules.parameters import Parameter
from rules.settings import SettingsError, SiteSettings

BUNDLED = ("cardiac_arrest", "septic_shock", "ards", "status_epilepticus")


class PackError(ValueError):
    """A pack that cannot be used; the text names the file, each place and the reason."""


def load_packs(paths: Sequence[Path] | None = None) -> tuple[Pack, ...]:
    """Load packs from files, or the bundled ones, which are read once.

    Raises:
        PackError: if a file cannot be read, is not YAML, or does not hold a valid pack.
    """
    if paths is None:
        return _bundled()
    packs = []
    for path in paths:
        try:
            packs.append(parse_pack(str(path), path.read_text("utf-8")))
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise PackError(msg) from None
        except UnicodeDecodeError:
            msg = f"{path}: not UTF-8 text"
            raise PackError(msg) from None
    return tuple(packs)


@cache
def _bundled() -> tuple[Pack, ...]:
    here = resources.files(__package__)
    return tuple(parse_pack(f"{name}.yaml", here.joinpath(f"{name}.yaml").read_text("utf-8")) for name in BUNDLED)


def parse_pack(name: str, text: str) -> Pack:
    """Read one pack.

    Raises:
        PackError: naming every fault with its place.
    """
    try:
        pack, faults = read_pack(text)
    except yaml.YAMLError as error:
        msg = f"{name}: not YAML: {error}"
        raise PackError(msg) from None
    if pack is None or faults:
        raise PackError("\n".join(f"{name}: {fault}" for fault in faults))
    return pack


def check_overrides(packs: Sequence[Pack], settings: SiteSettings) -> None:
    """Check the local values of a site against all packs that it uses.

    Raises:
        SettingsError: one line for each unknown pack, unknown parameter, or value of the wrong kind.
    """
    known = {pack.id: pack for pack in packs}
    faults = []
    for name in settings.overrides:
        pack = known.get(name)
        if pack is None:
            hint = did_you_mean(name, known) or f"; loaded: {', '.join(sorted(known))}"
            faults.append(f"overrides.{name}: no such rule pack is loaded{hint}")
            continue
        try:
            with_overrides(pack, settings)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("\n".join(faults))


def with_overrides(pack: Pack, settings: SiteSettings) -> Pack:
    """The pack with the site's local values, each marked as overridden.

    Raises:
        SettingsError: one line for each unknown parameter, value of the wrong kind, or duration that makes the pack
            look back further than anything is kept.
    """
    changed, faults = dict[str, Parameter](), list[str]()
    for name, value in settings.overrides.get(pack.id, {}).items():
        try:
            changed[name] = _local(pack, name, value)
        except SettingsError as error:
            faults.append(str(error))
    if not changed and not faults:
        return pack
    fields = {name: getattr(pack, name) for name in Pack.model_fields}
    local = Pack.model_validate({**fields, "parameters": {**pack.parameters, **changed}})
    lengthened = {name for name, parameter in changed.items() if parameter.is_duration}
    for path, durations, fault in find_too_long(local, catalogues.load()) if lengthened else ():
        for name in sorted(lengthened.intersection(durations)):
            faults.append(f"overrides.{pack.id}.{name}: {path} then {fault}")
            lengthened.remove(name)
    if faults:
        raise SettingsError("\n".join(faults))
    return local


def _local(pack: Pack, name: str, value: float | str) -> Parameter:
    """A parameter with the site's own value."""
    found = pack.parameters.get(name)
    place = f"overrides.{pack.id}.{name}"
    if found is None:
        msg = f"{place}: the pack has no such parameter{did_you_mean(name, pack.parameters)}"
        raise SettingsError(msg)
    if isinstance(value, str) != found.is_duration:
        kind = "an ISO 8601 duration" if found.is_duration else f"a number in {found.unit}"
        msg = f"{place}: must be {kind}"
        raise SettingsError(msg)
    try:
        return Parameter.model_validate({**found.model_dump(), "value": value, "by_age": (), "overridden": True})
    except ValidationError as error:
        msg = f"{place}: {error.errors()[0]['msg']}"
        raise SettingsError(msg) from None


__all__ = ["BUNDLED", "PackError", "channels_read", "check_overrides", "load_packs", "parse_pack", "with_overrides"]
