"""The wire format: every kind survives the wire, matches its JSON Schema, and a fault names field and reason."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import events
from rules.events import (
    Action,
    Assessment,
    Culture,
    Dose,
    Encounter,
    Event,
    Fluid,
    Infusion,
    MalformedEventError,
    Observations,
    Procedure,
    Resuscitation,
    Seizure,
    decode,
    encode,
    json_schema,
)
from tests.rules.strategies import scaled

SCHEMA = json_schema()
STRICT = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
KINDS: tuple[type[Event], ...] = get_args(Event)

printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
codes = st.text(min_size=1, max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
times = st.datetimes(
    datetime(1950, 1, 1),  # noqa: DTZ001 - the zone is drawn beside it
    datetime(2250, 1, 1),  # noqa: DTZ001 - the zone is drawn beside it
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]),
)
reading = st.builds(
    lambda **fields: fields,
    code=codes,
    value=numbers,
    unit=printable,
    quality=st.sampled_from(["valid", "questionable", "invalid"]),
    method=st.sampled_from([None, "device", "charted", "laboratory", "point-of-care", "estimated"]),
    specimen=st.sampled_from([None, "arterial", "venous", "capillary"]),
)
finding = st.builds(
    lambda **fields: fields,
    code=codes,
    presence=st.sampled_from(["present", "absent", "unknown"]),
    since=st.none() | times,
)

BODIES: dict[type[Event], st.SearchStrategy[dict[str, Any]]] = {
    Observations: st.fixed_dictionaries({"readings": st.lists(reading, min_size=1, max_size=3)}),
    Infusion: st.one_of(
        st.fixed_dictionaries(
            {
                "drug": codes,
                "action": st.sampled_from(["start", "rate"]),
                "rate": positive,
                "unit": printable,
                "salt": st.none() | codes,
                "line": printable,
                "concentration": st.none() | st.fixed_dictionaries({"value": positive, "unit": printable}),
            }
        ),
        st.fixed_dictionaries({"drug": codes, "action": st.sampled_from(["pause", "resume", "stop", "bag_change"])}),
        st.fixed_dictionaries(
            {
                "drug": codes,
                "action": st.just("alarm"),
                "alarm": st.sampled_from(["occlusion", "extravasation", "air_in_line", "other"]),
            }
        ),
    ),
    Dose: st.fixed_dictionaries(
        {
            "drug": codes,
            "dose": positive,
            "unit": printable,
            "route": st.sampled_from(["iv", "im", "io", "enteral"]),
            "dose_status": st.sampled_from(["given", "ordered", "held", "refused"]),
            "started_at": st.none() | times,
            "completed": st.booleans(),
        }
    ),
    Fluid: st.fixed_dictionaries(
        {
            "fluid": st.sampled_from(["crystalloid", "albumin", "other_colloid", "blood_product"]),
            "volume": positive,
            "unit": st.sampled_from(["mL", "L"]),
            "started_at": st.none() | times,
        }
    ),
    Procedure: st.fixed_dictionaries({"code": codes, "action": st.sampled_from(["start", "stop", "done"])}),
    Assessment: st.fixed_dictionaries(
        {
            "examination": codes,
            "findings": st.lists(finding, max_size=2),
            "readings": st.lists(reading, max_size=2),
        }
    ),
    Culture: st.fixed_dictionaries(
        {
            "specimen_type": codes,
            "organism": st.none() | codes,
            "organism_group": st.sampled_from([None, "bacterial", "fungal"]),
            "susceptibilities": st.lists(
                st.fixed_dictionaries({"drug": codes, "result": st.sampled_from(["S", "I", "R"])}), max_size=2
            ),
        }
    ),
    Seizure: st.fixed_dictionaries(
        {
            "action": st.sampled_from(["start", "stop", "ongoing"]),
            "semiology": st.sampled_from(["tonic_clonic", "electrographic"]),
        }
    ),
    Resuscitation: st.fixed_dictionaries(
        {
            "action": st.sampled_from(["collapse", "shock", "rosc", "ecmo_flow"]),
            "rhythm": st.sampled_from([None, "vf", "pea"]),
            "witnessed": st.none() | st.booleans(),
            "energy_joules": st.none() | positive,
        }
    ),
    Encounter: st.fixed_dictionaries(
        {
            "event": st.sampled_from(["admission", "update", "transfer", "discharge"]),
            "unit_name": st.none() | printable,
            "age_years": st.none() | st.floats(0, 130),
            "sex": st.sampled_from([None, "male", "female"]),
            "weight_kg": st.none() | positive,
            "height_cm": st.none() | positive,
            "conditions": st.lists(finding, max_size=2),
            "allergies": st.lists(finding, max_size=2),
            "goals_of_care": st.sampled_from([None, "full", "no_escalation", "dnr", "comfort", "unknown"]),
        }
    ),
    Action: st.fixed_dictionaries(
        {
            "alert_id": printable,
            "action": st.sampled_from(["acknowledge", "accept", "decline", "snooze"]),
            "actor": printable,
            "role": printable,
            "reason": codes,
        }
    ),
}


def kind_of(model: type[Event]) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0])


@st.composite
def wire_events(draw: st.DrawFn, model: type[Event]) -> Event:
    status = draw(st.sampled_from(["final", "preliminary", "corrected", "entered-in-error"]))
    envelope = {
        "schema_version": 1,
        "id": "event " + draw(printable),
        "source": draw(printable),
        "subject": draw(printable),
        "effective_at": draw(times),
        "received_at": draw(times),
        "status": status,
        "corrects": None if status in ("final", "preliminary") else draw(printable),
        "kind": kind_of(model),
    }
    return model.model_validate({**envelope, **draw(BODIES[model])})


def test_every_kind_is_tried_here() -> None:
    assert set(BODIES) == set(KINDS)


ODD: list[Any] = [None, True, 1, 1.0, -1, 0.5, "", "x", "4.6", "1_0", " 1", "> 89", "1772352000", [], {}, [1]]
WORDS = ["2026-03-01T08:00:00", "2026-03-01T08:00Z", "2026-03-01T24:00:00Z", "2026-03-01T08:00:00+01:00", "present"]


def places(node: Any, path: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Every place in a message."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def replaced(node: Any, path: tuple[int | str, ...], value: Any) -> Any:
    """A message with another value in one place; ``...`` leaves the place out."""
    if not path:
        return value
    first, *rest = path
    copy: Any = dict(node) if isinstance(node, dict) else list(node)
    copy[first] = replaced(copy[first], tuple(rest), value)
    if copy[first] is ...:
        del copy[first]
    return copy


@pytest.mark.parametrize("model", KINDS, ids=kind_of)
def test_the_decoder_and_the_published_schema_agree_on_what_is_an_event(model: type[Event]) -> None:
    @settings(max_examples=scaled(40), deadline=None, derandomize=True)
    @given(wire_events(model), st.data())
    def check(event: Event, data: st.DataObject) -> None:
        message = json.loads(event.model_dump_json(exclude_none=data.draw(st.booleans())))
        place = data.draw(st.sampled_from([place for place in places(message) if place]))
        message = replaced(message, place, data.draw(st.sampled_from([..., *ODD, *WORDS])))
        if message.get("corrects") == message.get("id"):
            return  # no schema can tell
        line = json.dumps(message)
        try:
            read = decode(line)
        except MalformedEventError:
            whole = False
        else:
            whole = len(read.unreadable) == len(message.get("unreadable", ()))
        assert whole == STRICT.is_valid(message), (place, line)

    check()


@pytest.mark.parametrize("model", KINDS, ids=kind_of)
def test_an_event_survives_the_wire_and_matches_the_schema(model: type[Event]) -> None:
    @settings(max_examples=scaled(25), deadline=None, derandomize=True)
    @given(wire_events(model))
    def check(event: Event) -> None:
        line = encode(event)
        assert "\n" not in line
        assert decode(line) == event
        assert decode(line.encode()) == event
        assert decode(b"\xef\xbb\xbf" + line.encode()) == event
        assert encode(decode(line)) == line
        VALIDATOR.validate(json.loads(line))

    check()


def test_the_schema_is_a_schema_and_covers_every_kind() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["discriminator"]["mapping"]) == {kind_of(model) for model in KINDS}


def raw(**changes: Any) -> dict[str, Any]:
    base = {
        "schema_version": 1,
        "id": "e1",
        "source": "ward",
        "subject": "p1",
        "effective_at": "2026-03-01T08:00:00Z",
        "received_at": "2026-03-01T08:00:00Z",
        "kind": "observations",
        "readings": [{"code": "lactate", "value": 2, "unit": "mmol/L"}],
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


INFUSION = {"kind": "infusion", "drug": "norepinephrine", "readings": ...}
DOSE = {"kind": "dose", "drug": "lorazepam", "dose": 4, "unit": "mg", "readings": ...}
ACTION = {"kind": "action", "alert_id": "a", "actor": "dr-1", "role": "r", "readings": ...}
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"id": ...}, "id", "required"),
    ({"id": ""}, "id", "at least 1"),
    ({"id": "x" * 201}, "id", "at most 200"),
    ({"id": "tab\there"}, "id", "pattern"),
    ({"subject": "with\nnewline"}, "subject", "pattern"),
    ({"schema_version": 2}, "schema_version", "1"),
    ({"kind": "telegram"}, "message", "none of the known kinds"),
    ({"kind": ...}, "message", "kind"),
    ({"effective_at": "2026-03-01T08:00:00"}, "effective_at", "time with its zone"),
    ({"effective_at": "yesterday"}, "effective_at", "time with its zone"),
    ({"received_at": None}, "received_at", "time with its zone"),
    ({"effective_at": 1772352000}, "effective_at", "time with its zone"),
    ({"effective_at": "1772352000"}, "effective_at", "time with its zone"),
    ({"effective_at": "2026-03-01 08:00:00Z"}, "effective_at", "time with its zone"),
    ({"effective_at": "2026-02-29T08:00:00Z"}, "effective_at", "time with its zone"),
    ({"schema_version": True}, "schema_version", "number"),
    ({"status": "lost"}, "status", "final"),
    ({"status": "corrected"}, "observations", "'corrects'"),
    ({"status": "entered-in-error"}, "observations", "'corrects'"),
    ({"corrects": "e1"}, "observations", "itself"),
    ({"extra": 1}, "unknown key", "permitted"),
    ({"readings": []}, "readings", "at least 1"),
    ({"readings": [{"code": "lactate", "value": "high", "unit": "mmol/L"}]}, "readings.0.value", "number"),
    ({"readings": [{"code": "lactate", "value": 2}]}, "readings.0.unit", "required"),
    ({"readings": [{"code": "", "value": 2, "unit": "1"}]}, "readings.0.code", "at least 1"),
    ({"readings": [{"code": "a", "value": 2, "unit": "1", "note": "x"}]}, "readings.0.(unknown key)", ""),
    ({**INFUSION, "action": "alarm"}, "infusion", "'alarm' belongs"),
    ({**INFUSION, "action": "stop", "alarm": "occlusion"}, "infusion", "'alarm' belongs"),
    ({**ACTION, "action": "decline"}, "action", "needs a reason"),
    ({**ACTION, "action": "explode"}, "action", "snooze"),
    ({"kind": "fluid", "readings": ..., "fluid": "tea", "volume": 1, "unit": "mL"}, "fluid", "crystalloid"),
    (
        {"kind": "fluid", "readings": ..., "fluid": "albumin", "volume": -1, "unit": "mL"},
        "volume",
        "greater than or equal to 0",
    ),
    ({"readings": [{"code": "lactate", "value": True, "unit": "mmol/L"}]}, "readings.0.value", "number"),
    ({"readings": [{"code": "lactate", "value": "4.6", "unit": "mmol/L"}]}, "readings.0.value", "number"),
    ({**DOSE, "completed": "no"}, "completed", "boolean"),
    ({**DOSE, "route": 3}, "route", "iv"),
    ({"kind": "culture", "readings": ..., "specimen_type": "blood", "organism": 3}, "organism", "string"),
    ({**ACTION, "action": "accept", "based_on": True}, "based_on", "number"),
    ({**ACTION, "action": "accept", "based_on": 1.5}, "based_on", "multiple of 1"),
]


@pytest.mark.parametrize(("changes", "place", "reason"), FAULTS, ids=lambda value: str(value)[:50])
def test_a_fault_names_the_field_and_the_reason(changes: dict[str, Any], place: str, reason: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        decode(json.dumps(raw(**changes)))
    assert place in str(caught.value)
    assert reason in str(caught.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(MalformedEventError) as caught:
        decode(json.dumps(raw(id="", source=...)))
    assert "id" in str(caught.value)
    assert "source" in str(caught.value)


@pytest.mark.parametrize(
    "message", ["", "null", "[]", "{}", "{", b"\xff\xfe", '{"kind": NaN}', "1e999", '"' + "x" * 100 + '"', "{" * 2000]
)
def test_what_is_no_event_is_a_described_fault(message: bytes | str) -> None:
    with pytest.raises(MalformedEventError, match=r"\w"):
        decode(message)


def test_infinite_and_missing_numbers_are_refused() -> None:
    line = json.dumps(raw()).replace('"value": 2', '"value": 1e999')
    with pytest.raises(MalformedEventError, match=r"readings\.0\.value"):
        decode(line)
    with pytest.raises(MalformedEventError):
        decode(json.dumps(raw()).replace('"value": 2', '"value": NaN'))


def test_a_fault_does_not_repeat_a_long_input() -> None:
    with pytest.raises(MalformedEventError) as caught:
        decode(json.dumps(raw(effective_at="x" * 5000)))
    assert len(str(caught.value)) < 300


def test_events_do_not_change_once_made() -> None:
    event = decode(json.dumps(raw()))
    with pytest.raises(ValueError, match="frozen"):
        event.id = "other"  # type: ignore[misc]


def test_defaults_are_left_out_on_the_wire() -> None:
    line = json.loads(encode(decode(json.dumps(raw(status="final")))))
    assert "status" not in line
    assert "corrects" not in line
    assert line["kind"] == "observations"


def test_the_wire_format_has_one_version() -> None:
    assert events.SCHEMA_VERSION == 1
