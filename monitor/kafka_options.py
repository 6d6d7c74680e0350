"""What the commands that speak to Kafka share: how to reach it, and how they fail."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

UNUSABLE: Final = 4
"""Exit code where Kafka, its settings or a file cannot be used; the same as of the other commands."""

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

    exit_code = UNUSABLE


def with_kafka(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say how to reach Kafka, and calls it with them as ``kafka``.

    ``kafka`` is a :class:`streams.kafka.settings.KafkaSettings`. What goes wrong with Kafka ends the command with a
    message and :data:`UNUSABLE`.
    """

    @click.option(
        "--bootstrap-servers", metavar="HOST:PORT,...", help="Brokers to begin with.  [default: 127.0.0.1:9092]"
    )
    @click.option("--prefix", help="Comes before the name of each topic.")
    @click.option(
        "--kafka",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Kafka settings (YAML), TLS and SASL among them; RESCUE_MONITOR_KAFKA_* in the environment counts more.",
    )
    @functools.wraps(command)
    def call(
        *arguments: Any, bootstrap_servers: str | None, prefix: str | None, file: Path | None, **options: Any
    ) -> Any:
        from rules.settings import SettingsError
        from streams.kafka.connecting import BrokerError
        from streams.kafka.publish import BookmarkError
        from streams.kafka.settings import load_settings

        try:
            given = {"bootstrap_servers": bootstrap_servers, "prefix": prefix}
            return command(*arguments, kafka=load_settings(file, os.environ, given), **options)
        except (BookmarkError, BrokerError, SettingsError) as error:
            raise UnusableError(str(error)) from None

    return call
