"""How the runtime goes about its work."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from streams.trust import STEP


class EmbeddedSettings(BaseModel):
    """Settings of the runtime. Times are seconds where nothing else is said.

    Attributes:
        gather: how long messages are collected for one transaction once the first has come. Events of a resuscitation
            and answers are not waited with.
        batch: most messages in one transaction.
        slice: after so long of judging what is judged is made durable and answered, and others have their turn.
        queue: most messages that may wait; more are turned away until some have been applied.
        snapshot_interval: between two states of one patient who keeps changing. A restart computes so much again.
        note_interval: between two notes of where a restart would begin to read.
        forget_interval: between two looks at what may be forgotten.
        live_within: data received no longer than this before they arrive are live; only then time goes on.
        silence: how far time stays behind where nothing comes.
        step: the most by which the wall clock alone moves time beyond what senders say (local setting); no more
            than half of live_within.
        remembered: events by which a message that is sent again is recognised.
        keep_events: days for which events are kept. What the rules remember longest is 14 days old.
        keep_alerts: days for which alerts, verdicts and what could not be used are kept.
        keep_history: hours for which an hourly state of each patient is kept, to explain the past from.
        expect: of some inputs the seconds within which something comes again, by name: a file that is followed, or a
            sender over HTTP as its token names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gather: Annotated[float, Field(ge=0, le=1)] = 0.005
    batch: Annotated[int, Field(ge=1, le=100_000)] = 1000
    slice: Annotated[float, Field(gt=0, le=10)] = 0.05
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    snapshot_interval: Annotated[float, Field(ge=0.1, le=600)] = 60.0
    note_interval: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    forget_interval: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    live_within: Annotated[float, Field(ge=1, le=3600)] = 60.0
    silence: Annotated[float, Field(ge=1, le=600)] = 10.0
    step: Annotated[float, Field(ge=0, le=600)] = STEP.total_seconds()
    remembered: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    keep_events: Annotated[float, Field(ge=1, le=3650)] = 15.0
    keep_alerts: Annotated[float, Field(ge=1, le=3650)] = 90.0
    keep_history: Annotated[float, Field(ge=1, le=720)] = 24.0
    expect: dict[str, Annotated[float, Field(ge=1, le=604_800)]] = Field(default_factory=dict)
