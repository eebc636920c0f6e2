"""What keeps many jobs from holding each other up, seen in the history of one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, DescribeWorkflowInput, Interceptor, OutboundInterceptor, WorkflowHandle

from activities import report
from activities.report import _Run
from tests.clips import Clips
from tests.integration.inside import activity_worker, service_inside
from tests.integration.service import Service
from tests.servers.temporal import TemporalServer
from workflows.client import connect
from workflows.options import PROGRESS_QUEUE, TRANSCODE_QUEUE

LANES = 2
"""Of a job with one publisher: the other shows progress in the UI."""


@pytest.fixture
async def service(
    tmp_path: Path, temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    async with service_inside(tmp_path / "service", temporal_server.address, monkeypatch) as service:
        yield service


async def test_a_job_ends_although_its_reporters_find_no_place(
    service: Service, temporal_server: TemporalServer, clip: Clips
) -> None:
    handle = await service.submit(service.job(service.source(clip())))
    async with asyncio.timeout(60):
        while (await told(handle)).scheduled["report_progress"] < LANES:
            await asyncio.sleep(0.1)
    async with activity_worker(await connect(temporal_server.address), TRANSCODE_QUEUE):
        ended = await service.end(handle)
    assert ended.names[-1] == "JobSuccess"
    assert [e["Progress"] for e in ended.events if e["EventType"] == "EncodingProgress"] == [100]
    history = await told(handle)
    assert history.started["report_progress"] == 0
    # Only phases that last have reporters: the timer of each such phase has fired.
    assert history.scheduled["report_progress"] <= LANES * history.fired
    assert history.ranks["validate"] > max(history.ranks[name] for name in ("acquire", "plan", "deliver", "clean_up"))


async def test_reporters_take_turns_where_places_are_few(
    service: Service, temporal_server: TemporalServer, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PLACES": 1, "TURN": 1.0, "REST": 1.0}.items():
        monkeypatch.setattr(report, name, value)
    client = await connect(temporal_server.address)
    handle = await service.submit(service.job(service.source(clip())))
    async with activity_worker(client, PROGRESS_QUEUE, max_concurrent_activities=1):
        async with asyncio.timeout(60):
            while sum(attempt > 1 for attempt in await attempts(handle)) < LANES:
                await asyncio.sleep(0.1)
        async with activity_worker(client, TRANSCODE_QUEUE):
            ended = await service.end(handle)
    assert ended.names[-1] == "JobSuccess"


async def attempts(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """Of the reporters of a run."""
    pending = (await handle.describe()).raw_description.pending_activities
    return [each.attempt for each in pending if each.activity_type.name == "report_progress"]


class Told:
    """What a history tells of activities, by their type."""

    def __init__(self, events: list[HistoryEvent]) -> None:
        tasks = {e.event_id: e.activity_task_scheduled_event_attributes for e in events}
        self.scheduled = Counter(task.activity_type.name for task in tasks.values())
        self.started = Counter(
            tasks[e.activity_task_started_event_attributes.scheduled_event_id].activity_type.name
            for e in events
            if e.HasField("activity_task_started_event_attributes")
        )
        self.fired = sum(e.event_type == EventType.EVENT_TYPE_TIMER_FIRED for e in events)
        self.ranks = {task.activity_type.name: task.priority.priority_key or 3 for task in tasks.values()}


async def told(handle: WorkflowHandle[Any, Any]) -> Told:
    return Told([event async for event in handle.fetch_history_events()])


class Counting(Interceptor):
    """Counts how often the server is asked for descriptions."""

    asked = 0

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - Temporal's name
        counting = self

        class Outbound(OutboundInterceptor):
            async def describe_workflow(self, input: DescribeWorkflowInput) -> Any:  # noqa: A002 - the same
                counting.asked += 1
                return await super().describe_workflow(input)

        return Outbound(next)


async def test_reporters_of_a_run_share_their_looks_at_the_server(temporal_server: TemporalServer) -> None:
    counting, run = Counting(), _Run(reporters=6)
    client = await Client.connect(temporal_server.address, interceptors=[counting])
    handle = await client.start_workflow("Any", id="looked-at", task_queue="nobody-listens")
    await asyncio.gather(*(run.look(handle) for _ in range(6)))
    assert counting.asked == 1
    await asyncio.sleep(run.look_interval)
    await run.look(handle)
    assert counting.asked == 2
    await handle.terminate()
