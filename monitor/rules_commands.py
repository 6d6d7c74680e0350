"""The commands about rule packs: check, test, explain, show, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from monitor.options import FAULTS, FILE, OK, UNREADABLE, Group

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
