"""What a client does with jobs: start, find, follow, cancel. Any Temporal SDK can do the same without this module."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from activities.notify import REPORT_INTERVAL, EventLog, Meter, PublishRequest
from activities.server import job_id_of
from publishers.events import FINAL, Message
from workflows.codec import data_converter
from workflows.job import publishers_of
from workflows.markdown import summary
from workflows.options import CONTROL_QUEUE, RESEND_WORKFLOW, WORKFLOW
from workflows.remedies import remedy

POLL_INTERVAL = 0.3
"""Seconds between two looks at a job that is followed."""
LISTING_ATTEMPTS = 5
"""A job is listed a moment after it has started."""
DEFAULT_ADDRESS = "localhost:7233"
"""Of a server on this machine."""
MADE_VERSION = 5
"""Of the GUIDs that `job_id_of` makes."""
ANSWER_TIMEOUT = timedelta(seconds=5)
AWAY = {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}
"""How the server says that no worker has answered a query, or that too many wait for an answer."""
OPEN = {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW}

Handle = WorkflowHandle[Any, Any]


class UnknownJob(LookupError):
    """No job has this id."""


class Unreachable(RuntimeError):
    """No Temporal server answers at the address."""


class EndedOutside(RuntimeError):
    """The run was closed without a final event, by somebody else than the job itself or by a fault of ours."""


async def connect(address: str | None = None, runtime: Runtime | None = None) -> Client:
    """Connect as Temporal's own variables and profiles say (`TEMPORAL_ADDRESS`, `TEMPORAL_TLS_…`, …).

    Args:
        address: of a server that they do not speak of: in clear, and its default namespace.
        runtime: with metrics of its own.

    Raises:
        Unreachable: there is no server, the address is none, or the two do not trust each other.
        ValueError: a certificate or a key, of the connection or of payloads, cannot be read.
    """
    try:
        config = ClientConnectConfig(target_host=address) if address else ClientConfig.load_client_connect_config()
        converter = data_converter()
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise ValueError(f"{error.filename}, which a variable TEMPORAL_TLS_… names, {why}") from None
    at = config.setdefault("target_host", DEFAULT_ADDRESS)
    try:
        return await Client.connect(**config, data_converter=converter, runtime=runtime)
    except (RuntimeError, ValueError) as error:
        what = f"the Temporal server at {at} cannot be reached; {remedy(str(error))}"
        raise Unreachable(f"{what} ({error})") from None


async def submit(client: Client, description: dict[str, Any], workflow_id: str | None = None) -> Handle:
    """Start a job; a new GUID is its id unless one is given.

    Raises:
        WorkflowAlreadyStartedError: there is or was one with this id; its events would have the ids of that one's.
    """
    external_id = description.get("ExternalId")
    return await client.start_workflow(
        WORKFLOW,
        description,
        id=workflow_id or str(uuid4()),
        task_queue=CONTROL_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        static_summary=summary(external_id) if isinstance(external_id, str) and external_id else None,
    )


async def find(client: Client, id_: str) -> Handle:
    """The job with this workflow id or JobId.

    Raises:
        UnknownJob: there is none.
    """
    handle = client.get_workflow_handle(id_)
    try:
        if (await handle.describe()).workflow_type == WORKFLOW:
            return handle
    except UnicodeEncodeError:
        pass
    except RPCError as error:
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT) or _lacks_namespace(error):
            raise
    for _ in range(LISTING_ATTEMPTS if _is_made(id_) else 0):
        async for run in client.list_workflows(f"WorkflowType = '{WORKFLOW}'"):
            if job_id_of(run.id) == id_:
                return client.get_workflow_handle(run.id)
        await asyncio.sleep(POLL_INTERVAL)
    raise UnknownJob(f"no job has the id {id_[:200]!r}")


def _lacks_namespace(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def _is_made(id_: str) -> bool:
    """Whether it may be a JobId that was made from a workflow id; all others are workflow ids themselves."""
    try:
        return UUID(id_).version == MADE_VERSION
    except ValueError:
        return False


async def cancel(handle: Handle, reason: str | None = None) -> None:
    """Ask the job to stop; its FinalError tells when it has."""
    await handle.signal("cancel", args=[reason] if reason else [])


async def ended(handle: Handle) -> None:
    """Wait until the run has closed, however it ends."""
    with suppress(WorkflowFailureError):
        await handle.result()


async def progress(handle: Handle) -> dict[str, Any]:
    """Where the job is: the contract's section 7."""
    answer: dict[str, Any] = await _ask(handle, "progress")
    return answer


async def follow(handle: Handle) -> AsyncIterator[Message]:
    """Every event of a job, lifecycle and progress, in order and live, until the final one.

    Works for any job, running or ended, also without message publishers: the run itself knows its events. Waits
    while no worker answers.

    Raises:
        EndedOutside: there will be no final event.
    """
    seen, meter, told_at = 0, None, 0.0
    while True:
        status = (await handle.describe()).status
        log = await _log(handle, seen)
        for event in log.events:
            if event.progress is not None and _is_told(meter, told_at):
                continue
            meter = None
            yield event
            if event.event_type in FINAL:
                return
        if status not in OPEN:
            raise EndedOutside(
                f"job {handle.id} was ended from outside ({status and status.name}): no final event follows here, "
                "its publishers get one"
            )
        seen += len(log.events)
        watch = log.watch
        if watch and watch.event and (meter is None or meter.watch != watch):
            meter = Meter(watch, waiting=log.undone)
        if meter and time.monotonic() - told_at >= REPORT_INTERVAL:
            before = meter.percent
            if await meter.read(handle) > before:
                told_at = time.monotonic()
                yield meter.watch.message(meter.percent, datetime.now(UTC))
        await asyncio.sleep(POLL_INTERVAL)


async def events(handle: Handle) -> list[Message]:
    """The events so far, from the run's history, for as long as the server keeps that."""
    return (await _log(handle, 0)).events


async def resend(client: Client, handle: Handle, *, first: int = 1, publisher: int | None = None) -> list[str]:
    """Send lifecycle events again, with the ids that they had.

    Args:
        client: of the server that has the job.
        handle: the job.
        first: the lowest SequenceNumber.
        publisher: number of the one publisher that gets them, from 1; None = all.

    Returns:
        A line for each receiver that did not take them.

    Raises:
        ValueError: there is no such publisher, or nothing to send.
    """
    receivers = publishers_of(await _input(client, handle))
    if publisher is not None:
        if not 1 <= publisher <= len(receivers):
            raise ValueError(f"the job has {len(receivers)} publishers; there is no number {publisher}")
        receivers = [receivers[publisher - 1]]
    messages = [m for m in await events(handle) if m.progress is None and m.sequence_number >= first]
    if not messages or not receivers:
        raise ValueError("there is nothing to send" if receivers else "the job has no message publishers")
    failures: list[str | None] = await client.execute_workflow(
        RESEND_WORKFLOW,
        [PublishRequest(receiver, messages) for receiver in receivers],
        id=f"resend-{handle.id}-{uuid4()}",
        task_queue=CONTROL_QUEUE,
        result_type=list[str | None],
    )
    return [f"{to.address}: {why}" for to, why in zip(receivers, failures, strict=True) if why]


async def _input(client: Client, handle: Handle) -> Any:
    async for event in handle.fetch_history_events(page_size=1):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        return (await client.data_converter.decode(payloads))[0] if payloads else None
    return None


async def _log(handle: Handle, seen: int) -> EventLog:
    try:
        log: EventLog = await _ask(handle, "events", seen, result_type=EventLog)
    except RPCError as error:
        if error.status != RPCStatusCode.FAILED_PRECONDITION:  # it was closed before any worker had seen it
            raise
        return EventLog([], None)
    return log


async def _ask(handle: Handle, *query: Any, **options: Any) -> Any:
    """Query the run; a worker or a server that is away for a while is waited for."""
    while True:
        try:
            return await handle.query(*query, rpc_timeout=ANSWER_TIMEOUT, **options)
        except RPCError as error:
            if is_cancelled():  # a request that is broken off by that can look like one that the server has
                raise asyncio.CancelledError from None
            if error.status not in AWAY:
                raise
        await asyncio.sleep(POLL_INTERVAL)


def is_cancelled() -> bool:
    """Whether somebody has asked this task to end."""
    return bool((task := asyncio.current_task()) and task.cancelling())


def _is_told(meter: Meter | None, told_at: float) -> bool:
    """Whether a phase's closing 100 percent is owed no more; the lanes of the outbox have the same rule."""
    return meter is not None and (meter.percent == 100 or time.monotonic() - told_at < REPORT_INTERVAL)  # noqa: PLR2004
