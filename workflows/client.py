"""What a client does with jobs: start, find, follow, cancel. Any Temporal SDK can do the same without this module."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig

from activities.notify import REPORT_INTERVAL, EventLog, Meter
from publishers.events import FinalError, JobSuccess, Message
from workflows.job import job_id_of
from workflows.options import CONTROL_QUEUE, WORKFLOW

POLL_INTERVAL = 0.3
"""Seconds between two looks at a job that is followed."""
FINAL = {JobSuccess.__name__, FinalError.__name__}

Handle = WorkflowHandle[Any, Any]


class UnknownJob(LookupError):
    """No job has this id."""


async def connect(address: str | None = None) -> Client:
    """Connect as Temporal's own variables say (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, …), or to `address`."""
    config = ClientConfig.load_client_connect_config()
    if address:
        config["target_host"] = address
    return await Client.connect(**config, data_converter=pydantic_data_converter)


async def submit(client: Client, description: dict[str, Any], workflow_id: str | None = None) -> Handle:
    """Start a job; a new GUID is its id unless one is given."""
    external_id = description.get("ExternalId")
    return await client.start_workflow(
        WORKFLOW,
        description,
        id=workflow_id or str(uuid4()),
        task_queue=CONTROL_QUEUE,
        static_summary=external_id[:200] if isinstance(external_id, str) and external_id else None,
    )


async def find(client: Client, id_: str) -> Handle:
    """The job with this workflow id or JobId.

    Raises:
        UnknownJob: there is none.
    """
    query = f"WorkflowType = '{WORKFLOW}'"
    found = await client.count_workflows(f"{query} AND WorkflowId = '{_quoted(id_)}'")
    if found.count:
        return client.get_workflow_handle(id_)
    async for run in client.list_workflows(query):
        if job_id_of(run.id) == id_:
            return client.get_workflow_handle(run.id)
    msg = f"no job has the id {id_}"
    raise UnknownJob(msg)


async def cancel(handle: Handle, reason: str | None = None) -> None:
    """Ask the job to stop; its FinalError tells when it has."""
    await handle.signal("cancel", args=[reason] if reason else [])


async def progress(handle: Handle) -> dict[str, Any]:
    """Where the job is: the contract's section 7."""
    answer: dict[str, Any] = await handle.query("progress")
    return answer


async def follow(handle: Handle) -> AsyncIterator[Message]:
    """Every event of a job, lifecycle and progress, in order and live, until the final one.

    Works for any job, running or ended, also without message publishers: the run itself knows its events.
    """
    seen, meter, told_at = 0, None, 0.0
    while True:
        log: EventLog = await handle.query("events", seen, result_type=EventLog)
        for event in log.events:
            if event.progress is not None and _is_told(meter, told_at):
                continue
            meter = None
            yield event
            if event.event_type in FINAL:
                return
        seen += len(log.events)
        watch = log.watch
        if watch and watch.event and (meter is None or meter.watch != watch):
            meter = Meter(watch)
        if meter and time.monotonic() - told_at >= REPORT_INTERVAL:
            before = meter.percent
            if await meter.read(handle) > before:
                told_at = time.monotonic()
                yield meter.watch.message(meter.percent, datetime.now(UTC))
        await asyncio.sleep(POLL_INTERVAL)


def _is_told(meter: Meter | None, told_at: float) -> bool:
    """Whether a phase's closing 100 percent is owed no more; the lanes of the outbox have the same rule."""
    return meter is not None and (meter.percent == 100 or time.monotonic() - told_at < REPORT_INTERVAL)  # noqa: PLR2004


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
