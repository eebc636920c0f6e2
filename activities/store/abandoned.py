"""Workspaces that nobody has written to for long: those of jobs that ended without a worker's knowing it."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from uuid import UUID

from activities.settings import Settings
from activities.storage.threads import stoppable
from activities.store.own import own_bucket


async def kept_jobs(settings: Settings) -> list[str]:
    """JobIds of all that have a workspace in the store.

    Raises:
        StorageError: the bucket cannot be listed.
    """
    if settings.work_store:
        with closing(own_bucket(settings.work_store, "")) as bucket:
            names = await stoppable(lambda _: bucket.folders())
    else:
        names = await asyncio.to_thread(lambda: [path.name for path in settings.work_root.iterdir() if path.is_dir()])
    return [name for name in names if _is_job(name)]


async def last_written(settings: Settings, job_id: str) -> float:
    """Unix time of the newest that lies in a job's workspace.

    Raises:
        StorageError: the bucket cannot be listed.
    """
    if settings.work_store:
        with closing(own_bucket(settings.work_store, job_id)) as bucket:
            return await stoppable(lambda _: bucket.last_written())
    return await asyncio.to_thread(lambda: max(_times(settings.work_root / job_id), default=0.0))


def _is_job(name: str) -> bool:
    with suppress(ValueError):
        return str(UUID(name)) == name.lower()
    return False


def _times(folder: Path) -> Iterator[float]:
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):  # it goes away meanwhile
            yield path.lstat().st_mtime
