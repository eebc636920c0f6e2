"""What a job needs is refused, away, or broken at the worst moment.

The faults are ours: a development server has no permissions to lack, no location goes away on the spot, and no packager
fails for one format just when the media of the other has been sent.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities import cleanup, package
from activities.errors import EncodingError
from activities.media.packager import Output
from activities.storage.base import StorageError
from tests.clips import Clips, truncated
from tests.integration.inside import activity_worker, service_inside
from tests.integration.service import Service
from tests.integration.test_pipeline import LIFECYCLE
from tests.servers.temporal import TemporalServer
from workflows import interceptor
from workflows.options import TRANSCODE_QUEUE


@pytest.fixture
async def service(
    tmp_path: Path, temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    monkeypatch.setenv("ENCODING_FAULT_ATTEMPTS", "1")
    async with service_inside(tmp_path / "service", temporal_server.address, monkeypatch) as service:
        yield service


async def test_a_request_to_cancel_that_the_server_refuses_is_repeated(
    service: Service, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, refusals = WorkflowHandle.cancel, [RPCError("not allowed", RPCStatusCode.PERMISSION_DENIED, b"")] * 3

    async def refused(handle: WorkflowHandle[Any, Any]) -> None:
        if refusals:
            raise refusals.pop()
        await cancel(handle)

    monkeypatch.setattr(WorkflowHandle, "cancel", refused)
    monkeypatch.setattr(interceptor, "CANCEL_INTERVAL", interceptor.CANCEL_INTERVAL / 100)
    handle = await service.submit(service.job(service.source(clip())))
    await service.wait_for(handle.id, "VideoEncodingStarted")
    await handle.signal("cancel", "the wrong title")
    ended = await service.end(handle)
    assert ended.error["Code"] == 5001
    assert ended.error["Message"].endswith("the wrong title")
    assert refusals == []


async def test_what_cannot_be_taken_back_now_is_taken_back_later(
    service: Service, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StorageError("it does not answer", temporary=True)

    monkeypatch.setattr(cleanup, "taken_back", away)
    handle = await service.submit(service.job(service.source(truncated(clip()))))
    ended = await service.end(handle)
    assert ended.names[-1] == "FinalError"
    removal = (await service.client()).get_workflow_handle(f"{handle.id}-removal-{handle.result_run_id}")
    await removal.result()
    assert not (service.work / handle.id).exists()


async def test_media_that_was_sent_is_taken_back_when_another_format_fails(
    service: Service, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = service.job(service.source(clip()))
    output, complete, sent = Path(job["ContentPublishing"]["UriPath"]), package._complete, list[Path]()

    def fail(request: package.PackageRequest, root: Path, out: Output, *rest: Any) -> None:
        if not out.hls:
            return complete(request, root, out, *rest)
        while not sent:
            time.sleep(0.02)
            sent.extend(output.glob("dash/*/*.m4s"))
        raise EncodingError("the packager failed")

    monkeypatch.setattr(package, "_complete", fail)
    async with activity_worker(await service.client(), TRANSCODE_QUEUE):
        ended = await service.run(job)
    assert sent
    assert ended.names == [*LIFECYCLE[:5], "FinalError"]
    assert ended.error["Phase"] == "Encoding"
    assert not [path for path in output.rglob("*") if path.is_file()]
