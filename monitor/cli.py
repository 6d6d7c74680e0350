"""The command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor import database_commands, kafka_commands, patients_commands, serve_commands
from monitor.demo.command import demo
from monitor.options import (
    BAD_LINES,
    FAULTS,
    FILE,
    INTERRUPTED,
    OK,
    READER_GONE,
    UNREADABLE,
    USAGE,
    Group,
    InputError,
    LogTime,
    ReaderGoneError,
    Speed,
)
from monitor.publishing import Destination, publish, with_destination
from monitor.rules_commands import rules
from monitor.simulating import simulate

if TYPE_CHECKING:
    from streams.ward import Ward

__all__ = [
    "BAD_LINES",
    "FAULTS",
    "INTERRUPTED",
    "OK",
    "READER_GONE",
    "UNREADABLE",
    "USAGE",
    "main",
    "open_ward",
    "rescue_monitor",
]

_EXIT_CODES: Final = """\b
Exit codes:
  0    everything was read
  2    the command line is wrong
  3    finished, but some lines of the log were not events
  4    a log, rule pack or settings file cannot be used, or an output not be written
  130  interrupted (Ctrl-C)
  141  the reader of the output went away (for example | head)
"""


@click.group(
    cls=Group,
    name="rescue-monitor",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  rescue-monitor demo
  rescue-monitor replay ward.jsonl.gz
  rescue-monitor replay ward.jsonl --format jsonl --rejects bad.jsonl > changes.jsonl
  zcat day-*.jsonl.gz | rescue-monitor replay - --until 2026-01-31T09:45Z
  rescue-monitor replay ward.jsonl --to kafka --resume ward.bookmark
  rescue-monitor import mimic-iv mimic-iv-demo/ -o demo.jsonl.zst
  rescue-monitor rules test scenarios/ --pack my_pack.yaml
  rescue-monitor simulate --beds 20 --hours 12 --out ward.jsonl.zst --truth truth.jsonl

"""
    + _EXIT_CODES,
)
@click.version_option(package_name="rescue-monitor", prog_name="rescue-monitor")
def rescue_monitor() -> None:
    """Notice treatment that is failing, and suggest what to consider next.

    Reads vitals and treatment events of intensive-care patients and emits escalation alerts where rescue therapy should
    be considered. The bundled rules are for septic shock, ARDS, status epilepticus and cardiac arrest that have become
    refractory; other conditions can be added as rule packs. For research and education: not a medical device, and not
    an alarm system.
    """


@rescue_monitor.command(epilog=_EXIT_CODES)
@click.argument("log", type=str)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON object per change and nothing else.",
)
@click.option("--speed", type=Speed(), help="Play N times as fast as it happened.  [default: as fast as possible]")
@click.option("--until", type=LogTime(), help="Stop at this time of the log, e.g. 2026-01-31T09:45Z.")
@click.option("--settings", type=FILE, help="Site settings (YAML).")
@click.option("--pack", "packs", type=FILE, multiple=True, help="Use this rule pack, not the bundled; repeatable.")
@click.option("--rejects", type=FILE, help="Keep the lines that are not events here, with the reason.")
@click.option("--summary/--no-summary", default=True, help="Print the closing tables and figures.  [default: do]")
@with_destination
def replay(  # noqa: PLR0913 - one parameter for each option
    *,
    log: str,
    form: str,
    speed: float | None,
    until: datetime | None,
    settings: Path | None,
    packs: tuple[Path, ...],
    rejects: Path | None,
    summary: bool,
    destination: Destination | None,
) -> int:
    """Replay a recorded LOG and show what the monitor would have said.

    LOG is a file of events as JSON lines, plain, .gz or .zst, or - for standard input, in the order in which they were
    received. A line that is not an event is reported with its number and reason, and the rest goes on. The same log
    gives the same output, byte for byte.

    With --format jsonl, the summary goes to standard error.

    With --to kafka, nothing is decided here: each event goes to the topic of its kind, under the key of its patient,
    and counts as published when the brokers have stored it. With --close, every deadline up to the end is met.
    """
    from monitor.playback import LineOutput, Output, TextOutput, play
    from monitor.terminal import open_console
    from streams.logfile import STANDARD_INPUT
    from streams.replay import Pace

    if rejects is not None and log != STANDARD_INPUT and rejects.resolve() == Path(log).resolve():
        raise click.UsageError("--rejects must not be the log itself")
    if destination is not None:
        return publish(destination, log, speed, until, rejects)
    ward = open_ward(settings, packs)
    notes = open_console(sys.stderr)
    output: Output
    if form == "jsonl":
        output = LineOutput(sys.stdout.buffer, notes, summary=summary)
    else:
        output = TextOutput(open_console(sys.stdout), summary=summary)
    pace = Pace(speed) if speed is not None else None
    figures = play(log, ward, output, notes, pace=pace, until=until, rejects=rejects)
    return BAD_LINES if figures.bad_lines else OK


@rescue_monitor.group(name="import", cls=Group)
def import_() -> None:
    """Turn other records into an event log."""


@import_.command(name="mimic-iv")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--stay", "stays", type=int, multiple=True, help="Only this stay_id; repeatable.  [default: all]")
@click.option("-o", "--output", type=FILE, required=True, help="The log to write: .jsonl, .jsonl.gz or .jsonl.zst.")
def import_mimic_iv(directory: Path, stays: tuple[int, ...], output: Path) -> int:
    """Convert a copy of MIMIC-IV (DIRECTORY holds hosp/ and icu/) into a log for replay."""
    from streams.logfile import write_log
    from streams.sources.mimic_iv import ImportReport, MimicFolderError, convert

    report = ImportReport()
    try:
        events = write_log(convert(directory, stays or None, report), output)
    except MimicFolderError as error:
        raise InputError(str(error)) from None
    for line in report.lines():
        click.echo(line, err=True)
    click.echo(f"{events} events written to {output}", err=True)
    return OK


@rescue_monitor.command()
@click.argument("subject", type=click.Choice(["events", "changes"]), default="events")
def schema(subject: str) -> int:
    """Print the JSON Schema of what the monitor reads (events, the default) or writes (changes)."""
    from pydantic import TypeAdapter

    from rules.events import json_schema
    from rules.outputs import AnyChange

    if subject == "events":
        document = json_schema()
    else:
        adapter: TypeAdapter[Any] = TypeAdapter(AnyChange)
        document = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "rescue-monitor change",
            **adapter.json_schema(mode="serialization"),
        }
    click.echo(json.dumps(document, indent=2))
    return OK


rescue_monitor.add_command(demo)
rescue_monitor.add_command(rules)
kafka_commands.add_to(rescue_monitor)
serve_commands.add_to(rescue_monitor)
database_commands.add_to(rescue_monitor)
patients_commands.add_to(rescue_monitor)
rescue_monitor.add_command(simulate)


def open_ward(settings: Path | None, packs: Sequence[Path]) -> Ward:
    """A fresh ward with the bundled rule packs and no site settings, unless files say otherwise.

    Raises:
        InputError: if a file cannot be used.
    """
    from monitor.site import open_rules
    from streams.ward import Ward

    return Ward(*open_rules(settings, packs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        code = rescue_monitor.main(args=arguments, prog_name="rescue-monitor", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except (ReaderGoneError, BrokenPipeError):
        # The interpreter flushes standard output once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return code if isinstance(code, int) else OK


if __name__ == "__main__":
    sys.exit(main())
