"""Alerts: all of them, one with its evidence, and answers to it."""

from __future__ import annotations

import sqlite3
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final, get_args
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Response
from pydantic import ValidationError

from monitor.service.bedside import card_now
from monitor.service.bodies import JSON
from monitor.service.models import ActionKind, Alerts, AlertSummary, AlertView, Answer, Answerable
from monitor.service.naming import Names
from monitor.service.paths import ERRORS, Clinician, Served, Text, Viewer, When
from monitor.service.problems import ProblemError, responses
from monitor.service.service import Service
from rules.alert import CLINICAL_ANSWERS
from rules.bulkhead import ANSWERS, MONITOR
from rules.events import Action
from rules.instants import to_instant
from rules.lifecycle import AlertState, Trigger, follow, shown
from rules.outputs import AlertChange, Priority
from rules.pack import Pack
from streams.embedded import store
from streams.embedded.entries import Entry
from streams.provenance import OWN

router: Final = APIRouter(prefix="/v1/alerts", tags=["alerts"], responses=ERRORS)

AlertId = Annotated[str, Path(min_length=1, max_length=200)]
_ACTIONS: Final[tuple[ActionKind, ...]] = get_args(ActionKind)


@router.get("", response_model=Alerts)
async def alerts(  # noqa: PLR0913 - one parameter for each filter
    service: Served,
    viewer: Viewer,
    *,
    patient: Text = None,
    pathway: Text = None,
    priority: Priority | None = None,
    state: AlertState | None = None,
    since: When = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,18}$")] = None,
) -> Response:
    """Alerts, the one that changed last first; ``since`` leaves out those that have not changed since."""
    wanted = store.Wanted(
        patient=patient,
        pathway=pathway,
        priority=priority,
        state=state,
        since=None if since is None else to_instant(since),
        before=None if cursor is None else int(cursor),
    )

    def read(connection: sqlite3.Connection) -> tuple[bool, str]:
        entries = store.alerts(connection, wanted, most=limit + 1)
        page = entries[:limit]
        more = str(page[-1].position) if len(entries) > limit else None
        found = Alerts(alerts=tuple(map(service.board.summary, page)), next=more)
        return bool(page), found.model_dump_json()

    # Put into words beside the event loop: it may be five hundred.
    some, words = await service.read(read)
    if patient is not None and some:
        service.guard.looked(viewer, patient)
    return Response(words, media_type=JSON)


@router.get("/{alert}")
async def alert(service: Served, viewer: Viewer, alert: AlertId) -> AlertView:
    """One alert with its evidence, its history, and how it can be answered now."""
    entries = await service.read(partial(store.entries_of, alert=alert))
    if not entries:
        raise _unknown()
    change = _change(entries[-1])
    service.guard.looked(viewer, change.patient)
    summary = service.board.summary(entries[-1])
    present = (
        await service.with_engine(change.patient, partial(card_now, change=change)) if shown(summary.state) else None
    )
    return AlertView(
        **dict(summary),
        card=present or change.card,
        history=tuple(map(_change, entries)),
        actions=tuple(_answers(service.names, entries[-1])),
    )


@router.post("/{alert}/actions", status_code=HTTPStatus.CREATED, responses=responses(HTTPStatus.CONFLICT))
async def answer(service: Served, clinician: Clinician, alert: AlertId, answer: Answer) -> AlertSummary:
    """Answer an alert; what it is afterwards. Who was slower than somebody else is told so, and by whom."""
    entry = service.board.alert(alert) or await _newest(service, alert)
    now = service.now()
    change = _change(entry)
    try:
        action = Action(
            schema_version=1,
            id=str(uuid4()),
            source=OWN,
            subject=change.patient,
            effective_at=now,
            received_at=now,
            kind="action",
            alert_id=change.id,
            action=answer.action,
            actor=clinician.actor,
            role=clinician.role,
            reason=answer.reason,
            comment=answer.comment,
            based_on=answer.based_on,
        )
    except ValidationError as error:
        detail = "; ".join(found["msg"] for found in error.errors())
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    arrived_at = service.arrival()
    (receipt,) = await service.submit([service.examiner.examine(action, arrived_at)], arrived_at)
    after = service.board.alert(change.id) or await _newest(service, change.id)
    if receipt.status != "accepted":
        possible = follow(_state(after), Trigger(answer.action)) is not None
        late = receipt.refused == "conflict" or not possible
        status = HTTPStatus.CONFLICT if late else HTTPStatus.UNPROCESSABLE_ENTITY
        raise ProblemError(status, "; ".join(map(_words, receipt.reasons)))
    return service.board.summary(after)


def _answers(names: Names, entry: Entry) -> list[Answerable]:
    """How an alert can be answered."""
    change = _change(entry)
    pathway = names.pathways.get(change.pathway)
    answers = ANSWERS if change.pathway == MONITOR else CLINICAL_ANSWERS
    possible = [a for a in _ACTIONS if a in answers and follow(_state(entry), Trigger(a)) is not None]
    if change.pathway == MONITOR:
        return [Answerable(action=action, reasons=()) for action in possible]
    if pathway is None:
        return []
    found: list[Answerable] = []
    for action in possible:
        if action == "snooze" and not pathway.snooze(change.subject):
            continue
        found.append(Answerable(action=action, reasons=_reasons(pathway.pack, change.subject, action)))
    return found


def _reasons(pack: Pack, subject: str, action: ActionKind) -> tuple[str, ...]:
    match action:
        case "accept":
            return pack.accept_reasons
        case "decline":
            return pack.decline_reasons(subject)
        case _:
            return ()


async def _newest(service: Service, alert: str) -> Entry:
    entries = await service.read(partial(store.last_entry_of, alert=alert))
    if not entries:
        raise _unknown()
    return entries[-1]


def _words(reason: str) -> str:
    """A refusal for people: without its kind and its place."""
    return reason.split(": ", 2)[-1]


def _unknown() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "no such alert")


def _change(entry: Entry) -> AlertChange:
    assert isinstance(entry.change, AlertChange)  # noqa: S101 - for the type checker: only such are asked for
    return entry.change


def _state(entry: Entry) -> AlertState:
    assert entry.beside is not None  # noqa: S101 - for the type checker: it is there for alerts
    return entry.beside.state
