"""Runs the service: opens what it needs, listens, and ends in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from socket import socket
from typing import Any, Final

import uvicorn
import uvloop
from starlette.concurrency import run_in_threadpool

from monitor.service.app import make_app
from monitor.service.connections import Connection, Limits
from monitor.service.guard import Guard
from monitor.service.heads import Heads
from monitor.service.inputs import Followed, Follower
from monitor.service.liveness import Liveness
from monitor.service.security import Authenticator, SecurityError, is_loopback
from monitor.service.service import Service, Site
from streams.embedded import store
from streams.embedded.checkpoints import Checkpoints
from streams.embedded.damage import demand_whole
from streams.embedded.database import open_database
from streams.embedded.heads import Signer
from streams.embedded.leftover import demand_readable
from streams.embedded.ownership import sole_owner
from streams.embedded.runtime import Runtime
from streams.embedded.seals import is_damage
from streams.metrics import WorkerMetrics

CRASHED: Final = 70
"""Exit code after something unexpected: starting again is right."""

_ENDING: Final = 5
DAMAGED: Final = 78
"""Exit code after something that was kept turned out to be damaged: starting again does not help."""

_HANDSHAKE: Final = 10.0
"""Seconds in which a client has to agree on TLS."""

_SWITCH: Final = 0.0005
"""Seconds for which a thread may keep the interpreter while others wait for it (local setting). An answer to a sender
passes from thread to thread a dozen times: at Python's own 5 ms a few readers would make that a fifth of a second."""

_log: Final = logging.getLogger(__name__)


class ListeningError(Exception):
    """An address at which the service cannot listen; the text names it."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the service listens, and how people prove who they are.

    Attributes:
        host: a name or address.
        port: 0 for any that is free.
        authenticator: needed unless the host is a loopback address.
        certificate: PEM files of a certificate and its key, for TLS.
        limits: what one connection may take.
    """

    host: str
    port: int
    authenticator: Authenticator | None = None
    certificate: tuple[str, str] | None = None
    limits: Limits = field(default_factory=Limits)

    def demand_safe(self) -> None:
        """Refuse to let in everybody who can reach the machine.

        Raises:
            SecurityError: saying what is missing.
        """
        if self.authenticator is None and not is_loopback(self.host):
            raise SecurityError(
                f"{self.host} can be reached from elsewhere: name a token file (--tokens) or an identity provider "
                "(--oidc), or listen on 127.0.0.1"
            )


@asynccontextmanager
async def opened(
    site: Site, guard: Guard, follow: Sequence[Followed] = (), failed: Callable[[Exception], None] | None = None
) -> AsyncIterator[Service]:
    """The service while it runs, recovered from its database.

    Raises:
        DatabaseError: if the database cannot be used.
        DamagedError: if what was kept is damaged.
        StateError: if the kept state cannot be continued from.
    """
    with ExitStack() as files:
        files.enter_context(sole_owner(site.path))
        demand_readable(site.path)
        connection = open_database(site.path)
        files.callback(connection.close)
        await run_in_threadpool(demand_whole, connection)
        metrics = WorkerMetrics(lambda: 0.0)
        runtime = Runtime(
            connection,
            site.packs,
            site.settings,
            site.runtime,
            wall=site.wall,
            metrics=metrics,
            seconds=site.seconds,
            steady=site.steady,
        )
        await run_in_threadpool(runtime.recover)
        marks = [store.source_marks(connection, followed.path) for followed in follow]
        liveness = Liveness(
            [followed.name for followed in follow], site.runtime.expect, runtime.trust.arrival, site.steady
        )
        metrics.registry.register(liveness)
        heads = Heads(Signer.of(site.path, make=True), metrics.registry)
        service = Service(site, runtime, guard, metrics, liveness, heads, failed or _crash)
        checkpoints = Checkpoints(site.path)
        async with AsyncExitStack() as running:
            checkpoints.start()
            running.callback(checkpoints.stop)
            service.start()
            running.push_async_callback(service.stop)
            for followed, read in zip(follow, marks, strict=True):
                follower = Follower(
                    followed, read, service.examiner, service.hand_over, service.arrival, site.seconds, liveness
                )
                follower.start()
                running.push_async_callback(run_in_threadpool, follower.stop)
            yield service


Started = Callable[[str, Callable[[], None]], None]
"""Told the address once requests are answered, and how to end the service in order; from any thread."""


def serve(site: Site, listening: Listening, follow: Sequence[Followed], started: Started) -> None:
    """Run the service until the process is told to end, or the service.

    Args:
        site: what it is started with.
        listening: where.
        follow: files to read events from.
        started: told once requests are answered.

    Raises:
        SecurityError: if the service would be open to everybody.
        ListeningError: if it cannot listen where it should.
        DatabaseError: if the database cannot be used.
        StateError: if the kept state cannot be continued from.
    """
    listening.demand_safe()
    sys.setswitchinterval(_SWITCH)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(_serve(site, listening, follow, started))


async def _serve(site: Site, listening: Listening, follow: Sequence[Followed], started: Started) -> None:
    guard = Guard(listening.authenticator, site.wall)
    ending = _Ending()
    with ending.on_signals():
        async with opened(site, guard, follow) as service:
            await _listen(service, guard, listening, started, ending)


async def _listen(service: Service, guard: Guard, listening: Listening, started: Started, ending: _Ending) -> None:
    """Answer requests until somebody wants an end."""

    @asynccontextmanager
    async def already_open() -> AsyncIterator[Service]:
        yield service

    certificate, key = listening.certificate or (None, None)
    config = uvicorn.Config(
        make_app(already_open, guard),
        host=listening.host,
        port=listening.port,
        http=partial(Connection, limits=listening.limits),  # type: ignore[arg-type] # it is called like a class
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=_ENDING,
        timeout_keep_alive=listening.limits.idle_seconds,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = _Server(config, service, started, ending)
    await server.serve()


class _Ending:
    """Whether somebody wants the service to end, and what to do about it.

    The signals are ours from the beginning to the end: the library would raise them again before states are kept.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.server: uvicorn.Server | None = None

    def want(self) -> None:
        """End in order; from any thread."""
        self.wanted = True
        if self.server is not None:
            self.server.should_exit = True

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """End when the process is told to."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.want)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """Says where it listens, and ends live feeds before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, service: Service, started: Started, ending: _Ending) -> None:
        super().__init__(config)
        self._service = service
        self._tell = started
        self._ending = ending
        ending.server = self
        self.should_exit = ending.wanted

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the service."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen.

        Raises:
            ListeningError: if that cannot be; the library has logged why.
        """
        try:
            await super().startup(sockets)
        except SystemExit:
            where = f"{self.config.host}:{self.config.port}"
            raise ListeningError(f"{where}: the service cannot listen there (in use, or of no interface)") from None
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            scheme = "https" if self.config.is_ssl else "http"
            self._tell(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}", self._ending.want)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End."""
        self._service.hub.close()
        await super().shutdown(sockets)


class _Loop(uvloop.Loop):
    """The event loop; a connection that never agrees on TLS does not stay."""

    async def create_server(  # type: ignore[override] # whatever is given is passed on
        self, *args: Any, **options: Any
    ) -> asyncio.AbstractServer:
        """Listen."""
        if options.get("ssl") is not None:
            options.setdefault("ssl_handshake_timeout", _HANDSHAKE)
        return await super().create_server(*args, **options)


def _crash(error: Exception) -> None:
    logging.shutdown()
    os._exit(DAMAGED if is_damage(error) else CRASHED)
