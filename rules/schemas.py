"""JSON Schemas of the files that people write: rule packs, scenarios, site settings; for editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from rules.conditions.node import one_key
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.testing.scenario import Scenario

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OPERATORS: Final = ("gt", "gte", "lt", "lte")
_CONDITION: Final = {"$ref": "#/$defs/Condition"}

Schema = dict[str, Any]


def pack_schema() -> Schema:
    """The schema of a rule pack as it is written: a condition is one key with its fields."""
    schema = _whole(Pack)
    definitions: dict[str, Schema] = schema["$defs"]
    union: Mapping[str, str] = schema["properties"]["onset"]["discriminator"]["mapping"]
    bodies = {kind: _body(kind, definitions.pop(place.rpartition("/")[2])) for kind, place in union.items()}
    definitions["Condition"] = {
        "description": "Exactly one kind of condition, with its fields.",
        "type": "object",
        "properties": bodies,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    definitions["Parameter"]["properties"].pop("overridden")  # set by the settings of a site, never in a pack
    written: Schema = _with_conditions(schema)
    return written


def scenario_schema() -> Schema:
    """The schema of a scenario."""
    return _whole(Scenario)


def settings_schema() -> Schema:
    """The schema of a site's settings."""
    return _whole(SiteSettings)


def _whole(model: type[BaseModel]) -> Schema:
    return {"$schema": _DIALECT, **model.model_json_schema()}


def _body(kind: str, model: Schema) -> Schema:
    """What may stand under the key of a kind: its fields, or a short form where the reader of packs takes one."""
    properties: dict[str, Schema] = {name: found for name, found in model["properties"].items() if name != "type"}
    forms: list[Schema] = []
    for sample in ({"x": 0}, "x", ["x"]):
        field = _read_as(kind, sample)
        form = _fields(model, properties) if field == "" else properties[field] if field else None
        if form is not None and form not in forms:
            forms.append(form)
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _read_as(kind: str, sample: Any) -> str | None:
    """The field that a body is read into, empty where its own keys are the fields; None where it is refused."""
    try:
        read: Mapping[str, Any] = one_key({kind: sample})
    except ValueError:
        return None
    return next((field for field, value in read.items() if value == sample and field != "type"), "")


def _fields(model: Schema, properties: dict[str, Schema]) -> Schema:
    """The fields of a kind; a comparison is written as ``gt: name`` and the like, not as operator and threshold."""
    required = [name for name in model.get("required", ()) if name != "type"]
    schema: Schema = {"type": "object", "additionalProperties": False}
    if {"operator", "threshold"} <= set(properties):
        threshold = {"type": "string", "description": "The name of a parameter."}
        properties = {name: found for name, found in properties.items() if name not in ("operator", "threshold")}
        properties |= dict.fromkeys(_OPERATORS, threshold)
        required = [name for name in required if name in properties]
        schema["oneOf"] = [{"required": [operator]} for operator in _OPERATORS]
    return {**schema, "properties": properties, "required": required}


def _with_conditions(schema: Any) -> Any:
    """The schema with the union of all kinds of conditions replaced by the form that is written."""
    match schema:
        case {"discriminator": _}:
            return _CONDITION
        case dict():
            return {key: _with_conditions(value) for key, value in schema.items()}
        case list():
            return [_with_conditions(value) for value in schema]
        case _:
            return schema
