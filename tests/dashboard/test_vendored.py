"""The browser libraries are what their pinned archives held, with their licences, and nothing else lies beside them."""

import re

from monitor.dashboard import STATIC
from monitor.dashboard.vendoring import ORIGIN, VENDOR, digest, libraries


def test_every_vendored_file_is_the_pinned_one() -> None:
    pinned = {VENDOR / one["name"] / path: expected for one in libraries() for path, expected in one["files"].items()}
    present = {path: digest(path.read_bytes()) for path in VENDOR.rglob("*") if path.is_file() and path != ORIGIN}
    assert present == pinned


def test_every_library_has_its_licence_and_a_checked_archive() -> None:
    for one in libraries():
        assert "LICENSE" in one["files"]
        assert one["licence"] in {"MIT", "BSD-3-Clause"}
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"])


def test_no_file_is_loaded_from_elsewhere() -> None:
    own = [path for path in STATIC.rglob("*") if path.suffix in {".html", ".js", ".css"} and VENDOR not in path.parents]
    assert own
    foreign = [
        f"{path.name}: {line.strip()}"
        for path in own
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"""(?:https?:)?//[a-z][\w-]*\.|unsafeHTML|innerHTML|\beval\(|style=["$]""", line)
    ]
    assert not foreign


def test_modules_stay_small() -> None:
    lengths = {path.name: path.read_text(encoding="utf-8").count("\n") for path in (STATIC / "js").glob("*.js")}
    assert max(lengths.values()) < 500
