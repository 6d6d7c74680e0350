"""Bodies of requests with events: one, an array, or one on each line; taken apart without trusting any of it."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

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

_MOST_PARTS: Final = LARGEST_BODY // 16
"""Lists and objects in an array of events; a reading takes more than sixteen bytes."""

JSON: Final = "application/json"
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_PLAIN: Final = ("", "identity")
"""Content codings of what is not packed."""

_ARRAY: Final = b"["

_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_BESIDE: Final = re.compile(rb'(?:[^"\[\]{},]++|' + _STRING + rb")*+", re.DOTALL)
"""In an array, up to what begins a list or an object, or ends an item or the array."""

_WITHIN: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[{]++|[\]}])", re.DOTALL)
"""In a list or an object, up to the next that begins (several at once) or ends."""


def take_apart(kind: str, coding: str, body: bytes) -> list[bytes]:
    """The messages in a body, by its content type; a byte order mark before them says nothing.

    Raises:
        ProblemError: if the type is another one, it is packed, there are too many, or an array is not JSON.
    """
    if coding not in _PLAIN:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send it unpacked: no content coding is read")
    body = body.removeprefix(BOM_UTF8)
    if kind in LINES:
        messages = [line for line in body.split(b"\n") if line and not line.isspace()]
    elif kind != JSON:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON} or {LINES[0]}")
    elif body.lstrip()[:1] == _ARRAY:
        messages = _items(body)
    else:
        messages = [body]
    if len(messages) > MOST_ITEMS:
        raise _too_many()
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
    """The items of an array as they were sent: each is read as strictly as if it had come alone.

    Raises:
        ProblemError: if the array does not end, something follows it, or there is too much in it.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_PARTS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"more than {_MOST_PARTS} lists and objects in one request")
    items: list[bytes] = []
    start = place = body.index(_ARRAY) + 1
    while True:
        place = _BESIDE.match(body, place).end()  # type: ignore[union-attr] # it may be nothing, and so always matches
        match body[place : place + 1]:
            case b"[" | b"{":
                place = _behind(body, place)
            case b",":
                items.append(body[start:place])
                start = place = place + 1
                if len(items) >= MOST_ITEMS:
                    raise _too_many()
            case b"]":
                break
            case _:
                raise _no_array()
    last = body[start:place]
    if items or last.strip():
        items.append(last)
    if body[place + 1 :].strip():
        raise _no_array()
    return items


def _behind(body: bytes, place: int) -> int:
    """Where a list or an object ends that begins at a place.

    Raises:
        ProblemError: if it does not.
    """
    depth = 0
    while True:
        found = _WITHIN.match(body, place)
        if found is None:
            raise _no_array()
        place = found.end()
        depth += -1 if found[1] in (b"]", b"}") else len(found[1])
        if not depth:
            return place


def _too_many() -> ProblemError:
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_ITEMS} events in one request")


def _no_array() -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "the array is not JSON: it is not whole, or something follows it")
