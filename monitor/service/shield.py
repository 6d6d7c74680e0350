"""Around every request: limits, the same origin for whatever changes something, headers, and a log without patients."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.service.bodies import LARGEST_BODY, LARGEST_OTHER
from monitor.service.lanes import Lane
from monitor.service.problems import problem

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'{elsewhere}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
EVENTS: Final = "/v1/events"
"""The path with bodies as large as a request may be."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_log: Final = logging.getLogger("rescue_monitor.access")


class BrokenAnswerError(Exception):
    """An answer that could not be given to its end; the connection is closed."""


class Shield:
    """Middleware around the whole application.

    Args:
        app: the application.
        local: whether nobody is asked who they are. Then requests must name this machine as their host, so that no
            page from elsewhere can lead a browser here under a name of its own.
        refused: told of each request that is turned away, with the reason.
        exchange: the address of an identity provider that the page may ask for tokens; no other is allowed to it.
        seconds: a clock that never goes back.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        local: bool,
        refused: Callable[[Scope, str], None],
        exchange: str | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._local = local
        self._refused = refused
        self._seconds = seconds
        self._door = Lane(1)
        self._headers = {**_HEADERS, "Content-Security-Policy": _POLICY.format(elsewhere=_origin(exchange))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._seconds(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                # Of the page only what has changed is fetched again, and never an older one used.
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/v1") else "no-cache")
            await send(message)

        fault = self._fault(scope)
        try:
            if fault is not None:
                self._refused(scope, fault[1])
                await problem(*fault)(scope, receive, send_on)
            else:
                if scope["method"] in _SAFE:
                    # In a pass of the event loop of its own: however many come at once, who brings something is next.
                    await self._door.pace()
                await self._app(scope, _limited(receive, _most(scope)), send_on)
        except ClientDisconnect:
            pass  # whoever went away in the middle of a request waits for no answer
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered and reported without its text
            # Without its text, which may quote what was asked for.
            places = "".join(traceback.format_tb(error.__traceback__))
            _log.critical("unexpected %s\n%s", type(error).__name__, places)
            if status:
                raise BrokenAnswerError from None
            await problem(HTTPStatus.INTERNAL_SERVER_ERROR, None)(scope, receive, send_on)
        finally:
            _log.info("%s %s %s %.0f ms", scope["method"], _template(scope), status, (self._seconds() - began) * 1000)

    def _fault(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        """Why a request is not even looked at."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._local and _name_of(host) not in _LOCAL:
            return HTTPStatus.MISDIRECTED_REQUEST, "this service answers only as localhost"
        length, most = headers.get("content-length", ""), _most(scope)
        if length.isdecimal() and int(length[:20]) > most:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {most} bytes"
        if scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        if foreign or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return HTTPStatus.FORBIDDEN, "sent by a page of another origin"
        return None


def _origin(address: str | None) -> str:
    """What a policy allows, so that one address can be reached."""
    if address is None:
        return ""
    parts = urlsplit(address)
    return f" {parts.scheme}://{parts.netloc}"


def _most(scope: Scope) -> int:
    """Bytes that the body of a request may have."""
    return LARGEST_BODY if scope["path"] == EVENTS else LARGEST_OTHER


def _limited(receive: Receive, most: int) -> Receive:
    """The body of a request, as far as it is not too large."""
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_some


def _name_of(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _template(scope: Scope) -> str:
    """The path as the application describes it: what was asked for may name a patient."""
    route = scope.get("route")
    return str(getattr(route, "path_format", None) or getattr(route, "path", None) or "-")
