"""The figures that a measurement found, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """One figure: what it measures, what it should be (empty where nothing was promised), and what it is."""

    name: str
    goal: str
    reached: str


def table(figures: Iterable[Figure]) -> str:
    """The figures in columns, under a heading."""
    rows = [Figure("measured", "goal", "reached"), *figures]
    name, goal, reached = (max(len(row[column]) for row in rows) for column in range(3))
    return "\n".join(f"{row.name:<{name}}  {row.goal:>{goal}}  {row.reached:>{reached}}" for row in rows)
