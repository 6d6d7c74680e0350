"""The head of the audit, signed: whoever notes it elsewhere can tell later whether the end was cut off."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from streams.embedded.audit import BEGINNING
from streams.embedded.database import DatabaseError

_WORD: Final = "audit-head"


class Head(NamedTuple):
    """How many entries the audit had at a time, and the digest of the newest."""

    entries: int
    digest: str
    at: str

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return " ".join((_WORD, str(self.entries), self.digest, self.at)).encode()


class Statement(NamedTuple):
    """A head, the public key of the service that stated it, and its signature, in hexadecimal digits."""

    head: Head
    key: str
    signature: str

    def __str__(self) -> str:
        """One line of words, as it is published."""
        return f"{self.head.signed.decode()} {self.key} {self.signature}"

    @classmethod
    def read(cls, text: str) -> Statement:
        """A statement from a line.

        Raises:
            ValueError: if it is none, or the signature is not by the key that it names.
        """
        word, entries, digest, at, key, signature = text.split()
        if word != _WORD:
            raise ValueError("not a head of an audit")
        found = cls(Head(int(entries), digest, at), key, signature)
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), found.head.signed)
        except InvalidSignature:
            raise ValueError("its signature does not fit") from None
        return found


def key_beside(database: Path) -> Path:
    """Where the key of a database lies; it is made after the database's tables."""
    return database.with_name(f"{database.name}.audit-key")


def newest(connection: sqlite3.Connection, at: datetime) -> Head:
    """The head as it is."""
    row = connection.execute("SELECT number, digest FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    entries, digest = row or (0, BEGINNING)
    return Head(entries, digest, at.isoformat(timespec="seconds").replace("+00:00", "Z"))


class Signer:
    """Signs heads with the key that lies beside a database, readable by its owner alone."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    @classmethod
    def of(cls, database: Path, *, make: bool = False) -> Signer:
        """The signer of a database; its key is made if that is wanted and there is none.

        Raises:
            DatabaseError: if the key is not there or cannot be used.
        """
        path = key_beside(database)
        if make and not path.exists():
            _write(path, Ed25519PrivateKey.generate())
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise DatabaseError(f"{path}: {error.strerror}") from None
        except (ValueError, TypeError):
            raise DatabaseError(f"{path}: not a key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise DatabaseError(f"{path}: not an Ed25519 key")
        return cls(key)

    def state(self, head: Head) -> Statement:
        """A signed statement."""
        return Statement(head, self.public, self._key.sign(head.signed).hex())


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a key to a new file, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(descriptor)
    part.replace(path)
