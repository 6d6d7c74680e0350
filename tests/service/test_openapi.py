"""The published OpenAPI is the service's own, and whatever it allows is answered without a server error."""

import json
import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from monitor.demo.build import LOG as DEMO_LOG
from streams.replay import in_stream_order
from tests.service.running import Running, running
from tests.streams.stream import events_of

pytestmark = [pytest.mark.xdist_group("service"), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PUBLISHED = (ROOT / "docs/openapi.json").read_text(encoding="utf-8")
_WANTED = os.environ.get("RESCUE_MONITOR_FUZZ")
EXAMPLES = int(_WANTED or "20")
"""Requests to each path: few in every run, many with ``RESCUE_MONITOR_FUZZ=1000``."""
CONFIG = SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": _WANTED is not None}}})
"""Then also one request for each thing that the schema says: thousands, which take long to build."""

EVENTS = "/v1/events"
FEED = "/v1/stream"


def with_body(kind: str, variant: int | None = None) -> schemathesis.BaseSchema:
    """The path of events with one form of its body: the generator takes minutes for all of them at once."""
    document = json.loads(PUBLISHED)
    body = document["paths"][EVENTS]["post"]["requestBody"]
    form = body["content"][kind]
    if variant is not None:
        form["schema"] = form["schema"]["anyOf"][variant]
    body["content"] = {kind: form}
    return schemathesis.openapi.from_dict(document, config=CONFIG).include(path=EVENTS)


# The feed has no end; its tests are in test_stream.py.
everything_else = schemathesis.openapi.from_dict(json.loads(PUBLISHED), config=CONFIG).exclude(path=[EVENTS, FEED])
one_event = with_body("application/json", 0)
many_events = with_body("application/json", 1)
lines = with_body("application/x-ndjson")

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def bedside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of its own: what is sent to it stays there."""
    with running(tmp_path_factory.mktemp("fuzzed") / "service.db") as service:
        service.send(list(in_stream_order(events_of(DEMO_LOG, "bed-1"))))
        yield service


@schemathesis.serializer("application/x-ndjson")
def as_lines(_: Any, value: Any) -> bytes:
    """A body of lines is any text."""
    return value if isinstance(value, bytes) else str(value).encode()


def test_the_published_document_is_that_of_the_service() -> None:
    rendered = runpy.run_path(str(ROOT / "docs/openapi.py"))["render"]()
    assert rendered == PUBLISHED, "write it anew: python docs/openapi.py"


def call(case: Any, service: Running) -> None:
    response = case.call(base_url=service.address, timeout=60)
    assert response.status_code < 500
    case.validate_response(response, checks=[content_type_conformance, response_schema_conformance])


@everything_else.parametrize()
@fuzzed
def test_whatever_is_asked_is_answered(case: Any, bedside: Running) -> None:
    call(case, bedside)


@one_event.parametrize()
@fuzzed
def test_any_event_is_answered(case: Any, bedside: Running) -> None:
    call(case, bedside)


@many_events.parametrize()
@fuzzed
def test_any_events_are_answered(case: Any, bedside: Running) -> None:
    call(case, bedside)


@lines.parametrize()
@fuzzed
def test_any_lines_are_answered(case: Any, bedside: Running) -> None:
    call(case, bedside)
