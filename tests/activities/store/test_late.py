"""Attempts that go on, or only begin, when their job has ended."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from activities.errors import LostError
from activities.settings import Settings
from activities.store.abandoned import kept_jobs
from activities.store.work import Work, emptied
from activities.workspace import attempt_folder, workspace
from tests.activities.running import JOB_ID
from tests.activities.store.test_store import contents, keeping, working


async def test_an_attempt_that_comes_when_the_job_has_ended_leaves_nothing(root: Path) -> None:
    async def late(work: Work) -> None:
        (work.root / attempt_folder("text")).mkdir()

    assert root.exists()
    await working(late)
    with pytest.raises(LostError):
        await working(late, needs=["source/0001.mp4"])
    assert await kept_jobs(Settings.from_environment()) == []
    (workspace(JOB_ID) / "source").mkdir()
    await working(late)
    assert len([*workspace(JOB_ID).iterdir()]) == 2


async def test_an_attempt_that_is_cancelled_while_it_begins_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slowly(job_id: str) -> Path:
        folder = workspace(job_id)
        begun.set()
        time.sleep(0.1)
        return folder

    monkeypatch.setattr("activities.store.shared.workspace", slowly)
    assert root.exists()
    beginning = asyncio.create_task(working(contents))
    await asyncio.to_thread(begun.wait)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert await kept_jobs(Settings.from_environment()) == []


async def test_an_attempt_that_goes_on_when_the_job_has_ended_leaves_nothing(root: Path) -> None:
    """A worker that has stood still meanwhile: its job's folder is gone under it."""

    async def frozen_before_it_keeps(work: Work) -> None:
        await keeping({"source/0001.mp4": b"film", "text-1/en.vtt": b"text"}, "source/0001.mp4")(work)
        await emptied(JOB_ID)
        await work.keep("text-1")

    async def frozen_before_it_reads(work: Work) -> None:
        await emptied(JOB_ID)
        (work.root / "text-1/en.vtt").read_bytes()

    assert root.exists()
    with pytest.raises(LostError):
        await working(frozen_before_it_reads)
    await working(frozen_before_it_keeps)
    assert await kept_jobs(Settings.from_environment()) == []
