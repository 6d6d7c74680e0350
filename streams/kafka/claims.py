"""Whose the state behind a prefix is, and of which topics: kept beside it, so that nobody else goes on from it."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.kafka.inspection import FoundTopic
from streams.kafka.settings import KafkaSettings
from streams.states import StateError
from streams.topics import INPUTS

CLAIM_KEY: Final = b"\x00claim"
"""Under what a claim is kept in each partition of the state; no patient has this name."""

_WAY_OUT: Final = "use another prefix, or delete all topics of this one and create them again"


class Claim(BaseModel):
    """What the workers of a prefix work on.

    Attributes:
        version: of this record.
        group: theirs; the members of another would write into the same state.
        partitions: how many each input has; with more of them, patients would be known to other workers.
        topics: the ids of the inputs by name; those of a topic that is deleted and made anew differ, and its offsets
            begin again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    group: str
    partitions: Annotated[int, Field(ge=1)]
    topics: dict[str, str]

    @classmethod
    def of(cls, kafka: KafkaSettings, found: MutableMapping[str, FoundTopic]) -> Claim:
        """What a worker of these settings would work on, as the topics are now."""
        names = [kafka.topic(name) for name in INPUTS]
        partitions = max(found[name].partitions for name in names)
        return cls(group=kafka.worker.group, partitions=partitions, topics={name: found[name].id for name in names})

    def take_from(self, states: MutableMapping[bytes, bytes]) -> bool:
        """Take the claim out of the states of a partition; false if there was none.

        Raises:
            StateError: if it is not ours.
        """
        data = states.pop(CLAIM_KEY, None)
        if data is None:
            return False
        try:
            kept = Claim.model_validate_json(data)
        except ValidationError:
            raise StateError("whose the kept state is cannot be read: it was written by another version") from None
        self.demand(kept)
        return True

    def demand(self, kept: Claim) -> None:
        """Refuse to go on from what somebody else has kept.

        Raises:
            StateError: saying what differs, and what can be done.
        """
        if kept.group != self.group:
            raise StateError(
                f"the topics of this prefix are worked on by the group {kept.group!r}, not {self.group!r}: one prefix "
                "has one group; use another prefix, or that group"
            )
        anew = [name for name, number in self.topics.items() if kept.topics.get(name, number) != number]
        if anew:
            raise StateError(
                f"{', '.join(anew)}: deleted and created again since the state was kept, so that offsets mean other "
                f"records: {_WAY_OUT}"
            )
        if kept.partitions != self.partitions:
            raise StateError(
                f"the inputs had {kept.partitions} partitions, and have {self.partitions} now, so that events of a "
                f"patient reach two workers: {_WAY_OUT}"
            )

    def demand_among(self, partitions: Collection[int]) -> None:
        """Refuse partitions that have been added since.

        Raises:
            StateError: if there are any.
        """
        added = sorted(number for number in partitions if number >= self.partitions)
        if added:
            raise StateError(
                f"partitions {', '.join(map(str, added))} have been added to the {self.partitions} that there were, so "
                f"that events of a patient reach two workers: {_WAY_OUT}"
            )
