"""Publishing: upload a packaged format, media first and manifests last."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.errors import PublishingError
from activities.heartbeat import Progress, beating
from activities.package import PackagedFormat
from activities.storage import open_storage
from activities.storage.base import OnBytes, Storage, StorageError, counting
from activities.storage.config import Location
from activities.workspace import workspace

LANES = 4
"""Media files on their way at once."""


@dataclass(frozen=True)
class DeliverRequest:
    """One format and where it goes."""

    job_id: str
    location: Location
    output: PackagedFormat


@dataclass(frozen=True)
class Delivered:
    """It is there, playable."""

    location: str
    """The folder, as a link."""
    total_files: int
    total_size: int
    """bytes"""
    links: dict[str, str] = field(default_factory=dict)
    """`dash` and/or `hls` → absolute link of the manifest."""


@activity.defn
async def deliver(request: DeliverRequest) -> Delivered:
    """Copy all files of one format; a player that finds a manifest finds everything behind it.

    A retry copies everything again: what an earlier attempt wrote is replaced by the same.

    Raises:
        PublishingError: the location or the work folder fails.
    """
    output, root = request.output, workspace(request.job_id) / request.output.root
    names = [*output.media, *output.manifests]
    try:
        storage = open_storage(request.location)
        total = await asyncio.to_thread(_total_size, root, names)
        async with beating(Progress(total=total)) as progress:
            await _copy(storage, root, output, counting(progress))
    except StorageError as error:
        raise PublishingError(str(error), retryable=error.temporary) from None
    links = {kind: storage.link(name) for kind, name in output.links.items()}
    return Delivered(storage.link(""), len(names), total, links)


async def _copy(storage: Storage, root: Path, output: PackagedFormat, on_bytes: OnBytes) -> None:
    # An older manifest would lead players to media that is being replaced.
    for name in reversed(output.manifests):
        await storage.delete(name)
    waiting = iter(output.media)
    await _together(*(_lane(storage, root, waiting, on_bytes) for _ in range(LANES)))
    for name in output.manifests:
        await storage.store(root / name, name, on_bytes)


async def _lane(storage: Storage, root: Path, waiting: Iterator[str], on_bytes: OnBytes) -> None:
    for name in waiting:
        await storage.store(root / name, name, on_bytes)


async def _together(*lanes: Coroutine[None, None, None]) -> None:
    """Run all; when one fails or the job is cancelled, the others have ended before the error goes on."""
    tasks = [asyncio.create_task(lane) for lane in lanes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _total_size(root: Path, names: list[str]) -> int:
    try:
        return sum((root / name).stat().st_size for name in names)
    except FileNotFoundError:
        raise StorageError(
            "the packaged files are no longer in the worker's work folder; start the job again"
        ) from None
