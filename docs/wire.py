"""Writes ``docs/asyncapi.yaml`` and ``docs/schemas/``, what travels in each topic, from the models.

Run ``python docs/wire.py`` from the top of the repository after a change to the models of events or changes, or to
``streams/topics.py``.
"""
# ruff: noqa: INP001 - a script, imported by nothing

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel

from rules.events import SCHEMA_VERSION, Envelope, Event
from rules.outputs import AlertChange, StatusChange
from streams.deadletters import OFFSET, PARTITION, REASON, SENT_AGAIN, TOPIC
from streams.intake import TimeMark
from streams.topics import TOPICS, Topic, TopicName, configuration

DOCUMENT: Final = Path(__file__).with_name("asyncapi.yaml")
SCHEMAS: Final = Path(__file__).with_name("schemas")

_EVENTS: Final[dict[str, type[Envelope]]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(Event)
}
_CHANGES: Final[dict[TopicName, dict[str, type[BaseModel]]]] = {
    TopicName.ALERTS: {"alert": AlertChange},
    TopicName.STATUS: {"status": StatusChange},
}
_TIME: Final = "time"
_REPLICAS: Final = 3

_HEAD: Final = "# Written by docs/wire.py from the models and streams/topics.py; do not edit.\n"
_DESCRIPTION: Final = """\
What goes into rescue-monitor and what comes out of it over Kafka. A site may put a prefix before each address. The
inputs have equally many partitions and are keyed by patient with murmur2, as Java's, kafka-python's and aiokafka's
producers do; librdkafka needs `partitioner=murmur2_random`. Records are delivered at least once; their ids make that
harmless. Research and education only, not a medical device.
"""


def schemas() -> dict[str, str]:
    """Each file of ``docs/schemas`` by its name."""
    models = _EVENTS | {name: model for models in _CHANGES.values() for name, model in models.items()}
    return {f"{name}.json": _schema(model) for name, model in (models | {_TIME: TimeMark}).items()}


def document() -> str:
    """The AsyncAPI document."""
    channels = {topic.name.removeprefix("icu."): topic for topic in TOPICS.values()}
    content = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rescue-monitor",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": " ".join(_DESCRIPTION.split()),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic) for name, topic in channels.items()},
        "operations": dict(_operation(name, topic) for name, topic in channels.items()),
        "components": {"messages": {name: message for topic in TOPICS.values() for name, message in _messages(topic)}},
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD + text


def _schema(model: type[BaseModel]) -> str:
    mode: Any = "validation" if issubclass(model, Envelope | TimeMark) else "serialization"
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(mode=mode)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _channel(topic: Topic) -> dict[str, Any]:
    settings = configuration(topic, _REPLICAS)
    return {
        "address": str(topic.name),
        "description": f"Holds {topic.content}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name, _ in _messages(topic)},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [settings["cleanup.policy"]],
                    "retention.ms": int(settings["retention.ms"]),
                    "max.message.bytes": int(settings["max.message.bytes"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(name: str, topic: Topic) -> tuple[str, dict[str, Any]]:
    verb, action = ("read", "receive") if topic.is_input else ("write", "send")
    return verb + name.capitalize(), {"action": action, "channel": {"$ref": f"#/channels/{name}"}}


def _messages(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    if topic.name is TopicName.REJECTED:
        yield "deadLetter", _dead_letter(topic)
        yield "sentAgain", _sent_again(topic)
        return
    if topic.name is TopicName.STATE:
        yield "state", _state(topic)
        return
    models: dict[str, type[BaseModel]] = {kind: _EVENTS[kind] for kind in _EVENTS if kind in topic.kinds} or _CHANGES[
        topic.name
    ]
    for name, model in models.items():
        yield name, _message(name, model) | {"bindings": _key(topic)}
    if topic.is_input:
        yield _TIME, _message(_TIME, TimeMark)


def _message(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "title": model.__name__,
        "summary": inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
        "payload": {"$ref": f"./schemas/{name}.json"},
    }


def _state(topic: Topic) -> dict[str, Any]:
    return {
        "title": "State",
        "summary": "Read and written by workers only; its form is theirs.",
        "contentType": "application/octet-stream",
        "payload": {"description": "any bytes"},
        "bindings": _key(topic),
    }


def _dead_letter(topic: Topic) -> dict[str, Any]:
    headers = {
        TOPIC: "the topic in which the record was",
        PARTITION: "the partition in which it was, in digits",
        OFFSET: "where in the partition it was, in digits",
        REASON: "why it could not be used",
    }
    return {
        "title": "Dead letter",
        "summary": "A record that could not be used, with its key and its bytes as they came.",
        "contentType": "application/octet-stream",
        "headers": _headers(headers),
        "payload": {"description": "any bytes"},
        "bindings": _key(topic),
    }


def _sent_again(topic: Topic) -> dict[str, Any]:
    return {
        "title": "Note that a dead letter was sent again",
        "summary": "Says that a dead letter is not open any more.",
        "headers": _headers({SENT_AGAIN: "where the record of the dead letter was, as topic[partition]@offset"}),
        "payload": {"type": "null"},
        "bindings": _key(topic),
    }


def _headers(texts: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(texts),
        "properties": {name: {"type": "string", "description": text} for name, text in texts.items()},
    }


def _key(topic: Topic) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}}


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    SCHEMAS.mkdir(exist_ok=True)
    for stale in SCHEMAS.glob("*.json"):
        stale.unlink()
    for file, text in schemas().items():
        (SCHEMAS / file).write_text(text, encoding="utf-8")
