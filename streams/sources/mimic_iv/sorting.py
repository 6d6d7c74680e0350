"""External merge sort of text lines: any number of lines in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO, cast

import zstandard

CHUNK: Final = 250_000
"""Lines held in memory before they are sorted and put aside; some 100 MB of the longest records."""

FAN_IN: Final = 64
"""Runs merged at once, hence files open at once."""


class Sorter:
    """Takes lines without line ends, gives them back in text order.

    Args:
        scratch: an existing folder for temporary files; files are deleted as soon as they are read.
        chunk: how many lines to hold in memory.
    """

    def __init__(self, scratch: Path, chunk: int = CHUNK) -> None:
        self._scratch = scratch
        self._chunk = chunk
        self._held: list[str] = []
        self._runs: list[Path] = []
        self._written = 0

    def add(self, line: str) -> None:
        """Take one line."""
        self._held.append(line)
        if len(self._held) >= self._chunk:
            self._held.sort()
            self._runs.append(self._write(self._held))
            self._held = []

    def sorted(self) -> Iterator[str]:
        """All lines in order; to be called once."""
        self._held.sort()
        while len(self._runs) > FAN_IN:
            batch, self._runs = self._runs[:FAN_IN], self._runs[FAN_IN:]
            self._runs.append(self._write(_merged(batch)))
        yield from heapq.merge(_merged(self._runs), self._held)
        self._held = []

    def _write(self, lines: Iterable[str]) -> Path:
        path = self._scratch / f"{id(self):x}-{self._written}.zst"
        self._written += 1
        with cast("TextIO", zstandard.open(path, "wt", encoding="utf-8", newline="\n")) as file:
            file.writelines(f"{line}\n" for line in lines)
        return path


def _merged(runs: list[Path]) -> Iterator[str]:
    with ExitStack() as stack:
        files = [stack.enter_context(zstandard.open(run, "rt", encoding="utf-8", newline="\n")) for run in runs]
        for line in heapq.merge(*(cast("TextIO", file) for file in files)):
            yield line.rstrip("\n")
    for run in runs:
        run.unlink()
