"""A disk that does not answer, as one whose connection is gone: neither an activity nor a worker waits for it."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from activities.cuts import Chunk
from activities.encode import ChunkRequest, encode_chunk
from activities.errors import EncodingError
from activities.media import process
from activities.package import PackageRequest, package
from activities.plan import Plan, VideoRendition
from activities.workspace import workspace
from tests.activities.media.children import children
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips

SLOW = Plan([VideoRendition("large", 640, 360, 2000)], preset="veryslow", duration=10)


@pytest.fixture
def disk(tmp_path: Path, mounted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The work root, a file system that `freeze` brings to a halt."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    folder = mounted(tmp_path / "disk", "-o", "loop", image)
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(folder))
    monkeypatch.setenv("ENCODING_STALL_SECONDS", "2")
    monkeypatch.setattr(process, "DYING", 1.0)
    yield folder
    with suppress(subprocess.CalledProcessError):
        freeze(folder, "--unfreeze")


def freeze(folder: Path, how: str = "--freeze") -> None:
    subprocess.run(["fsfreeze", how, folder], check=True, capture_output=True)


@asynccontextmanager
async def free_loop() -> AsyncIterator[None]:
    """The event loop, which beats for all activities of a worker, is never held up inside the block."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
    assert longest < 1.5, longest


async def test_an_encoder_that_waits_for_it_is_given_up(disk: Path, clip: Clips) -> None:
    source, before, running = clip(seconds=10, size="640x360"), children(), Running()
    video = await video_track(source, in_workspace(source))
    task = asyncio.create_task(running(encode_chunk, ChunkRequest(JOB_ID, video, SLOW, Chunk(0))))
    while not any(path.stat().st_size for path in disk.rglob("large.mp4")):
        await asyncio.sleep(0.01)
    async with free_loop():
        freeze(disk)
        with pytest.raises(EncodingError, match=r"'movie\.mp4' .* was stopped: no progress for 0:00:02") as caught:
            await task
        beats = len(running.beats)
    assert caught.value.retryable
    assert beats >= 2
    freeze(disk, "--unfreeze")
    while children() - before:
        await asyncio.sleep(0.01)


async def test_what_a_worker_does_itself_waits_no_longer(disk: Path, clip: Clips) -> None:
    source = clip(seconds=1)
    (workspace(JOB_ID) / "film.mp4").write_bytes(source.read_bytes())
    plan = Plan([VideoRendition("small", 160, 90, 100)], duration=1)
    request = PackageRequest(JOB_ID, plan, ["Dash"], {"small": "film.mp4"})
    os.sync()
    freeze(disk)
    async with free_loop():
        with pytest.raises(EncodingError, match="does not answer") as caught:
            await Running()(package, request)
    assert caught.value.retryable
    freeze(disk, "--unfreeze")
    assert (await Running()(package, request)).formats
