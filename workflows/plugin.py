"""The single wiring: everything that turns a plain Temporal worker into one of the service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.ended import end_runs, read_ended
from activities.leftovers import remove_abandoned, remove_workspace
from activities.notify import check_receivers, publish_events
from activities.report import BEAT_INTERVAL, PLACES, report_progress
from activities.server import registered_search_attributes, request_cancel
from activities.settings import Settings
from activities.store.owner import own_store
from activities.store.work import usable_store
from publishers.connections import close_connections
from workflows.codec import data_converter
from workflows.encoding import EncodingJob
from workflows.interceptor import LifecycleInterceptor
from workflows.options import CONTROL_QUEUE, FILES_QUEUE, MEDIA_QUEUE, OPTIONS, PROGRESS_QUEUE, TRANSCODE_QUEUE
from workflows.resend import ResendEvents
from workflows.sweep import EndJob, RemoveJob, Sweep

HEARTBEATS = timedelta(seconds=1)
"""How stale progress may be at the server, and how long a cancel takes to arrive."""
REPORTER_HEARTBEATS = timedelta(seconds=BEAT_INTERVAL)
EVENT_SLOTS = 2000
"""Activities of the queue `encoding` at once: they wait for receivers more than they work."""

# Only the workflows' own files are loaded anew for every run. The rest is imported once and shared: it is pure, or
# consists of activities that the workflow merely names.
SHARED_MODULES = (
    "activities",
    "azure",
    "publishers",
    "langcodes",
    "pydantic",
    "pydantic_core",
    "regex",
    "workflows.board",
    "workflows.film",
    "workflows.interceptor",
    "workflows.job",
    "workflows.lifecycle",
    "workflows.markdown",
    "workflows.options",
    "workflows.outbox",
    "workflows.output",
    "workflows.picture",
    "workflows.record",
    "workflows.tasks",
    "workflows.turns",
)


def control_plugin(settings: Settings) -> SimplePlugin:
    """For workers (and replayers) of the queue `encoding`: workflows and events."""
    own: list[Callable[..., Any]] = [
        *(check_receivers, publish_events),
        *(registered_search_attributes, request_cancel),
        *(end_runs, read_ended, remove_abandoned, remove_workspace),
    ]
    return SimplePlugin(
        "encoding-control",
        data_converter=data_converter(),
        workflows=[EncodingJob, ResendEvents, Sweep, EndJob, RemoveJob],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*SHARED_MODULES)
        ),
        activities=[*OPTIONS, report_progress, *own],
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


def activity_plugin(settings: Settings, queue: str) -> SimplePlugin:
    """For workers of any other queue, which run activities alone."""
    return SimplePlugin(
        queue,
        activities=[report_progress] if queue == PROGRESS_QUEUE else [*OPTIONS],
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


@asynccontextmanager
async def workers(client: Client, settings: Settings) -> AsyncIterator[None]:
    """Run the workers of the configured role inside the block; leaving it lets running activities finish.

    Raises:
        RuntimeError: this machine cannot use its work folder or the work store, or another namespace has it.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, close_connections)
        await stack.enter_async_context(usable_store(settings))
        await own_store(settings, client)
        control = control_workers(client, settings) if settings.role in ("all", "control") else []
        transcode = _transcode_workers(client, settings) if settings.role in ("all", "transcode") else []
        for worker in control + transcode:
            await stack.enter_async_context(worker)
        stack.push_async_callback(_drained, [each for each in control + transcode if each.task_queue != CONTROL_QUEUE])
        yield


async def _drained(workers: list[Worker]) -> None:
    """Ask them all at once to stop: they share one grace, and events still flow meanwhile."""
    await asyncio.gather(*(worker.shutdown() for worker in workers))


def control_workers(client: Client, settings: Settings, *more: SimplePlugin) -> list[Worker]:
    """Of the role `control`: for workflows and events, for reporters, for files. `more` is for each of them."""
    files, reporters = (activity_plugin(settings, queue) for queue in (FILES_QUEUE, PROGRESS_QUEUE))
    hasty = replace(settings, shutdown_grace=timedelta(0))  # a reporter can go on elsewhere at any moment
    return [
        _worker(client, settings, CONTROL_QUEUE, EVENT_SLOTS, control_plugin(settings), *more),
        _worker(client, hasty, PROGRESS_QUEUE, PLACES, reporters, *more, beats=REPORTER_HEARTBEATS),
        _worker(client, settings, FILES_QUEUE, settings.file_slots, files, *more),
    ]


def _transcode_workers(client: Client, settings: Settings) -> list[Worker]:
    return [
        _worker(client, settings, queue, settings.transcode_slots, activity_plugin(settings, queue))
        for queue in (MEDIA_QUEUE, TRANSCODE_QUEUE)
    ]


def _worker(
    client: Client,
    settings: Settings,
    queue: str,
    slots: int,
    *plugins: SimplePlugin,
    beats: timedelta = HEARTBEATS,
) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        plugins=plugins,
        max_concurrent_activities=slots,
        max_heartbeat_throttle_interval=beats,
        graceful_shutdown_timeout=settings.shutdown_grace,
        deployment_config=_deployment(settings),
    )


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """The same for all queues: activities of a job go to the version that the job is on."""
    version = settings.version
    if not version:
        return None
    return WorkerDeploymentConfig(
        WorkerDeploymentVersion(version.deployment, version.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED if version.pins else VersioningBehavior.AUTO_UPGRADE,
    )
