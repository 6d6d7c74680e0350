"""How far back something looks: declared once, in the pack's durations, so that a local value moves it."""

from __future__ import annotations

from typing import Final, Protocol

from rules.instants import DAY

MEMORY: Final = 14 * DAY
"""How long whatever counts from the beginning of an episode, of a course or of a stay is kept (local setting)."""

Term = str | int
"""A duration by the name of its parameter, the age that a signal's values may have by its channel, or milliseconds."""


class Reader(Protocol):
    """Something in Python that reads the timeline: a quantity, a predicate, a landmark.

    What it ``reads`` (and the infusions and doses of drug ``classes``) is kept for as long as the durations among its
    ``parameters``, the terms of ``looks_back`` and the age of a signal's values add up to. With ``episode`` single
    facts are kept for :data:`MEMORY` besides; the minutes of a dense signal are not. Parameters ``of_doses`` concern
    what was given and nothing else.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """Channels."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Drugs and drug classes."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the pack."""

    @property
    def looks_back(self) -> tuple[Term, ...]:
        """What adds to its durations: an age where a value is sought at the time of another, an interval of its own."""

    @property
    def of_doses(self) -> tuple[str, ...]:
        """Those of its parameters that are about doses alone."""

    @property
    def episode(self) -> bool:
        """Whether it looks back to a beginning, however long ago."""
