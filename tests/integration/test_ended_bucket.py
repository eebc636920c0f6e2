"""What jobs that were ended from outside have left in a bucket."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import leftovers
from activities.leftovers import remove_abandoned
from tests.activities.storage.doing import Place
from tests.activities.storage.s3_doing import s3_folder
from tests.activities.store.conftest import give_bucket
from tests.clips import Clips
from tests.integration.service import OWNER, Service, running
from tests.integration.sweeping import ending
from tests.servers.process import started
from tests.servers.s3 import S3
from tests.servers.temporal import TemporalServer

DAY = 86_400


@pytest.fixture(scope="module")
def store(s3: S3) -> Iterator[Place]:
    """As a plain client sees it; all that begins here from now on has it."""
    folder = f"work/{secrets.token_hex(8)}"
    with pytest.MonkeyPatch.context() as patch:
        give_bucket(patch, s3, folder)
        yield s3_folder(s3, folder)


@pytest.fixture(scope="module")
def service(store: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """On a server of its own: a sweep takes all jobs."""
    assert store.names() == []
    server = TemporalServer(tmp_path_factory.mktemp("server"))
    with started(server), running(tmp_path_factory.mktemp("service"), server.address) as service:
        yield service


async def test_a_terminated_job_leaves_nothing(service: Service, store: Place, s3: S3, clip: Clips) -> None:
    job = service.job(service.source(clip(seconds=20, size="1280x720")))
    handle = await service.submit(job)
    await service.wait_for(handle.id, "VideoEncodingStarted")
    begun = f"{store.location.uri_path.removeprefix(f's3://{s3.bucket}/').rstrip('/')}/{handle.id}/"
    s3.client.create_multipart_upload(Bucket=s3.bucket, Key=f"{begun}half")
    assert any(name.startswith(handle.id) for name in store.names())
    await handle.terminate(reason="the wrong title")
    assert await (await ending(service, handle)).result() == [None]
    assert store.names() == [OWNER]
    assert not s3.client.list_multipart_uploads(Bucket=s3.bucket, Prefix=begun).get("Uploads")
    assert service.events(handle.id)[-1]["EventType"] == "FinalError"


async def test_only_workspaces_that_are_old_and_of_no_running_job_are_removed(
    service: Service, store: Place, clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = await service.submit(service.job(service.source(clip())))
    await paused.signal("pause")
    left = str(uuid4())
    for folder in (left, paused.id, "movies"):
        store.put(f"{folder}/source/0001.mp4", b"film")
    client = await service.client()
    while not [run async for run in client.list_workflows("ExecutionStatus = 'Running'")]:
        await asyncio.sleep(0.1)  # it is listed a moment later
    # The emulation lists folders from which all is gone: so others may be told, too.
    assert not {left, paused.id} & {*await ActivityEnvironment(client).run(remove_abandoned, "EncodingJob")}
    monkeypatch.setattr(leftovers, "time", SimpleNamespace(time=lambda: time.time() + 2 * DAY))
    removed = await ActivityEnvironment(client).run(remove_abandoned, "EncodingJob")
    assert left in removed
    assert paused.id not in removed
    assert store.names() == sorted(["movies/source/0001.mp4", f"{paused.id}/source/0001.mp4", OWNER])
    store.put(OWNER, b"another")
    store.put(f"{left}/source/0001.mp4", b"film")
    with pytest.raises(ApplicationError, match="belongs to another namespace"):
        await ActivityEnvironment(client).run(remove_abandoned, "EncodingJob")
    assert f"{left}/source/0001.mp4" in store.names()
    await paused.cancel()
    await service.end(paused)
