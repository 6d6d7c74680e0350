"""Sortable text records: one for each part of an event, ordered as the events are; and the events they make.

A record is ``received_at``, the event's id and the part as JSON, separated by tabs. Text order of records is therefore
the order of the log, and the parts of one event (the readings of a bundle, the susceptibilities of an isolate) meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from rules.events import Event, MalformedEventError, decode
from streams.sources.mimic_iv.bundles import Values, readings
from streams.sources.mimic_iv.report import ImportReport

_DUMP: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
MOST_READINGS: Final = 500
"""As many readings fit in one message; a bundle with more is a sign of a broken table and is cut."""


def record(subject: str, table: str, received: str, effective: str, name: str, body: dict[str, Any]) -> str:
    """The record of an event, or of one part of it.

    Args:
        subject: the stay.
        table: the table the row comes from.
        received: stamp.
        effective: stamp.
        name: what tells the event from all others of the stay; the event's id is ``subject/name``.
        body: the event's own fields, with ``kind``; for a part of a bundle ``part``.
    """
    part = {"subject": subject, "source": f"mimic-iv/{table}", "effective_at": effective, **body}
    return f"{received}\t{subject}/{_token(name)}\t{_DUMP(part)}"


def events(records: Iterable[str], report: ImportReport) -> Iterator[Event]:
    """The events that sorted records make, in their order."""
    for (received, event_id), group in groupby(map(_split, records), key=lambda fields: (fields[0], fields[1])):
        body = _assemble([json.loads(fields[2]) for fields in group], report)
        if body is None:
            continue
        message = json.dumps({"schema_version": 1, "id": event_id, "received_at": received, **body})
        try:
            event = decode(message)
        except MalformedEventError as error:
            report.refuse(str(body["source"]).removeprefix("mimic-iv/"), f"no event of the wire format: {error}")
            continue
        report.events[event.kind] += 1
        yield event


def _split(line: str) -> tuple[str, str, str]:
    received, event_id, part = line.split("\t", 2)
    return received, event_id, part


def _assemble(parts: list[dict[str, Any]], report: ImportReport) -> dict[str, Any] | None:
    """One event of its parts, None if nothing is left to say."""
    bodies = [{key: value for key, value in part.items() if key != "part"} for part in parts]
    if any(body != bodies[0] for body in bodies):
        report.notes["rows that contradict another of the same time and item; the first is sent"] += 1
    body = bodies[0]
    if body["kind"] == "observations":
        found = readings([Values(*part["part"]) for part in parts], report)
        body["readings"] = found[:MOST_READINGS]
        return body if found else None
    if body["kind"] == "culture":
        body["susceptibilities"] = [
            {"drug": drug, "result": result}
            for drug, result in sorted({tuple(part["part"]) for part in parts if part.get("part")})
        ]
    return body


def _token(name: str) -> str:
    return "".join(character if "!" <= character <= "~" else "_" for character in name)
