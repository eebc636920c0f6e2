"""The single wiring: everything that turns a plain Temporal client or worker into one of the service."""

from collections.abc import Callable
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.notify import publish_events, report_progress
from activities.server import registered_search_attributes, request_cancel
from activities.settings import Settings
from workflows.encoding import EncodingJob
from workflows.interceptor import LifecycleInterceptor
from workflows.options import CONTROL_QUEUE, OPTIONS, TRANSCODE_QUEUE

# Only workflows/encoding.py is loaded anew for every run. The rest is imported once and shared: it is pure, or
# consists of activities that the workflow merely names.
SHARED_MODULES = (
    "activities",
    "publishers",
    "langcodes",
    "pydantic",
    "pydantic_core",
    "regex",
    "workflows.board",
    "workflows.interceptor",
    "workflows.job",
    "workflows.lifecycle",
    "workflows.options",
    "workflows.outbox",
)


def client_plugin() -> SimplePlugin:
    """For whoever starts and watches jobs."""
    return SimplePlugin("encoding-client", data_converter=pydantic_data_converter)


def control_plugin(settings: Settings) -> SimplePlugin:
    """For workers (and replayers) of the queue `encoding`: workflows, transfers and events."""
    own: list[Callable[..., Any]] = [publish_events, report_progress, registered_search_attributes, request_cancel]
    return SimplePlugin(
        "encoding-control",
        data_converter=pydantic_data_converter,
        workflows=[EncodingJob],
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules(*SHARED_MODULES)
        ),
        activities=[*_activities_of(CONTROL_QUEUE), *own],
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


def transcode_plugin(settings: Settings) -> SimplePlugin:
    """For workers of the queue `encoding-transcode`: whatever keeps cores busy."""
    return SimplePlugin(
        "encoding-transcode",
        activities=_activities_of(TRANSCODE_QUEUE),
        interceptors=[LifecycleInterceptor(settings.delivery_deadline)],
    )


def _activities_of(queue: str) -> list[Callable[..., Any]]:
    return [activity for activity, options in OPTIONS.items() if options.queue == queue]
