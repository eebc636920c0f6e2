"""Workers and servers in a state that nobody planned for. Each test has a worker of its own."""

import asyncio
from pathlib import Path

from tests.clips import Clips
from tests.integration.service import running
from tests.servers.temporal import TemporalServer


async def test_5000_an_error_that_nobody_foresaw(tmp_path: Path, temporal_server: TemporalServer, clip: Clips) -> None:
    # A work folder below a file: no activity expects that.
    (tmp_path / "file").write_text("")
    settings = {"ENCODING_WORK_ROOT": str(tmp_path / "file" / "work")}
    with running(tmp_path / "service", temporal_server.address, **settings) as service:
        ended = await service.run(service.job(service.source(clip())))
        assert (ended.error["Code"], ended.error["Error"]) == (5000, "Internal Error")
        assert "log" in ended.error["Message"]
        assert str(tmp_path) not in ended.error["Message"]
        assert "NotADirectoryError" in service.log


async def test_the_temporal_server_is_killed_in_the_middle(tmp_path: Path, clip: Clips) -> None:
    server_folder = tmp_path / "server"
    server_folder.mkdir()
    server = TemporalServer(server_folder)
    server.start()
    try:
        with running(tmp_path / "service", server.address) as service:
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
    finally:
        server.stop()
