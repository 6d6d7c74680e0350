"""What the commands share: exit codes, errors, types of options, and how a group ends."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

OK: Final = 0
FAULTS: Final = 1
USAGE: Final = 2
BAD_LINES: Final = 3
UNREADABLE: Final = 4
INTERRUPTED: Final = 130
READER_GONE: Final = 141


class InputError(click.ClickException):
    """A file that cannot be used; the message names the file, the place in it and the reason."""

    exit_code = UNREADABLE


class ReaderGoneError(Exception):
    """Nobody reads the output any more; keeps click from turning that into a failure."""


class Group(click.Group):
    """A group of commands that reports files which cannot be read or written."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGoneError from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename is not None else ""
            raise InputError(f"{place}{error.strerror or error}") from None


class LogTime(click.ParamType):
    """A time with its zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ISO 8601."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 time such as 2026-01-31T09:45Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write for example {value}Z or {value}+01:00", param, ctx)
        return moment


class Speed(click.ParamType):
    """A factor above zero."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number."""
        try:
            speed = float(value)
        except ValueError:
            speed = math.nan
        if not (math.isfinite(speed) and speed > 0):
            self.fail(f"{value!r} is not a number above 0", param, ctx)
        return speed


FILE: Final = click.Path(path_type=Path, dir_okay=False)
