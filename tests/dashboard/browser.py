"""Finds the Chromium that the tests drive, or installs one: ``python -m tests.dashboard.browser``.

Looked at in turn: ``$CHROMIUM``, a Chromium of the system, the one that Playwright downloads for itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS: Final = (
    "--no-sandbox",  # in containers the tests run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """The path of a Chromium, or None where there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install() -> int:
    """Install a Chromium where there is none: Playwright's own, else Debian's; returns an exit code."""
    if find() is not None:
        return 0
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if find() is None and shutil.which("apt-get") is not None and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "--quiet"], check=False)
        subprocess.run(["apt-get", "install", "--quiet", "--yes", "chromium"], check=False)
    if find() is None:
        sys.stderr.write("No Chromium: install one, or name it in CHROMIUM. The dashboard's tests need it.\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(install())
