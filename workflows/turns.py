"""Whose turn it is: a film leaves room for other jobs, and has a turn among them, however many they are."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from heapq import heappop, heappush
from typing import Any

from temporalio import exceptions
from temporalio.exceptions import ActivityError, TimeoutType

from workflows.options import Rank

WINDOW = 64
"""Pieces of one film that are on their way at once: more than workers take, fewer than the server minds."""
PATIENCE = timedelta(minutes=10)
"""How long a piece that comes later than other work waits for a worker; then it comes back."""
GROWTH = 0.25
"""Of a place: what a film that had to wait gets back with each piece that is done."""

Step = Callable[..., Coroutine[Any, Any, Any]]
"""Performs one activity."""


class Turns:
    """Hands out the pieces of a film.

    One of them is as urgent as those of any other job; so a long film delays a short one by no more than a piece. The
    others come later, and fill workers that nobody else needs. Where others need them all, these pieces come back, and
    take their turns as the urgent one: so nobody keeps a long film from going on.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._places = float(WINDOW)
        self._taken = 0
        self._has_urgent = False
        self._waiting: list[tuple[int, asyncio.Future[Rank]]] = []
        """A heap: the first piece goes first. No two have the same number."""

    async def take(self, number: int, activity: Callable[..., Any], request: Any, **options: str) -> Any:
        """Perform an activity on the piece `number` when it is its turn."""
        while True:
            async with self._place(number) as rank:
                try:
                    patience = PATIENCE if rank is Rank.LATER else None
                    made = await self._step(activity, request, rank, patience=patience, **options)
                except ActivityError as error:
                    if not _nobody_came(error):
                        raise
                    self._places = self._taken - 1
                else:
                    self._places = min(self._places + GROWTH, WINDOW)
                    return made

    @asynccontextmanager
    async def _place(self, number: int) -> AsyncIterator[Rank]:
        """Wait for a place; gives the rank that goes with it."""
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (number, turn))
        self._call()
        rank = await turn
        try:
            yield rank
        finally:
            self._taken -= 1
            self._has_urgent &= rank is not Rank.USUAL
            self._call()

    def _call(self) -> None:
        """Give free places to those who wait; there always is one for the urgent piece."""
        while self._waiting and (not self._has_urgent or self._taken < int(self._places)):
            _, turn = heappop(self._waiting)
            if not turn.cancelled():
                turn.set_result(Rank.LATER if self._has_urgent else Rank.USUAL)
                self._taken += 1
                self._has_urgent = True


def _nobody_came(error: ActivityError) -> bool:
    """Whether no worker has begun the activity."""
    return isinstance(error.cause, exceptions.TimeoutError) and error.cause.type is TimeoutType.SCHEDULE_TO_START
