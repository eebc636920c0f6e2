"""What a worker keeps on its own disk while it works with a bucket: a folder for each running activity."""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import UUID

from temporalio import activity

from activities.errors import JobError
from activities.storage.threads import Stop, stoppable

LOCK = ".in-use"
LOOK = 0.2
"""Seconds between two looks at a folder that is in use."""
FORGOTTEN = 3600.0
"""Seconds after which nobody comes back for an unused folder: attempts follow each other within a minute."""


@asynccontextmanager
async def scratch(work_root: Path, job_id: str) -> AsyncIterator[Path]:
    """The folder of this activity; a later attempt on the same worker finds what was left in it.

    It is removed when the activity has ended or was cancelled, and stays when there will be another attempt.
    """
    folder = work_root / job_id / activity.info().activity_id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # An attempt that the server has given up may still be ending here.
        await stoppable(lambda stop: _lock(lock, stop))
        os.utime(folder)
        yield folder
        await asyncio.to_thread(_remove, folder)
    except BaseException as error:
        os.utime(folder)
        if _is_final(error):
            await asyncio.to_thread(_remove, folder)
        raise
    finally:
        os.close(lock)


def _is_final(error: BaseException) -> bool:
    if isinstance(error, JobError):
        return not error.retryable
    return activity.is_cancelled() and not activity.is_worker_shutdown()


def sweep(work_root: Path) -> None:
    """Remove what activities have left that went on elsewhere."""
    for folder in _scratches(work_root):
        with suppress(OSError), _unused(folder):
            if time.time() - folder.stat().st_mtime > FORGOTTEN:
                _remove(folder)


def _scratches(work_root: Path) -> Iterator[Path]:
    for job in [*work_root.iterdir()] if work_root.is_dir() else []:
        with suppress(ValueError, OSError):
            UUID(job.name)
            yield from [*job.iterdir()]


@contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Raises OSError where it is in use."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, stop: Stop) -> None:
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        stop.wait(LOOK)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # others of the job are at work
        folder.parent.rmdir()
