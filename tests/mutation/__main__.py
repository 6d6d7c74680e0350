"""Changes the rules a little, one change at a time, and lists the changes that no test notices.

``python -m tests.mutation packs`` changes numbers and comparisons of the bundled packs and plays the scenarios;
``python -m tests.mutation code rules/steps.py --tests tests/rules/test_steps.py`` changes code and runs tests.
``--sample N`` tries N changes drawn with ``--seed``. It ends with 1 if a change was not noticed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

from rules.packs import BUNDLED
from tests.mutation import code, packs, scenarios


def main() -> int:
    """Do what the command line asks for."""
    options = _options()
    tried = _packs(options) if options.what == "packs" else _code(options)
    survivors, count = [], 0
    for mutant, noticed in tried:
        count += 1
        if noticed is None:
            survivors.append(mutant)
            print(f"NOT NOTICED {mutant}", flush=True)
        elif options.verbose:
            print(f"noticed {mutant} [{noticed}]", flush=True)
    print(f"{count} changes, {count - len(survivors)} noticed, {len(survivors)} not")
    return 1 if survivors else 0


def _packs(options: argparse.Namespace) -> Iterable[tuple[packs.Mutant, str | None]]:
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.names or BUNDLED:
            readings = list(pool.map(scenarios.read_by, scenarios.files(name), chunksize=4))
            chosen = _sample(packs.mutants(name), options)
            yield from zip(chosen, pool.map(partial(scenarios.noticed_by, readings=readings), chosen), strict=True)


def _code(options: argparse.Namespace) -> Iterable[tuple[code.Mutant, str | None]]:
    chosen = _sample(list(code.mutants(options.names)), options)
    with ThreadPoolExecutor(options.jobs) as pool:
        yield from zip(chosen, pool.map(partial(_tests_notice, tests=options.tests), chosen), strict=True)


def _tests_notice(mutant: code.Mutant, tests: list[str]) -> str | None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "tests.mutation.code",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    environment = {**os.environ, code.VARIABLE: f"{mutant.file}@{mutant.place}"}
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    except subprocess.TimeoutExpired:
        return "did not end"
    failed = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return None if ended.returncode == 0 else (failed or ["failed"])[0]


def _sample(found: list[Any], options: argparse.Namespace) -> list[Any]:
    if options.sample is None or options.sample >= len(found):
        return found
    return sorted(Random(options.seed).sample(found, options.sample), key=found.index)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("packs", "code"))
    parser.add_argument("names", nargs="*", help="packs, or files of code")
    parser.add_argument("--tests", nargs="+", default=["tests/rules"], help="tests that should notice changed code")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="also name the changes that were noticed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
