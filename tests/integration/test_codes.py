"""Every documented error code, from a real cause."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips, garbage, truncated
from tests.integration.service import Service

SLOW = {"OutputFormat": ["Dash"], "OptimizeFor": "Quality"}


async def failed(service: Service, job: Any) -> dict[str, Any]:
    ended = await service.run(job)
    assert ended.status == "FAILED"
    assert not list(service.work.glob(f"{ended.job_id}*"))
    return ended.error


async def test_1000_no_video_matches(service: Service, clip: Clips) -> None:
    source = service.source(clip(), name="no-match")
    error = await failed(service, service.job(source, MediaMappings={"VideoStreamExpression": r"\.mkv$"}))
    assert (error["Code"], error["Error"], error["Phase"]) == (1000, "Acquisition Error", "Acquisition")
    assert r"\.mkv$" in error["Message"]


async def test_1000_source_folder_vanishes_after_validation(service: Service, clip: Clips) -> None:
    source = service.source(clip(), name="vanishing")
    handle = await service.submit(paused := service.job(source))
    await handle.signal("pause")
    await service.wait_for(handle.id, "JobCreated")
    shutil.rmtree(source)
    await handle.signal("resume")
    ended = await service.end(handle)
    assert paused["ContentAcquisition"]["UriPath"] == str(source)
    assert ended.error["Code"] == 1000
    assert "vanishing" in ended.error["Message"]


@pytest.mark.parametrize("content", [b"", b"this is no video"], ids=["empty", "text"])
async def test_1000_unreadable_file(content: bytes, service: Service) -> None:
    source = service.source(name=f"unreadable-{len(content)}")
    (source / "broken.mp4").write_bytes(content)
    error = await failed(service, service.job(source))
    assert error["Code"] == 1000
    assert "broken.mp4" in error["Message"]


@pytest.mark.parametrize("damage", [truncated, garbage])
async def test_2000_video_that_probes_but_does_not_decode(
    damage: Callable[[Path], Path], service: Service, clip: Clips
) -> None:
    broken = damage(clip(seconds=6))
    source = service.source(broken, name=broken.stem)
    error = await failed(service, service.job(source))
    assert (error["Code"], error["Error"], error["Phase"]) == (2000, "Encoding Error", "Encoding")
    assert broken.name in error["Message"]


async def test_2000_ffmpeg_is_killed_again_and_again(service: Service, clip: Clips) -> None:
    source = service.source(clip(seconds=20, size="1280x720"), name="killed")
    handle = await service.submit(service.job(source, ContentProcessing=SLOW))

    async def kill() -> None:
        while True:
            for pid in service.tools():
                with suppress(OSError):  # it was quicker
                    if b"libx264" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.1)

    killer = asyncio.create_task(kill())
    ended = await service.end(handle)
    killer.cancel()
    assert ended.error["Code"] == 2000
    assert "kill" in ended.error["Message"].lower()


async def test_one_killed_ffmpeg_does_not_fail_the_job(service: Service, clip: Clips) -> None:
    source = service.source(clip(seconds=12, size="640x360"), name="killed-once")
    handle = await service.submit(service.job(source))
    await service.wait_for(handle.id, "VideoEncodingStarted")
    while not (tools := service.tools()):
        await asyncio.sleep(0.02)
    os.kill(tools[0], signal.SIGKILL)
    assert (await service.end(handle)).names[-1] == "JobSuccess"


@pytest.fixture
def small_disk(service: Service) -> Iterator[Path]:
    """A file system of 256 KB in the middle of the output."""
    folder = service.root / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
async def test_3000_disk_full(service: Service, clip: Clips, small_disk: Path) -> None:
    source = service.source(clip(seconds=8, size="640x360", fps="50"), name="big")
    job = service.job(source, ContentPublishing={"Provider": "Files", "UriPath": str(small_disk / "out")})
    job["ContentProcessing"] = {"OutputFormat": ["Dash"], "OptimizeFor": "Speed"}
    error = await failed(service, job)
    assert (error["Code"], error["Error"], error["Phase"]) == (3000, "Publishing Error", "Publishing")
    assert "space" in error["Message"]
    assert not list(small_disk.rglob("*.mpd"))


async def test_3000_output_becomes_unwritable(service: Service, clip: Clips) -> None:
    source = service.source(clip(), name="unwritable")
    job = service.job(source)
    handle = await service.submit(job)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    output = Path(job["ContentPublishing"]["UriPath"])
    output.parent.mkdir(exist_ok=True)
    output.write_text("a file where the folder was")
    ended = await service.end(handle)
    assert ended.error["Code"] == 3000


async def test_5003_every_bad_field_is_named(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="fields"))
    job["ContentAcquisition"] = {"Provider": "Files"}
    job["ContentProcessing"] |= {"OptimiseFor": "Speed", "VideoFormat": 7}
    job["MediaMappings"] = {"VideoStreamExpression": "(unclosed"}
    ended = await service.run(job)
    assert ended.names == ["FinalError"]
    assert (ended.error["Code"], ended.error["Error"], ended.error["Phase"]) == (
        5003,
        "Prevalidation Error",
        "Pre-Validation",
    )
    for field in (
        "ContentAcquisition.UriPath",
        "ContentProcessing.OptimiseFor",
        "ContentProcessing.VideoFormat",
        "MediaMappings.VideoStreamExpression",
    ):
        assert field in ended.error["Message"]


@pytest.mark.parametrize("nothing", [None, [], "", 7, {}], ids=repr)
async def test_5003_what_is_no_job_at_all_still_ends(nothing: Any, service: Service) -> None:
    handle = await service.submit(nothing)
    ended = await service.end(handle)
    assert ended.status == "FAILED"


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("ContentAcquisition", "/etc"),
        ("ContentAcquisition", "{root}/../../etc"),
        ("ContentAcquisition", "{root}/nowhere"),
        ("ContentPublishing", "/etc/out"),
        ("ContentPublishing", "{root}/link-out/out"),
    ],
)
async def test_5003_location_out_of_reach(field: str, path: str, service: Service, clip: Clips) -> None:
    link = service.root / "link-out"
    if not link.is_symlink():
        link.symlink_to("/etc")
    job = service.job(service.source(clip(), name="reach"))
    job[field] = {"Provider": "Files", "UriPath": path.format(root=service.root)}
    error = await failed(service, job)
    assert error["Code"] == 5003
    assert f"{field}.UriPath" in error["Message"]
