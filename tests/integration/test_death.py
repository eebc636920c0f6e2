"""A worker dies at the worst moment; another one finishes the job."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import Service, running
from tests.servers.temporal import TemporalServer


@pytest.fixture
def mortal(tmp_path: Path, temporal_server: TemporalServer) -> Iterator[Service]:
    with running(tmp_path, temporal_server.address) as service:
        yield service


async def _assert_finished(service: Service, job_id: str, output: Path) -> None:
    handle = (await service.client()).get_workflow_handle(job_id)
    ended = await service.end(handle)
    assert ended.names[-1] == "JobSuccess"
    assert [event["SequenceNumber"] for event in ended.lifecycle] == list(range(1, len(ended.lifecycle) + 1))
    assert service.tools() == []
    assert not list(service.work.glob(f"{job_id}*"))
    assert not list(output.rglob("*.part"))
    assert {path.name for path in output.rglob("manifest.*")} == {"manifest.mpd", "manifest.m3u8"}


@pytest.mark.slow
async def test_killed_while_it_acquires(mortal: Service, clip: Clips, mounted: Callable[..., Path]) -> None:
    # On another file system than the workspace: there it has to be copied.
    source = mounted(mortal.root / "elsewhere", "-t", "tmpfs", "tmpfs")
    # Bytes that an mp4 may carry behind its last box: they take a while to copy.
    for name, size in (("movie.mp4", 0), ("big.mp4", 1 << 30)):
        shutil.copy(clip(), source / name)
        os.truncate(source / name, size or clip().stat().st_size)
    job = mortal.job(source, MediaMappings={"VideoStreamExpression": r"movie|big"})
    handle = await mortal.submit(job)
    while not list(mortal.work.rglob("*.part")):
        await asyncio.sleep(0.001)
    mortal.kill()
    assert list(mortal.work.rglob("*.part"))
    mortal.start()
    await _assert_finished(mortal, handle.id, Path(job["ContentPublishing"]["UriPath"]))


async def test_killed_while_it_encodes(mortal: Service, clip: Clips) -> None:
    job = mortal.job(mortal.source(clip(seconds=20, size="1280x720")))
    job["ContentProcessing"] |= {"VideoRepresentations": [{"Height": 720, "BitrateInKbps": 1000}]}
    handle = await mortal.submit(job)
    await mortal.wait_for(handle.id, "EncodingProgress")
    assert mortal.tools()
    mortal.kill()
    await asyncio.sleep(0.2)
    assert mortal.tools() == []
    mortal.start()
    await _assert_finished(mortal, handle.id, Path(job["ContentPublishing"]["UriPath"]))


@pytest.mark.slow
async def test_killed_while_it_publishes(mortal: Service, clip: Clips) -> None:
    job = mortal.job(mortal.source(clip(seconds=20, size="640x360")))
    handle = await mortal.submit(job)
    await mortal.wait_for(handle.id, "EncodingFinished")
    mortal.kill()
    mortal.start()
    await _assert_finished(mortal, handle.id, Path(job["ContentPublishing"]["UriPath"]))


async def test_asked_to_stop_it_drains(mortal: Service, clip: Clips) -> None:
    job = mortal.job(mortal.source(clip(seconds=20, size="1280x720")))
    job["ContentProcessing"] |= {"VideoRepresentations": [{"Height": 720, "BitrateInKbps": 1000}]}
    handle = await mortal.submit(job)
    await mortal.wait_for(handle.id, "EncodingProgress")
    assert mortal.tools()
    os.kill(mortal.pid, signal.SIGTERM)
    await asyncio.to_thread(mortal.stop)
    assert mortal.tools() == []
    assert "Traceback" not in mortal.log
    mortal.start()
    await _assert_finished(mortal, handle.id, Path(job["ContentPublishing"]["UriPath"]))
