"""The command that plays the demo."""

from __future__ import annotations

import sys

import click

from monitor.options import OK, Speed

_EXIT_CODES = """\b
Exit codes:
  0    the script is over, or Ctrl-C has ended it
  2    the command line is wrong
"""


@click.command(epilog=_EXIT_CODES)
@click.option("--speed", type=Speed(), default=60.0, show_default=True, help="Play N times as fast as it happens.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="Where to listen.")
def demo(*, speed: float, port: int) -> int:
    """Show the monitor at work on a made-up ward, in a browser.

    Starts the service on this machine alone, plays two hours of a ward to it in two minutes, and prints the address and
    what it says. On a terminal the ward can be looked at afterwards until Ctrl-C; elsewhere that is the end. Where
    somebody listens on the port already, another one is taken.
    """
    from monitor.demo.stage import perform
    from monitor.terminal import open_console

    console = open_console(sys.stdout)
    perform(speed, port, console, stay=console.is_terminal)
    return OK
