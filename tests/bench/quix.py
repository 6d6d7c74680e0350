"""Quix Streams, for comparison: decodes, keeps a small durable state of each patient, sends one record on for each.

Run by ``tests.bench.kafka`` in an environment of its own, see ``tests.bench.peers``.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application

from rules.events import Event, Observations, decode


def main() -> None:
    """Work from one topic into another until it is killed: ``SERVER SOURCE TARGET FOLDER``."""
    server, source, target, folder = sys.argv[1:]
    app = Application(
        broker_address=server,
        consumer_group="quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
    )
    records = app.dataframe(app.topic(source, key_deserializer="bytes", value_deserializer="bytes"))
    records = records.filter(lambda value, key, time, headers: key is not None, metadata=True)
    records.apply(decode).apply(newest, stateful=True).to_topic(
        app.topic(target, key_serializer="bytes", value_serializer="json")
    )
    app.run()


def newest(event: Event, state: Any) -> dict[str, Any]:
    """Keep the newest value of each signal of a patient and how many there have been, and say so."""
    known: dict[str, Any] = state.get("signals", {})
    if isinstance(event, Observations):
        for reading in event.readings:
            known[reading.code] = (reading.value, known.get(reading.code, (0, 0))[1] + 1)
        state.set("signals", known)
    return {"patient": event.subject, "signals": len(known)}


if __name__ == "__main__":
    main()
