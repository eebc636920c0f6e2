"""What the history of a run tells of its activities."""

from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowHandle


@dataclass
class Activities:
    """Numbers of history events, by the ids of activities."""

    scheduled: dict[str, int] = field(default_factory=dict)
    completed: dict[str, int] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    """Those that were scheduled more than once."""


async def activities(handle: WorkflowHandle[Any, Any]) -> Activities:
    """Of those that have ids of ours."""
    told, names = Activities(), dict[int, str]()
    async for event in handle.fetch_history_events():
        if name := event.activity_task_scheduled_event_attributes.activity_id:
            names[event.event_id] = name
            if name in told.scheduled:
                told.repeated.append(name)
            told.scheduled[name] = event.event_id
        completed = event.activity_task_completed_event_attributes.scheduled_event_id
        if completed:
            told.completed[names[completed]] = event.event_id
    return told
