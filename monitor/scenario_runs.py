"""Plays scenario files, in several processes, and says of each what came out otherwise than expected."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from monitor.pack_check import count
from monitor.terminal import clean
from rules.coverage import KINDS, TRUTHS, Coverage
from rules.pack import Pack
from rules.settings import SettingsError, SiteSettings
from rules.testing import SUFFIX, Run, ScenarioError, load_scenario

_BATCH: Final = 8
"""Files that a process plays before it reports."""


class Outcome(NamedTuple):
    """How one file came out: its failures, or why it cannot be used."""

    file: Path
    title: str
    seconds: float
    failures: tuple[str, ...] = ()
    unusable: str | None = None

    def line(self) -> str:
        """The outcome for people."""
        if self.unusable is not None:
            return f"UNUSABLE {self.unusable}"
        if self.failures:
            return f"FAILED {self.file}: {self.title}: {'; '.join(self.failures)}"
        return f"passed {self.file} ({self.seconds:.2f} s)"


class Job(NamedTuple):
    """What every scenario is played with."""

    packs: tuple[Pack, ...]
    settings: SiteSettings
    covered: bool


class Result(NamedTuple):
    """The outcomes in the order of the files, and what the scenarios covered."""

    outcomes: tuple[Outcome, ...]
    coverage: Coverage | None


def find_scenarios(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and those below directories, each once.

    Raises:
        OSError: if a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob(f"*{SUFFIX}"))
        else:
            path.stat()
            found.append(path)
    return list(dict.fromkeys(found))


def play_all(files: Sequence[Path], job: Job, jobs: int) -> Result:
    """Play scenarios, in up to ``jobs`` processes."""
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    if jobs == 1 or len(batches) <= 1:
        return _Player(job).play(files)
    with ProcessPoolExecutor(min(jobs, len(batches)), initializer=_prepare, initargs=(job,)) as pool:
        return _join(job, pool.map(_play, batches))


def _join(job: Job, results: Iterable[Result]) -> Result:
    outcomes: list[Outcome] = []
    total = Coverage(job.packs) if job.covered else None
    for result in results:
        outcomes += result.outcomes
        if total is not None and result.coverage is not None:
            total.merge(result.coverage)
    return Result(tuple(outcomes), total)


class _Player:
    """Plays the files that one process is given; what it has seen before it need not look at again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._coverage = Coverage(job.packs) if job.covered else None

    def play(self, files: Sequence[Path]) -> Result:
        """The outcomes of the files, with the coverage of all files so far."""
        return Result(tuple(_play_one(file, self._job, self._coverage) for file in files), self._coverage)


_PLAYERS: Final[list[_Player]] = []
"""The player of this process, where it is one of several."""


def _prepare(job: Job) -> None:
    _PLAYERS.append(_Player(job))


def _play(files: Sequence[Path]) -> Result:
    return _PLAYERS[-1].play(files)


def _play_one(file: Path, job: Job, coverage: Coverage | None) -> Outcome:
    started = time.perf_counter()
    title = ""
    try:
        scenario = load_scenario(file)
        title = scenario.title
        failures = Run(scenario, job.packs, job.settings, coverage).failures()
    except (ScenarioError, SettingsError) as error:
        lines = (line if line.startswith(f"{file}: ") else f"{file}: {line}" for line in str(error).splitlines())
        return Outcome(file, title, time.perf_counter() - started, unusable="; ".join(lines))
    return Outcome(file, title, time.perf_counter() - started, tuple(failures))


def write_junit(outcomes: Sequence[Outcome], seconds: float, path: Path) -> None:
    """Write JUnit XML, as build servers read it.

    Raises:
        OSError: if it cannot be written.
    """
    suite = ET.Element(
        "testsuite",
        name="rescue-monitor",
        tests=str(len(outcomes)),
        failures=str(sum(bool(outcome.failures) for outcome in outcomes)),
        errors=str(sum(outcome.unusable is not None for outcome in outcomes)),
        time=f"{seconds:.3f}",
    )
    for outcome in outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=str(outcome.file.parent),
            name=outcome.file.name.removesuffix(SUFFIX),
            time=f"{outcome.seconds:.3f}",
        )
        if outcome.unusable is not None:
            ET.SubElement(case, "error", message="the file cannot be used").text = clean(outcome.unusable)
        elif outcome.failures:
            text = "\n".join((outcome.title, *outcome.failures))
            ET.SubElement(case, "failure", message=clean(outcome.failures[0])).text = clean(text)
    ET.indent(suite)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def summarise(outcomes: Sequence[Outcome], seconds: float) -> str:
    """How many passed, in one line."""
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    unusable = sum(outcome.unusable is not None for outcome in outcomes)
    passed = len(outcomes) - failed - unusable
    tail = f", {unusable} unusable" if unusable else ""
    return f"{count(len(outcomes), 'scenario')}: {passed} passed, {failed} failed{tail} in {seconds:.1f} s"


def coverage_lines(coverage: Coverage, *, every: bool) -> Iterator[str]:
    """What was seen of each pack: the incomplete lines, or every one, and the sums."""
    for pack in coverage.packs:
        lines = [(item, seen) for item, seen in coverage.lines(pack) if every or not set(item.demanded) <= seen]
        width = max((len(item.path) for item, _ in lines), default=0)
        yield f"Coverage of {pack}"
        if lines:
            yield f"  {'seen':{width}}  {'met':7}  {'not met':7}  unknown"
        for item, seen in lines:
            marks = ("yes" if t in seen else "no" if t in item.demanded else "-" for t in TRUTHS)
            yield f"  {item.path:{width}}  " + "  ".join(f"{mark:7}" for mark in marks).rstrip()
        for kind in KINDS:
            sums = [f"{f.seen}/{f.demanded} {f.truth.value}" for f in coverage.figures(pack) if f.kind == kind]
            if sums:
                yield f"  {kind} {', '.join(sums)}"
        yield f"  verdicts: {_listed(*coverage.states(pack))}"
        for therapy, seen_advices, never in coverage.advices(pack):
            yield f"  {therapy}: {_listed(seen_advices, never)}"
    yield f"{coverage.percent():.1f} % of what can be seen was seen"


def _listed(seen: Sequence[str], never: Sequence[str]) -> str:
    return (", ".join(seen) or "none") + (f" (never: {', '.join(never)})" if never else "")
