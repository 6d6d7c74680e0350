"""What the world may ask a worker: ``/metrics``, ``/livez`` and ``/readyz``, on a small server of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_STUCK_AFTER: Final = 60.0
"""Seconds without progress, or without a look at the clock, after which a worker should be started anew."""


class Health:
    """How a worker is; told by the worker, asked by other threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = self._progress = clock()
        self.ready = False
        """Whether partitions are held and their state is restored."""

    def looked_around(self, lag: int, applied: bool) -> None:
        """The worker has looked around; ``lag`` records were left, or some have been ``applied`` since it last did."""
        self._seen = self._clock()
        if applied or not lag:
            self._progress = self._seen

    def idle(self) -> float:
        """Seconds since anything was applied while there was something to apply."""
        return max(0.0, self._clock() - self._progress)

    def alive(self) -> bool:
        """Whether it still does something."""
        return self._clock() - self._seen < _STUCK_AFTER and self.idle() < _STUCK_AFTER


class HealthServer:
    """Answers on one address, in threads of its own; made by :meth:`start`, ended by :meth:`stop`."""

    def __init__(self, address: tuple[str, int], health: Health, registry: CollectorRegistry) -> None:
        class Handler(_Handler):
            pass

        Handler.health, Handler.registry = health, registry
        self._server = ThreadingHTTPServer(address, Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    registry: CollectorRegistry

    def do_GET(self) -> None:
        """Answer one question."""
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(self.registry), CONTENT_TYPE_LATEST)
            case "/livez":
                self._answer_whether(self.health.alive())
            case "/readyz":
                self._answer_whether(self.health.ready)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")

    def log_message(self, *_: object) -> None:
        """Say nothing: it is asked every few seconds."""

    def _answer_whether(self, good: bool) -> None:
        if good:
            self._answer(HTTPStatus.OK, b"ok\n", "text/plain")
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"no\n", "text/plain")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
