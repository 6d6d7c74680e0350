"""The project's promises about itself: locks, lint ignores, published text, a pure core."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
CONFIG = tomllib.loads(PYPROJECT)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
RULES = sorted((ROOT / "rules").rglob("*.py"))

# Written in two parts so that this file passes its own test.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs.org",
    "registry." + "yarnpkg.com",
    "conda." + "anaconda.org",
    "/simple" + "/pip",
    "arti" + "factory",
]
UNPUBLISHABLE = re.compile(
    "|".join(map(re.escape, REGISTRY_HOSTS)) + r"|(?<![\w.:/*-])/(?:home|root|Users|work)/\w|\b[A-Z]:\\Users\\",
    re.IGNORECASE,
)
IMPURE_NAMES = {"now", "utcnow", "today", "uuid1", "uuid4"}


def test_there_is_something_to_check() -> None:
    assert {"runtime.txt", "dev.txt"} <= {path.name for path in LOCKS}
    assert RULES


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.findall(r"^.*://.*$|^-.*$", text, re.MULTILINE)
    requirements = re.findall(r"^[\w.-]+(?:\[.*\])?==.*(?:\n    .*)+", text, re.MULTILINE)
    assert len(requirements) == len(re.findall(r"^\w", text, re.MULTILINE)) > 0
    assert not [block for block in requirements if "--hash=sha256:" not in block]


def test_dev_lock_contains_the_runtime_lock() -> None:
    runtime, dev = (
        set(re.findall(r"^\w\S*==\S+", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("runtime.txt", "dev.txt")
    )
    assert runtime <= dev


def test_every_lint_ignore_states_its_reason() -> None:
    lint = CONFIG["tool"]["ruff"]["lint"]
    codes = [*lint["ignore"], *(code for codes in lint["per-file-ignores"].values() for code in codes)]
    reasoned = re.findall(r'^ +"([A-Z]+\d*)", +# \S+ \S+', PYPROJECT, re.MULTILINE)
    assert sorted(reasoned) == sorted(codes)


def tracked_texts() -> Iterator[tuple[str, str]]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield name, content.decode("utf-8", errors="replace")


def test_no_tracked_text_names_a_registry_or_a_machine_path() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if UNPUBLISHABLE.search(line)
    ]
    assert not found


def impurities(tree: ast.AST, banned: set[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                used = {alias.name.partition(".")[0] for alias in names} & banned
            case ast.ImportFrom(module=str(module), names=names, level=0):
                used = ({module.partition(".")[0]} & banned) | ({alias.name for alias in names} & IMPURE_NAMES)
            case ast.Attribute(attr=name):
                used = {name} & IMPURE_NAMES
            case _:
                continue
        yield from ((node.lineno, name) for name in sorted(used))


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_reads_no_clock_and_draws_no_chance(path: Path) -> None:
    contracts = {contract["id"]: contract for contract in CONFIG["tool"]["importlinter"]["contracts"]}
    banned = set(contracts["pure-rules"]["forbidden_modules"])
    assert not list(impurities(ast.parse(path.read_text(encoding="utf-8")), banned))


def test_impurities_are_seen() -> None:
    source = "import time\nfrom random import choice\nfrom uuid import uuid4\nstamp = datetime.now\n"
    found = impurities(ast.parse(source), {"time", "random"})
    assert sorted(found) == [(1, "time"), (2, "random"), (3, "uuid4"), (4, "now")]


# These keep the timeline and its snapshot; whoever else reads past its methods would be read from unnoticed.
TIMELINE_KEEPERS = {"engine.py", "snapshot.py", "steps.py", "timeline.py"}


def test_the_timeline_is_read_through_methods_that_take_down_what_was_read() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in RULES
        if path.name not in TIMELINE_KEEPERS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"channels", "dense"} and is_timeline(node.value)
    ]
    assert not found


def is_timeline(node: ast.expr) -> bool:
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) == "timeline"
