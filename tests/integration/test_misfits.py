"""Workers and servers in a state that nobody planned for. Each test has a worker of its own."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import Worker

from activities.settings import Settings
from tests.clips import Clips
from tests.integration.service import Service, running
from tests.servers.temporal import TemporalServer
from workflows.client import connect
from workflows.options import CONTROL_QUEUE, FILES_QUEUE, MEDIA_QUEUE, TRANSCODE_QUEUE
from workflows.plugin import activity_plugin, control_plugin


async def test_5000_an_error_that_nobody_foresaw(tmp_path: Path, temporal_server: TemporalServer, clip: Clips) -> None:
    with running(tmp_path / "service", temporal_server.address) as service:
        # A file where the work folder was: no activity expects that.
        shutil.rmtree(service.work)
        service.work.write_text("")
        ended = await service.run(service.job(service.source(clip())))
        assert (ended.error["Code"], ended.error["Error"]) == (5000, "Internal Error")
        assert "log" in ended.error["Message"]
        assert str(tmp_path) not in ended.error["Message"]
        assert "NotADirectoryError" in service.log


@pytest.mark.slow
async def test_the_temporal_server_is_killed_in_the_middle(tmp_path: Path, clip: Clips) -> None:
    with own_server(tmp_path) as server, running(tmp_path / "service", server.address) as service:
        job = service.job(service.source(clip(seconds=20, size="1280x720")))
        handle = await service.submit(job)
        await service.wait_for(handle.id, "EncodingProgress")
        server.kill()
        await asyncio.sleep(1)
        server.start()
        again = (await service.client()).get_workflow_handle(handle.id)
        ended = await service.end(again)
        assert ended.names[-1] == "JobSuccess"
        numbers = [event["SequenceNumber"] for event in ended.lifecycle]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_server_without_our_search_attributes_runs_jobs(tmp_path: Path, clip: Clips) -> None:
    with own_server(tmp_path, search_attributes=()) as server, running(tmp_path / "s", server.address) as service:
        ended = await service.run(service.job(service.source(clip())))
        assert ended.names[-1] == "JobSuccess"


async def test_any_arguments_come_to_an_end(tmp_path: Path, temporal_server: TemporalServer, clip: Clips) -> None:
    with running(tmp_path / "service", temporal_server.address) as service:
        job = service.job(service.source(clip()))
        undecodable = RawValue(Payload(metadata={"encoding": b"binary/encrypted"}, data=b"x"))
        not_json = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{"))
        for arguments, status in (
            ([], "FAILED"),
            ([job, job], "COMPLETED"),
            ([undecodable], "FAILED"),
            ([undecodable, undecodable], "FAILED"),
            ([not_json], "FAILED"),
        ):
            ended = await _end(service, await service.client(), arguments)
            assert ended == status, arguments


async def test_half_a_character_and_an_unreadable_memo_hide_neither_a_job_nor_a_cancel(
    tmp_path: Path, temporal_server: TemporalServer, clip: Clips
) -> None:
    """As JavaScript and Python write a text that was cut in two within an emoji."""
    with running(tmp_path / "service", temporal_server.address) as service:
        client, job = await service.client(), service.job(service.source(clip()))
        memo = {"Paused": RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"oops"))}
        for external_id, cancelled, code in (("\ud83d", False, 5003), ("title", True, 5001)):
            text = json.dumps(job | {"ExternalId": external_id}).encode()
            handle = await client.start_workflow(
                "EncodingJob",
                RawValue(Payload(metadata={"encoding": b"json/plain"}, data=text)),
                id=str(uuid4()),
                task_queue="encoding",
                memo=memo,
                start_signal="cancel" if cancelled else None,
                start_signal_args=[RawValue(Payload(metadata={"encoding": b"json/plain"}, data=rb'"why \ud83d"'))],
            )
            ended = await service.end(handle)
            assert ended.error["Code"] == code
            assert ("The job was cancelled: why ?" if cancelled else "ExternalId") in ended.error["Message"]


async def _end(service: Service, client: Client, arguments: list[Any]) -> str:
    handle = await client.start_workflow("EncodingJob", args=arguments, id=f"{id(arguments)}", task_queue="encoding")
    return (await service.end(handle)).status


@pytest.mark.slow
async def test_a_worker_that_forgets_every_run_replays_to_the_same(
    tmp_path: Path, temporal_server: TemporalServer, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path / "service", temporal_server.address)
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(service.root))
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(service.work))
    client, settings = await connect(temporal_server.address), Settings.from_environment()
    control = Worker(client, task_queue=CONTROL_QUEUE, plugins=[control_plugin(settings)], max_cached_workflows=0)
    files, media, transcode = [
        Worker(client, task_queue=queue, plugins=[activity_plugin(settings, queue)])
        for queue in (FILES_QUEUE, MEDIA_QUEUE, TRANSCODE_QUEUE)
    ]
    async with control, files, media, transcode:
        ended = await service.run(service.job(service.source(clip())))
    assert ended.names[0] == "JobCreated"
    assert ended.names[-1] == "JobSuccess"
    assert [event["SequenceNumber"] for event in ended.lifecycle] == list(range(1, len(ended.lifecycle) + 1))


@contextmanager
def own_server(folder: Path, **options: Any) -> Iterator[TemporalServer]:
    server = TemporalServer(folder, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
