"""Jobs that were ended from outside, and what is needed to tell it is not there."""

import asyncio
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import running
from tests.integration.sweeping import ending
from tests.servers.process import started
from tests.servers.temporal import TemporalServer
from workflows import client as jobs
from workflows.codec import VARIABLE, create_key


@pytest.mark.slow
async def test_a_job_that_cannot_be_read_is_told_when_it_can(
    tmp_path: Path, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = TemporalServer(tmp_path)
    with started(server), running(tmp_path / "service", server.address) as service:
        create_key(tmp_path / "key")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
        client = await jobs.connect(server.address)
        handle = await jobs.submit(client, service.job(service.source(clip())))
        await handle.terminate(reason="the key is missing")
        end = await ending(service, handle)
        while "cannot be told yet" not in service.log:
            await asyncio.sleep(0.1)
        assert f"add that key's file to {VARIABLE}" in service.log
        assert service.events(handle.id) == []
        service.stop()
        service.start()
        await client.get_workflow_handle(end.id).result()
        [final] = service.events(handle.id)
        assert (final["EventType"], final["Code"]) == ("FinalError", 5000)
        assert final["Message"].endswith("the key is missing")
