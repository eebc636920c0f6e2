"""Two jobs that publish at one place."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from activities import deliver as module
from activities.archive import places_of
from activities.cleanup import CleanUpRequest, clean_up
from activities.deliver import DeliverRequest, deliver, send_media
from activities.errors import PublishingError
from activities.storage.upload import stored
from activities.store.claims import claims_of
from activities.workspace import workspace
from tests.activities.delivering import OUTPUT, files, request
from tests.activities.running import JOB_ID, Running, location


async def test_what_another_job_has_published_since_stays(root: Path, packaged: Path) -> None:
    await Running()(deliver, request(root / "out"))
    assert files(packaged)
    other = str(uuid4())
    shutil.copytree(workspace(JOB_ID), workspace(other), dirs_exist_ok=True)
    await Running()(deliver, replace(request(root / "out"), job_id=other))
    await Running()(clean_up, CleanUpRequest(JOB_ID, location(root / "out"), [OUTPUT]))
    assert len(files(root / "out")) == 12
    await Running()(clean_up, CleanUpRequest(other, location(root / "out"), [OUTPUT]))
    assert files(root / "out") == []


@pytest.fixture
def rival(root: Path, packaged: Path) -> DeliverRequest:
    """Another job's, at the same place, with other content under the same names."""
    assert files(packaged)
    other = replace(request(root / "out"), job_id=str(uuid4()))
    folder = workspace(other.job_id) / OUTPUT.root
    shutil.copytree(packaged, folder)
    for name in files(folder):
        (folder / name).write_text("rival")
    return other


def owners(folder: Path) -> set[bool]:
    """Of what lies there: whether it is the rival's."""
    return {(folder / name).read_text() == "rival" for name in files(folder)}


def again() -> Running:
    """Another attempt."""
    running = Running()
    running.environment.info = replace(running.environment.info, attempt=2)
    return running


@pytest.mark.parametrize("ended", [False, True])
async def test_media_that_another_job_has_replaced_since_is_sent_again(
    root: Path, rival: DeliverRequest, *, ended: bool
) -> None:
    sent = await Running()(send_media, request(root / "out"))
    ahead = await Running()(send_media, rival)
    await Running()(deliver, replace(rival, sent=ahead))
    if ended:
        with claims_of(rival.job_id) as claims:
            claims.drop()
    result = await Running()(deliver, replace(request(root / "out"), sent=sent))
    assert owners(root / "out") == {False}
    assert result.total_size == sum(len(name) for name in (*OUTPUT.media, *OUTPUT.manifests))


async def test_what_an_attempt_has_sent_before_another_job_came_is_not_believed_by_the_next(
    root: Path, packaged: Path, rival: DeliverRequest
) -> None:
    assert files(packaged)
    sent = await Running()(send_media, request(root / "out"))  # also notes in the journal that media has arrived
    asked = replace(request(root / "out"), sent=sent)
    await Running()(deliver, rival)
    with claims_of(rival.job_id) as claims:
        claims.drop()
    (root / "out" / "video" / "7.m4s").unlink()
    (root / "out" / "video" / "7.m4s").mkdir()
    with pytest.raises(PublishingError):  # takes the place, and ends before it has sent everything
        await again()(deliver, asked)
    (root / "out" / "video" / "7.m4s").rmdir()
    await again()(deliver, asked)
    assert owners(root / "out") == {False}


async def test_a_job_that_is_overtaken_publishes_no_manifest_over_the_others_media_and_lets_it_end(
    root: Path, packaged: Path, rival: DeliverRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[str] = []

    async def overtaken(*details: Any) -> None:
        await stored(*details)
        if not came:
            came.append("the rival")
            await Running()(send_media, rival)

    monkeypatch.setattr(module, "stored", overtaken)
    for running in (Running(), again()):
        with pytest.raises(PublishingError, match="another job") as caught:
            await running(deliver, request(root / "out"))
        assert caught.value.retryable
        assert files(root / "out") == OUTPUT.media
        assert owners(root / "out") == {True}
    await Running()(deliver, rival)
    assert owners(root / "out") == {True}
    with claims_of(rival.job_id) as claims:
        claims.drop()
    await again()(deliver, request(root / "out"))
    assert owners(root / "out") == {False}
    assert files(root / "out") == files(packaged)


async def test_a_job_that_is_overtaken_with_its_last_manifest_says_so(
    root: Path, packaged: Path, rival: DeliverRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files(packaged)
    sent: list[str] = []

    async def overtaken(storage: Any, contents: Any, *details: Any) -> None:
        await stored(storage, contents, *details)
        if contents[-1][1] == OUTPUT.manifests[-1]:
            sent.append("the last manifest")
            with claims_of(rival.job_id) as claims:
                claims.take(places_of(storage.place(), OUTPUT))

    monkeypatch.setattr(module, "stored", overtaken)
    with pytest.raises(PublishingError, match="another job"):
        await Running()(deliver, request(root / "out"))
    assert sent
