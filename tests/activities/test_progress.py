import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.notify import Share, Watch
from activities.report import Reported, ReportRequest, report_progress
from publishers.events import Sender
from tests.servers.temporal import TemporalServer


async def test_a_reporter_goes_on_when_the_server_does_not_tell_it_anything(temporal_server: TemporalServer) -> None:
    watch = Watch("Encoding", None, Sender(str(uuid4()), "tenant"), 1, datetime.now(UTC), [Share("package", 1)])
    environment = ActivityEnvironment(await Client.connect(temporal_server.address))
    info = ActivityEnvironment.default_info()
    environment.info = replace(info, workflow_id="no such run", workflow_run_id=str(uuid4()))
    reporting = asyncio.create_task(environment.run(report_progress, ReportRequest(watch, None)))
    done, _ = await asyncio.wait([reporting], timeout=2)
    assert not done
    environment.cancel()
    assert await reporting == Reported()
