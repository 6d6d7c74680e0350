"""``POST /v1/events``: events come in, and are answered when they are durable."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from monitor.service.bodies import JSON, LARGEST_BODY, LINES, MOST_ITEMS, is_forged, read_messages, take_apart
from monitor.service.models import ItemResult, Results
from monitor.service.paths import ERRORS, Sender, Served
from monitor.service.problems import responses
from rules.events import json_schema
from streams.embedded.offers import Offer

router: Final = APIRouter(prefix="/v1", tags=["events"])

_INLINE: Final = 1 << 15
"""Bytes of a body that is read at once; a larger one is read beside the event loop, so that others are answered."""

_EVENT: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Event"}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": f"At most {LARGEST_BODY} bytes and {MOST_ITEMS} events.",
    "content": {
        JSON: {"schema": {"anyOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
        LINES[0]: {"schema": {"type": "string", "description": "an event on each line"}},
    },
}


@router.post(
    "/events",
    summary="Send events",
    response_model=Results,
    responses=ERRORS | responses(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.TOO_MANY_REQUESTS),
    openapi_extra={"requestBody": _BODY},
)
async def send_events(request: Request, service: Served, sender: Sender) -> Response:
    """Send one event, an array of events, or one on each line.

    The answer comes when everything that was accepted is durable, and says of each event what became of it. One that
    cannot be used does not keep the others from being used. An event that has come lately is a duplicate; to send it
    again does no harm. Answers to alerts are not taken here, nor events from the service's own source.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "").strip().lower()
    body = await request.body()
    arrived_at = service.arrival()

    def read() -> tuple[list[Offer], list[int]]:
        return read_messages(service.examiner, take_apart(kind, coding, body), arrived_at)

    offers, order = read() if len(body) <= _INLINE else await service.bodies.run(read)
    for why in sorted({offer.reasons[0] for offer in offers if is_forged(offer)}):
        service.guard.tried(sender, why, request.scope)
    receipts = await service.submit(offers, arrived_at) if offers else []
    if any(receipt.status != "rejected" for receipt in receipts):
        service.liveness.heard_from(sender.actor)
    items = [
        ItemResult(index=index, id=receipt.event, status=receipt.status, reasons=receipt.reasons)
        for index, receipt in zip(order, receipts, strict=True)
    ]
    items.sort(key=lambda item: item.index)
    return Response(Results(results=tuple(items)).model_dump_json(), media_type=JSON)


def event_schema(document: dict[str, Any]) -> None:
    """Put what an event is into an OpenAPI document."""
    schema = json_schema()
    schema.pop("$schema")
    definitions = schema.pop("$defs")
    components = document["components"]["schemas"]
    for name, content in {**definitions, "Event": schema}.items():
        components.setdefault(name, _moved(content))


def _moved(content: Any) -> Any:
    """A schema whose references lead to where OpenAPI keeps them."""
    if isinstance(content, dict):
        return {name: _moved(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_moved(value) for value in content]
    if isinstance(content, str) and content.startswith("#/$defs/"):
        return content.replace("#/$defs/", "#/components/schemas/")
    return content
