"""Errors as ``application/problem+json``; none of them quotes what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from monitor.service.models import Problem

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN: Final = 20


class ProblemError(Exception):
    """An answer that is an error."""

    def __init__(self, status: HTTPStatus, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or status.phrase)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem(status: int, detail: str | None, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response of an error."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    body = content.model_dump(exclude_none=True)
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The errors of a path, for its description."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status): {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses
    }


def handle_problems(app: FastAPI) -> None:
    """Turn errors into problems."""

    async def of_ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)  # noqa: S101 - for the type checker: it is registered for these
        return problem(error.status, error.detail, error.headers)

    async def of_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        return problem(error.status_code, None, error.headers)

    async def of_request(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        places = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:_SHOWN]]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(places))

    app.add_exception_handler(ProblemError, of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_request)
