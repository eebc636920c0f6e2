"""Sweeps at the moment that a test chooses."""

import uuid
from contextlib import suppress
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from tests.integration.service import Service

Handle = WorkflowHandle[Any, Any]


async def sweep(service: Service) -> None:
    client = await service.client()
    await client.execute_workflow("Sweep", id=f"sweep-{uuid.uuid4()}", task_queue="encoding")


async def ending(service: Service, handle: Handle) -> Handle:
    """The workflow that ends this run, as soon as a sweep has begun it; servers list a moment later what has closed."""
    end = (await service.client()).get_workflow_handle(f"{handle.id}-final-{handle.result_run_id}")
    while True:
        await sweep(service)
        with suppress(RPCError):
            await end.describe()
            return end
