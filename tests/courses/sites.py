"""Sites whose settings differ: salts, capabilities, readings of a definition, local values of parameters."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from itertools import count, islice
from random import Random
from typing import Any

from hypothesis import strategies as st

from rules.pack import Pack
from rules.packs import check_overrides
from rules.settings import Capability, SettingsError, SiteSettings
from tests.rules.strategies import SITE, packs

_HOW_MANY = 12
_LOCAL = 4


@cache
def some() -> tuple[SiteSettings, ...]:
    """The plainest site, and others made by chance once for all, since making a site ready takes time."""
    chance = Random(9)
    usable = (site for _ in count() if _is_usable(site := _site(chance)))
    return (SITE, *islice(usable, _HOW_MANY - 1))


def _is_usable(site: SiteSettings) -> bool:
    """Whether the rules take the settings: some durations make them look back too far."""
    try:
        check_overrides(packs(), site)
    except SettingsError:
        return False
    return True


def sites() -> st.SearchStrategy[SiteSettings]:
    """Any of the sites; the plainest is the simplest."""
    return st.sampled_from(some())


def _site(chance: Random) -> SiteSettings:
    yes = (True, False, None)
    capability = Capability(
        ecmo_va=chance.choice(yes),
        ecmo_vv=chance.choice(yes),
        ecpr=chance.choice(yes),
        ecpr_lead_time=chance.choice((None, timedelta(minutes=25), timedelta(minutes=15))),
        ketogenic_team=chance.choice(yes),
    )
    return SiteSettings.model_validate(
        {
            "norepinephrine_salt": chance.choice(("base", "tartrate", None)),
            "guideline_profile": chance.choice(("ssc2021", "ssc2026")),
            "rss_basis": chance.choice(("nee", "ne_only", "both")),
            "strict_fluid": chance.choice((True, False)),
            "capability": capability,
            "overrides": {pack.id: _overrides(chance, pack) for pack in packs()},
        }
    )


def _overrides(chance: Random, pack: Pack) -> dict[str, Any]:
    """A few parameters of a pack somewhat higher or lower, on whole minutes and within what packs usually say."""
    local: dict[str, Any] = {}
    for name in chance.sample(sorted(pack.parameters), _LOCAL):
        found = pack.parameters[name]
        if found.is_duration:
            seconds = found.milliseconds // 1000
            local[name] = (
                f"PT{max(60, round(seconds * chance.choice((0.5, 0.75, 1.5)) / 60) * 60)}S" if seconds else "PT0S"
            )
        elif not found.by_age:
            local[name] = round(found.number * chance.choice((0.9, 1.1)), 3) if found.unit != "1" else found.number
    return local
