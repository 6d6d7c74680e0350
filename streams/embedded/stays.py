"""Where a patient lies: what encounters say that no rule reads."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict

from rules.events import Encounter, Status


class Placed(BaseModel):
    """A name, and since when it has held."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    since: AwareDatetime


class Stay(BaseModel):
    """The bed and the unit, as said last; none until somebody has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bed: Placed | None = None
    unit: Placed | None = None

    def after(self, encounter: Encounter) -> Stay:
        """The stay once an encounter is known; what was true earlier than what is known changes nothing."""
        if encounter.status == Status.ENTERED_IN_ERROR:
            return self
        return Stay(
            bed=_later(self.bed, encounter.bed, encounter), unit=_later(self.unit, encounter.unit_name, encounter)
        )


def _later(before: Placed | None, name: str | None, encounter: Encounter) -> Placed | None:
    if name is None or (before is not None and encounter.effective_at < before.since):
        return before
    return Placed(name=name, since=encounter.effective_at)
