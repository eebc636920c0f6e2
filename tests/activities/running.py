import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from temporalio.testing import ActivityEnvironment

from activities.heartbeat import Progress
from activities.storage.config import FilesLocation

Request = TypeVar("Request")
Result = TypeVar("Result")
JOB_ID = str(uuid4())


def location(folder: Path) -> FilesLocation:
    return FilesLocation(provider="Files", uri_path=str(folder))


class Running:
    """Runs activities and keeps what they beat.

    Args:
        scheduled: when the workflow has asked for them, in Unix time.
    """

    def __init__(self, scheduled: float = 0.0) -> None:
        self.beats: list[Progress] = []
        self.environment = ActivityEnvironment()
        self.environment.info = replace(self.environment.info, scheduled_time=datetime.fromtimestamp(scheduled, UTC))
        self.environment.on_heartbeat = lambda *details: self.beats.append(Progress(details[0].done, details[0].total))

    async def __call__(self, activity: Callable[[Request], Awaitable[Result]], request: Request) -> Result:
        return await self.environment.run(activity, request)

    async def cancelled(
        self, activity: Callable[[Request], Awaitable[Result]], request: Request, when: Callable[[], bool]
    ) -> None:
        """Cancel the activity as soon as `when` says so, and wait for its end."""
        task = asyncio.ensure_future(self(activity, request))
        while not when():
            assert not task.done(), task
            await asyncio.sleep(0.001)
        self.environment.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), asyncio.CancelledError)
