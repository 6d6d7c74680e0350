"""Asks a running service, as other machines do: its address, a token, JSON there and back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import IO, Any, Final
from urllib.parse import urlencode, urlsplit

import click

from monitor.options import UNREADABLE

ADDRESS: Final = "http://127.0.0.1:8080"
"""Where ``serve`` listens unless told otherwise."""

_WITHIN: Final = 30.0


class ServiceError(click.ClickException):
    """A service that cannot be reached, or does not answer what was asked."""

    exit_code = UNREADABLE


class RefusedError(Exception):
    """The service has understood, and says why it does not do it."""


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: a token is for the address that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Where a redirection leads to."""


class Client:
    """One service.

    Args:
        address: ``http://`` or ``https://``, host and port.
        token: of whoever asks, where the service wants one.

    Raises:
        UsageError: if the address is none.
    """

    def __init__(self, address: str, token: str | None) -> None:
        if urlsplit(address).scheme not in ("http", "https"):
            raise click.UsageError(f"--service: {address!r} does not begin with http:// or https://")
        self._address = address.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # A proxy would be told the token and the patients.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Staying)

    def alerts(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """All alerts that a filter lets through.

        Raises:
            ServiceError: if they cannot be had.
        """
        cursor: str | None = ""
        while cursor is not None:
            query = urlencode({**wanted, **({"cursor": cursor} if cursor else {}), "limit": 500})
            try:
                page = self._ask(f"/v1/alerts?{query}")
            except RefusedError as error:
                raise ServiceError(f"{self._address}: {error}") from None
            yield from page["alerts"]
            cursor = page["next"]

    def answer(self, alert: str, action: str, based_on: int) -> None:
        """Answer an alert.

        Raises:
            RefusedError: with the service's reason.
            ServiceError: if nobody may, or the service cannot be reached.
        """
        self._ask(f"/v1/alerts/{alert}/actions", {"action": action, "based_on": based_on})

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": "application/json"})
        request = urllib.request.Request(self._address + path, data, headers)  # noqa: S310 - the scheme has been looked at
        try:
            with self._opener.open(request, timeout=_WITHIN) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                why = _reason(error)
            if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or why is None:
                raise ServiceError(f"{self._address}: {why or f'answers {error.code}'}") from None
            raise RefusedError(why) from None
        except urllib.error.URLError as error:
            raise ServiceError(f"{self._address}: {_words(error.reason)}") from None
        except (OSError, ValueError) as error:
            raise ServiceError(f"{self._address}: {_words(error)}") from None


def _reason(error: IO[bytes]) -> str | None:
    """What a service says of why it did not do something; None if nothing that can be read."""
    try:
        problem = json.load(error)
        return str(problem["detail"] or problem["title"])
    except (ValueError, KeyError, TypeError):
        return None


def _words(reason: object) -> str:
    return reason.strerror or str(reason) if isinstance(reason, OSError) else str(reason)
