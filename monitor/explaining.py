"""Replays one patient of a log up to a time, to explain what is said of them then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from monitor.options import InputError
from rules.engine import PatientEngine
from rules.explanation import Explanation
from rules.pack import Pack
from rules.settings import SiteSettings
from streams.logfile import BadLine, read_log

_MOST_NAMED: Final = 10
"""Patients named where the one that is asked for is not in the log."""


def explain_at(
    log: str, patient: str, moment: datetime, packs: Sequence[Pack], settings: SiteSettings, pathways: Sequence[str]
) -> tuple[list[Explanation], int]:
    """The explanations of some pathways, and how many lines of the log were not events.

    Raises:
        InputError: if nothing of the patient had been received by then.
        OSError: if the log cannot be read.
    """
    engine = PatientEngine(patient, packs, settings)
    others: dict[str, None] = {}
    bad: list[BadLine] = []
    heard = False
    with read_log(log, bad.append) as events:
        for _, event in events:
            if event.subject != patient:
                others[event.subject] = None
            elif event.received_at <= moment:
                engine.observe(event)
                heard = True
    for line in bad[:_MOST_NAMED]:
        click.echo(f"not read: {line}", err=True)
    if not heard:
        named = ", ".join(list(others)[:_MOST_NAMED]) + (", ..." if len(others) > _MOST_NAMED else "")
        raise InputError(
            f"{log}: nothing of patient {patient!r} by {moment.isoformat()}; others there: {named or 'none'}"
        )
    # The engine decides what lies the lateness behind its clock, and the question is about this very moment.
    engine.advance(moment + settings.lateness)
    return [engine.explain(pathway) for pathway in pathways], len(bad)
