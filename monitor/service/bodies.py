"""Bodies of requests with events: one, an array, or one on each line; taken apart without trusting any of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

import pydantic_core

from monitor.service.problems import ProblemError
from rules.events import Action
from streams.embedded.offers import Examiner, Offer, order_of, unreadable
from streams.intake import Unusable

LARGEST_BODY: Final = 8 << 20
"""Bytes of the largest body that is read."""

LARGEST_OTHER: Final = 1 << 16
"""Bytes of a body without events: it may be read before it is known who sends it."""

MOST_ITEMS: Final = 10_000
"""Events in one request."""

JSON: Final = "application/json"
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_ARRAY: Final = b"["


def take_apart(kind: str, body: bytes) -> list[bytes]:
    """The messages in a body, by its content type.

    Raises:
        ProblemError: if the type is another one, there are too many, or an array is not JSON.
    """
    if kind in LINES:
        messages = [line for line in body.split(b"\n") if line and not line.isspace()]
    elif kind != JSON:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON} or {LINES[0]}")
    elif body.lstrip()[:1] == _ARRAY:
        messages = _items(body)
    else:
        messages = [body]
    if len(messages) > MOST_ITEMS:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_ITEMS} events in one request")
    return messages


def read_messages(examiner: Examiner, messages: Sequence[bytes], arrived_at: datetime) -> tuple[list[Offer], list[int]]:
    """The messages as offers in the order in which they are to be applied, and the place of each in the request."""
    offers = [_no_answer(examiner.read(message, arrived_at), message) for message in messages]
    order = order_of(offers)
    return [offers[place] for place in order], order


def is_forged(offer: Offer) -> bool:
    """Whether it claims to come from somebody whom only the service can speak for."""
    return isinstance(offer.content, Unusable) and offer.content.kind in ("answer", "reserved_source")


def _no_answer(offer: Offer, message: bytes) -> Offer:
    """An offer, unless it answers an alert: whoever sends events would do so in another's name."""
    if not isinstance(offer.content, Action):
        return offer
    return unreadable(Unusable("answer", "kind: answers are given at /v1/alerts/{id}/actions"), message)


def _items(body: bytes) -> list[bytes]:
    try:
        items = pydantic_core.from_json(body)
    except (ValueError, RecursionError):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the array is not JSON") from None
    return [_one(item) for item in items]


def _one(item: object) -> bytes:
    try:
        return json.dumps(item).encode()
    except (ValueError, RecursionError):
        return b""
