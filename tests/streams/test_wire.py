"""The wire format: what was written in schema version 1 is read for ever, and described as the models say."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from rules.events import Event, decode, json_schema
from rules.outputs import AnyChange, Change
from streams.intake import TimeMark
from streams.topics import INPUTS, TOPICS, TopicName

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINES = sorted((ROOT / "tests/fixtures/wire/v1").glob("*.json"))
KINDS = set(json_schema()["discriminator"]["mapping"])
CHANGES: TypeAdapter[Change] = TypeAdapter(AnyChange)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def contains(whole: Any, part: Any) -> bool:
    """Whether everything of a message is in another; fields that came later may stand beside it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contains(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return type(whole) is type(part) and bool(whole == part)


def asyncapi() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
    return content


def test_there_is_a_line_of_version_1_for_every_kind() -> None:
    assert {path.stem for path in LINES} == KINDS | {"alert", "status", "rejection", "time"}


@pytest.mark.parametrize("path", LINES, ids=lambda path: path.stem)
def test_a_line_of_version_1_is_read_and_nothing_of_it_is_lost(path: Path) -> None:
    line = path.read_text(encoding="utf-8").rstrip("\n")
    message: Event | Change | TimeMark
    if path.stem == "time":
        message = TimeMark.model_validate_json(line)
    else:
        message = decode(line) if path.stem in KINDS else CHANGES.validate_json(line)
    assert message.kind == path.stem
    assert message.schema_version == 1
    assert contains(json.loads(message.model_dump_json(exclude_unset=True)), json.loads(line))


@pytest.mark.parametrize("path", [path for path in LINES if path.stem != "rejection"], ids=lambda path: path.stem)
def test_a_line_of_version_1_fits_its_published_schema(path: Path) -> None:
    schema = json.loads((DOCS / "schemas" / path.name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_description_is_what_the_models_and_the_topics_say() -> None:
    script = runpy.run_path(str(DOCS / "wire.py"))
    published = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "schemas").glob("*.json")}
    assert published == script["schemas"](), "write it anew: python docs/wire.py"
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == script["document"]()


def test_the_description_has_every_topic_and_kind() -> None:
    content = asyncapi()
    addresses = {channel["address"]: set(channel["messages"]) for channel in content["channels"].values()}
    assert set(addresses) == set(TopicName)
    assert all(addresses[topic.name] - {"time"} == topic.kinds for topic in TOPICS.values() if topic.is_input)
    assert {name for name, messages in addresses.items() if "time" in messages} == set(INPUTS)
    assert len(content["operations"]) == len(TOPICS)


def test_references_of_the_description_lead_somewhere() -> None:
    content = asyncapi()
    for reference in references(content):
        file, _, pointer = reference.partition("#")
        node: Any = content if not file else json.loads((DOCS / file).read_text(encoding="utf-8"))
        for step in filter(None, pointer.split("/")):
            node = node[step]
        assert node
