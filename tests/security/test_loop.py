"""A host that dawdles holds up the activity that deals with it, and no other one of the worker: all share one loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import activities.storage.ftps.storage  # noqa: F401 - what loads it first, holds up the loop for a moment
import publishers.ftp
from activities.acquire import AcquireRequest, acquire
from activities.cleanup import CleanUpRequest, DeleteSourceRequest, clean_up, delete_source
from activities.deliver import DeliverRequest, deliver
from activities.errors import JobError
from activities.mappings import MediaMappings
from activities.package import PackagedFormat
from activities.storage import patience
from activities.storage.config import FtpsLocation
from activities.tracks import SourceFile
from activities.validate import ValidateRequest, validate
from activities.workspace import workspace
from publishers import pace
from tests.activities.running import JOB_ID, Running
from tests.security.leading import ftp
from tests.servers.amqp_script import Script
from tests.servers.ftp_script import Script as FtpScript

WAIT = 2.0
"""Seconds that each waits for a word; half of it a busy machine does not take from the loop."""
OUTPUT = PackagedFormat("Hls", "package/hls", ["video.m4s"], ["manifest.m3u8"], {"hls": "manifest.m3u8"})


class Drip:
    """A greeting that never ends."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"220 "
        while True:
            time.sleep(0.05)
            yield b"."


@pytest.fixture(autouse=True)
def _packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path / "work"))
    monkeypatch.setattr(patience, "TRIES", 1)
    monkeypatch.setattr(pace, "STEP_SECONDS", WAIT)
    monkeypatch.setattr(publishers.ftp, "REASON_SECONDS", WAIT)
    folder = workspace(JOB_ID) / OUTPUT.root
    folder.mkdir(parents=True)
    for name in (*OUTPUT.files, *OUTPUT.manifests):
        (folder / name).write_text(name)


@asynccontextmanager
async def _moving() -> AsyncIterator[None]:
    """The event loop does not stand still in the block."""
    pauses = list[float]()

    async def look() -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(0.01)
            pauses.append(time.monotonic() - begin)

    looking = asyncio.create_task(look())
    yield
    looking.cancel()
    await asyncio.wait([looking])
    assert max(pauses) < WAIT / 2


async def _all_with(place: FtpsLocation) -> list[Any]:
    """What comes of the activities that deal with the places of a job."""
    requests: list[tuple[Any, Any]] = [
        (validate, ValidateRequest(place, place)),
        (acquire, AcquireRequest(JOB_ID, place, MediaMappings())),
        (deliver, DeliverRequest(JOB_ID, place, OUTPUT)),
        (clean_up, CleanUpRequest(str(uuid4()), place, [OUTPUT])),
        (delete_source, DeleteSourceRequest(place, [SourceFile("film.mp4", "source/0001.mp4", 1)])),
    ]
    running = (Running()(activity, request) for activity, request in requests)
    return await asyncio.gather(*running, return_exceptions=True)


async def test_a_greeting_that_drips_holds_up_no_other_activity() -> None:
    with Script(Drip()) as server:
        async with _moving():
            results = await _all_with(ftp(f"127.0.0.1:{server.port}"))
    assert all(isinstance(result, JobError) and result.retryable for result in results), results


async def test_nor_does_a_good_bye_that_nobody_answers() -> None:
    with FtpScript({"QUIT": "221-I am still thinking."}) as server:
        async with _moving():
            results = await _all_with(ftp(f"127.0.0.1:{server.port}"))
    assert all(result is None or isinstance(result, JobError) for result in results), results
    assert server.heard.count("QUIT") >= len(results)
