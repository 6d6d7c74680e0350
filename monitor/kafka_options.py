"""What the commands that speak to Kafka share: how to reach it, and how they fail."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.options import UNREADABLE

if TYPE_CHECKING:
    from streams.kafka.settings import KafkaSettings

EXIT_CODES: Final = """\b
Exit codes:
  0    done
  2    the command line is wrong
  3    finished, but something is not as it should be
  4    Kafka cannot be reached or refuses, or a file cannot be used
  130  interrupted (Ctrl-C)
"""


class UnusableError(click.ClickException):
    """Kafka, its settings or a file that cannot be used; the message says which, and why."""

    exit_code = UNREADABLE


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how to reach Kafka: ``bootstrap_servers``, ``prefix`` and ``file``."""
    for option in (
        click.option(
            "--kafka",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Kafka settings (YAML) with TLS and SASL; RESCUE_MONITOR_KAFKA_* in the environment count more.",
        ),
        click.option("--prefix", help="Comes before the name of each topic in Kafka."),
        click.option(
            "--bootstrap-servers",
            metavar="HOST:PORT,...",
            help="Brokers of Kafka to begin with.  [default: 127.0.0.1:9092]",
        ),
    ):
        command = option(command)
    return command


def open_settings(bootstrap_servers: str | None, prefix: str | None, file: Path | None) -> KafkaSettings:
    """The settings that the options, the environment and the file give.

    Raises:
        UnusableError: if they are not complete or not right.
    """
    from rules.settings import SettingsError
    from streams.kafka.settings import load_settings

    try:
        return load_settings(file, os.environ, {"bootstrap_servers": bootstrap_servers, "prefix": prefix})
    except SettingsError as error:
        raise UnusableError(str(error)) from None


@contextmanager
def failures_explained() -> Iterator[None]:
    """Ends a command with a message and exit code 4 where Kafka or a bookmark cannot be used."""
    from streams.kafka.connecting import BrokerError
    from streams.kafka.publish import BookmarkError

    try:
        yield
    except (BookmarkError, BrokerError) as error:
        raise UnusableError(str(error)) from None


def with_kafka(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say how to reach Kafka, and calls it with them as ``kafka``.

    ``kafka`` is a :class:`streams.kafka.settings.KafkaSettings`. What goes wrong with Kafka ends the command with a
    message and exit code 4.
    """

    @connection_options
    @functools.wraps(command)
    def call(
        *arguments: Any, bootstrap_servers: str | None, prefix: str | None, file: Path | None, **options: Any
    ) -> Any:
        with failures_explained():
            return command(*arguments, kafka=open_settings(bootstrap_servers, prefix, file), **options)

    return call
