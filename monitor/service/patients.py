"""The unit, and one patient: where they stand, what is measured, and why a verdict is what it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response

from monitor.service import bedside
from monitor.service.bodies import JSON
from monitor.service.models import Explained, PatientView, SignalNow, Trends, Unit, Unknowns
from monitor.service.overview import Overview
from monitor.service.paths import ERRORS, PathwayName, Patient, Served, Text, Viewer, When
from monitor.service.problems import ProblemError
from monitor.service.service import Service
from rules.engine import PatientEngine
from rules.glance import Glance, glance
from rules.instants import to_instant
from streams.embedded.past import PastError, engine_at

router: Final = APIRouter(prefix="/v1", tags=["patients"], responses=ERRORS)

_TRENDS: Final = timedelta(hours=12)
_LONGEST: Final = timedelta(hours=30)
"""No more is kept of dense signals anyway."""

_MOST_SIGNALS: Final = 100


def the_overview(request: Request) -> Overview:
    """What makes views of the unit."""
    overview: Overview = request.app.state.overview
    return overview


@router.get("/unit", response_model=Unit)
async def unit(
    overview: Annotated[Overview, Depends(the_overview)],
    viewer: Viewer,
    unit: Text = None,
    accepted: Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)] = "",
) -> Response:
    """All patients who have not been discharged, the most urgent first; with ``unit``, those of that unit."""
    del viewer
    return (await overview.of(unit)).response(accepted)


@router.get("/patients/{patient:path}/trends", response_model=Trends)
async def trends(
    service: Served,
    viewer: Viewer,
    patient: Patient,
    since: When = None,
    until: When = None,
    signals: Annotated[str | None, Query(max_length=4000, description="Names with commas between.")] = None,
) -> Response:
    """Signals with the thresholds that rules compare them with, and treatments; by default of the last 12 hours."""
    end = until or service.now()
    begin = since or end - _TRENDS
    if not timedelta(0) <= end - begin <= _LONGEST:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, f"since: at most {_LONGEST} before until")
    names = None if signals is None else signals.split(",")[:_MOST_SIGNALS]
    span = bedside.Span(to_instant(begin), to_instant(end))
    words = await service.with_engine(patient, lambda engine: bedside.trends(engine, span, names).model_dump_json())
    service.guard.looked(viewer, patient)
    return Response(words, media_type=JSON)


@router.get("/patients/{patient:path}/explain", response_model=Explained)
async def explain(service: Served, viewer: Viewer, patient: Patient, pathway: PathwayName, at: When = None) -> Response:
    """Why the verdict on a pathway is what it is, why not another, and what is missing; now, or at a time ``at``."""
    if service.names.pack(pathway) is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "no such pathway")

    def explained(engine: PatientEngine) -> str:
        return bedside.explained(engine, pathway).model_dump_json()

    if at is None or at >= service.now():
        words = await service.with_engine(patient, explained)
    else:
        words = await _explained_then(service, patient, at, explained)
    service.guard.looked(viewer, patient)
    return Response(words, media_type=JSON)


@router.get("/patients/{patient:path}")
async def patient(service: Served, viewer: Viewer, patient: Patient) -> PatientView:
    """One patient: stages, alerts, what is unknown, and how fresh each signal is."""
    now = service.shown()

    def read(engine: PatientEngine) -> tuple[Glance, tuple[Unknowns, ...], tuple[SignalNow, ...]]:
        return glance(engine), bedside.unknowns(engine), bedside.signals(engine, now)

    look, unknowns, signals = await service.with_engine(patient, read)
    service.guard.looked(viewer, patient)
    fields = service.board.fields(patient, look, now, ended=True, doubted=service.clock().doubted)
    return PatientView(
        **fields,
        now=now,
        position=service.position,
        judged=service.names.judged,
        unknowns=unknowns,
        signals=signals,
    )


async def _explained_then(
    service: Service, patient: str, at: datetime, explained: Callable[[PatientEngine], str]
) -> str:
    def read(connection: sqlite3.Connection) -> str:
        return explained(engine_at(connection, patient, at, service.site.packs, service.site.settings))

    try:
        return await service.read(read, long=True)
    except PastError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from None
