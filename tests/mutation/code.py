"""Small changes of the rules' code: comparisons strict or not, equal or not, the least for the greatest.

A changed module is put in place of the real one while it is imported, in a process of its own; no file is touched.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
VARIABLE: Final = "RESCUE_MONITOR_MUTANT"

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One change: the file, the how-manieth place that can be changed in it, its line, and the change in words."""

    file: str
    place: int
    line: int
    words: str

    def __str__(self) -> str:
        """The change in a line."""
        return f"{self.file}:{self.line}: {self.words}"


class _Changer(ast.NodeTransformer):
    """Counts the places that can be changed, and changes one of them."""

    def __init__(self, wanted: int | None) -> None:
        self.wanted = wanted
        self.found: list[tuple[int, str]] = []

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for place, operator in enumerate(node.ops):
            other = _COMPARISONS.get(type(operator))
            if other is not None:
                self.found.append((node.lineno, f"{type(operator).__name__} -> {other.__name__}: {ast.unparse(node)}"))
                if len(self.found) - 1 == self.wanted:
                    node.ops[place] = other()
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            other = _CALLS[node.func.id]
            self.found.append((node.lineno, f"{node.func.id} -> {other}: {ast.unparse(node)[:80]}"))
            if len(self.found) - 1 == self.wanted:
                node.func.id = other
        return node


def mutants(files: Sequence[str]) -> Iterator[Mutant]:
    """All changes of some files that are tried; paths from the top of the repository."""
    for file in files:
        changer = _Changer(None)
        changer.visit(ast.parse((ROOT / file).read_text("utf-8")))
        for index, (line, words) in enumerate(changer.found):
            yield Mutant(file, index, line, words)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and loads it changed."""

    def __init__(self, file: str, place: int) -> None:
        self._file = ROOT / file
        self._place = place
        self._name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        package = self._file.name == "__init__.py"
        return importlib.util.spec_from_file_location(
            fullname,
            self._file,
            loader=self,
            submodule_search_locations=[str(self._file.parent)] if package else None,
        )

    def exec_module(self, module: ModuleType) -> None:
        tree = _Changer(self._place).visit(ast.parse(self._file.read_text("utf-8")))
        exec(compile(ast.fix_missing_locations(tree), self._file, "exec"), module.__dict__)  # noqa: S102 - our own code


def install() -> None:
    """Put the changed module that the environment names in place of the real one."""
    named = os.environ.get(VARIABLE)
    if named:
        file, _, place = named.partition("@")
        sys.meta_path.insert(0, _Finder(file, int(place)))


install()
