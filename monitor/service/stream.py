"""``GET /v1/stream``: the live feed, from the log onwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse

from monitor.service.hub import MOST_READERS, Reader, beat
from monitor.service.models import Beat
from monitor.service.paths import ERRORS, Served, Viewer
from monitor.service.problems import ProblemError, responses
from monitor.service.service import Service

router: Final = APIRouter(prefix="/v1", tags=["live feed"], responses=ERRORS)

_SEND_TIMEOUT: Final = 20.0
"""Seconds after which a reader that takes nothing is dropped."""

_NEVER: Final = 10**6
_Position = r"^\d{1,18}$"


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    responses=responses(HTTPStatus.TOO_MANY_REQUESTS)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The live feed."}},
)
async def stream(
    service: Served,
    viewer: Viewer,
    last_event_id: Annotated[str | None, Query(pattern=_Position)] = None,
    last_event: Annotated[str | None, Header(alias="Last-Event-ID", pattern=_Position)] = None,
) -> EventSourceResponse:
    """What happens, as it happens: ``alert``, ``status`` and ``rejection``, each with its position as id.

    With the id of the last event that was seen, everything that came after it comes first, and nothing twice. Every
    five seconds there is a ``heartbeat``. A reader that is too slow is dropped, and may come again with its last id.
    """
    if service.hub.readers >= MOST_READERS:
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, "too many readers", {"Retry-After": "5"})
    service.guard.entered(viewer, "live feed")
    after = last_event or last_event_id
    # The heartbeats of the feed are the signs of life; those of the library would say nothing of the log.
    return EventSourceResponse(
        _feed(service, None if after is None else int(after)), ping=_NEVER, send_timeout=_SEND_TIMEOUT
    )


async def _feed(service: Service, after: int | None) -> AsyncIterator[bytes]:
    # From now on the hub keeps for this reader whatever becomes durable while the log is read.
    reader = service.hub.join()
    try:
        present = service.position
        position = present if after is None else min(after, present)
        yield beat(Beat(now=service.shown(), position=present)).data
        while position < service.position:
            page = await service.page(position)
            if not page.data:
                break
            position = page.last
            yield page.data
        async for data in _live(reader, position):
            yield data
    finally:
        service.hub.leave(reader)


async def _live(reader: Reader, position: int) -> AsyncIterator[bytes]:
    while (message := await reader.next()) is not None:
        if message.position is None or message.position > position:
            yield message.data
