"""The view of the unit as it is sent: made once in a while for each unit, and shared by every screen that asks."""

from __future__ import annotations

import asyncio
import gzip
import re
from datetime import datetime
from http import HTTPStatus
from operator import itemgetter
from typing import Any, Final, NamedTuple

from fastapi.responses import Response
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from monitor.service.board import Board, Urgency, data_age, urgency
from monitor.service.service import Service
from rules.glance import Glance

SHARED_FOR: Final = 0.25
"""Seconds: no longer than a screen waits after a message of the feed before it asks, so what it is sent is newer."""

_AT_ONCE: Final = 50
"""Beds that are put together before others get their turn in the event loop."""

_SMALL: Final = 2000
"""Bytes that are not worth packing."""

_MOST_UNITS: Final = 100
_PARTS: Final = re.compile(r"(\d+)")


class Packed(NamedTuple):
    """An answer, and the same compressed."""

    plain: bytes
    packed: bytes | None

    def response(self, accepted: str) -> Response:
        """It as a reader takes it, who says what it accepts."""
        headers = {"Vary": "Accept-Encoding"}
        if self.packed is None or "gzip" not in accepted:
            return Response(self.plain, HTTPStatus.OK, headers, "application/json")
        return Response(self.packed, HTTPStatus.OK, headers | {"Content-Encoding": "gzip"}, "application/json")


class _Known(NamedTuple):
    """What is shown of a patient but for the age of the data, and what it was made from."""

    made_from: tuple[int, float | None, str | None]
    urgency: Urgency
    name: tuple[Any, ...]
    text: bytes


class Overview:
    """Makes views of the unit.

    Of a bed only what has changed is made anew: the age of the data each time, the rest after a change.

    Args:
        service: whose patients they are.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: dict[str, _Known] = {}
        self._made: dict[str | None, tuple[float, asyncio.Task[Packed]]] = {}

    async def of(self, unit: str | None) -> Packed:
        """All patients who have not been discharged, the most urgent first; of one unit if it is named."""
        now = self._service.site.seconds()
        began, task = self._made.get(unit, (0.0, None))
        if task is None or (task.done() and now - began > SHARED_FOR):
            fresh = {name: made for name, made in self._made.items() if now - made[0] <= SHARED_FOR}
            self._made = fresh if len(fresh) < _MOST_UNITS else {}
            task = asyncio.get_running_loop().create_task(self._make(unit))
            self._made[unit] = (now, task)
        # Whoever gives up waiting must not take it from the others.
        return await asyncio.shield(task)

    async def _make(self, unit: str | None) -> Packed:
        service = self._service
        names = [name for name in await service.patients() if service.board.in_unit(name, unit)]
        looks = await service.look(names)
        now, position, clock = service.shown(), service.position, service.clock()
        beds: list[tuple[tuple[Any, ...], bytes]] = []
        for start in range(0, len(names), _AT_ONCE):
            beds += [
                self._bed(name, looks[name], now, doubted=clock.doubted)
                for name in names[start : start + _AT_ONCE]
                if looks[name].admitted
            ]
            await asyncio.sleep(0)
        beds.sort(key=itemgetter(0))
        if unit is None:
            present = set(names)
            self._known = {name: known for name, known in self._known.items() if name in present}
        inputs = [found.model_dump() for found in service.liveness.inputs()]
        whose = {"unit": unit or service.site.unit, "clock": clock.model_dump(), "inputs": inputs}
        head = to_json({"now": now, "position": position, **whose})
        plain = head[:-1] + b',"patients":[' + b",".join(text for _, text in beds) + b"]}"
        return Packed(plain, None if len(plain) < _SMALL else await run_in_threadpool(gzip.compress, plain, 1))

    def _bed(self, patient: str, look: Glance, now: datetime, *, doubted: bool) -> tuple[tuple[Any, ...], bytes]:
        """A bed with what it is ordered by."""
        board = self._service.board
        made_from = (board.version(patient), look.age, look.goals)
        known = self._known.get(patient)
        if known is None or known.made_from != made_from:
            known = self._known[patient] = _known(board, patient, look, now, made_from)
        data = data_age(look, now, doubted=doubted)
        rank = (*known.urgency._replace(watched=not data.blind), *known.name)
        return rank, known.text + data.model_dump_json().encode() + b"}"


def _known(board: Board, patient: str, look: Glance, now: datetime, made_from: tuple[Any, ...]) -> _Known:
    bed = board.bed(patient, look, now)
    text = bed.model_dump_json(exclude={"data"})[:-1] + ',"data":'
    return _Known(made_from, urgency(bed), (natural(bed.bed or bed.patient), bed.patient), text.encode())


def natural(name: str) -> list[tuple[int, str]]:
    """What names are ordered by, so that bed 2 comes before bed 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _PARTS.split(name)]
