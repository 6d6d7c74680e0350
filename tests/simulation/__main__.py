"""Plays seeds of the simulation, counts what was done to the system, and shows what breaks a promise."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.seeds import play, shortest
from tests.simulation.world import Fault


def main() -> int:
    """Do what the command line asks for; returns 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many [%(default)s]")
    parser.add_argument("--first", type=int, default=0, help="the first of them [%(default)s]")
    parser.add_argument("--most", type=int, default=3, help="failing seeds after which it ends [%(default)s]")
    asked = parser.parse_args()
    began, injected, failed = time.monotonic(), Counter[Fault](), 0
    played = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        result = play(seed)
        played += 1
        injected += result.injected
        if result.broken is not None:
            failed += 1
            _show(seed, result.broken)
        if failed >= asked.most:
            break
    took = time.monotonic() - began
    for fault in Fault:
        print(f"{injected[fault]:8} {fault}")
    print(f"{played} seeds in {took:.0f} s ({played / took:.1f}/s): {failed or 'none'} of them broke a promise")
    return 1 if failed else 0


def _show(seed: int, broken: str) -> None:
    steps = shortest(seed)
    print(f"seed {seed}: {broken}\n  shortened to {len(steps)} steps:")
    for step in steps:
        print(f"    {step}")
    print(f"  again: make simulate FIRST={seed} SEEDS=1", flush=True)


if __name__ == "__main__":
    sys.exit(main())
