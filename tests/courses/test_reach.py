"""The random courses come where the rules have something to say; otherwise properties hold because nothing happens."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from rules.outputs import Advice, State
from rules.pack import Pack
from rules.settings import SiteSettings
from tests.courses.everybody import PATHWAYS, of
from tests.rules.strategies import Log, packs, play, statuses

_SCALE = float(os.environ.get("PROPERTY_SCALE", "1"))
_SITE = SiteSettings.model_validate(
    {
        "norepinephrine_salt": "base",
        "capability": dict.fromkeys(("ecmo_va", "ecmo_vv", "ecpr", "ketogenic_team"), True),
    }
)


def missed(pathway: str, wanted: set[tuple[str, str]], courses: int) -> set[tuple[str, str]]:
    """What of some states, stages and therapies is said of a pathway in none of so many of its courses."""
    found: set[tuple[str, str]] = set()

    @seed(1)
    @settings(
        max_examples=courses,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(of(pathway))
    def look(course: Log) -> None:
        if wanted <= found:
            return
        for status in statuses(play(course, _SITE)):
            if status.pathway == pathway:
                found.add(("state", status.state))
                found.add(("stage", f"{status.stage} {status.state}"))
                found.update(("therapy", therapy.therapy) for therapy in status.therapies)
                found.update(
                    ("suggested", therapy.therapy)
                    for therapy in status.therapies
                    if therapy.advice in (Advice.ELIGIBLE, Advice.CAUTION)
                )

    look()
    return wanted - found


def _pack(pathway: str) -> Pack:
    return next(pack for pack in packs() if pack.id == pathway)


@pytest.mark.parametrize("pathway", [name for name in PATHWAYS if name != "mixed"])
def test_few_courses_reach_the_first_failure_of_treatment_and_what_fixes_it(pathway: str) -> None:
    first = _pack(pathway).refractory[0].id
    wanted: set[tuple[str, str]] = {("state", state) for state in (State.ACTIVE, State.PSEUDO, State.CONFIRMED)}
    assert missed(pathway, wanted | {("stage", f"{first} {State.CONFIRMED}")}, 100) == set()


@pytest.mark.skipif(_SCALE < 10, reason="takes some minutes: a part of make properties")
@pytest.mark.parametrize("pathway", [name for name in PATHWAYS if name != "mixed"])
def test_many_courses_reach_every_state_failure_and_therapy(pathway: str) -> None:
    pack = _pack(pathway)
    wanted: set[tuple[str, str]] = {("state", state) for state in State}
    wanted |= {("stage", f"{stage.id} {State.CONFIRMED}") for stage in pack.refractory}
    wanted |= {("therapy", therapy.id) for therapy in pack.therapies}
    assert missed(pathway, wanted, 400) == set()
