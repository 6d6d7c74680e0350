"""Priority of an alert: what comes of no response, and how soon, after the table of IEC 60601-1-8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from rules.outputs import Priority

Result = Literal["death", "reversible", "minor"]
"""What no response may lead to: death or irreversible injury, reversible injury, minor injury or discomfort."""

Onset = Literal["immediate", "prompt", "delayed"]
"""Whether there is usually not enough time for a manual correction, enough, or much more than that."""

TABLE: Final[Mapping[tuple[Result, Onset], Priority]] = {
    ("death", "immediate"): Priority.HIGH,
    ("death", "prompt"): Priority.HIGH,
    ("death", "delayed"): Priority.MEDIUM,
    ("reversible", "immediate"): Priority.HIGH,
    ("reversible", "prompt"): Priority.MEDIUM,
    ("reversible", "delayed"): Priority.LOW,
    ("minor", "immediate"): Priority.MEDIUM,
    ("minor", "prompt"): Priority.LOW,
    ("minor", "delayed"): Priority.INFORMATION,
}
"""IEC 60601-1-8, table 1 (read through a secondary transcription)."""


class Harm(BaseModel):
    """What comes of no response, and how soon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    result: Result
    onset: Onset

    @property
    def priority(self) -> Priority:
        """The priority by the table."""
        return TABLE[self.result, self.onset]
