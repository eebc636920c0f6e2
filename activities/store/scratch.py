"""What a worker keeps on its own disk while it works with a bucket: a folder for each running activity."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import UUID

from temporalio import activity

from activities.errors import JobError
from activities.machine import on_disk
from activities.storage.threads import Stop, stoppable

LOCK = ".in-use"
LOOK = 0.2
"""Seconds between two looks at a folder that is in use."""
FORGOTTEN = 3600.0
"""Seconds after which nobody comes back for an unused folder: attempts follow each other within a minute."""


@asynccontextmanager
async def scratch(work_root: Path, job_id: str) -> AsyncIterator[Path]:
    """The folder of this activity; a later attempt on the same worker finds what was left in it.

    It is removed when the activity has ended or was cancelled, and stays after a fault that may pass: for another
    attempt, or for the job's clean-up.
    """
    folder = work_root / job_id / activity.info().activity_id
    async with _alone(folder):
        try:
            await on_disk(os.utime, folder)
            yield folder
        except BaseException as error:
            if _is_final(error):
                # At once: a cancel that comes just now must find it begun, since nobody would come back for the folder.
                await stoppable(lambda _: _remove(folder))
            else:
                await on_disk(os.utime, folder)
            raise
        await stoppable(lambda _: _remove(folder))


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Make the folder, for one user at a time: an attempt that the server has given up may still be ending there."""
    locks: list[int] = []  # kept by the thread itself: a cancelled wait has no result
    try:
        await stoppable(lambda stop: locks.append(_locked(folder, stop)))
        yield
    finally:
        for lock in locks:
            os.close(lock)


def _is_final(error: BaseException) -> bool:
    is_unwanted = activity.is_cancelled() and not activity.is_worker_shutdown()
    return is_unwanted or (isinstance(error, JobError) and not error.retryable)


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
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _locked(folder: Path, stop: Stop) -> int:
    """A descriptor that holds the folder's lock until it is closed."""
    while True:
        with suppress(BlockingIOError, FileNotFoundError):  # it is in use, or its user is removing it
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _lock(folder)
        stop.wait(LOOK)


def _lock(folder: Path) -> int:
    """As `_locked`, at once or not at all."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_in_place(lock, folder / LOCK)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _check_in_place(lock: int, path: Path) -> None:
    """A lock may be of a file that its user has removed meanwhile: then another may have the folder."""
    if not os.path.samestat(os.fstat(lock), path.stat()):
        raise BlockingIOError


def _remove(folder: Path) -> None:
    """Out of the way at once: what the next user of the place writes is not removed with it."""
    gone = folder.with_name(f".{secrets.token_hex(8)}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(OSError):  # others of the job are at work
        folder.parent.rmdir()
