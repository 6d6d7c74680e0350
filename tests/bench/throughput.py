"""How fast a log is replayed, against decoding its lines alone, which no program that reads it can do without."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from statistics import median

from rules.events import decode
from rules.outputs import encode_change
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.logfile import BadLine, read_log
from streams.replay import replay
from streams.summary import Tally
from streams.ward import Ward
from tests.bench.table import Figure


def figures(name: str, log: Path, rounds: int, goals: tuple[str, str, str] = ("", "", "")) -> list[Figure]:
    """Decoding alone and the whole replay of a log, by turns; the middle of ``rounds`` of each.

    Times are of the processor, not of the wall clock, so that other work of the machine weighs less.

    Args:
        name: what the log is.
        log: its file.
        rounds: how often each is measured, after one run of both to warm up.
        goals: of the readings per second decoded, replayed, and the ratio.
    """
    lines = log.read_bytes().splitlines()
    readings = replay_log(log)
    decode_lines(lines)
    alone, whole = [], []
    for _ in range(rounds):
        alone.append(seconds(lambda: decode_lines(lines)))
        whole.append(seconds(lambda: replay_log(log)))
    reached = (
        f"{readings / median(alone):,.0f} readings/s",
        f"{readings / median(whole):,.0f} readings/s",
        f"{median(whole) / median(alone):.2f}",
    )
    titles = ("decoding alone", "whole replay", "whole replay / decoding")
    size = f"{len(lines):,} messages, {readings:,} readings"
    return [Figure(f"{name}: size", "", size)] + [
        Figure(f"{name}: {title}", goal, found) for title, goal, found in zip(titles, goals, reached, strict=True)
    ]


def decode_lines(lines: Iterable[bytes]) -> None:
    """Decode each line and forget it."""
    for line in lines:
        decode(line)


def replay_log(log: Path) -> int:
    """Everything a replay does except showing the changes: how many readings there were."""
    ward, tally = Ward(_packs(), SiteSettings()), Tally()
    with read_log(log, _refuse) as reader:
        for change in replay((event for _, event in reader), ward, tally):
            encode_change(change)
    return tally.readings


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of some work, begun with nothing for the garbage collector to do."""
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


@cache
def _packs() -> Sequence[Pack]:
    """The bundled packs, loaded before anything is measured."""
    return load_packs()


def _refuse(bad: BadLine) -> None:
    msg = f"the benchmark's own log has a bad line: {bad}"
    raise ValueError(msg)
