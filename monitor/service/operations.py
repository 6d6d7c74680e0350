"""What those who run the service ask: whether it lives, whether it is ready, figures, and who they are."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from monitor.service.models import Login, Me
from monitor.service.paths import ERRORS, Anybody, Operator, Served
from monitor.service.problems import responses

router: Final = APIRouter(tags=["operations"])


@router.get("/v1/me", responses=ERRORS)
async def me(somebody: Anybody) -> Me:
    """Who is asking, by the token."""
    return Me(actor=somebody.actor, role=somebody.role)


@router.get("/v1/login", responses=responses(HTTPStatus.MISDIRECTED_REQUEST))
async def login(service: Served) -> Login:
    """How people sign in; anybody may ask."""
    return service.guard.login


@router.get("/livez", response_class=PlainTextResponse, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def livez(service: Served) -> PlainTextResponse:
    """Whether it still does something; if not, start it again."""
    return _answer(good=service.alive)


@router.get("/readyz", response_class=PlainTextResponse, responses=responses(HTTPStatus.SERVICE_UNAVAILABLE))
async def readyz(service: Served) -> PlainTextResponse:
    """Whether events can be sent and used, and come from every input as they should; if not, which do not.

    A clock that is wrong is told, and is a fault where no time that senders state can be used.
    """
    faults = [f"input {found.name}: {found.state}" for found in service.liveness.faults()]
    clock = service.clock()
    told = [*faults, f"clock: {clock.warning}"] if clock.warning else faults
    return _answer(good=service.alive and not faults and not clock.doubted, told=told)


@router.get("/metrics", response_class=PlainTextResponse, responses=ERRORS)
async def metrics(service: Served, operator: Operator) -> Response:
    """Figures for Prometheus; none is about one patient."""
    del operator
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _answer(*, good: bool, told: Sequence[str] = ()) -> PlainTextResponse:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return PlainTextResponse("".join(f"{line}\n" for line in ("ok" if good else "no", *told)), status)
