"""Cancel, by every way and in every phase: ffmpeg dead, workspace gone, FinalError 5001, run Canceled."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips
from tests.integration.service import Service

SLOW = {"OutputFormat": ["Dash", "Hls"], "OptimizeFor": "Quality"}


async def _assert_cancelled(service: Service, handle: Any, reason: str = "") -> None:
    asked = time.monotonic()
    ended = await service.end(handle)
    took = time.monotonic() - asked
    assert ended.status == "CANCELED"
    assert (ended.error["Code"], ended.error["Error"]) == (5001, "Job Cancelled")
    assert reason in ended.error["Message"]
    assert service.tools() == []
    assert not list(service.work.glob(f"{handle.id}*"))
    # The promise is part of the contract with the client, not a benchmark; it leaves room for a busy machine.
    assert took < 15, f"took {took:.1f} s"


@pytest.fixture
def job(service: Service, clip: Clips) -> dict[str, Any]:
    source = service.source(clip(seconds=20, size="1280x720"), name="cancel")
    return service.job(source, ContentProcessing=SLOW, ImageExtraction={"Intervals": list(range(0, 100, 2))})


async def test_signal_with_a_reason(service: Service, job: dict[str, Any]) -> None:
    handle = await service.submit(job)
    await service.wait_for(handle.id, "EncodingProgress")
    assert service.tools()
    await handle.signal("cancel", "wrong title")
    await _assert_cancelled(service, handle, "wrong title")


async def test_signal_without_a_reason(service: Service, job: dict[str, Any]) -> None:
    handle = await service.submit(job)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.signal("cancel")
    await _assert_cancelled(service, handle)


async def test_plain_temporal_cancel(service: Service, job: dict[str, Any]) -> None:
    handle = await service.submit(job)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.cancel()
    await _assert_cancelled(service, handle)


async def test_cancel_before_a_worker_has_seen_the_job(service: Service, job: dict[str, Any]) -> None:
    handle = await service.submit(job)
    await handle.cancel()
    await _assert_cancelled(service, handle)


@pytest.mark.parametrize(
    "after",
    ["JobCreated", "ContentAcquired", "ContentMapped", "ContentPreProcessed", "EncodingFinished", "ImagesExtracted"],
)
async def test_cancel_after_each_event(after: str, service: Service, clip: Clips) -> None:
    source = service.source(clip(seconds=2), name="cancel-short")
    job = service.job(source, ImageExtraction={"Intervals": [50]})
    handle = await service.submit(job)
    await service.wait_for(handle.id, after)
    await handle.signal("cancel")
    ended = await service.end(handle)
    # The job may have been quicker; but it ends one way only, and leaves a whole title or none.
    assert ended.status in ("CANCELED", "COMPLETED")
    published = [path.name for path in Path(job["ContentPublishing"]["UriPath"]).rglob("*") if path.is_file()]
    if ended.status == "CANCELED":
        assert ended.error["Code"] == 5001
        assert published == []
    else:
        assert ended.names[-1] == "JobSuccess"
        assert {"manifest.mpd", "preview_1.jpg"} <= {*published}
    assert not list(service.work.glob(f"{handle.id}*"))


async def test_cancel_while_paused(service: Service, clip: Clips) -> None:
    handle = await service.submit(service.job(service.source(clip(), name="cancel-short")))
    await handle.signal("pause")
    await asyncio.sleep(0.5)
    await handle.cancel()
    ended = await service.end(handle)
    assert ended.status == "CANCELED"
