"""Lets people in, and sees to it that it is put on record who was turned away and who looked at whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from anyio import CapacityLimiter, to_thread
from starlette.types import Scope

from monitor.service.models import Login
from monitor.service.problems import ProblemError
from monitor.service.security import AT_THE_MACHINE, Authenticator, CredentialError, Permission, Principal
from streams.embedded.audit import Note
from streams.embedded.wall import Wall

SEEN_FOR: Final = timedelta(hours=1)
"""Whoever does the same again within this time is not put on record once more; of who was turned away it is counted."""

_MOST_SEEN: Final = 10_000
_MOST_KINDS: Final = 100
_ASK_AT_ONCE: Final = 8
_LONGEST_TOKEN: Final = 16_384


class Guard:
    """Asks everybody who they are, unless there is nobody to ask.

    Args:
        authenticator: finds out whose a token is; None where the service is reached from this machine only.
        wall: the time of day.
    """

    def __init__(self, authenticator: Authenticator | None, wall: Wall) -> None:
        self.record: Callable[[Note], None] = _nowhere
        self.local = authenticator is None
        self.login = Login(kind="none") if authenticator is None else authenticator.login
        self._authenticator = authenticator
        self._wall = wall
        # Threads of their own: while a provider does not answer, everything else is.
        self._asking = CapacityLimiter(_ASK_AT_ONCE)
        self._refused: Counter[tuple[str, str, str]] = Counter()
        self._told: set[tuple[str, str, str]] = set()
        self._seen: dict[tuple[str, str, str], datetime] = {}
        self._settled: datetime = wall()

    async def who(self, token: str | None, scope: Scope) -> Principal:
        """Whoever asks.

        Raises:
            ProblemError: if that cannot be found out.
        """
        if self._authenticator is None:
            return AT_THE_MACHINE
        if token is None or len(token) > _LONGEST_TOKEN:
            self._turn_away("unknown", "no token", _client(scope))
            raise _unauthorized("a bearer token is needed")
        try:
            return await to_thread.run_sync(self._authenticator.authenticate, token, limiter=self._asking)
        except CredentialError as error:
            self._turn_away("unknown", str(error), _client(scope))
            raise _unauthorized("the token is not accepted") from None

    def demand(self, principal: Principal, permission: Permission, scope: Scope) -> None:
        """Turn away whoever may not do something.

        Raises:
            ProblemError: if so.
        """
        if permission not in principal.permissions:
            self._turn_away(principal.actor, f"{principal.role} may not {permission}", _client(scope))
            raise ProblemError(HTTPStatus.FORBIDDEN, f"a {principal.role} may not {permission}")

    def turned_away(self, scope: Scope, why: str) -> None:
        """A request was not even looked at."""
        self._turn_away("unknown", why, _client(scope))

    def tried(self, principal: Principal, what: str, scope: Scope) -> None:
        """Somebody has tried what nobody may."""
        self._turn_away(principal.actor, what, _client(scope))

    def looked(self, principal: Principal, patient: str) -> None:
        """Somebody has looked at a patient who is there."""
        self._note_once(principal, "patient", patient)

    def entered(self, principal: Principal, what: str) -> None:
        """Somebody has begun to follow something."""
        self._note_once(principal, "opened", what)

    def settle(self, *, ending: bool = False) -> None:
        """Put on record how often those were turned away again who had been before, once an hour and at the end."""
        now = self._wall()
        if _lately(self._settled, now) and not ending:
            return
        self._settled = now
        for (actor, why, client), count in self._refused.items():
            content = {"refused": why, "from": client, "times": count}
            self.record(Note(now, "access", actor, content))
        self._refused.clear()
        self._told.clear()

    def _note_once(self, principal: Principal, what: str, name: str) -> None:
        now, key = self._wall(), (principal.actor, what, name)
        if key in self._seen and _lately(self._seen[key], now):
            return
        self._seen.pop(key, None)
        if len(self._seen) >= _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = now
        self.record(Note(now, "access", principal.actor, {"role": principal.role, what: name}))

    def _turn_away(self, actor: str, why: str, client: str) -> None:
        """Record the first of a kind at once, and the others together: nobody can flood the audit."""
        key = (actor, why, client)
        if key in self._told or len(self._told) >= _MOST_KINDS:
            self._refused[key if key in self._told else (actor, why, "others")] += 1
            return
        self._told.add(key)
        self.record(Note(self._wall(), "access", actor, {"refused": why, "from": client, "times": 1}))


def _lately(at: datetime, now: datetime) -> bool:
    """Whether it is not long ago; what was noted by a clock that was ahead and came back is."""
    return abs(now - at) < SEEN_FOR


def _nowhere(_: Note) -> None:
    """Where notes go before the service has started: nobody has been let in by then."""


def _unauthorized(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
