"""``rescue-monitor patients``: who is set aside by a fault in the monitor, and trying again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from monitor.options import FAULTS, FILE, OK, Group, InputError

if TYPE_CHECKING:
    from monitor.client import Client

TOKEN: Final = "RESCUE_MONITOR_TOKEN"  # noqa: S105 - the name of a variable
SERVICE: Final = "RESCUE_MONITOR_SERVICE"
_EXIT_CODES: Final = """\b
Exit codes:
  0    everybody who was set aside is watched again (retry); all are listed (list)
  1    somebody could not be tried again, or is set aside again
  2    the command line is wrong
  4    the service cannot be reached, or does not let us in; or a file cannot be used
"""


class _Notice(NamedTuple):
    """The alert that says that a patient is not watched."""

    patient: str
    alert: str
    sequence: int
    headline: str
    verdict: str

    @property
    def text(self) -> str:
        """It in a line."""
        return f"{self.patient}: {self.headline}, {self.verdict}"


@click.group(cls=Group)
def patients() -> None:
    """Look after patients whom a fault in the monitor has set aside."""


def _with_client(command: Callable[..., int]) -> Callable[..., int]:
    """Gives a command the options by which it reaches the service."""
    for option in (
        click.option("--token-file", type=FILE, help=f"Holds the token of a clinician.  [default: ${TOKEN}]"),
        click.option("--service", help=f"Its address.  [default: ${SERVICE}, or http://127.0.0.1:8080]"),
    ):
        command = option(command)
    return command


@patients.command(name="list", epilog=_EXIT_CODES)
@_with_client
def list_(*, service: str | None, token_file: Path | None) -> int:
    """List who is set aside: one line for each, with since when and by which fault."""
    found = _set_aside(_client(service, token_file))
    for notice in found.values():
        _say(notice.text)
    click.echo(f"set aside: {len(found)}", err=True)
    return OK


@patients.command(epilog=_EXIT_CODES)
@click.argument("patients", metavar="[PATIENT]...", nargs=-1)
@_with_client
def retry(*, patients: tuple[str, ...], service: str | None, token_file: Path | None) -> int:
    """Judge again whom a fault in the monitor has set aside: each PATIENT, or everybody.

    What has arrived meanwhile is judged, at most a day back. Each gets a line with what came of it: watched again, set
    aside again by a fault, or why it was not tried. It is the answer "Try again" of the dashboard, and on record.
    """
    from monitor.client import RefusedError

    client = _client(service, token_file)
    aside = _set_aside(client)
    refused: dict[str, str] = {}
    chosen = dict.fromkeys(patients or aside)
    for name in chosen:
        if name not in aside:
            refused[name] = "not set aside"
            continue
        try:
            client.answer(aside[name].alert, "retry", aside[name].sequence)
        except RefusedError as error:
            refused[name] = f"not tried: {error}"
    again = _set_aside(client)
    for name in chosen:
        if name in refused:
            _say(f"{name}: {refused[name]}")
        elif name in again:
            _say(f"{name}: set aside again: {again[name].headline}, {again[name].verdict}")
        else:
            _say(f"{name}: watched again")
    if not chosen:
        click.echo("nobody is set aside", err=True)
    return FAULTS if refused or again.keys() & chosen.keys() else OK


def add_to(group: click.Group) -> None:
    """Put these commands into the command line."""
    group.add_command(patients)


def _client(service: str | None, token_file: Path | None) -> Client:
    from monitor.client import ADDRESS, Client

    token = os.environ.get(TOKEN) if token_file is None else _token(token_file)
    return Client(service or os.environ.get(SERVICE) or ADDRESS, token or None)


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text") from None


def _set_aside(client: Client) -> dict[str, _Notice]:
    """Who is set aside, by name."""
    from rules.bulkhead import MONITOR, NOT_WATCHED

    found = [
        _notice(alert)
        for state in ("open", "acknowledged")
        for alert in client.alerts(pathway=MONITOR, state=state)
        if alert["subject"] == NOT_WATCHED
    ]
    return {notice.patient: notice for notice in sorted(found)}


def _notice(alert: dict[str, Any]) -> _Notice:
    return _Notice(alert["patient"], alert["id"], alert["sequence"], alert["headline"], alert["verdict"])


def _say(line: str) -> None:
    from monitor.terminal import clean

    click.echo(clean(line))
