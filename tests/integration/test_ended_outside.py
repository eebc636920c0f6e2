"""Runs that were ended from outside: by an operator, or by a time limit."""

import asyncio
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import ScheduleHandle, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError

from tests.clips import Clips
from tests.integration.service import Event, Service, running
from tests.integration.sweeping import Handle, ending, sweep
from tests.servers.process import started
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.temporal import TemporalServer

DAY = 86_400


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """On a server of its own: a sweep takes all jobs. The schedule exists, and is started by these tests alone."""
    server, folder = TemporalServer(tmp_path_factory.mktemp("swept")), tmp_path_factory.mktemp("ended")
    with started(server), running(folder, server.address, ENCODING_SWEEP_SECONDS=str(DAY)) as service:
        yield service


async def schedule_of(service: Service) -> ScheduleHandle:
    return (await service.client()).get_schedule_handle("encoding-sweep")


def lifecycle(events: list[Event]) -> list[Event]:
    return [event for event in events if "Progress" not in event]


async def test_a_terminated_job_is_told_once_to_all_and_its_files_are_removed(
    service: Service, rabbitmq: RabbitMQ, clip: Clips
) -> None:
    rabbitmq.declare_queue("ended")
    queue = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": rabbitmq.host, "Port": rabbitmq.port, "Queue": "ended"}
    queue |= {"CredentialsName": rabbitmq.user, "CredentialsSecret": rabbitmq.password}
    job = service.job(service.source(clip(seconds=20, size="1280x720"), name="long"))
    job["ContentProcessing"] |= {"VideoRepresentations": [{"Height": 720, "BitrateInKbps": 1000}]}
    job["MessagePublishers"].append(queue)
    handle = await service.submit(job)
    await service.wait_for(handle.id, "EncodingProgress")
    assert (service.work / handle.id).exists()
    await handle.terminate(reason="the wrong title")
    await (await schedule_of(service)).trigger()
    final = await service.wait_for(handle.id, "FinalError")
    assert await (await ending(service, handle)).result() == [None, None]
    await sweep(service)
    events = lifecycle(service.events(handle.id))
    assert [event["SequenceNumber"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1] == final
    assert (final["Code"], final["Error"], final["Phase"]) == (5000, "Internal Error", "Encoding")
    assert final["Message"].startswith("The job was terminated by ")
    assert final["Message"].endswith(": the wrong title")
    received = [body for _, body in await asyncio.to_thread(rabbitmq.drain, "ended")]
    assert lifecycle(received) == events
    assert not (service.work / handle.id).exists()
    assert service.tools() == []


async def test_a_job_whose_time_is_up_is_told_also_when_the_worker_dies_meanwhile(
    service: Service, clip: Clips
) -> None:
    client, job = await service.client(), service.job(service.source(clip(), name="short"))
    limit = timedelta(seconds=3)
    handle = await client.start_workflow(
        "EncodingJob", job, id=str(uuid.uuid4()), task_queue="encoding", execution_timeout=limit
    )
    await handle.signal("pause")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    end = await ending(service, handle)
    service.kill()
    service.start()
    await sweep(service)
    await end.result()
    finals = [event for event in service.events(handle.id) if event["EventType"] == "FinalError"]
    assert len(finals) == 1
    assert "time was up" in finals[0]["Message"]
    assert finals[0]["SequenceNumber"] == len(lifecycle(service.events(handle.id)))


async def test_what_ended_by_itself_or_goes_on_is_left_alone(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="short"))
    ended = await service.end(by_itself := await service.submit(job))
    again = await service.submit(job | {"Unheard": "of"})
    await again.terminate(reason="to be started again")
    client = await service.client()
    await client.start_workflow(
        "EncodingJob",
        job,
        id=again.id,
        task_queue="encoding",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    assert await (await ending(service, again)).result() == []
    repeated = await service.end(client.get_workflow_handle(again.id))
    assert service.events(ended.job_id) == ended.events
    with pytest.raises(RPCError, match="not found"):
        await client.get_workflow_handle(f"{by_itself.id}-final-{by_itself.result_run_id}").describe()
    assert "FinalError" not in repeated.names
    assert repeated.names[-1] == "JobSuccess"


async def test_only_workspaces_that_are_old_and_of_no_running_job_are_removed(service: Service, clip: Clips) -> None:
    paused = await service.submit(service.job(service.source(clip(), name="short")))
    await paused.signal("pause")
    old, new, ending = (service.work / str(uuid.uuid4()) for _ in range(3))
    foreign, running_job = service.work / "movies", service.work / paused.id
    for folder in (old, new, ending, foreign, running_job):
        folder.mkdir(exist_ok=True)
    for folder in (old, ending, foreign, running_job):
        os.utime(folder, (time.time() - 2 * DAY,) * 2)
    client = await service.client()
    end = await client.start_workflow("EndJob", id=f"{ending.name}-final-{uuid.uuid4()}", task_queue="nobody-listens")
    while True:  # servers list a moment later what has begun
        await asyncio.sleep(0.1)
        if [run async for run in client.list_workflows(f"WorkflowId = '{end.id}'")]:
            break
    await sweep(service)
    assert [f.exists() for f in (old, new, ending, foreign, running_job)] == [False, True, True, True, True]
    await end.terminate()
    await paused.cancel()
    await service.end(paused)


@dataclass(frozen=True)
class HalfPublished:
    """A job of which one format arrives, and the other does not until there is room for it."""

    job: dict[str, Any]
    output: Path
    make_room: Callable[[], object]

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.output)) for path in self.output.rglob("*") if path.is_file())

    async def terminated(self, service: Service) -> Handle:
        handle = await service.submit(self.job)
        await service.wait_for(handle.id, "ContentPublished")
        await handle.terminate(reason="the wrong title")
        return handle


@pytest.fixture
def half_published(service: Service, clip: Clips, mounted: Callable[..., Path]) -> HalfPublished:
    job = service.job(service.source(clip(), name="short"), ImageExtraction={"Intervals": [50]})
    output = Path(job["ContentPublishing"]["UriPath"])
    output.mkdir(parents=True)
    small = mounted(output / "hls", "-t", "tmpfs", "-o", "size=16k", "tmpfs")
    return HalfPublished(job, output, lambda: subprocess.run(["mount", "-o", "remount,size=8m", small], check=True))


async def test_what_a_terminated_job_has_published_is_withdrawn(
    service: Service, half_published: HalfPublished
) -> None:
    handle = await half_published.terminated(service)
    assert {"dash/manifest.mpd", "images/preview_1.jpg"} < {*half_published.files()}
    (half_published.output / "poster.jpg").touch()
    await (await ending(service, handle)).result()
    assert half_published.files() == ["poster.jpg"]
    assert not (service.work / handle.id).exists()


@pytest.mark.slow
async def test_what_another_job_has_published_since_stays(service: Service, half_published: HalfPublished) -> None:
    handle = await half_published.terminated(service)
    half_published.make_room()
    repeated = await service.run(half_published.job)
    assert repeated.names[-1] == "JobSuccess"
    complete = half_published.files()
    assert {"dash/manifest.mpd", "hls/manifest.m3u8"} < {*complete}
    await (await ending(service, handle)).result()
    assert half_published.files() == complete
