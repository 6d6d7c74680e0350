"""An environment of its own for what the bench compares with, whose dependencies do not go together with ours."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from tests.integration.brokers import ROOT

LOCK: Final = ROOT / "requirements/peers.txt"


class NotInstalledError(Exception):
    """The environment could not be made; the text says why."""


def interpreter(folder: Path) -> Path:
    """The Python of an environment made in ``folder``, with everything of the lock.

    Raises:
        NotInstalledError: with the last thing that the installer said.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", LOCK],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotInstalledError((done.stderr.strip() or "pip failed").splitlines()[-1])
    print(f"installed {LOCK.relative_to(ROOT)}", file=sys.stderr)
    return python
