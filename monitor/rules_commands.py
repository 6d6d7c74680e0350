"""The commands about rule packs: check, test, explain, show, schema."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from monitor.options import BAD_LINES, FAULTS, FILE, OK, UNREADABLE, Group, InputError, LogTime

_EXIT_CODES: Final = """\b
Exit codes:
  0  no fault
  1  {faults}
  2  the command line is wrong
  4  a file cannot be read
"""


@click.group(cls=Group)
def rules() -> None:
    """Check, test, explain and read rule packs."""


@rules.command(epilog=_EXIT_CODES.format(faults="a pack has a fault"))
@click.argument("packs", metavar="[PACK]...", type=FILE, nargs=-1)
def check(packs: tuple[Path, ...]) -> int:
    """Check rule packs: those in the files, or the bundled ones.

    Every fault is one line, file:line: place: reason. Faults are, among others: a number without a source, a unit that
    does not fit, an unknown signal, drug or record, a stage that can never be reached, and what nothing uses.
    """
    from monitor.pack_check import PackText, bundled_texts, read_text, report
    from rules.packs.review import review

    code = OK
    texts: list[PackText] = [] if packs else [*bundled_texts()]
    for path in packs:
        try:
            texts.append(read_text(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            click.echo(f"{path}: {reason}", err=True)
            code = UNREADABLE
    for file, text in texts:
        found = review(text)
        if found.faults and code == OK:
            code = FAULTS
        for line in report(file, found):
            click.echo(line)
    return code


_SETTINGS: Final = click.option("--settings", type=FILE, help="Site settings (YAML).")
_PACKS: Final = click.option(
    "--pack", "packs", type=FILE, multiple=True, help="Use this rule pack, not the bundled; repeatable."
)


@rules.command(epilog=_EXIT_CODES.format(faults="a scenario failed, or the coverage is below --fail-under"))
@click.argument("paths", metavar="[PATH]...", type=click.Path(path_type=Path), nargs=-1)
@_PACKS
@_SETTINGS
@click.option("--jobs", type=click.IntRange(min=1), help="Play in so many processes.  [default: one per core]")
@click.option("--junit", type=FILE, help="Write JUnit XML here, for build servers.")
@click.option("--coverage/--no-coverage", "covered", help="Show which conditions were seen met, not met, unknown.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Demand so much coverage.")
@click.option("-v", "--verbose", is_flag=True, help="Name every file, and every line of the coverage.")
def test(
    paths: tuple[Path, ...],
    packs: tuple[Path, ...],
    settings: Path | None,
    jobs: int | None,
    junit: Path | None,
    covered: bool,
    fail_under: float | None,
    verbose: bool,
) -> int:
    """Play scenarios: the files, and those named *.scenario.yaml below the directories (by default here).

    A setting that a scenario names itself goes before that of --settings.
    """
    import time

    from monitor.scenario_runs import Job, coverage_lines, find_scenarios, play_all, summarise, write_junit
    from monitor.site import open_rules

    loaded, site = open_rules(settings, packs)
    files = find_scenarios(paths or (Path(),))
    if not files:
        raise InputError(f"no *.scenario.yaml in {', '.join(map(str, paths)) or 'this directory'}")
    started = time.perf_counter()
    job = Job(loaded, site, covered or fail_under is not None)
    outcomes, coverage = play_all(files, job, jobs or os.cpu_count() or 1)
    seconds = time.perf_counter() - started
    for outcome in outcomes:
        if verbose or outcome.failures or outcome.unusable:
            click.echo(outcome.line())
    if coverage is not None and covered:
        for line in coverage_lines(coverage, every=verbose):
            click.echo(line)
    click.echo(summarise(outcomes, seconds))
    if junit is not None:
        write_junit(outcomes, seconds, junit)
    below = coverage is not None and fail_under is not None and coverage.percent() < fail_under
    if below and coverage is not None:
        click.echo(f"coverage {coverage.percent():.1f} % is below {fail_under:g} %", err=True)
    if any(outcome.unusable for outcome in outcomes):
        return UNREADABLE
    return FAULTS if below or any(outcome.failures for outcome in outcomes) else OK


@rules.command()
@click.argument("pack", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown"]),
    default="text",
    show_default=True,
    help="Text for people, or Markdown for a document.",
)
def show(pack: str | None, form: str) -> int:
    """Print a rule pack with its citations: PACK is the id of a bundled one, or a file. Without PACK, list them."""
    from monitor.pack_text import PackText, summary
    from monitor.site import open_rules

    bundled = {found.id: found for found in open_rules(None, ())[0]}
    if pack is None:
        for found in bundled.values():
            click.echo(summary(found))
        return OK
    if pack in bundled:
        chosen = bundled[pack]
    elif Path(pack).exists():
        ((chosen,), _) = open_rules(None, (Path(pack),))
    else:
        raise click.BadParameter(f"{pack!r} is neither a file nor a bundled pack ({', '.join(bundled)})")
    for line in PackText(chosen, markdown=form == "markdown").lines():
        click.echo(line)
    return OK


@rules.command()
@click.argument("log", type=str)
@click.option("--patient", required=True, help="The patient, as the log names them.")
@click.option("--at", "moment", type=LogTime(), required=True, help="The time of the log, e.g. 2026-01-31T09:45Z.")
@click.option("--pathway", help="Only this pathway, by the id of its pack.  [default: all]")
@_PACKS
@_SETTINGS
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-v", "--verbose", is_flag=True, help="Print every condition of the pack with its values.")
def explain(
    log: str,
    patient: str,
    moment: datetime,
    pathway: str | None,
    packs: tuple[Path, ...],
    settings: Path | None,
    form: str,
    verbose: bool,
) -> int:
    """Say why the verdict on a patient is what it is at a time, why not the next one, and what is missing.

    Replays what the LOG (a file, or - for standard input) had received of the patient by then. A pathway that does not
    apply has one line, after the others; name it, or use -v, for all of it.
    """
    from monitor.explaining import explain_at
    from monitor.site import open_rules
    from monitor.terminal import clean

    loaded, site = open_rules(settings, packs)
    known = [pack.id for pack in loaded]
    if pathway is not None and pathway not in known:
        raise click.BadParameter(f"{pathway!r} is not loaded; known: {', '.join(known[:10])}", param_hint="--pathway")
    wanted = known if pathway is None else [pathway]
    found, bad_lines = explain_at(log, patient, moment, loaded, site, wanted)
    if form == "json":
        click.echo(
            json.dumps([explanation.model_dump(mode="json") for explanation in found], indent=2, ensure_ascii=False)
        )
    else:
        brief = [explanation for explanation in found if pathway is None and not verbose and explanation.idle]
        blocks = [[*explanation.lines(every=verbose)] for explanation in found if explanation not in brief]
        blocks += [[explanation.line() for explanation in brief]] if brief else []
        for number, lines in enumerate(blocks):
            click.echo("\n" if number else "", nl=False)
            for line in lines:
                click.echo(clean(line))
    return BAD_LINES if bad_lines else OK


@rules.command()
@click.argument("subject", type=click.Choice(["pack", "scenario", "settings"]), default="pack")
def schema(subject: str) -> int:
    """Print the JSON Schema of a rule pack (the default), a scenario or site settings, as they are written."""
    from rules.schemas import pack_schema, scenario_schema, settings_schema

    found = {"pack": pack_schema, "scenario": scenario_schema, "settings": settings_schema}[subject]()
    click.echo(json.dumps(found, indent=2))
    return OK
