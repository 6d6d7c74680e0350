"""Fetches the browser libraries of the dashboard anew: pinned in ``origin.json``, checked, with their licences.

``python -m monitor.dashboard.vendoring`` packs each library with ``npm pack``, compares the archive with the pinned
``integrity`` (SHA-512, as npm states it) and writes the named files into ``static/vendor/<library>``. It is needed only
to change a version; the files it writes are part of this package. To move to another version, change ``version`` and
``integrity`` in ``origin.json`` and run it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from monitor.dashboard import STATIC

VENDOR: Final = STATIC / "vendor"
ORIGIN: Final = VENDOR / "origin.json"


def libraries() -> list[dict[str, Any]]:
    """The pinned libraries: ``name``, ``version``, ``licence``, ``integrity``, and ``files`` with their SHA-256."""
    found: list[dict[str, Any]] = json.loads(ORIGIN.read_text(encoding="utf-8"))
    return found


def digest(content: bytes) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def fetch(library: dict[str, Any]) -> dict[str, str]:
    """Write the files of one library; returns their digests.

    Raises:
        ValueError: if the archive is not the pinned one.
    """
    name, version = library["name"], library["version"]
    with TemporaryDirectory() as folder:
        pack = [shutil.which("npm") or "npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(pack, cwd=folder, check=True, capture_output=True)  # noqa: S603 - names from our own pins
        archive = next(Path(folder).glob("*.tgz")).read_bytes()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if integrity != library["integrity"]:
        msg = f"{name} {version}: the archive is {integrity}, pinned is {library['integrity']}"
        raise ValueError(msg)
    written = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for path in library["files"]:
            member = packed.extractfile(f"package/{path}")
            if member is None:
                msg = f"{name} {version}: {path} is not a file"
                raise ValueError(msg)
            content = member.read()
            target = VENDOR / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            written[path] = digest(content)
    return written


def main() -> None:
    """Fetch all libraries and note what was written."""
    renewed = [{**library, "files": fetch(library)} for library in libraries()]
    ORIGIN.write_text(json.dumps(renewed, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
