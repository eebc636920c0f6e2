"""Runs the service's workers: `python worker.py`, settings from the environment (see `encoding worker --help`)."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from activities.settings import Settings
from workflows.client import connect
from workflows.logs import log_to_stderr
from workflows.plugin import workers
from workflows.schedule import sweep_regularly

logger = logging.getLogger(__name__)

M_ARENA_MAX = -8
"""Of `mallopt` in glibc's `malloc.h`."""


async def _serve() -> None:
    settings = Settings.from_environment()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await connect(runtime=_runtime())
    async with workers(client, settings):
        if settings.role in ("all", "control") and settings.sweep_interval:
            await sweep_regularly(client, settings.sweep_interval)
        logger.info("worker is ready: role %s, namespace %s", settings.role, client.namespace)
        if version := settings.version:
            logger.info(
                "jobs come to it once its version is the current one: temporal worker deployment set-current-version "
                "--deployment-name %s --build-id %s",
                version.deployment,
                version.build_id,
            )
        await stop.wait()
        logger.info("worker is asked to stop: running activities get %s", settings.shutdown_grace)


def _runtime() -> Runtime | None:
    """Temporal's runtime, with metrics for Prometheus where an address for them is set."""
    address = os.environ.get("ENCODING_METRICS_ADDRESS")
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address))) if address else None
    except ValueError as error:
        what = f"ENCODING_METRICS_ADDRESS is {address!r}; it must be an IP address and a free port"
        raise ValueError(f"{what} ({error})") from None


def _share_one_heap() -> None:
    """All threads: glibc gives each one of its own, and in those of the SDK's core holes grow with every job."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def main() -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    _share_one_heap()
    try:
        log_to_stderr(os.environ.get("ENCODING_LOG_LEVEL", "INFO"))
        asyncio.run(_serve())
    except (ValueError, RuntimeError) as error:
        sys.exit(f"the worker cannot start: {error}")


if __name__ == "__main__":
    main()
