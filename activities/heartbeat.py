"""Progress of a running activity, kept at the server in its newest heartbeat and never in history."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from temporalio import activity

Detail = TypeVar("Detail")
INTERVAL = 1.0
"""Seconds between beats."""


@dataclass
class Progress:
    """How far the activity is, in a unit of its own choice (bytes, seconds of film). Library threads only add to it."""

    done: float = 0
    total: float = 0

    @property
    def share(self) -> float:
        """Between 0 and 1; 0 while the total is unknown."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


def counting(progress: Progress) -> Callable[[int], None]:
    """Adds up in `progress`, also when several threads do."""
    lock = threading.Lock()

    def add(size: int) -> None:
        with lock:
            progress.done += size

    return add


@asynccontextmanager
async def beating(progress: Progress) -> AsyncIterator[Progress]:
    """Send `progress` as the activity's heartbeat, once a second and once at the end, whatever that is.

    `activity.heartbeat` fails in library threads, so they only touch `progress`. The beat also is how a cancel
    request reaches the activity.
    """
    pump = asyncio.create_task(_pump(lambda: activity.heartbeat(progress)))
    try:
        yield progress
    finally:
        activity.heartbeat(progress)
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


def last_progress() -> Progress:
    """What an earlier attempt of this activity reported last; nothing on the first attempt."""
    details = activity.info().heartbeat_details
    return Progress(**details[0]) if details else Progress()


def last_detail(default: Detail) -> Detail:
    """What it reported besides its progress."""
    details = activity.info().heartbeat_details
    return details[1] if len(details) > 1 else default


async def _pump(beat: Callable[[], None]) -> None:
    while True:
        beat()
        await asyncio.sleep(INTERVAL)
