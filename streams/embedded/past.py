"""A patient's engine as it was at an earlier time: from an hourly state and the events that followed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from rules.engine import PatientEngine
from rules.instants import to_instant
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.snapshot import SnapshotError
from streams.embedded import store
from streams.embedded.segments import Packer
from streams.states import PatientState


class PastError(Exception):
    """A past that is not kept any more, or in which there is nothing of the patient; the text says which."""


def engine_at(
    connection: sqlite3.Connection, patient: str, at: datetime, packs: Sequence[Pack], settings: SiteSettings
) -> PatientEngine:
    """The engine with everything that had been received by then.

    Raises:
        PastError: if that cannot be made any more.
    """
    kept = store.state_before(connection, patient, to_instant(at))
    if kept is None:
        start, engine = 0, PatientEngine(patient, packs, settings)
        if store.first_position(connection):
            raise PastError("that long ago is not kept")
    else:
        state = PatientState.from_bytes(kept)
        start = max(state.positions.values(), default=-1) + 1
        try:
            engine = PatientEngine.restore(state.snapshot, packs, settings)
        except SnapshotError:
            raise PastError("other rules were in force then") from None
    packer, heard = Packer(), kept is not None
    for segment in store.segments(connection, start):
        for position, event in packer.events_of(segment, patient):
            if position >= start and event.received_at <= at:
                engine.observe(event)
                heard = True
    if not heard:
        raise PastError("nothing of the patient had come by then")
    # The engine decides what lies the lateness behind its clock, and the question is about this very moment.
    engine.advance(at + settings.lateness)
    return engine
