"""The application: all paths, the shield around them, and the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from monitor.service import alerts, ingest, operations, patients, stream
from monitor.service.guard import Guard
from monitor.service.models import Problem
from monitor.service.overview import Overview
from monitor.service.problems import handle_problems
from monitor.service.service import Service
from monitor.service.shield import Shield

Opening = Callable[[], AbstractAsyncContextManager[Service]]
"""Opens the service in the event loop, and closes it."""

DASHBOARD: Final = Path(__file__).parents[1] / "dashboard" / "static"
_DESCRIPTION: Final = """\
The embedded service of rescue-monitor: events come in, verdicts and alerts go out. Research and education only: not a
medical device, and not an alarm system. Times are UTC. Errors are problem+json (RFC 9457).
"""


def make_app(opening: Opening, guard: Guard) -> FastAPI:
    """The application around a service that is opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as service:
            app.state.service = service
            app.state.overview = Overview(service)
            yield

    app = FastAPI(
        title="rescue-monitor",
        version=version("rescue-monitor"),
        description=" ".join(_DESCRIPTION.split()),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_name,
    )
    for router in (ingest.router, patients.router, alerts.router, stream.router, operations.router):
        app.include_router(router)
    handle_problems(app)
    app.add_middleware(Shield, local=guard.local, refused=guard.turned_away, exchange=guard.login.token)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign] # the way that FastAPI documents
    if DASHBOARD.is_dir():
        app.mount("/", StaticFiles(directory=DASHBOARD, html=True), name="dashboard")
    else:
        app.get("/", include_in_schema=False)(_no_dashboard)
    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version="1.0.0", description=app.description, routes=app.routes)
        components = document.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        for path in document["paths"].values():
            for operation in path.values():
                _own_errors(operation["responses"])
        ingest.event_schema(document)
        app.openapi_schema = document
    return app.openapi_schema


def _own_errors(responses: dict[str, Any]) -> None:
    """Requests that are not valid are answered with a problem, not as FastAPI would."""
    unprocessable = responses.get("422", {})
    unprocessable.get("content", {}).pop("application/json", None)


def _name(route: APIRoute) -> str:
    return route.name


async def _no_dashboard() -> PlainTextResponse:
    return PlainTextResponse("rescue-monitor is running. Its interface is described at /openapi.json.\n")
