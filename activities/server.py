"""What a workflow, or an activity of it, needs to ask of its Temporal server."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from temporalio import activity
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.storage.base import StorageError

TENANT_ID = SearchAttributeKey.for_keyword("TenantId")
EXTERNAL_ID = SearchAttributeKey.for_keyword("ExternalId")
ENCODING_PHASE = SearchAttributeKey.for_keyword("EncodingPhase")
ERROR_CODE = SearchAttributeKey.for_int("ErrorCode")
SEARCH_ATTRIBUTES = (TENANT_ID, EXTERNAL_ID, ENCODING_PHASE, ERROR_CODE)
PAUSED = "Paused"
"""In the memo of a run: what is scheduled already does not begin."""
FRESH_SECONDS = 10.0
"""An older answer counts for nothing: a worker may have stood still since, and another one have taken its place."""
JOB_ID_NAMESPACE = UUID("5a3e1f0c-2c55-4f0e-9a3b-6d1f6f1c7e11")


def job_id_of(workflow_id: str) -> str:
    """The JobId of a workflow: its id where that is a GUID, else a GUID made from it."""
    try:
        is_guid = str(UUID(workflow_id)) == workflow_id.lower()
    except ValueError:
        is_guid = False
    return workflow_id if is_guid else str(uuid5(JOB_ID_NAMESPACE, workflow_id))


@dataclass(frozen=True)
class Run:
    """One run of a job."""

    workflow_id: str
    run_id: str


@activity.defn
async def registered_search_attributes() -> list[str]:
    """Names of those of `SEARCH_ATTRIBUTES` that the namespace has, of the same type; none where nobody can tell."""
    client = activity.client()
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request)
    except RPCError as error:
        activity.logger.warning("the server does not list its search attributes: %s", error)
        return []
    known = answer.custom_attributes
    return sorted(key.name for key in SEARCH_ATTRIBUTES if known.get(key.name) == int(key.indexed_value_type))


def server_clock() -> Callable[[], datetime]:
    """Tells the time by the server's clock, as the workflow does: this machine's may be wrong, and jump."""
    began, since = activity.info().started_time, time.monotonic()
    return lambda: began + timedelta(seconds=time.monotonic() - since)


@activity.defn
async def request_cancel(run: Run) -> None:
    """Ask the server to cancel this run: a workflow cannot do that to itself."""
    await activity.client().get_workflow_handle(run.workflow_id, run_id=run.run_id).cancel()


def own_run() -> WorkflowHandle[Any, Any]:
    """The run that this activity belongs to.

    Raises:
        RuntimeError: the activity has no client, as in a test of its own.
    """
    info = activity.info()
    return activity.client().get_workflow_handle(str(info.workflow_id), run_id=info.workflow_run_id)


async def tell_run(signal: str, content: Any) -> None:
    """Signal the run that this activity belongs to something that it can do without; a failure is logged."""
    try:
        await own_run().signal(signal, content)
    except (RuntimeError, RPCError) as error:
        activity.logger.warning("the run was not told %s: %s", signal, error)


async def is_paused() -> bool:
    """Whether the run that this activity belongs to wants nothing new to begin; where nobody can tell, it does not."""
    try:
        return bool(await (await own_run().describe()).memo_value(PAUSED, default=False))
    except (RuntimeError, RPCError, ValueError, KeyError):  # the last two: what is in the memo cannot be read
        return False


async def is_last(run: Run) -> bool:
    """Whether the workflow id has no later run: a reset, a retry or a new start makes one.

    False as well if the server has forgotten it.
    """
    try:
        return (await activity.client().get_workflow_handle(run.workflow_id).describe()).run_id == run.run_id
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False


@contextmanager
def patient() -> Iterator[None]:
    """For an activity: a server or a store that does not answer now is asked again, until its time is up."""
    try:
        yield
    except (RPCError, StorageError) as error:
        raise ApplicationError(str(error), type=type(error).__name__) from None


async def is_current() -> bool:
    """Whether the server still waits for this very attempt; where it does not answer, nobody may be sure."""
    asked_at = time.monotonic()
    return await _is_pending() and time.monotonic() - asked_at < FRESH_SECONDS


async def _is_pending() -> bool:
    info = activity.info()
    try:
        pending = (await own_run().describe()).raw_description.pending_activities
    except RuntimeError:
        return True
    except RPCError:
        return False
    return (info.activity_id, info.attempt) in [(each.activity_id, each.attempt) for each in pending]
