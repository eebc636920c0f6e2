import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.notify import ReportRequest, Share, Watch, report_progress
from publishers.events import Sender
from tests.servers.proxy import Proxy
from tests.servers.temporal import TemporalServer

SECONDS = 3.0
USUAL = 60
"""Beats in that time, of a reporter that is alone."""


async def test_a_slow_server_gets_fewer_beats(temporal_server: TemporalServer) -> None:
    watch = Watch("Encoding", None, Sender(str(uuid4()), "tenant"), 1, datetime.now(UTC), [Share("package", 1)])
    with Proxy(temporal_server.port) as proxy:
        client = await Client.connect(f"127.0.0.1:{proxy.port}")
        run = await client.start_workflow("EncodingJob", id=str(uuid4()), task_queue="nobody's")
        environment, beaten = ActivityEnvironment(client), list[object]()
        environment.on_heartbeat = lambda *details: beaten.append(details)
        info = ActivityEnvironment.default_info()
        environment.info = replace(info, workflow_id=run.id, workflow_run_id=run.first_execution_run_id)
        proxy.delay = 0.3
        reporting = asyncio.create_task(environment.run(report_progress, ReportRequest(watch, None)))
        await asyncio.sleep(SECONDS)  # until the first answer, it does not know
        beaten.clear()
        await asyncio.sleep(SECONDS)
        environment.cancel()
        await reporting
        proxy.delay = 0.0
        await run.terminate()
    assert 1 < len(beaten) < USUAL / 4
