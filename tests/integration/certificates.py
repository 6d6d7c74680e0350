"""Certificates of a day for tests: an authority of their own, and a broker on this machine whom it vouches for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.integration.brokers import REQUIRED

_NEW: Final = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "1"]


class Certificates(NamedTuple):
    """PEM files: the authority to trust, and the broker's key with its certificate."""

    authority: Path
    broker: Path


def make(folder: Path) -> Certificates:
    """New ones in a folder; skips the test where there is no openssl, unless everything is demanded."""
    if shutil.which("openssl") is None:
        message = "no openssl to make certificates with"
        pytest.fail(message) if os.environ.get(REQUIRED) == "1" else pytest.skip(message)
    authority, key, broker = (folder / name for name in ("authority.pem", "authority.key", "broker.pem"))
    _openssl("-subj", "/CN=authority of a test", "-keyout", key, "-out", authority)
    signed = ("-CA", authority, "-CAkey", key, "-addext", "basicConstraints=critical,CA:FALSE")
    names = ("-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1")
    _openssl(*names, *signed, "-keyout", folder / "broker.key", "-out", folder / "broker.crt")
    # Kafka wants both in one file.
    broker.write_text("".join((folder / f"broker.{part}").read_text(encoding="ascii") for part in ("key", "crt")))
    return Certificates(authority, broker)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *_NEW, *arguments], check=True, capture_output=True)
