"""What the activities of a run have come to so far."""

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow


class Record:
    """Of activities that have an id of ours."""

    def __init__(self) -> None:
        self.begun: dict[str, datetime] = {}
        """When each was handed out first."""
        self.results: dict[str, Any] = {}
        """Of those that are done; one that is handed out again is not."""

    @property
    def undone(self) -> list[str]:
        """Those that were handed out, and are not done."""
        return [id_ for id_ in self.begun if id_ not in self.results]

    def follow(self, activity_id: str, handle: "workflow.ActivityHandle[Any]") -> None:
        """Remember an activity that was just handed out, and its result."""
        self.begun.setdefault(activity_id, workflow.now())
        self.results.pop(activity_id, None)
        handle.add_done_callback(lambda task: self._keep(activity_id, task))

    def _keep(self, activity_id: str, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and not task.exception():
            self.results[activity_id] = task.result()
