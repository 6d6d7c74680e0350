"""What the routers share: the service behind a request, who asks, and types of parameters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from monitor.service.problems import responses
from monitor.service.security import Permission, Principal
from monitor.service.service import Service
from rules.notation import Moment

ERRORS: Final[dict[int | str, dict[str, Any]]] = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""The errors that a path may answer with."""

_SCHEME: Final = HTTPBearer(
    auto_error=False, scheme_name="bearer", description="A token of the identity provider or of the token file."
)


def the_service(request: Request) -> Service:
    """The service behind a request."""
    service: Service = request.app.state.service
    return service


Token = Annotated[HTTPAuthorizationCredentials | None, Security(_SCHEME)]


async def who(request: Request, token: Token) -> Principal:
    """Whoever asks."""
    credentials = None if token is None else token.credentials
    return await the_service(request).guard.who(credentials, request.scope)


def let_in(permission: Permission) -> Callable[[Request, Principal], Awaitable[Principal]]:
    """Lets those through who may do something."""

    async def principal(request: Request, known: Annotated[Principal, Depends(who)]) -> Principal:
        the_service(request).guard.demand(known, permission, request.scope)
        return known

    return principal


Served = Annotated[Service, Depends(the_service)]
Anybody = Annotated[Principal, Depends(who)]
Viewer = Annotated[Principal, Depends(let_in(Permission.READ))]
Clinician = Annotated[Principal, Depends(let_in(Permission.ANSWER))]
Sender = Annotated[Principal, Depends(let_in(Permission.INGEST))]
Operator = Annotated[Principal, Depends(let_in(Permission.OPERATE))]

Patient = Annotated[str, Path(min_length=1, max_length=200, description="The subject of the patient's events.")]
PathwayName = Annotated[str, Query(min_length=1, max_length=100, description="The id of a rule pack.")]
When = Annotated[Moment | None, Query(description="A time with its zone.")]
Text = Annotated[str | None, Query(min_length=1, max_length=200)]
