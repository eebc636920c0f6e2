"""Full disks, with whole jobs: they wait for space, end with a reason, and leave nothing."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.clips import Clips
from tests.integration.service import Service
from tests.servers.process import started
from tests.servers.temporal import TemporalServer

LEFT = 64 << 10
"""Bytes: the check at the start passes."""
DISKS = ("work", "media/out", "media/events")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


@pytest.fixture(scope="module")
def disks(folder: Path, temporal_server: TemporalServer) -> Iterator[Service]:
    """A worker whose work, whose results and whose events lie on small file systems of their own."""
    service = Service(folder / "disks", temporal_server.address)
    with ExitStack() as stack:
        for name in DISKS:
            disk = folder / "disks" / name
            disk.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
            stack.callback(unmount, disk)
        stack.enter_context(started(service))
        yield service


def unmount(disk: Path) -> None:
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path) -> Path:
    """Take all space of a disk; deleting what is returned gives it back."""
    with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return disk / "filler"


async def until_told(service: Service, *words: str) -> None:
    """Until a line of the log holds all of them."""
    async with asyncio.timeout(60):
        while not any(all(word in line for word in words) for line in service.log.splitlines()):
            await asyncio.sleep(0.05)


def assert_clean(service: Service, job_id: str) -> None:
    assert not [*service.work.glob(f"{job_id}*")]
    assert not [*service.root.rglob("*.part")]
    assert service.tools() == []
    assert "unexpected" not in service.log


@pytest.mark.parametrize("disk", DISKS)
async def test_a_job_goes_on_when_there_is_space_again(disks: Service, clip: Clips, disk: str) -> None:
    filler = fill(disks.work.parent / disk)
    handle = await disks.submit(disks.job(disks.source(clip())))
    await until_told(disks, handle.id, "space")
    filler.unlink()
    ended = await disks.end(handle)
    assert ended.names[-1] == "JobSuccess", ended.events[-1]
    assert [event["SequenceNumber"] for event in ended.lifecycle] == [*range(1, len(ended.lifecycle) + 1)]
    assert_clean(disks, handle.id)


@pytest.mark.parametrize(("disk", "code"), [("work", 1000), ("media/out", 3000)])
async def test_a_job_that_gets_no_space_tells_it_and_leaves_nothing(
    disks: Service, clip: Clips, disk: str, code: int
) -> None:
    filler = fill(disks.work.parent / disk)
    os.truncate(filler, filler.stat().st_size - LEFT)
    job = disks.job(disks.source(clip()))
    ended = await disks.run(job)
    filler.unlink()
    assert (ended.error["Code"], "no space is left" in ended.error["Message"]) == (code, True)
    assert_clean(disks, ended.job_id)
    assert not [path for path in Path(job["ContentPublishing"]["UriPath"]).rglob("*") if path.is_file()]
