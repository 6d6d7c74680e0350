"""Measures throughput, snapshots, memory, services and the simulator; prints a table of goals and what was reached.

``python -m tests.bench`` runs everything (``make bench``); ``python -m tests.bench dense --profile out.prof`` profiles.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from streams.logfile import write_log
from streams.sources.mimic_iv import ImportReport, convert
from tests.bench import growth, kafka, memory, neighbours, serve, simulator, snapshots, throughput, worker_memory
from tests.bench.table import Figure, table
from tests.bench.wards import ward

DATA = Path(os.environ.get("ICU_MONITOR_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DENSE_GOALS = ("", ">= 100,000 readings/s", "<= 2.00")


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if options.profile is not None:
            log = _write(Path(folder) / "dense.jsonl", options.beds, timedelta(minutes=options.minutes), SECOND)
            throughput.replay_log(log)
            profile = cProfile.Profile()
            profile.runcall(throughput.replay_log, log)
            profile.dump_stats(options.profile)
            return
        for name in options.measurements or MEASUREMENTS:
            print(f"measuring: {name}", file=sys.stderr)
            place = Path(folder) / name
            place.mkdir(exist_ok=True)
            found += MEASUREMENTS[name](options, place)
    print(table(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = ", ".join(MEASUREMENTS)
    parser.add_argument("measurements", nargs="*", metavar="measurement", help=f"of {names}; default all")
    parser.add_argument("--beds", type=int, default=40, help="patients on the made-up ward [%(default)s]")
    parser.add_argument("--minutes", type=int, default=20, help="its length with vitals every second [%(default)s]")
    parser.add_argument("--hours", type=int, default=24, help="its length with vitals every minute [%(default)s]")
    parser.add_argument(
        "--seconds", type=int, default=120, help="of each measurement on Kafka or of the service [%(default)s]"
    )
    parser.add_argument("--messages", type=int, default=1_000_000, help="for kafka-memory [%(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured [%(default)s]")
    parser.add_argument("--all", action="store_true", help="in growth: every kind of event, listed where it grows")
    parser.add_argument("--profile", type=Path, help="write a profile of the dense replay here, and measure nothing")
    options = parser.parse_args()
    if unknown := set(options.measurements) - MEASUREMENTS.keys():
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return options


def _dense(options: argparse.Namespace, folder: Path) -> list[Figure]:
    log = _write(folder / "dense.jsonl", options.beds, timedelta(minutes=options.minutes), SECOND)
    return throughput.figures(f"{options.beds} beds, vitals every second", log, options.rounds, DENSE_GOALS)


def _minute(options: argparse.Namespace, folder: Path) -> list[Figure]:
    log = _write(folder / "minute.jsonl", options.beds, timedelta(hours=options.hours), MINUTE)
    return throughput.figures(f"{options.beds} beds, vitals every minute", log, min(options.rounds, 3))


def _mimic(options: argparse.Namespace, folder: Path) -> list[Figure]:
    demo = DATA / "mimic-iv-demo"
    if not demo.is_dir():
        return [Figure("MIMIC-IV demo", "", "not there: set ICU_MONITOR_DATA")]
    log = folder / "mimic.jsonl"
    write_log(convert(demo, None, ImportReport()), log)
    return throughput.figures("MIMIC-IV demo, 140 stays", log, min(options.rounds, 3))


def _write(log: Path, beds: int, length: timedelta, every: timedelta) -> Path:
    log.write_text("".join(f"{line}\n" for line in ward(beds, length, every)), encoding="utf-8")
    return log


MEASUREMENTS: Final[Mapping[str, Callable[[argparse.Namespace, Path], list[Figure]]]] = {
    "dense": _dense,
    "minute": _minute,
    "mimic": _mimic,
    "snapshot": lambda options, _: snapshots.figures(hours=24, rounds=options.rounds),
    "kafka": lambda options, folder: kafka.figures(folder, beds=1000, seconds=options.seconds),
    "kafka-memory": lambda options, folder: worker_memory.figures(folder, beds=250, messages=options.messages),
    "serve": lambda options, folder: serve.figures(folder, beds=1000, seconds=options.seconds),
    "serve-memory": lambda _, folder: serve.memory(folder, beds=200, hours=24),
    "memory": lambda *_: memory.figures(patients=200, traced=20, hours=24),
    "growth": lambda options, _: growth.growing() if options.all else growth.figures(),
    "neighbours": lambda _, folder: neighbours.figures(folder),
    "simulator": lambda options, _: simulator.figures(beds=1000, minutes=2, rounds=min(options.rounds, 3)),
}


if __name__ == "__main__":
    main()
