"""The engine says what the reference works out from scratch, and so does an engine restored from its snapshot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.events import Event
from rules.instants import MINUTE, SECOND, to_instant
from rules.outputs import Change
from rules.packs import load_packs
from rules.settings import SiteSettings
from rules.testing import Bedside
from rules.testing.scenario import load_scenario
from rules.view import View
from tests.courses.disturbing import on_the_second, punctual, with_repetitions, without_live
from tests.courses.everybody import PATHWAYS, of
from tests.courses.sites import sites
from tests.reference.comparing import Compared
from tests.reference.judging import PlainView
from tests.rules.strategies import make, scaled

_SCALE = float(os.environ.get("PROPERTY_SCALE", "1"))
_EVERY = sorted((Path(__file__).parents[1] / "scenarios").rglob("*.scenario.yaml"))
_SCENARIOS = _EVERY[:: max(1, len(_EVERY) // scaled(6))]
_LOOKS = 24
"""How often the reference looks at a course besides where something happens; a plain view looks each minute."""

SETTLED = timedelta(minutes=5)
"""Of a live signal the engine knows the samples of the minute that goes on until it settles. What is judged again after
that is read off whole minutes, so courses with live signals have no later facts here, and those with later facts no
live signals."""

closely = settings(
    max_examples=scaled(2),
    deadline=None,
    derandomize=_SCALE <= 1,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def compared(
    events: Sequence[Event], site: SiteSettings, stops: Sequence[int], sees: type[View] = View, step: int | None = None
) -> list[str]:
    """Where engine and reference differ at the first stop at which they do."""
    first = min(to_instant(event.effective_at) for event in events)
    wide = max(2 * MINUTE, (max(stops) - first) // _LOOKS // MINUTE * MINUTE)
    both = Compared(events, load_packs(), site, sees, step or wide)
    return next((found for stop in sorted(stops) if (found := both.differences(stop))), [])


def stops_of(events: Sequence[Event], shares: Sequence[float]) -> list[int]:
    """Instants on whole minutes at such shares of a course, and one some time after its end."""
    times = [to_instant(event.received_at) for event in events]
    first, last = min(times), max(times)
    return [(first + round((last - first) * share)) // MINUTE * MINUTE + MINUTE for share in shares] + [
        last // MINUTE * MINUTE + 95 * MINUTE
    ]


@pytest.mark.parametrize("pathway", PATHWAYS)
@closely
@given(st.data())
def test_the_engine_says_what_the_reference_says(pathway: str, data: st.DataObject) -> None:
    events = on_the_second(data.draw(with_repetitions(of(pathway))))
    events = without_live(events) if data.draw(st.booleans()) else punctual(events, SETTLED)
    shares = data.draw(st.lists(st.floats(0.1, 0.99), max_size=2))
    site = data.draw(sites())
    assert compared(events, site, stops_of(events, shares)) == []


@pytest.mark.parametrize("path", _SCENARIOS, ids=lambda path: path.name.split(".")[0])
def test_the_engine_says_what_the_reference_says_on_scenarios(path: Path) -> None:
    scenario = load_scenario(path)
    events, site = with_alerts_named(path)
    last = max(to_instant(moment) for moment in (*scenario.times(), *(event.received_at for event in events)))
    assert compared(on_the_second(events), site, [last // SECOND * SECOND]) == []


def with_alerts_named(path: Path) -> tuple[list[Event], SiteSettings]:
    """The events of a scenario, of which answers name their alert by its id, and its settings."""
    scenario = load_scenario(path)
    bed = Bedside(settings=scenario.settings)
    named: list[Event] = []
    observe = bed.engine.observe

    def noting(event: Event) -> list[Change]:
        named.append(event)
        return observe(event)

    setattr(bed.engine, "observe", noting)  # noqa: B010 - it is a method
    for event in scenario.wire_events():
        bed.advance(event.received_at - timedelta(milliseconds=2))
        bed.observe(event, scenario.pathway)
    return named, bed.settings


def test_a_plain_view_looks_at_every_minute_of_a_short_course() -> None:
    events = [
        make("encounter", 0, weight_kg=70, age_years=45),
        make("seizure", 1, action="start", semiology="tonic_clonic"),
        make("dose", 7, drug="lorazepam", dose=4, unit="mg"),
        make("dose", 20, lag=3, drug="levetiracetam", dose=4200, unit="mg"),
        make("seizure", 31, action="ongoing", semiology="tonic_clonic"),
    ]
    assert compared(events, SiteSettings(), [to_instant(events[-1].received_at) + 40 * MINUTE], PlainView, MINUTE) == []


@pytest.mark.parametrize("sees", [View, PlainView])
def test_a_second_stay_is_followed_too(sees: type[View]) -> None:
    sick: dict[str, Any] = {"weight_kg": 80, "age_years": 60, "conditions": [{"code": "suspected_infection"}]}
    events = [
        make("encounter", 0, event="admission", **sick),
        make("infusion", 1, drug="norepinephrine", action="start", rate=0.3, unit="ug/kg/min", salt="base"),
        make("encounter", 60, event="discharge"),
        make("encounter", 3000, event="admission", **sick),
        make("infusion", 3010, drug="norepinephrine", action="start", rate=0.3, unit="ug/kg/min", salt="base"),
    ]
    assert compared(events, SiteSettings(), [to_instant(events[-1].received_at) + 40 * MINUTE], sees) == []
