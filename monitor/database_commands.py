"""``rescue-monitor database``: says what of the service's database is damaged, and saves the rest."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Final

import click

from monitor.options import FILE, OK, Group, InputError
from monitor.serve_commands import DATABASE, REFUSED, open_kept

_WHERE = click.option("--database", type=FILE, default=DATABASE, show_default=True, help="The service's database.")
_LOOKS: Final = 3
_BETWEEN_LOOKS: Final = 0.2
"""Seconds between two looks at what is being written: damage is what stays."""

_EXIT_CODES = """\b
Exit codes:
  0    all of it is as it was written (check), or what is left is (repair)
  2    the command line is wrong
  4    the file cannot be used, or a service is running on it (repair)
  78   something is damaged, or too much to be repaired
"""


@click.group(cls=Group)
def database() -> None:
    """Look after the database of the service."""


@database.command(epilog=_EXIT_CODES)
@_WHERE
def check(*, database: Path) -> int:
    """Say what is damaged: pages, rows, the log, the audit. The service may be running."""
    from streams.embedded.damage import check as look

    found = _leftover(database)
    try:
        with closing(open_kept(database)) as connection:
            found += map(str, look(connection))
    except InputError as error:
        if not found:
            raise
        found.append(str(error))
    for damage in found:
        click.echo(damage)
    click.echo("damaged" if found else "all of it is as it was written", err=True)
    return REFUSED if found else OK


@database.command(epilog=_EXIT_CODES)
@_WHERE
def repair(*, database: Path) -> int:
    """Make the database anew of what is whole, say what is lost, and keep the damaged one beside it.

    No service may be running on it. Whoever lost a state, or the newest of what was said, is judged again from the
    events that are kept, and it is said again. The audit is copied as it is, broken where it is broken.
    """
    from streams.embedded.database import DamagedDatabaseError, DatabaseError
    from streams.embedded.ownership import sole_owner
    from streams.embedded.repair import repair as mend

    if not database.exists():
        raise InputError(f"{database}: No such file or directory")
    try:
        with sole_owner(database):
            said = mend(database)
    except DamagedDatabaseError as error:
        click.echo(f"nothing of it can be read, put a copy in its place: {error}", err=True)
        return REFUSED
    except DatabaseError as error:
        raise InputError(str(error)) from None
    for line in said:
        click.echo(line)
    return OK


def _leftover(database: Path) -> list[str]:
    """What is damaged of the header and of the write-ahead log, to which a service may be writing just now."""
    from streams.embedded.database import DamagedDatabaseError
    from streams.embedded.leftover import demand_readable

    said: list[str] = []
    for _ in range(_LOOKS):
        try:
            demand_readable(database)
        except DamagedDatabaseError as error:
            said = [str(error)]
            time.sleep(_BETWEEN_LOOKS)
        else:
            return []
    return said


def add_to(group: click.Group) -> None:
    """Put these commands into the command line."""
    group.add_command(database)
