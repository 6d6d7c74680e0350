"""The command that simulates a ward."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.options import FILE, OK, LogTime, Speed

if TYPE_CHECKING:
    from streams.simulator import Simulation

_EXIT_CODES: Final = """\b
Exit codes:
  0    the log is written
  2    the command line is wrong
  4    an output cannot be written
  130  interrupted (Ctrl-C)
  141  the reader of the output went away (for example | head)
"""


class Mix(click.ParamType):
    """Shares of courses."""

    name = "name:share,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, float]:
        """Read ``quiet:0.8,ards:0.2``."""
        from streams.simulator import MixError, read_mix

        if isinstance(value, Mapping):
            return value
        try:
            return read_mix(value)
        except MixError as error:
            self.fail(str(error), param, ctx)


@click.command(epilog=_EXIT_CODES)
@click.option("--beds", type=click.IntRange(1, 100_000), default=10, show_default=True, help="How many beds there are.")
@click.option("--seed", type=int, default=1, show_default=True, help="What chance is drawn from.")
@click.option(
    "--hours",
    type=click.FloatRange(0, 8760, min_open=True),
    default=24.0,
    show_default=True,
    help="How long the log is.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds from one bundle of vitals of a bed to the next.",
)
@click.option(
    "--mix", type=Mix(), help="Shares of courses or groups, e.g. quiet:0.9,septic-shock:0.1.  [default: mostly quiet]"
)
@click.option("--start", type=LogTime(), help="When the log starts.  [default: 2026-01-01T07:00Z]")
@click.option(
    "--begun",
    type=click.FloatRange(0, 48),
    default=0.0,
    show_default=True,
    help="How many hours earlier shock and ARDS began; what was known by the start arrives then.",
)
@click.option(
    "--out", type=FILE, help="Write the log here: .jsonl, .jsonl.gz or .jsonl.zst.  [default: standard output]"
)
@click.option("--truth", type=FILE, help="Write what is true of each bed here, as JSON lines.")
@click.option("--speed", type=Speed(), help="Send N times as fast as it would happen.  [default: as fast as possible]")
def simulate(
    *,
    out: Path | None,
    truth: Path | None,
    speed: float | None,
    start: datetime | None,
    hours: float,
    every: float,
    begun: float,
    **ward: Any,
) -> int:
    """Simulate a ward and write its log, with the truth beside it.

    The same options give the same bytes. Beds are quiet, or take a course of septic shock, ARDS, status epilepticus or
    cardiac arrest that becomes refractory, responds, or only looks refractory. Nobody in it is real.
    """
    from streams.logfile import write_lines
    from streams.simulator import START, Simulation, encode_truth

    if out is not None and truth is not None and out.resolve() == truth.resolve():
        raise click.UsageError("--truth must not be the log itself")
    simulation = Simulation(
        length=timedelta(hours=hours),
        every=timedelta(seconds=every),
        begun=timedelta(hours=begun),
        start=START if start is None else start,
        **ward,
    )
    if truth is not None:
        write_lines(map(encode_truth, simulation.truth()), truth)
    lines = simulation.lines() if speed is None else _paced(simulation, speed)
    if out is not None:
        count = write_lines(lines, out)
        click.echo(f"{count} events written to {out}", err=True)
    else:
        _print(lines, at_once=speed is not None)
    return OK


def _paced(simulation: Simulation, speed: float) -> Iterator[str]:
    """The lines of the log, each when it would arrive; nothing waits before the log's own start."""
    from streams.replay import Pace

    pace, received = Pace(speed), 0
    pace.wait_for(simulation.start)
    for message in simulation.messages():
        if message.received != received:
            received = message.received
            pace.wait_for(simulation.received_at(message))
        yield message.line


def _print(lines: Iterable[str], *, at_once: bool) -> None:
    """Write lines to standard output, and each of them at once where somebody watches the time."""
    file = sys.stdout.buffer
    for line in lines:
        file.write(line.encode() + b"\n")
        if at_once:
            file.flush()
    file.flush()
