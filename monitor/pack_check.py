"""What ``rules check`` prints of a pack: one line if it is clean, else every fault with its place."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from rules.pack import Pack
from rules.packs import BUNDLED
from rules.packs.review import Review


class PackText(NamedTuple):
    """A pack as it is written, and the file that it comes from."""

    file: str
    text: str


def bundled_texts() -> Iterator[PackText]:
    """The packs that come with the monitor."""
    here = resources.files("rules.packs")
    for name in BUNDLED:
        yield PackText(f"{name}.yaml", here.joinpath(f"{name}.yaml").read_text("utf-8"))


def read_text(path: Path) -> PackText:
    """A pack of one's own.

    Raises:
        OSError: if the file cannot be read.
        UnicodeDecodeError: if it is not text.
    """
    return PackText(str(path), path.read_text("utf-8"))


def report(file: str, found: Review) -> Iterator[str]:
    """The lines about one pack."""
    for kind, faults in (("", found.faults), (" warning:", found.warnings)):
        for fault in faults:
            line = "" if fault.line is None else f":{fault.line}"
            path = f" {fault.path}:" if fault.path else ""
            yield f"{file}{line}:{kind}{path} {fault.reason}"
    if found.pack is not None and not found.faults:
        yield f"ok: {file}: {found.pack.title}, {_counts(found.pack)}"


def _counts(pack: Pack) -> str:
    local = sum(parameter.kind == "engine" for parameter in pack.parameters.values())
    return (
        f"{count(len(pack.parameters), 'parameter')} ({count(local, 'local setting')}), "
        f"{count(len(pack.stages), 'stage')}, {count(len(pack.checks), 'check')}, "
        f"{count(len(pack.therapies), 'therapy', 'therapies')}"
    )


def count(number: int, one: str, many: str | None = None) -> str:
    """So many of a thing, in words."""
    return f"{number} {one if number == 1 else many or one + 's'}"
