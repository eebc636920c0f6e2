"""The folder of a running activity on its worker's own disk: one user at a time, and nobody takes it away from him."""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.errors import EncodingError
from activities.store.scratch import LOCK, LOOK, _lock, _remove, scratch
from tests.activities.running import JOB_ID, Running


class User:
    """An attempt that works in the folder until it is told to end."""

    def __init__(self, root: Path) -> None:
        self.begun, self.end = asyncio.Event(), asyncio.Event()
        self.running = Running()
        self._root = root
        self.task = asyncio.create_task(self.running(self._work, None))

    async def _work(self, _: None) -> bool:
        async with scratch(self._root, JOB_ID) as folder:
            mine = folder / "mine"
            mine.touch(exist_ok=False)
            self.begun.set()
            await self.end.wait()
            return mine.exists()

    async def ended(self) -> bool:
        """Whether its file was there until the end."""
        self.end.set()
        return await self.task


async def test_who_waits_for_a_folder_that_is_removed_gets_one_of_his_own(tmp_path: Path) -> None:
    first = User(tmp_path)
    await first.begun.wait()
    second, third = User(tmp_path), User(tmp_path)
    await asyncio.sleep(2 * LOOK)
    assert await first.ended()
    next_, last = (second, third) if await either(second, third) else (third, second)
    assert not last.begun.is_set()
    await asyncio.sleep(2 * LOOK)
    assert not last.begun.is_set()
    assert await next_.ended()
    await last.begun.wait()
    assert await last.ended()
    assert not [*tmp_path.iterdir()]


async def either(one: User, other: User) -> bool:
    """Wait until one of them has begun; whether it is `one`."""
    for _ in range(200):
        if one.begun.is_set() or other.begun.is_set():
            return one.begun.is_set()
        assert not one.task.done(), one.task
        assert not other.task.done(), other.task
        await asyncio.sleep(0.05)
    raise AssertionError("nobody has got the folder")


async def test_who_is_cancelled_while_he_waits_removes_nothing(tmp_path: Path) -> None:
    first = User(tmp_path)
    await first.begun.wait()
    second = User(tmp_path)
    await asyncio.sleep(2 * LOOK)
    second.running.environment.cancel()
    await asyncio.wait([second.task])
    assert await first.ended()


async def test_a_cancel_that_comes_with_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, running = asyncio.get_running_loop(), Running()

    def slowly(work: Callable[[Path], None]) -> Callable[[Path], None]:
        """The cancel comes while a thread is at the folder."""

        def cancelled(folder: Path) -> None:
            loop.call_soon_threadsafe(running.environment.cancel)
            time.sleep(0.1)
            work(folder)

        return cancelled

    async def fail(_: None) -> None:
        async with scratch(tmp_path, JOB_ID):
            monkeypatch.setattr(os, "utime", slowly(os.utime))
            monkeypatch.setattr("activities.store.scratch._remove", slowly(_remove))
            raise EncodingError("the film is damaged")

    with pytest.raises(asyncio.CancelledError):
        await running(fail, None)
    assert not [*tmp_path.iterdir()]


def test_a_lock_of_what_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, flock = tmp_path / "job/activity", fcntl.flock
    folder.mkdir(parents=True)

    def late(lock: int, how: int) -> None:
        _remove(folder)
        folder.mkdir(parents=True)
        (folder / LOCK).touch()
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(BlockingIOError):
        _lock(folder)
