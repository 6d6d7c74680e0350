"""What counts as a charted artefact where the interruptions of recorded patients are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from rules.events import Event, Infusion, Observations
from tests.integration.artefacts import contradicted, without
from tests.streams.fake_engine import at, vitals


def charted(values: Sequence[float], code: str = "lactate", apart: float = 60) -> list[Event]:
    """One value after the other, so many minutes apart."""
    found: list[Event] = []
    for index, value in enumerate(values):
        event = vitals("p1", index * apart)
        assert isinstance(event, Observations)
        reading = event.readings[0].__class__(code=code, value=value, unit="1")
        found.append(event.model_copy(update={"readings": (reading,)}))
    return found


@pytest.mark.parametrize(
    ("values", "code", "apart", "is_artefact"),
    [
        ([2.1, 9.0, 2.2], "lactate", 60, True),
        ([2.1, 3.0, 2.2], "lactate", 60, False),
        ([2.1, 9.0, 8.5], "lactate", 60, False),
        ([2.1, 9.0, 2.2], "lactate", 7 * 60, False),
        ([80.0, 99.0, 80.5], "weight", 60, True),
        ([80.0, 85.0, 80.5], "weight", 60, False),
    ],
)
def test_a_reading_is_contradicted_by_neighbours_that_agree(
    values: list[float], code: str, apart: float, is_artefact: bool
) -> None:
    found = contradicted(charted(values, code, apart))
    assert [(value.at, value.value) for value in found] == ([(at(apart), values[1])] if is_artefact else [])


@pytest.mark.parametrize(("minutes", "is_artefact"), [(10, True), (20, False)])
def test_a_rate_is_contradicted_only_if_it_was_brief(minutes: int, is_artefact: bool) -> None:
    rates = [("start", 0.2, 0), ("rate", 3.0, 60), ("rate", 0.21, 60 + minutes)]
    events: list[Event] = [
        Infusion.model_validate(
            {
                "schema_version": 1,
                "id": f"i{minute}",
                "source": "test",
                "subject": "p1",
                "effective_at": at(minute),
                "received_at": at(minute),
                "kind": "infusion",
                "drug": "norepinephrine",
                "action": action,
                "rate": rate,
                "unit": "ug/kg/min",
            }
        )
        for action, rate, minute in rates
    ]
    found = contradicted(events)
    assert [value.value for value in found] == ([3.0] if is_artefact else [])
    assert without(events, found) == [event for event in events if not is_artefact or event.effective_at != at(60)]


def test_only_the_contradicted_reading_of_a_message_is_left_out() -> None:
    events = charted([2.1, 9.0, 2.2])
    message = events[1]
    assert isinstance(message, Observations)
    other = message.readings[0].__class__(code="sodium", value=140.0, unit="mmol/L")
    events[1] = message.model_copy(update={"readings": (*message.readings, other)})
    kept = without(events, contradicted(events))
    assert [event.effective_at - at(0) for event in kept] == [timedelta(hours=hours) for hours in range(3)]
    assert isinstance(kept[1], Observations)
    assert [reading.code for reading in kept[1].readings] == ["sodium"]
