"""A small server of the HTTP contract and the dashboard's files: a test can stop it and put it behind a token."""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from monitor.dashboard import STATIC
from tests.dashboard.fake_ward import Conflict, FakeWard, iso

Body = dict[str, Any]

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
"""No inline script or style, no evaluation of text, nothing from elsewhere: what the page must live with."""


def problem(status: int, title: str, detail: str) -> Response:
    """An error as the contract has it."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


class FakeServer:
    """Serves one ward on loopback in a thread of its own.

    Attributes:
        token: what a request must bear, or None.
        role: what ``/v1/me`` says of whoever asks.
        crowd: how many times the unit lists its ten beds.
        beat: whether heartbeats are sent.
        actions: the answers that arrived.
    """

    def __init__(self, ward: FakeWard) -> None:
        self.ward = ward
        self.token: str | None = None
        self.role = "clinician"
        self.crowd = 1
        self.beat = True
        self.actions: list[Body] = []
        self.resumed_from: list[str | None] = []
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        self._lock = threading.RLock()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://127.0.0.1:{self.port}/"

    def play(self, until: datetime) -> None:
        """Move the ward's clock."""
        with self._lock:
            self.ward.play(until)

    def start(self) -> None:
        """Listen."""
        config = uvicorn.Config(
            self._app(), host="127.0.0.1", port=self.port, log_level="error", lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            threading.Event().wait(0.01)

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()
        self._server = None

    def _app(self) -> Starlette:
        v1 = [
            Route("/me", self._me),
            Route("/unit", self._unit),
            Route("/patients/{patient}", self._patient),
            Route("/patients/{patient}/trends", self._trends),
            Route("/patients/{patient}/explain", self._explain),
            Route("/alerts/{alert}", self._alert),
            Route("/alerts/{alert}/actions", self._answer, methods=["POST"]),
            Route("/stream", self._stream),
        ]
        routes = [Mount("/v1", routes=v1), Mount("/", StaticFiles(directory=STATIC, html=True))]
        return Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guard)])

    async def _guard(self, request: Request, forward: RequestResponseEndpoint) -> Response:
        bears = request.headers.get("authorization") == f"Bearer {self.token}"
        if self.role == "operator" and request.url.path.startswith("/v1/unit"):
            return problem(403, "Forbidden", "an operator may not read")
        if self.token is not None and request.url.path.startswith("/v1") and not bears:
            return problem(401, "Not signed in", "This service asks for a token.")
        with_headers = await forward(request)
        with_headers.headers.update({**HEADERS, "Cache-Control": "no-store"})
        return with_headers

    async def _me(self, _: Request) -> Response:
        return JSONResponse({"actor": "nurse-7", "role": self.role})

    async def _unit(self, _: Request) -> Response:
        with self._lock:
            unit = self.ward.unit()
        unit["patients"] = [_copy(bed, number) for bed in unit["patients"] for number in range(self.crowd)]
        return JSONResponse(unit)

    async def _patient(self, request: Request) -> Response:
        return self._of_patient(request, self.ward.patient)

    async def _trends(self, request: Request) -> Response:
        return self._of_patient(request, self.ward.trends)

    def _of_patient(self, request: Request, read: Callable[[str], Body]) -> Response:
        name = request.path_params["patient"]
        if name not in self.ward.heard:
            return problem(404, "Not found", f"There is no patient {name} here.")
        with self._lock:
            return JSONResponse(read(name))

    async def _explain(self, request: Request) -> Response:
        with self._lock:
            found = self.ward.explain(request.path_params["patient"], request.query_params["pathway"])
        return JSONResponse({**found.model_dump(mode="json"), "text": "\n".join(found.lines())})

    async def _alert(self, request: Request) -> Response:
        with self._lock:
            return JSONResponse(self.ward.detail(request.path_params["alert"]))

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        if self.role == "viewer":
            return problem(403, "Not allowed", "A viewer cannot answer alerts.")
        try:
            with self._lock:
                summary = self.ward.answer(request.path_params["alert"], body, "nurse-7", "nurse")
        except Conflict as conflict:
            return problem(conflict.status, "The alert has changed", conflict.detail)
        self.actions.append({"alert": request.path_params["alert"], **body})
        return JSONResponse(summary, 201)

    async def _stream(self, request: Request) -> Response:
        last = request.headers.get("last-event-id")
        self.resumed_from.append(last)
        return StreamingResponse(self._messages(request, int(last or 0)), media_type="text/event-stream")

    async def _messages(self, request: Request, position: int) -> AsyncIterator[str]:
        beats = 0
        while self._server is not None and not self._server.should_exit and not await request.is_disconnected():
            with self._lock:
                new = [entry for entry in self.ward.feed if entry[0] > position]
                now = {"now": iso(self.ward.now), "position": self.ward.position}
            for number, kind, body in new:
                yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n"
                position = number
            if self.beat and beats % 20 == 0:
                yield f"event: heartbeat\ndata: {json.dumps(now)}\n\n"
            beats += 1
            await asyncio.sleep(0.05)


def _copy(bed: Body, number: int) -> Body:
    """The same bed under another name, to fill a unit."""
    if number == 0:
        return bed
    other = copy.deepcopy(bed)
    name = f"bed-{int(bed['bed'].rpartition('-')[2]) + 10 * number}"
    other.update(patient=name, bed=name)
    for alert in other["alerts"]:
        alert.update(patient=name, id=f"{alert['id']}-{number}")
    return other
