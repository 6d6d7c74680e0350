"""The bundled rule packs, and loading any pack with errors that name the place and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rules import catalogue as catalogues
from rules.pack import Pack
from rules.packs.faults import find_faults
from rules.packs.reads import channels_read
from rules.parameters import Parameter
from rules.settings import SettingsError, SiteSettings

BUNDLED = ("septic_shock", "ards")


class PackError(ValueError):
    """A pack that cannot be used; the text names the file, each place and the reason."""


def load_packs(paths: Sequence[Path] | None = None) -> tuple[Pack, ...]:
    """Load packs from files, or the bundled ones.

    Raises:
        PackError: if a file cannot be read, is not YAML, or does not hold a valid pack.
    """
    if paths is None:
        here = resources.files(__package__)
        return tuple(parse_pack(f"{name}.yaml", here.joinpath(f"{name}.yaml").read_text("utf-8")) for name in BUNDLED)
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


def parse_pack(name: str, text: str) -> Pack:
    """Read one pack.

    Raises:
        PackError: naming every fault with its place.
    """
    try:
        pack = Pack.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        msg = f"{name}: not YAML: {error}"
        raise PackError(msg) from None
    except ValidationError as error:
        raise PackError(
            "\n".join(f"{name}: {_place(e)}: {e['msg']}" for e in error.errors(include_url=False))
        ) from None
    faults = sorted(set(find_faults(pack, catalogues.load())))
    if faults:
        raise PackError("\n".join(f"{name}: {fault}" for fault in faults))
    return pack


def with_overrides(pack: Pack, settings: SiteSettings) -> Pack:
    """The pack with the site's local values, each marked as overridden.

    Raises:
        SettingsError: naming an unknown parameter, or a value of the wrong kind.
    """
    local = settings.overrides.get(pack.id, {})
    fields = {name: getattr(pack, name) for name in Pack.model_fields}
    changed: dict[str, Parameter] = {}
    for name, value in local.items():
        found = pack.parameters.get(name)
        place = f"overrides.{pack.id}.{name}"
        if found is None:
            msg = f"{place}: the pack has no such parameter"
            raise SettingsError(msg)
        if isinstance(value, str) != found.is_duration:
            kind = "an ISO 8601 duration" if found.is_duration else f"a number in {found.unit}"
            msg = f"{place}: must be {kind}"
            raise SettingsError(msg)
        try:
            raw = {**found.model_dump(), "value": value, "by_age": (), "overridden": True}
            changed[name] = Parameter.model_validate(raw)
        except ValidationError as error:
            msg = f"{place}: {error.errors()[0]['msg']}"
            raise SettingsError(msg) from None
    return Pack.model_validate({**fields, "parameters": {**pack.parameters, **changed}}) if changed else pack


def _place(error: Any) -> str:
    return ".".join(str(step) for step in error["loc"]) or "pack"


__all__ = ["PackError", "channels_read", "load_packs", "parse_pack", "with_overrides"]
