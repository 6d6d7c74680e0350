"""Makes a client of Kafka, and gives what goes wrong with it one name."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka.errors import KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from typing_extensions import override

from streams.kafka.settings import KafkaSettings

_ANSWER_WITHIN: Final = 5.0


class BrokerError(Exception):
    """Kafka cannot be reached, or refuses; the text says why."""


def connect(client: Callable[..., Any], settings: KafkaSettings, **options: Any) -> Any:
    """A client of kafka-python; that library has no types.

    Raises:
        BrokerError: if no broker can be reached, or none lets us in.
    """
    servers = ", ".join(settings.bootstrap_servers)
    # The library tries for long, and leaves its sockets open when it gives up.
    refusals = [_refusal(server) for server in settings.bootstrap_servers]
    if all(refusals):
        raise BrokerError(f"{servers}: no Kafka answers ({refusals[0]})")
    with _failures_heard() as failures:
        try:
            return client(**settings.client_options(), **options)
        except (KafkaError, OSError) as error:
            hint = "it answers, so look at security_protocol, user and password"
            raise BrokerError(f"{servers}: {_reason(failures.worst or error)}; {hint}") from None


@contextmanager
def explained() -> Iterator[None]:
    """Turns an error of the library into a :class:`BrokerError`."""
    try:
        yield
    except KafkaError as error:
        raise BrokerError(_reason(error)) from None


class _Failures(logging.Handler):
    """What the library logs of its attempts; when it gives up, it says only that it did."""

    def __init__(self) -> None:
        super().__init__()
        self.worst: Exception | None = None

    @override
    def emit(self, record: logging.LogRecord) -> None:
        for error in record.args if isinstance(record.args, tuple) else ():
            if not isinstance(error, Exception) or isinstance(error, KafkaTimeoutError):
                continue
            if not isinstance(self.worst, SaslAuthenticationFailedError):
                self.worst = error


@contextmanager
def _failures_heard() -> Iterator[_Failures]:
    """Takes in what the library logs while it connects, in place of whoever else would."""
    log, failures = logging.getLogger("kafka"), _Failures()
    passed_on = log.propagate
    log.addHandler(failures)
    log.propagate = False
    try:
        yield failures
    finally:
        log.propagate = passed_on
        log.removeHandler(failures)


def _refusal(server: str) -> str | None:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_WITHIN).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
