"""Runs the service's workers: `python worker.py`, settings from the environment (see `encoding worker --help`)."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.settings import Settings
from workflows.client import connect
from workflows.options import CONTROL_QUEUE, TRANSCODE_QUEUE
from workflows.plugin import control_plugin, transcode_plugin

logger = logging.getLogger(__name__)

# How stale progress is, and how long a cancel takes to arrive, follow from these.
CONTROL_HEARTBEATS = timedelta(milliseconds=100)
TRANSCODE_HEARTBEATS = timedelta(seconds=1)


@asynccontextmanager
async def workers(client: Client, settings: Settings) -> AsyncIterator[None]:
    """Run the workers of the configured role inside the block; leaving it lets running activities finish."""
    async with AsyncExitStack() as stack:
        if settings.role in ("all", "control"):
            await stack.enter_async_context(_control_worker(client, settings))
        if settings.role in ("all", "transcode"):
            await stack.enter_async_context(_transcode_worker(client, settings))
        yield  # left in reverse: events still flow while the encoders drain


def _control_worker(client: Client, settings: Settings) -> Worker:
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        plugins=[control_plugin(settings)],
        max_heartbeat_throttle_interval=CONTROL_HEARTBEATS,
        graceful_shutdown_timeout=settings.shutdown_grace,
    )


def _transcode_worker(client: Client, settings: Settings) -> Worker:
    return Worker(
        client,
        task_queue=TRANSCODE_QUEUE,
        plugins=[transcode_plugin(settings)],
        max_concurrent_activities=settings.transcode_slots,
        max_heartbeat_throttle_interval=TRANSCODE_HEARTBEATS,
        graceful_shutdown_timeout=settings.shutdown_grace,
    )


async def _serve() -> None:
    settings = Settings.from_environment()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect()
    async with workers(client, settings):
        logger.info("worker is ready: role %s, namespace %s", settings.role, client.namespace)
        await stop.wait()
        logger.info("worker is asked to stop: running activities get %s", settings.shutdown_grace)


def main() -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    logging.basicConfig(
        level=os.environ.get("ENCODING_LOG_LEVEL", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(_serve())
    except (ValueError, RuntimeError) as error:
        sys.exit(f"the worker cannot start: {error}")


if __name__ == "__main__":
    main()
