"""Work that can wait for judging: done by few at a time, and what is long gives way, bit by bit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")

_LOOK_AGAIN: Final = 0.005
"""Seconds between two looks whether events still wait."""

_GIVES_WAY: Final = 200
"""Looks after which a bit of long work is done all the same, so that it ends where events never stop coming."""


class Lane:
    """Threads compete with the one that judges; of those in a lane only few do at a time.

    Args:
        width: how many.
        gives_way: whether events are waiting; asked before each piece of work, which waits for them for a while.
        rest: waits for seconds.
        between: seconds between two turns to :meth:`pace`.
    """

    def __init__(
        self,
        width: int,
        gives_way: Callable[[], bool] = lambda: False,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
        between: float = 0.0,
    ) -> None:
        self._turn = asyncio.Semaphore(width)
        self._gives_way = gives_way
        self._between = between
        self._rest = rest

    async def run(self, work: Callable[[], T]) -> T:
        """Do a piece of work in a thread when its turn has come."""
        async with self._turn:
            await self._give_way()
            return await run_in_threadpool(work)

    async def pace(self) -> None:
        """Wait for a turn: so much at once in the event loop would keep everybody else waiting."""
        async with self._turn:
            await self._give_way()
            await self._rest(self._between)

    async def _give_way(self) -> None:
        for _ in range(_GIVES_WAY):
            if not self._gives_way():
                break
            await self._rest(_LOOK_AGAIN)
