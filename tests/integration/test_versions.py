"""Two versions of the service at once, and Temporal leads each job to workers of one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    SetWorkerDeploymentCurrentVersionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.clips import Clips
from tests.integration.service import Service
from tests.servers.process import started
from tests.servers.temporal import TemporalServer

Handle = WorkflowHandle[Any, Any]
FLEET = "encoding-fleet"
NOT_YET = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.FAILED_PRECONDITION,  # some of its queues have no worker yet
    # The server keeps its own books of versions by workflows, which take a while on a busy machine.
    *(
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
    ),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TemporalServer]:
    """Its own: where a version is the current one, workers without get no new jobs."""
    server = TemporalServer(tmp_path)
    with started(server):
        yield server


def version(folder: Path, server: TemporalServer, build_id: str, **settings: str) -> Service:
    """A worker, beside others whose files it shares."""
    roots = {"ENCODING_FILES_ROOT": str(folder), "ENCODING_WORK_ROOT": str(folder / "work")}
    names = {"ENCODING_DEPLOYMENT": FLEET, "ENCODING_BUILD_ID": build_id}
    return Service(folder / build_id, server.address, **roots, **names, **settings)


async def make_current(service: Service, build_id: str) -> None:
    """As soon as the server knows the version's workers."""
    client = await service.client()
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=FLEET, build_id=build_id, identity="tests"
    )
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            if error.status not in NOT_YET:
                raise
            await asyncio.sleep(0.1)
        else:
            return


def small(service: Service, clip: Clips) -> dict[str, Any]:
    job = service.job(service.source(clip(seconds=1, size="160x90")))
    job["ContentProcessing"] |= {"OutputFormat": ["Cmaf"], "VideoRepresentations": [{"BitrateInKbps": 60}]}
    return job


async def begun(service: Service, job: Any) -> Handle:
    """A job that has begun, and waits."""
    handle = await service.submit(job)
    await handle.signal("pause")
    await service.wait_for(handle.id, "JobCreated")
    return handle


async def workers_of(handle: Handle, activity: str = "") -> list[int]:
    """The processes that did the workflow tasks of a run, or one kind of its activities, in order."""
    found, wanted = list[int](), set[int]()
    async for event in handle.fetch_history_events():
        if event.activity_task_scheduled_event_attributes.activity_type.name == activity:
            wanted.add(event.event_id)
        done = (
            event.activity_task_started_event_attributes if activity else event.workflow_task_completed_event_attributes
        )
        if done.identity and (not activity or done.scheduled_event_id in wanted):
            found.append(int(done.identity.partition("@")[0]))
    return list(dict.fromkeys(found))


@pytest.mark.slow
async def test_pinned_jobs_end_where_they_began(server: TemporalServer, tmp_path: Path, clip: Clips) -> None:
    with started(first := version(tmp_path, server, "1-pinned", ENCODING_VERSIONING="pinned")):
        await make_current(first, "1-pinned")
        job = small(first, clip)
        old, moved = [await begun(first, job) for _ in range(2)]
        with started(second := version(tmp_path, server, "2-pinned", ENCODING_VERSIONING="pinned")):
            await make_current(second, "2-pinned")
            new = await first.submit(job)
            await let_go(moved)
            for handle in (new, old, moved):
                await handle.signal("resume")
                assert (await first.end(handle)).names[-1] == "JobSuccess", first.log[-2000:] + second.log[-2000:]
            assert await workers_of(old) == await workers_of(old, "encode_chunk") == [first.pid]
            assert await workers_of(moved) == [first.pid, second.pid]
            assert await workers_of(new) == await workers_of(new, "encode_chunk") == [second.pid]


async def let_go(handle: Handle) -> None:
    """Move one pinned job, as an operator does."""
    client = handle._client
    override = VersioningOverride(auto_upgrade=True)
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.id),
        workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
        update_mask=FieldMask(paths=["versioning_override"]),
    )
    await client.workflow_service.update_workflow_execution_options(request)


@pytest.mark.slow
async def test_other_jobs_move_and_need_nothing_of_the_old_version(
    server: TemporalServer, tmp_path: Path, clip: Clips
) -> None:
    with started(first := version(tmp_path, server, "1-moving")):
        await make_current(first, "1-moving")
        old = await begun(first, small(first, clip))
        with started(second := version(tmp_path, server, "2-moving")):
            await make_current(second, "2-moving")
            pid = first.pid
            first.stop()
            await old.signal("resume")
            assert (await first.end(old)).names[-1] == "JobSuccess", second.log[-3000:]
            assert await workers_of(old) == [pid, second.pid]
            assert await workers_of(old, "encode_chunk") == [second.pid]
