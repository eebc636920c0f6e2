"""Copying in a thread that a cancelled activity can stop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, TypeVar

from activities.storage.base import OnBytes
from activities.storage.explain import explained

PIECE = 1 << 20
"""Bytes that pass between two looks at whether to stop."""

Result = TypeVar("Result")


class Stopped(Exception):
    """Ends the thread; nobody sees it."""


class Stop:
    """Asks a thread to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()

    def check(self) -> None:
        """Raise `Stopped` once it was asked for."""
        if self._asked.is_set():
            raise Stopped


async def stoppable(work: Callable[[Stop], Result]) -> Result:
    """Run `work` in a thread; when cancelled, ask it to stop and wait until it has."""
    stop = Stop()
    thread = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.ask()
        while not thread.done():
            with suppress(asyncio.CancelledError):  # cancelled twice: it still has to end first
                await asyncio.wait([thread])
        thread.exception()  # looked at, or asyncio complains that nobody did
        raise


def copy(source: BinaryIO, target: BinaryIO, on_bytes: OnBytes, stop: Stop, *, texts: tuple[str, str]) -> None:
    """Copy to the end. `texts` explain an error while reading and one while writing.

    Raises:
        StorageError: one of the two failed.
        Stopped: it was asked for.
    """
    reading, writing = texts
    buffer = memoryview(bytearray(PIECE))
    while True:
        stop.check()
        with explained(reading):
            size = source.readinto(buffer)  # type: ignore[attr-defined]
        if not size:
            return
        with explained(writing):
            target.write(buffer[:size])
        on_bytes(size)
