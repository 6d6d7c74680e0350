"""Plays a log through a ward onto the outputs of ``replay``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.closing import PatientTable, print_summary
from monitor.render import Renderer, legend
from rules.events import Event
from rules.outputs import Change, encode_change
from streams.logfile import BadLine, LogReader, RejectsFile, read_log
from streams.replay import Pace, replay
from streams.summary import ReplaySummary, Tally
from streams.ward import Ward

BAD_LINES_SHOWN: Final = 20
"""Bad lines described one by one on standard error; further ones are counted, and kept if there is a rejects file."""

_PROGRESS_EVERY: Final = 1000


class Output(Protocol):
    """Where changes go."""

    def show(self, change: Change) -> None:
        """Write one change."""

    def finish(self, summary: ReplaySummary) -> None:
        """Write what belongs at the end."""


class TextOutput:
    """Text for people, with where each patient stands and the figures at the end unless ``summary`` is false."""

    def __init__(self, console: Console, *, summary: bool = True) -> None:
        self._console = console
        self._renderer = Renderer(console)
        self._patients = PatientTable()
        self._summary = summary
        console.print(legend())

    def show(self, change: Change) -> None:
        """Print one change."""
        self._renderer.show(change)
        self._patients.add(change)

    def finish(self, summary: ReplaySummary) -> None:
        """Print the closing tables."""
        if self._summary:
            self._console.print()
            self._patients.print_on(self._console)
            self._console.print()
            print_summary(summary, self._console)


class LineOutput:
    """One line of JSON for each change, at once; the figures go to ``notes`` unless ``summary`` is false."""

    def __init__(self, file: BinaryIO, notes: Console, *, summary: bool = True) -> None:
        self._file = file
        self._notes = notes
        self._summary = summary

    def show(self, change: Change) -> None:
        """Write one change."""
        self._file.write(encode_change(change).encode() + b"\n")
        self._file.flush()

    def finish(self, summary: ReplaySummary) -> None:
        """Print the figures."""
        if self._summary:
            print_summary(summary, self._notes)


class BadLines:
    """Reports bad lines on standard error, counts them, and keeps them if there is a file for that."""

    def __init__(self, tally: Tally, notes: Console, rejects: RejectsFile | None) -> None:
        self._tally = tally
        self._notes = notes
        self._rejects = rejects

    def report(self, bad: BadLine) -> None:
        """Take in one bad line."""
        self._tally.bad_lines += 1
        if self._rejects is not None:
            self._rejects.keep(bad)
        if self._tally.bad_lines <= BAD_LINES_SHOWN:
            self._notes.print(f"not read: {bad}", soft_wrap=True)
        elif self._tally.bad_lines == BAD_LINES_SHOWN + 1:
            where = f"kept in {self._rejects.path}" if self._rejects is not None else "--rejects FILE keeps them"
            self._notes.print(f"not read: further bad lines are only counted ({where})", soft_wrap=True)


def play(
    path: str | Path,
    ward: Ward,
    output: Output,
    notes: Console,
    *,
    pace: Pace | None = None,
    until: datetime | None = None,
    rejects: Path | None = None,
) -> ReplaySummary:
    """Replay the log at ``path`` onto ``output`` and return its figures.

    ``notes`` is the console on standard error: it shows bad lines, and a progress bar if it is a terminal that the
    output does not share.

    Raises:
        OSError: if the log cannot be read or an output not be written.
    """
    started = time.perf_counter()
    tally = Tally()
    with ExitStack() as stack:
        kept = stack.enter_context(RejectsFile(rejects)) if rejects is not None else None
        log = stack.enter_context(read_log(path, BadLines(tally, notes, kept).report))
        quiet = not notes.is_terminal or sys.stdout.isatty() or pace is not None
        progress = stack.enter_context(nullcontext() if quiet else _progress(notes))
        events = _events(log, progress)
        for change in replay(events, ward, tally, pace=pace, until=until):
            output.show(change)
    summary = tally.summary(time.perf_counter() - started, ward.late)
    output.finish(summary)
    return summary


def _progress(notes: Console) -> Progress:
    return Progress(
        TextColumn("replay"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeElapsedColumn(),
        console=notes,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _events(log: LogReader, progress: Progress | None) -> Iterator[Event]:
    if progress is None:
        yield from (event for _, event in log)
        return
    task = progress.add_task("replay", total=log.size, events=0)
    for number, event in log:
        yield event
        if number % _PROGRESS_EVERY == 0:
            progress.update(task, completed=0 if log.size is None else log.position, events=number)
