"""``replay --to kafka``: the options, and a log published instead of decided on."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from monitor.kafka_options import connection_options, failures_explained, open_settings
from monitor.options import BAD_LINES, FILE, OK

if TYPE_CHECKING:
    from streams.kafka.settings import KafkaSettings

_OF_KAFKA: Final = ("bookmark", "close", "file", "prefix", "bootstrap_servers")
_OF_DECIDING: Final = ("form", "settings", "packs", "summary")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a log is published: the cluster, the file that notes how far it got, and whether its time is closed."""

    kafka: KafkaSettings
    bookmark: Path | None
    close: bool


def with_destination(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives ``replay`` the options of publishing, and calls it with a :class:`Destination` or None."""

    @click.option("--to", type=click.Choice(["kafka"]), help="Publish the events, where workers decide on them.")
    @click.option("--resume", "bookmark", type=FILE, help="Note here how far publishing got, and go on from there.")
    @click.option("--close", is_flag=True, help="In the end, say that nothing more of that time will come.")
    @connection_options
    @functools.wraps(command)
    def call(*arguments: Any, to: str | None, bookmark: Path | None, close: bool, **options: Any) -> Any:
        _refuse(_OF_KAFKA if to is None else _OF_DECIDING, "needs --to kafka" if to is None else "is for the worker")
        connection = {name: options.pop(name) for name in ("bootstrap_servers", "prefix", "file")}
        destination = None if to is None else Destination(open_settings(**connection), bookmark, close)
        return command(*arguments, destination=destination, **options)

    return call


def _refuse(names: tuple[str, ...], reason: str) -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} {reason}")


def publish(
    destination: Destination, log: str, speed: float | None, until: datetime | None, rejects: Path | None
) -> int:
    """Publish a log with progress on standard error; returns the exit code."""
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from monitor.playback import BadLines
    from monitor.terminal import open_console
    from streams.kafka.publish import Publisher, arrived_by
    from streams.kafka.publish import publish as publish_log
    from streams.logfile import RejectsFile, read_log
    from streams.replay import Pace
    from streams.summary import Tally

    tally, notes, count = Tally(), open_console(sys.stderr), 0
    kafka, pace = destination.kafka, Pace(speed) if speed is not None else None
    with failures_explained(), ExitStack() as stack:
        kept = stack.enter_context(RejectsFile(rejects)) if rejects is not None else None
        events = arrived_by(until, stack.enter_context(read_log(log, BadLines(tally, notes, kept).report)))
        publisher = stack.enter_context(Publisher(kafka))
        columns = (TextColumn("publish {task.fields[events]:,} events"), TimeElapsedColumn())
        progress = stack.enter_context(Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal))
        task = progress.add_task("publish", events=0)
        published = publish_log(
            events,
            publisher,
            pace=pace,
            bookmark=destination.bookmark,
            prefix=kafka.prefix,
            close=destination.close,
        )
        for count in published:
            progress.update(task, events=count)
    click.echo(f"{count} events published", err=True)
    return BAD_LINES if tally.bad_lines else OK
