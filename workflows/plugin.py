"""The single wiring: everything that turns a plain Temporal worker into one of the service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.ended import end_runs, read_ended, remove_abandoned, remove_workspace
from activities.notify import BEAT_INTERVAL, check_receivers, publish_events, report_progress
from activities.server import registered_search_attributes, request_cancel
from activities.settings import Settings
from activities.store.work import usable_store
from publishers.connections import close_connections
from workflows.codec import data_converter
from workflows.encoding import EncodingJob
from workflows.interceptor import LifecycleInterceptor
from workflows.options import CONTROL_QUEUE, MEDIA_QUEUE, OPTIONS, TRANSCODE_QUEUE
from workflows.resend import ResendEvents
from workflows.sweep import EndJob, Sweep

# How stale progress is, and how long a cancel takes to arrive, follow from these.
CONTROL_HEARTBEATS = timedelta(seconds=BEAT_INTERVAL)
CONTROL_SLOTS = 2000
"""Activities of the queue `encoding` at once: they wait more than they work, and reporters stay for a whole phase."""
TRANSCODE_HEARTBEATS = timedelta(seconds=1)

# Only the workflows' own files are loaded anew for every run. The rest is imported once and shared: it is pure, or
# consists of activities that the workflow merely names.
SHARED_MODULES = (
    "activities",
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
    "workflows.options",
    "workflows.outbox",
    "workflows.turns",
)


def control_plugin(settings: Settings) -> SimplePlugin:
    """For workers (and replayers) of the queue `encoding`: workflows, transfers and events."""
    own: list[Callable[..., Any]] = [
        *(check_receivers, publish_events, report_progress),
        *(registered_search_attributes, request_cancel),
        *(end_runs, read_ended, remove_abandoned, remove_workspace),
    ]
    return SimplePlugin(
        "encoding-control",
        data_converter=data_converter(),
        workflows=[EncodingJob, ResendEvents, Sweep, EndJob],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*SHARED_MODULES)
        ),
        activities=[*OPTIONS, *own],
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


def transcode_plugin(settings: Settings, queue: str) -> SimplePlugin:
    """For workers of the queue `encoding-transcode` or `encoding-media`."""
    return SimplePlugin(
        queue,
        activities=[*OPTIONS],
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


@asynccontextmanager
async def workers(client: Client, settings: Settings) -> AsyncIterator[None]:
    """Run the workers of the configured role inside the block; leaving it lets running activities finish.

    Raises:
        RuntimeError: this machine cannot use its work folder, or the work store.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, close_connections)
        await stack.enter_async_context(usable_store(settings))
        if settings.role in ("all", "control"):
            await stack.enter_async_context(_control_worker(client, settings))
        if settings.role in ("all", "transcode"):
            for queue in (MEDIA_QUEUE, TRANSCODE_QUEUE):
                await stack.enter_async_context(_transcode_worker(client, settings, queue))
        yield  # left in reverse: events still flow while the encoders drain


def _control_worker(client: Client, settings: Settings) -> Worker:
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        plugins=[control_plugin(settings)],
        max_concurrent_activities=CONTROL_SLOTS,
        max_heartbeat_throttle_interval=CONTROL_HEARTBEATS,
        graceful_shutdown_timeout=settings.shutdown_grace,
    )


def _transcode_worker(client: Client, settings: Settings, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        plugins=[transcode_plugin(settings, queue)],
        max_concurrent_activities=settings.transcode_slots,
        max_heartbeat_throttle_interval=TRANSCODE_HEARTBEATS,
        graceful_shutdown_timeout=settings.shutdown_grace,
    )
