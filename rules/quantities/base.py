"""What a named quantity is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.steps import Steps
    from rules.values import Value
    from rules.view import View


@dataclass(frozen=True, slots=True)
class Quantity:
    """A formula: its name, UCUM unit, where it comes from, the channels it reads, and how it is worked out.

    ``steps`` is there for quantities that hold until something changes; it takes the longest pause to ignore.
    ``parameters`` are the pack's numbers that it is worked out with; ``short`` is what reasons call it; ``stands_for``
    is the quantity that people know its value by; ``remembers`` is how far back it looks, in milliseconds, if that is
    longer than what is kept anyway. ``samples`` is there for quantities that are measured now and then; it gives the
    instants at which that was done, oldest first. ``can_be_unknown`` says whether missing data can leave it open.
    ``shown_on`` is the signal that it is a value of, on whose chart its thresholds belong.
    """

    name: str
    title: str
    unit: str
    source: str
    reads: tuple[str, ...]
    value: Callable[[View], Value]
    steps: Callable[[View, int], Steps] | None = None
    parameters: tuple[str, ...] = ()
    short: str | None = None
    stands_for: str | None = None
    remembers: int = 0
    samples: Callable[[View], list[int]] | None = None
    can_be_unknown: bool = True
    shown_on: str | None = None
