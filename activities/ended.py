"""Runs that were ended from outside, by an operator or by a time limit: found and read."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.client import Client, WorkflowHandle, WorkflowHistoryEventFilterType, WorkflowQueryFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.heartbeat import Progress, beating
from activities.notify import EventLog
from activities.server import Run, is_last, job_id_of, patient
from publishers.events import Message

MAX_REASON = 500
"""Characters of what an operator has given as the reason."""


@dataclass(frozen=True)
class EndRequest:
    """Which runs to look for, and who ends them."""

    job_type: str
    end_type: str
    """Takes a `Run`."""
    task_queue: str
    since: datetime | None
    """When they have closed at the earliest; None = look at all that the server remembers."""


@dataclass(frozen=True)
class EndedRun:
    """What is known of a run that was ended from outside."""

    description: Any
    log: list[Message]
    """Its lifecycle events."""
    pending: list[int]
    """How many of them each publisher had not confirmed, in the order of the description; empty = it had none yet."""
    phase: str | None
    """None = no worker had seen it."""
    why: str
    closed_at: datetime
    original_run_id: str = ""
    """Its own, or that of the one from which it was reset."""


@activity.defn
async def end_runs(request: EndRequest) -> int:
    """Start a workflow for each run that was ended from outside, and has none; returns how many are new."""
    closed_since = f" AND CloseTime >= '{request.since.isoformat()}'" if request.since else ""
    query = f"WorkflowType = '{request.job_type}' AND ExecutionStatus IN ('Terminated', 'TimedOut'){closed_since}"
    new = 0
    with patient():
        async with beating(Progress()):
            async for run in activity.client().list_workflows(query):
                new += await _start_end(request, Run(run.id, run.run_id))
    return new


async def _start_end(request: EndRequest, run: Run) -> bool:
    """One that has completed, or runs, is enough; one that has failed is tried once more."""
    with suppress(WorkflowAlreadyStartedError):
        await activity.client().start_workflow(
            request.end_type,
            run,
            id=f"{job_id_of(run.workflow_id)}-final-{run.run_id}",
            task_queue=request.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )
        return True
    return False


@activity.defn
async def read_ended(run: Run) -> EndedRun | None:
    """What the run's history tells; None if the job goes on, or went on, in a later run."""
    client = activity.client()
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    with _readable(run):
        async with beating(Progress()):
            if not await is_last(run):
                return None
            log, delivery, phase = await _standing(handle)
            closing = await anext(_history(handle, WorkflowHistoryEventFilterType.CLOSE_EVENT))
            started = await _started(handle)
            return EndedRun(
                description=await _description(client, started),
                log=[event for event in log.events if event.progress is None],
                pending=[each["Pending"] for each in delivery],
                phase=phase,
                why=_why(closing),
                closed_at=closing.event_time.ToDatetime(UTC),
                original_run_id=started.original_execution_run_id,
            )


async def _standing(handle: WorkflowHandle[Any, Any]) -> tuple[EventLog, list[dict[str, Any]], str | None]:
    try:
        log = await handle.query("events", result_type=EventLog)
        progress = await handle.query("progress")
    except RPCError as error:
        if error.status != RPCStatusCode.FAILED_PRECONDITION:  # it was closed before any worker had seen it
            raise
        return EventLog([], None), [], None
    return log, progress["Delivery"], progress["Phase"]


async def _started(handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStartedEventAttributes:
    first = await anext(_history(handle, WorkflowHistoryEventFilterType.ALL_EVENT))
    return first.workflow_execution_started_event_attributes


async def _description(client: Client, started: WorkflowExecutionStartedEventAttributes) -> Any:
    payloads = started.input.payloads
    return (await client.data_converter.decode(payloads))[0] if payloads else None


def _history(handle: WorkflowHandle[Any, Any], kind: WorkflowHistoryEventFilterType) -> AsyncIterator[HistoryEvent]:
    return handle.fetch_history_events(page_size=1, event_filter_type=kind)


def _why(closing: HistoryEvent) -> str:
    if not closing.HasField("workflow_execution_terminated_event_attributes"):
        return "The run's time was up: whoever started the job had set a time limit; start it again with a longer one"
    terminated = closing.workflow_execution_terminated_event_attributes
    by = f" by {terminated.identity}" if terminated.identity else ""
    return f"The job was terminated{by}: {terminated.reason or 'no reason was given'}"[:MAX_REASON]


@contextmanager
def _readable(run: Run) -> Iterator[None]:
    """What cannot be read now may be later, by a worker that has the key, or code that the history fits."""
    try:
        yield
    except (RPCError, WorkflowQueryFailedError, RuntimeError, ValueError, KeyError) as error:
        counter = activity.metric_meter().create_counter(
            "encoding_ended_unreadable", "Attempts to read a job that was ended from outside, without success."
        )
        counter.add(1)
        activity.logger.error("job %s was ended from outside and cannot be told yet: %s", run.workflow_id, error)
        raise ApplicationError(f"its history cannot be read: {error}", type=type(error).__name__) from None
