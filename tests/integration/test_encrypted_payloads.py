"""A service whose payloads Temporal cannot read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from publishers.events import Message
from tests.clips import Clips
from tests.integration.service import running
from tests.integration.test_delivery import history_of
from tests.servers.temporal import TemporalServer
from workflows import client as jobs
from workflows.codec import VARIABLE, create_key

TITLE = "a-title-that-nobody-may-know"


async def test_a_job_runs_and_its_history_tells_nothing(
    tmp_path: Path, temporal_server: TemporalServer, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tmp_path / "key")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with running(tmp_path / "service", temporal_server.address) as service:
        client = await jobs.connect(temporal_server.address)
        job = service.job(service.source(clip(seconds=20, size="1280x720")), ExternalId=TITLE, TenantId="studio")
        handle = await jobs.submit(client, job)
        followed: list[Message] = [event async for event in jobs.follow(handle)]
        await jobs.ended(handle)
        # Progress is read from encrypted heartbeats as well.
        assert any(0 < (event.progress or 0) < 100 for event in followed)
        told = [event.body for event in followed if event.progress is None]
        assert told == [event for event in service.events(handle.id) if "Progress" not in event]
        failed = await jobs.submit(client, job | {"Unheard": TITLE})
        await jobs.ended(failed)
        # A client without the key can start jobs all the same.
        foreign = await service.submit(service.job(service.source(clip(), name="short")))
        await service.wait_for(foreign.id, "JobSuccess")
        for each in (handle, failed):
            history = (await history_of(each)).replace(
                TITLE, "", 1
            )  # ExternalId is a search attribute: it is to be found
            assert TITLE not in history
            assert "VideoStreamExpression" not in history
            assert "OutputFormat" not in history


async def test_failures_in_history_tell_nothing(
    tmp_path: Path, temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(tmp_path / "key")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with running(tmp_path / "service", temporal_server.address) as service:
        client = await jobs.connect(temporal_server.address)
        handle = await jobs.submit(client, service.job(service.root / TITLE))
        await jobs.ended(handle)
        [*_, error] = service.events(handle.id)
        assert (error["EventType"], TITLE in error["Message"]) == ("FinalError", True)
        assert TITLE not in await history_of(handle)


@pytest.mark.slow
async def test_a_worker_without_the_key_leaves_the_job_to_one_that_has_it(
    tmp_path: Path, temporal_server: TemporalServer, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "service", temporal_server.address) as service:
        create_key(tmp_path / "key")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
        client = await jobs.connect(temporal_server.address)
        handle = await jobs.submit(client, service.job(service.source(clip(), name="short")))
        failure = await workflow_task_failure(handle)
        assert f"add that key's file to {VARIABLE}" in failure
        service.stop()
        service.start()
        await jobs.ended(handle)
        assert service.events(handle.id)[-1]["EventType"] == "JobSuccess"


async def workflow_task_failure(handle: WorkflowHandle[Any, Any]) -> str:
    """Its message, as soon as there is one."""
    for _ in range(200):
        for event in (await handle.fetch_history()).events:
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.1)
    raise AssertionError("no workflow task has failed")
