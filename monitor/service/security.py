"""Who is asking, and what they may do."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple, Protocol, get_args

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from monitor.service.models import Login, Role
from rules.notation import Identifier
from streams.embedded.wall import Wall

ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Permission(StrEnum):
    """Something that not everybody may do."""

    READ = "read"
    """See patients and alerts."""
    ANSWER = "answer"
    """Answer alerts."""
    INGEST = "ingest"
    """Send events."""
    OPERATE = "operate"
    """See figures of the service, in which no patient is."""


PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        "viewer": frozenset({Permission.READ}),
        "clinician": frozenset({Permission.READ, Permission.ANSWER}),
        "operator": frozenset({Permission.INGEST, Permission.OPERATE}),
    }
)
"""What each role may do. Who runs the service or feeds it does not thereby see patients."""


class Principal(NamedTuple):
    """Somebody who may do something; ``actor`` is an opaque id."""

    actor: str
    role: Role
    permissions: frozenset[Permission]

    @classmethod
    def of(cls, actor: str, role: Role) -> Principal:
        """Somebody with what a role allows."""
        return cls(actor, role, PERMISSIONS[role])


AT_THE_MACHINE: Final = Principal("local", "clinician", frozenset(Permission))
"""Whoever uses the machine itself, where the service listens to nobody else."""

NO_PERSON: Final = ("rules", "unknown", AT_THE_MACHINE.actor)
"""Whom the audit names where nobody did something, nobody knows who, or nobody was asked: no person is called so."""


class CredentialError(Exception):
    """A token that lets nobody in; the text says why, without the token."""


class Authenticator(Protocol):
    """Finds out whose a bearer token is."""

    @property
    def login(self) -> Login:
        """How people come by one."""

    def authenticate(self, token: str) -> Principal:
        """The owner of a token; may take as long as a question to an identity provider.

        Raises:
            CredentialError: if it is nobody's.
        """


class SecurityError(ValueError):
    """Settings under which the service must not run; the text says why."""


class _Token(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    actor: Identifier
    role: Role
    expires_at: AwareDatetime | None = None

    @field_validator("actor")
    @classmethod
    def _is_a_person(cls, actor: str) -> str:
        if actor in NO_PERSON:
            raise PydanticCustomError("no_person", f"no actor may be called {', '.join(NO_PERSON)}")
        return actor


def token_entry(token: str, actor: str, role: Role) -> str:
    """The line of a token file that lets a token in.

    Raises:
        SecurityError: if nobody can be called so.
    """
    try:
        made = _Token(sha256=hashlib.sha256(token.encode()).hexdigest(), actor=actor, role=role)
    except ValidationError as error:
        raise SecurityError(f"ACTOR: {error.errors()[0]['msg']}") from None
    return f"  - {{sha256: {made.sha256}, actor: {json.dumps(made.actor)}, role: {made.role}}}"


class _TokenFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tokens: tuple[_Token, ...] = Field(min_length=1)


class TokenFile:
    """Tokens of a small site: a file of their SHA-256 digests, each with whose it is.

    Tokens are long and random, so a plain digest of one cannot be turned back; they are found by their digest, so that
    how long it takes tells nothing about them.
    """

    def __init__(self, path: Path, wall: Wall) -> None:
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
            content = _TokenFile.model_validate(raw)
        except OSError as error:
            raise SecurityError(f"{path}: {error.strerror}") from None
        except (UnicodeDecodeError, yaml.YAMLError):
            raise SecurityError(f"{path}: not YAML") from None
        except ValidationError as error:
            details = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
            raise SecurityError(f"{path}: " + "; ".join(details)) from None
        self._tokens = {token.sha256: token for token in content.tokens}
        self._wall = wall

    @property
    def login(self) -> Login:
        """With a token that somebody was given."""
        return Login(kind="token")

    def authenticate(self, token: str) -> Principal:
        """The owner of a token.

        Raises:
            CredentialError: if it is nobody's, or has run out.
        """
        found = self._tokens.get(hashlib.sha256(token.encode()).hexdigest())
        if found is None:
            raise CredentialError("unknown token")
        if found.expires_at is not None and found.expires_at <= self._wall():
            raise CredentialError("the token has run out")
        return Principal.of(found.actor, found.role)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
