"""Kills workers again and again while a log is played, and says whether anything was lost (``make chaos``)."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.loop import Plan, run


def main() -> int:
    """Do what the command line asks for; returns 1 if anything was lost, invented or changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="decides what happens when [%(default)s]")
    parser.add_argument("--kills", type=int, default=50, help="of workers, with SIGKILL [%(default)s]")
    parser.add_argument("--restarts", type=int, default=10, help="of workers, in order [%(default)s]")
    parser.add_argument("--joins", type=int, default=4, help="a third worker comes or goes [%(default)s]")
    parser.add_argument("--broker-stops", type=int, default=1, help="in order, and started again [%(default)s]")
    parser.add_argument("--broker-kills", type=int, default=1, help="with SIGKILL, and started again [%(default)s]")
    parser.add_argument("--wards", type=int, default=5, help="copies of the ten beds of the demo [%(default)s]")
    parser.add_argument("--pause", type=float, default=10.0, help="longest between two harms, in s [%(default)s]")
    plan = Plan(**vars(parser.parse_args()))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        report = run(plan, Path(folder), lambda text: print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True))
    print("\n".join(report.lines()))
    print(f"{plan}: {'nothing lost' if report.good else 'NOT GOOD'}, in {time.monotonic() - began:.0f} s")
    if not report.good:
        print(report)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
