"""``rescue-monitor serve``, and what goes with its database: the log in it, the proof of what was put on record."""

from __future__ import annotations

import logging
import secrets
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from monitor.options import FAULTS, FILE, OK, Group, InputError
from monitor.site import open_rules

if TYPE_CHECKING:
    from pydantic import BaseModel

    from monitor.service.inputs import Followed
    from monitor.service.models import Role
    from monitor.service.security import Authenticator
    from streams.embedded.settings import EmbeddedSettings

    M = TypeVar("M", bound=BaseModel)

REFUSED: Final = 78
"""Exit code where state cannot be continued from: starting again does not help."""

_LAST_PORT: Final = 65_535
DATABASE: Final = Path("rescue-monitor.db")
_EXIT_CODES: Final = """\b
Exit codes:
  0    ended in order (SIGTERM, Ctrl-C); all state is kept
  2    the command line is wrong
  4    a file or the address cannot be used, or the service would be open to everybody
  70   something unexpected: start again, nothing is lost
  78   the kept state does not fit these rules or is damaged: starting again does not help
"""


class DamagedInputError(InputError):
    """A database that is damaged; the text says how."""

    exit_code = REFUSED


@click.command(epilog=_EXIT_CODES)
@click.option("--database", type=FILE, default=DATABASE, show_default=True, help="Where everything is kept.")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="HOST:PORT; port 0 is any that is free.")
@click.option(
    "--follow",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Read events from FILE as tail -F does (a pipe, .gz and .zst too), or from - ; repeatable.",
)
@click.option("--unit", default="ICU", show_default=True, help="What the unit is called.")
@click.option("--settings", type=FILE, help="Site settings (YAML).")
@click.option("--pack", "packs", type=FILE, multiple=True, help="Use this rule pack, not the bundled; repeatable.")
@click.option("--runtime", type=FILE, help="Settings of the runtime (YAML).")
@click.option("--tokens", type=FILE, help="Who may come in: a file of hashed tokens (YAML).")
@click.option("--oidc", type=FILE, help="Who may come in: an OpenID Connect provider (YAML).")
@click.option("--certificate", type=FILE, help="Certificate for TLS (PEM).")
@click.option("--key", type=FILE, help="Its key (PEM).")
def serve(  # noqa: PLR0913 - one parameter for each option
    *,
    database: Path,
    listen: str,
    follow: tuple[str, ...],
    unit: str,
    settings: Path | None,
    packs: tuple[Path, ...],
    runtime: Path | None,
    tokens: Path | None,
    oidc: Path | None,
    certificate: Path | None,
    key: Path | None,
) -> int:
    """Run the service at the bedside: events in, alerts out, with everything in one file.

    Events come over HTTP (POST /v1/events), from files and from standard input. Whoever can reach the address sees
    everything, so other addresses than loopback need --tokens or --oidc.
    """
    from monitor.service.security import SecurityError
    from monitor.service.service import Site
    from monitor.service.serving import Listening, ListeningError
    from monitor.service.serving import serve as run
    from streams.embedded.database import DatabaseError
    from streams.embedded.seals import DamagedError, is_damage
    from streams.embedded.wall import system_wall
    from streams.states import StateError

    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key belong together")
    host, port = _address(listen)
    followed = _followed(follow)
    rules, site = open_rules(settings, packs)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    pair = None if certificate is None or key is None else (str(certificate), str(key))
    try:
        listening = Listening(host, port, _authenticator(tokens, oidc), pair)
        listening.demand_safe()
        run(
            Site(unit, rules, site, _runtime_settings(runtime), system_wall, time.monotonic, database),
            listening,
            followed,
            lambda address, _: click.echo(f"listening on {address}"),
        )
    except (DamagedError, sqlite3.Error) as error:
        if not is_damage(error):
            raise
        click.echo(f"what was kept is damaged: {error}; see: rescue-monitor database check", err=True)
        return REFUSED
    except (SecurityError, ListeningError, DatabaseError) as error:
        raise InputError(str(error)) from None
    except StateError as error:
        click.echo(f"the kept state cannot be continued from: {error}", err=True)
        return REFUSED
    return OK


@click.command()
@click.option("--database", type=FILE, default=DATABASE, show_default=True, help="The service's database.")
@click.option("-o", "--output", type=FILE, required=True, help="The log to write: .jsonl, .jsonl.gz or .jsonl.zst.")
def export(*, database: Path, output: Path) -> int:
    """Write the events of the service's database as a log, answers of clinicians included, in order of arrival.

    The log can be replayed, or followed by a service with other rules and a new database. The service may be running.
    """
    from streams.embedded import store
    from streams.embedded.segments import Packer
    from streams.logfile import write_lines

    connection, packer = open_kept(database), Packer()
    lines = (line for segment in store.segments(connection, 0) for line in packer.event_lines(segment))
    count = write_lines(lines, output)
    connection.close()
    click.echo(f"{count} events written to {output}", err=True)
    return OK


@click.group(cls=Group)
def audit() -> None:
    """Prove what was put on record: answers, suppressions, and who was let in."""


@audit.command()
@click.option("--database", type=FILE, default=DATABASE, show_default=True, help="The service's database.")
@click.option("--head", help="A head that was noted earlier: what was published, or the digest in it.")
@click.option("--key", help="The public key of the service, noted elsewhere: the head must be signed with it.")
def verify(*, database: Path, head: str | None, key: str | None) -> int:
    """Follow the chain of the audit from its beginning; exit code 1 if it is broken.

    Without a head that was noted elsewhere this proves that no entry was changed, dropped or inserted by whoever cannot
    write the whole chain anew; it cannot tell whether the newest were cut off, or all of them replaced.
    """
    from streams.embedded.audit import read
    from streams.embedded.audit import verify as follow_chain

    noted = None if head is None else _noted(head, key)
    connection = open_kept(database)
    found = follow_chain(read(connection))
    place = next((entry.number for entry in read(connection) if noted is not None and entry.digest == noted[1]), None)
    connection.close()
    click.echo(f"{found.entries} entries, newest {found.head}")
    if found.fault is not None:
        click.echo(f"broken: {found.fault}", err=True)
        return FAULTS
    if noted is None:
        click.echo(
            "The chain is whole. This does not show whether newer entries were cut off or the whole chain was written "
            "anew: name a head that was noted elsewhere (--head).",
            err=True,
        )
        return OK
    entries, digest = noted
    begins_empty = digest == "0" * 64
    if (place is None and not begins_empty) or (entries is not None and entries != (place or 0)):
        click.echo("broken: the head that was noted is not in the chain, or not where it was", err=True)
        return FAULTS
    click.echo(
        f"The chain is whole, and the first {place or 0} entries are those of when the head was noted. "
        "Of newer ones only the chain itself speaks.",
        err=True,
    )
    return OK


@audit.command(name="head")
@click.option("--database", type=FILE, default=DATABASE, show_default=True, help="The service's database.")
def print_head(*, database: Path) -> int:
    """Print the head of the audit, signed with the key beside the database: to be noted where nobody here gets at.

    The line is: entries, digest of the newest, time, public key, signature. The service publishes one every hour, in
    its log and as the figure rescue_monitor_audit_head.
    """
    from streams.embedded.database import DatabaseError
    from streams.embedded.heads import Signer, newest
    from streams.embedded.wall import system_wall

    connection = open_kept(database)
    head = newest(connection, system_wall())
    connection.close()
    try:
        click.echo(str(Signer.of(database).state(head)))
    except DatabaseError as error:
        raise InputError(str(error)) from None
    return OK


@audit.command(name="show")
@click.option("--database", type=FILE, default=DATABASE, show_default=True, help="The service's database.")
def show(*, database: Path) -> int:
    """Print the entries as JSON lines, oldest first."""
    import json

    from streams.embedded.audit import read

    connection = open_kept(database)
    for entry in read(connection):
        line = {**entry._asdict(), "content": json.loads(entry.content)}
        click.echo(json.dumps(line, ensure_ascii=False))
    connection.close()
    return OK


@click.command()
@click.argument("actor")
@click.argument("role", type=click.Choice(["viewer", "clinician", "operator"]))
def token(actor: str, role: Role) -> int:
    """Make a token for ACTOR, an opaque id: prints it to standard error, and the entry of the token file."""
    from monitor.service.security import SecurityError, token_entry

    made = secrets.token_urlsafe(32)
    try:
        entry = token_entry(made, actor, role)
    except SecurityError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"token, shown only once: {made}", err=True)
    click.echo(entry)
    return OK


def add_to(group: click.Group) -> None:
    """Put these commands into the command line."""
    for command in (serve, export, audit, token):
        group.add_command(command)


def _noted(text: str, key: str | None) -> tuple[int | None, str]:
    """Of a head that was noted how many entries there were, if it says so, and the digest.

    Raises:
        UsageError: if it is none, or not signed as it should be.
    """
    from streams.embedded.heads import Statement

    if " " not in text.strip():
        if key is not None:
            raise click.UsageError("--key needs a head with its signature")
        return None, text.strip()
    try:
        found = Statement.read(text[text.find("audit-head") :])
    except ValueError as error:
        raise click.UsageError(f"--head: {error}") from None
    if key is not None and found.key != key:
        raise click.UsageError("--head: signed with another key")
    return found.head.entries, found.head.digest


def open_kept(database: Path) -> sqlite3.Connection:
    """A service's database, to read from.

    Raises:
        DamagedInputError: if it cannot be read because it is damaged.
        InputError: if it cannot be used.
    """
    from streams.embedded.database import DamagedDatabaseError, DatabaseError, open_database

    try:
        return open_database(database, read_only=True)
    except DamagedDatabaseError as error:
        raise DamagedInputError(str(error)) from None
    except DatabaseError as error:
        raise InputError(str(error)) from None


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise click.UsageError(f"--listen: {listen!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _followed(follow: tuple[str, ...]) -> list[Followed]:
    from monitor.service.inputs import Followed

    followed = [Followed.read(text) for text in follow]
    for column in zip(*followed, strict=True):
        twice = [one for one, count in Counter(column).items() if count > 1]
        if twice:
            raise click.UsageError(
                f"--follow: {twice[0]} is given twice; a name can be put before a file: lab={twice[0]}"
            )
    return followed


def _authenticator(tokens: Path | None, oidc: Path | None) -> Authenticator | None:
    from monitor.service.oidc import Oidc, OidcSettings
    from monitor.service.security import TokenFile
    from streams.embedded.wall import system_wall

    if tokens is not None and oidc is not None:
        raise click.UsageError("give --tokens or --oidc, not both")
    if tokens is not None:
        return TokenFile(tokens, system_wall)
    return None if oidc is None else Oidc(_settings_of(oidc, OidcSettings))


def _runtime_settings(path: Path | None) -> EmbeddedSettings:
    from streams.embedded.settings import EmbeddedSettings

    return EmbeddedSettings() if path is None else _settings_of(path, EmbeddedSettings)


def _settings_of(path: Path, model: type[M]) -> M:
    """Settings from a YAML file.

    Raises:
        InputError: naming the file, the place and the reason, and no value.
    """
    import yaml
    from pydantic import ValidationError

    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise InputError(f"{path}: not YAML") from None
    except ValidationError as error:
        details = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_url=False)]
        raise InputError(f"{path}: " + "; ".join(details)) from None
