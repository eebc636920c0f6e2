"""Blocking work in threads that a cancelled activity can stop."""

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from publishers.pace import Pace

Result = TypeVar("Result")

MOST_THREADS = 64
"""Requests at once of a worker, over all its jobs; further ones wait. Transfers have lanes instead (see `lanes`)."""
_threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="storage")


class Stopped(Exception):
    """Ends the thread; nobody sees it."""


class Stop:
    """Asks a thread to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.pace = Pace()

    def ask(self) -> None:
        """Also ends its wait for a host."""
        self._asked.set()
        self.pace.end()

    def check(self) -> None:
        """Raise `Stopped` once it was asked for."""
        if self._asked.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep; raise `Stopped` as soon as it is asked for."""
        self._asked.wait(seconds)
        self.check()


async def stoppable(work: Callable[[Stop], Result], threads: Executor = _threads) -> Result:
    """Run `work` in a thread; when cancelled, ask it to stop and wait until it has."""
    stop = Stop()

    def begin() -> Result:
        with stop.pace.kept():
            return work(stop)

    begun = threads.submit(begin)
    thread = asyncio.wrap_future(begun)
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.ask()
        if begun.cancel():  # it still waits for a thread
            raise
        while not thread.done():
            with suppress(asyncio.CancelledError):  # cancelled twice: it still has to end first
                await asyncio.wait([thread])
        thread.exception()  # looked at, or asyncio complains that nobody did
        raise


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run all; when one fails or the job is cancelled, the others have ended before the error goes on."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        await ended(tasks)


async def ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel all; returns when none of them runs any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
