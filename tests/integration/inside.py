"""Workers inside the test: it can say what they have places for, and what goes wrong in them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.settings import Settings
from tests.integration.service import Service
from workflows.client import connect
from workflows.options import CONTROL_QUEUE, FILES_QUEUE, MEDIA_QUEUE
from workflows.plugin import activity_plugin, control_plugin


@asynccontextmanager
async def service_inside(folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A control worker that has no place for reporters; nobody encodes pictures yet."""
    service = Service(folder, address)
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(service.root))
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(service.work))
    client, settings = await connect(address), Settings.from_environment()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Worker(client, task_queue=CONTROL_QUEUE, plugins=[control_plugin(settings)]))
        for queue in (FILES_QUEUE, MEDIA_QUEUE):
            await stack.enter_async_context(activity_worker(client, queue))
        yield service


def activity_worker(client: Client, queue: str, **options: Any) -> Worker:
    plugin = activity_plugin(Settings.from_environment(), queue)
    return Worker(client, task_queue=queue, plugins=[plugin], **options)
