"""What runs that were ended from outside have left: published in part, in the work store, under way."""

import time
from collections.abc import AsyncIterator
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.cleanup import CleanUpRequest, clean_up
from activities.deliver import DeliverRequest, deliver, send_media
from activities.heartbeat import Progress, beating
from activities.images import ImagesRequest, extract_images
from activities.server import Run, is_last, job_id_of, patient
from activities.settings import Settings
from activities.storage.base import StorageError
from activities.store.abandoned import kept_jobs, last_written
from activities.store.owner import is_owned
from activities.store.work import emptied
from activities.withdraw import taken_back

GUID_LENGTH = 36


@activity.defn
async def remove_workspace(run: Run) -> None:
    """Take back what a job has published, and remove what it has left in the store, unless it goes on in a later run.

    A location that refuses is not asked again; one that does not answer is.
    """
    handle = activity.client().get_workflow_handle(run.workflow_id, run_id=run.run_id)
    with patient():
        async with beating(Progress()):
            if not await is_last(run):
                return
            await taken_back(*await _to_withdraw(handle))
            if await is_last(run):  # taking back may have taken long
                await emptied(job_id_of(run.workflow_id))


async def _to_withdraw(handle: WorkflowHandle[Any, Any]) -> tuple[list[DeliverRequest], ImagesRequest | None]:
    """Formats and images whose delivery had begun; or what the job itself had decided, when it had come to that."""
    begun, images = dict[str, DeliverRequest](), None
    async for name, payloads in _asked_for(handle):
        if name in (send_media.__name__, deliver.__name__):
            [delivery] = await activity.client().data_converter.decode(payloads, [DeliverRequest])
            begun[delivery.output.type] = delivery
        if name == extract_images.__name__:
            [images] = await activity.client().data_converter.decode(payloads, [ImagesRequest])
        if name == clean_up.__name__:
            [decided] = await activity.client().data_converter.decode(payloads, [CleanUpRequest])
            return decided.deliveries, decided.images
    return [*begun.values()], images


async def _asked_for(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[tuple[str, Any]]:
    """Names and arguments of the activities of a run."""
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            yield scheduled.activity_type.name, scheduled.input.payloads


@activity.defn
async def remove_abandoned(job_type: str) -> list[str]:
    """Remove the workspaces of jobs that do not run, once nobody has written to them for long; returns their JobIds.

    A job that is still being taken back has its claims there.
    """
    settings, client = Settings.from_environment(), activity.client()
    before, removed = time.time() - settings.abandoned_after.total_seconds(), list[str]()
    with patient():
        if not await is_owned(settings, client):
            text = "the work store belongs to another namespace: nothing is removed from it"
            raise ApplicationError(text, non_retryable=True)
        async with beating(Progress()):
            kept = await kept_jobs(settings)
            running = await _open_jobs(job_type) if kept else set()
            for job_id in kept:
                if job_id not in running and await last_written(settings, job_id) < before and await _removed(job_id):
                    removed.append(job_id)
    return removed


async def _removed(job_id: str) -> bool:
    """Whether the workspace is gone: one that stays keeps no other, and is tried again by a later sweep."""
    try:
        await emptied(job_id)
    except StorageError as error:
        activity.logger.warning("the workspace of job %s stays: %s", job_id, error)
        return False
    return True


async def _open_jobs(job_type: str) -> set[str]:
    """Of the jobs that run, or whose leftovers are being removed by a workflow with their JobId in front of its id."""
    runs = activity.client().list_workflows("CloseTime IS NULL")
    return {job_id_of(run.id if run.workflow_type == job_type else run.id[:GUID_LENGTH]) async for run in runs}
