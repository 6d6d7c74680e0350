"""Connections with limits in size, number and time: whoever has shown no token yet can take little from the others."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from monitor.service.bodies import LARGEST_BODY

_PIECE: Final = 1 << 14
"""Bytes that are parsed at once: so exactly the limits are kept."""

_OTHER_FILES: Final = 160
"""Files that are open beside connections, at most: forty threads read the database."""

_FEWEST: Final = 16
_MOST: Final = 1000


class TooMuchError(Exception):
    """A request that goes beyond a limit; the parser stops there."""


def most_connections() -> int:
    """As many as the process may have files open for."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if allowed == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, allowed - _OTHER_FILES))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take.

    Attributes:
        head: bytes without any of a body in between: request line and headers, trailers, extensions of chunks.
        headers: lines of them, with those of a trailer.
        waiting: requests sent before the one before them has been answered.
        head_seconds: for the head of a request, from its first byte or from when the connection was made.
        body_seconds: for the rest of a request.
        sending_seconds: in which a client takes some of the answer.
        idle_seconds: between two requests: longer than the minute between two bundles of a slow sender.
        connections: at the same time. Beyond that whoever lets us wait longest is sent away.
    """

    head: int = 1 << 15
    headers: int = 100
    waiting: int = 16
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    sending_seconds: float = 30.0
    idle_seconds: int = 75
    connections: int = field(default_factory=most_connections)


class Connection(HttpToolsProtocol):
    """One connection.

    Args:
        limits: what it may take.
        arguments: those of the library's own.
    """

    def __init__(self, *, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits = limits
        self._silent = 0
        """Bytes since there was some of a body, or the last request ended."""
        self._coming: asyncio.TimerHandle | None = None
        self._going: asyncio.TimerHandle | None = None
        self._head = self._receiving = self._full = False
        self.gone = False
        """Whether it has been ended at once; it is about to go."""
        self._cycles: list[RequestResponseCycle] = []
        """Requests whose heads have come: the one that is being answered, and those that wait for it."""
        self._ignored = 0
        """Bytes of a body that came after the answer."""
        self._fault = HTTPStatus.BAD_REQUEST
        self.since = 0.0
        """Since when we wait for the client, by the clock of the loop."""

    @property
    def patient(self) -> bool:
        """Whether it is us who keep the client waiting, and not the other way round."""
        cycle: RequestResponseCycle | None = self.cycle
        answering = cycle is not None and not cycle.response_complete
        return answering and not self._receiving and not self._full and not self.transport.is_closing()

    @property
    def address(self) -> str:
        """Of the client's machine."""
        return str(self.client[0]) if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the library
        """Somebody has come; if there are too many, somebody else has to go."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > self._limits.connections:
            self._make_room()
        self._expect(self._limits.head_seconds, HTTPStatus.REQUEST_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._expect_nothing()
        self._need_not_take()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, up to the first thing that is too much."""
        if self._coming is None and not self._receiving:
            self.since = self.loop.time()
            self._expect(self._limits.head_seconds, HTTPStatus.REQUEST_TIMEOUT)
        for start in range(0, len(data), _PIECE):
            if self.transport.is_closing():
                return
            piece = data[start : start + _PIECE]
            self._silent += len(piece)
            super().data_received(piece)
            if self._silent > self._limits.head + _PIECE:
                self._send_away(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        super().on_message_begin()
        self._head = self._receiving = True
        self._silent = self._ignored = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a line of a trailer."""
        super().on_header(name, value)
        if len(self.headers) > self._limits.headers:
            raise self._too_much()

    def on_headers_complete(self) -> None:
        """The body follows, if there is any."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._limits.head or len(self.pipeline) >= self._limits.waiting:
            raise self._too_much()
        super().on_headers_complete()
        self._cycles = [*self._unfinished, self.cycle]
        self._head, self._silent = False, 0
        self._expect(self._limits.body_seconds, HTTPStatus.REQUEST_TIMEOUT)

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._silent = 0
        super().on_body(body)
        if self.cycle.response_complete:
            self._ignored += len(body)
            if self._ignored > LARGEST_BODY:
                self.end()

    def on_message_complete(self) -> None:
        """The request is whole: it is for us to do something."""
        super().on_message_complete()
        self._receiving, self._silent = False, 0
        self._expect_nothing()

    def on_response_complete(self) -> None:
        """The answer has been handed over; the client may still have to take it."""
        self.since = self.loop.time()
        super().on_response_complete()
        if self.transport.is_closing():
            self._must_take()

    def pause_writing(self) -> None:
        """The client does not take what we send."""
        super().pause_writing()
        self._full, self.since = True, self.loop.time()
        self._must_take()

    def resume_writing(self) -> None:
        """The client has taken some of it."""
        super().resume_writing()
        self._full = False
        self._need_not_take()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more has come: what has not been taken by now never will be."""
        self.end()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed, or is too much."""
        del msg
        self._send_away(self._fault)

    def _expect(self, seconds: float, status: HTTPStatus) -> None:
        """Send the client away unless something happens in time."""
        self._expect_nothing()
        self._coming = self.loop.call_later(seconds, self._send_away, status)

    def _expect_nothing(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _need_not_take(self) -> None:
        if self._going is not None:
            self._going.cancel()
            self._going = None

    def _must_take(self) -> None:
        """End the connection unless the client takes what has been sent."""
        self._need_not_take()
        self._going = self.loop.call_later(self._limits.sending_seconds, self.end)

    def _send_away(self, status: HTTPStatus) -> None:
        """Say why, unless something else has been said, and close; whoever has not begun a request is told nothing."""
        if self.transport.is_closing():
            return
        if self._receiving and self._unanswered:
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(head.encode())
        self._answer_no_more()
        self.transport.close()
        self._must_take()

    def _answer_no_more(self) -> None:
        """To whoever still works on an answer the client is gone: writing to what is closed would be an error."""
        for cycle in self._unfinished:
            cycle.disconnected = True
            cycle.message_event.set()

    def _make_room(self) -> None:
        """End the connection of whoever has most of them and lets us wait longest; if all wait for us, the new one."""
        present = [one for one in self.connections if isinstance(one, Connection) and not one.gone]
        many = Counter(one.address for one in present)
        min((one for one in present if not one.patient), key=lambda one: (-many[one.address], one.since)).end()

    @property
    def _unfinished(self) -> list[RequestResponseCycle]:
        return [cycle for cycle in self._cycles if not cycle.response_complete]

    @property
    def _unanswered(self) -> bool:
        """Whether nothing has been said to the request that is being received, and no other waits for its answer."""
        if self.cycle is None:
            return True
        return self.cycle.response_complete if self._head else not (self.cycle.response_started or self.pipeline)

    def _too_much(self) -> TooMuchError:
        self._fault = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return TooMuchError()

    def end(self) -> None:
        """End the connection at once, whatever has not been sent."""
        self.gone = True
        self._answer_no_more()
        self.transport.abort()
