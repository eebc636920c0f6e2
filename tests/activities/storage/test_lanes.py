"""Many transfers at once on one worker."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from activities.storage import lanes, storage_of
from activities.storage.base import Kept
from activities.storage.config import FilesLocation
from activities.storage.download import fetched
from activities.storage.files import FilesStorage
from activities.storage.lanes import for_each, in_lanes
from activities.storage.threads import MOST_THREADS, Stop, stoppable
from activities.storage.upload import deleted
from tests.activities.running import location
from tests.activities.storage.doing import Place, entries, fetch

NAMES = [f"{number:02}.m4s" for number in range(20)]
LONGEST = 10.0
"""Seconds that a thread is held if the test fails."""


@contextmanager
def held() -> Iterator[Callable[[], object]]:
    """Gives what threads are to call, and holds them until the block ends."""
    go_on = threading.Event()
    try:
        yield lambda: go_on.wait(LONGEST)
    finally:
        go_on.set()


async def test_many_transfers_keep_neither_requests_nor_others_waiting(files_place: Place, tmp_path: Path) -> None:
    for name in NAMES[:4]:
        files_place.put(name, b"x")
    known = await entries(files_place.location)
    with closing(storage_of(files_place.location)) as storage, held() as hold:

        def count(size: int) -> None:
            if size:  # in a lane
                hold()

        def copied(number: int) -> Awaitable[None]:
            return fetched(storage, [(entry, tmp_path / f"{number}-{entry.name}") for entry in known], count)

        many = asyncio.gather(*(copied(number) for number in range(MOST_THREADS)))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(LONGEST / 2):
            await entries(files_place.location)
            await fetch(files_place.location, known[0].name, tmp_path / "another")
        assert not many.done()
    await many


class Endless:
    """A transfer that goes on until it is told that it is over."""

    def __init__(self) -> None:
        self.is_over = False
        self.pause: Callable[[], object] = lambda: time.sleep(0.001)
        self.most = 0
        """Threads at once that it has had."""
        self._now = 0
        self._lock = threading.Lock()

    def step(self, _: Stop) -> bool:
        self._count(1)
        self.pause()
        self._count(-1)
        return not self.is_over

    def _count(self, more: int) -> None:
        with self._lock:
            self._now += more
            self.most = max(self.most, self._now)

    async def has_had(self, threads: int) -> None:
        async with asyncio.timeout(LONGEST):
            while self.most != threads:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def going_on(transfer: Endless) -> AsyncIterator[None]:
    task = asyncio.create_task(in_lanes(transfer.step, 8))
    yield
    transfer.is_over = True
    await task


async def test_transfers_share_the_lanes_whichever_was_there_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_LANES", 4)
    monkeypatch.setattr(lanes, "TURN", 0.0)
    first, second = Endless(), Endless()
    async with going_on(first):
        await first.has_had(4)
        async with going_on(second):
            await second.has_had(2)
            await asyncio.sleep(0.2)  # the turns that have begun end
            first.most = 0
            await first.has_had(2)
            await asyncio.sleep(0.02)
            assert (first.most, second.most) == (2, 2)
        await first.has_had(4)


async def test_what_fails_stops_the_others_and_what_is_left() -> None:
    done: list[int] = []

    def work(number: int, stop: Stop) -> None:
        if number == 1:
            raise OSError("broken")
        while number == 0:
            stop.wait(0.001)
        done.append(number)

    with pytest.raises(OSError, match="broken"):
        await for_each(range(3), work, 2)
    assert done in ([], [2])


async def test_what_waits_for_a_thread_ends_at_once_when_it_is_cancelled() -> None:
    with held() as hold:
        busy = asyncio.gather(*(stoppable(lambda _: hold()) for _ in range(MOST_THREADS)))
        waiting = asyncio.create_task(stoppable(lambda _: None))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=LONGEST / 2)
        assert waiting.cancelled()
    await busy


class Slow(FilesStorage):
    """Keeps account of what is deleted."""

    def __init__(self, location: FilesLocation) -> None:
        super().__init__(location)
        self.deleted: list[str] = []
        self.work = Endless()

    def delete(self, name: str, kept: Kept) -> None:
        self.work.step(Stop())
        super().delete(name, kept)
        self.deleted.append(name)


@pytest.fixture
def slow(root: Path) -> Slow:
    for name in NAMES:
        (root / name).touch()
    return Slow(location(root))


async def test_files_are_deleted_several_at_once_or_in_order(slow: Slow) -> None:
    assert await deleted(slow, NAMES[: -2 * slow.lanes], in_order=True)
    assert (slow.deleted, slow.work.most) == (NAMES[: -2 * slow.lanes], 1)
    slow.work.pause = threading.Barrier(slow.lanes, timeout=LONGEST).wait
    assert await deleted(slow, NAMES[-2 * slow.lanes :])
    assert (sorted(slow.deleted), slow.work.most) == (NAMES, slow.lanes)


async def test_deleting_ends_where_it_may_go_on_no_longer(slow: Slow) -> None:
    async def only_twice() -> bool:
        return next(answers)

    answers = iter([True, True, False])
    assert not await deleted(slow, NAMES, in_order=True, only_while=only_twice)
    assert slow.deleted == NAMES[:2]
    answers = iter([True, True, False])
    assert not await deleted(slow, NAMES[2:], only_while=only_twice)
    assert sorted(slow.deleted) == NAMES[: 2 + 2 * slow.lanes]


@pytest.mark.parametrize("in_order", [True, False])
async def test_deleting_ends_when_it_is_cancelled(slow: Slow, *, in_order: bool) -> None:
    deleting = asyncio.create_task(deleted(slow, NAMES, in_order=in_order))
    while not slow.deleted:
        await asyncio.sleep(0)
    deleting.cancel()
    await asyncio.wait([deleting])
    assert deleting.cancelled()
    assert len(slow.deleted) < len(NAMES)


async def test_what_is_left_is_not_begun_after_a_cancel() -> None:
    done: list[int] = []

    def work(number: int, _: Stop) -> None:
        time.sleep(0.001)
        done.append(number)

    working = asyncio.create_task(for_each(range(1000), work, 2))
    while not done:
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert working.cancelled()
    assert len(done) < 1000
