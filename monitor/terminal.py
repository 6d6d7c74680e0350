"""The terminal as this project uses it: plain when nobody watches, and safe for any text that a log may hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import IO, Any, Final, NoReturn, cast

from rich.console import Console

WIDTH: Final = 100
"""Columns of text where the output is not a terminal, and at most that on a terminal."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_FILLING: Final = re.compile(r"(?: |\x1b\[[0-9;]*m)+(?=\n)")
"""Spaces before the end of a line, with the colours that are set between them."""


class _Trimmed:
    """Writes without the spaces with which tables fill their lines."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(_FILLING.sub(lambda found: found.group().replace(" ", ""), text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Console(Console):
    """Leaves it to the command line what happens when the reader of the output has gone."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def open_console(file: IO[str]) -> Console:
    """A console on ``file``: coloured on a terminal, else plain text of :data:`WIDTH` columns."""
    console = _Console(file=file, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.file = cast("IO[str]", _Trimmed(file))
    return console


def clean(text: str) -> str:
    """Text from a message without anything that could steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def show_time(moment: datetime, zone: tzinfo = UTC, *, beside: datetime | None = None) -> str:
    """Log time to the minute, or to the second where it matters; only the time of day on the day of ``beside``."""
    local = moment.astimezone(zone)
    time = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    if beside is not None and beside.astimezone(zone).date() == local.date():
        return time
    return f"{local:%Y-%m-%d} {time}"
