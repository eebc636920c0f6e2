"""The end of every job: nothing of it stays in the work folder, nor at its place if it did not succeed."""

import asyncio
from dataclasses import dataclass, field

from temporalio import activity

from activities.heartbeat import Progress, beating
from activities.package import PackagedFormat
from activities.storage import open_storage
from activities.storage.base import StorageError
from activities.storage.config import Location
from activities.workspace import remove


@dataclass(frozen=True)
class CleanUpRequest:
    """What to remove besides the workspace."""

    job_id: str
    location: Location
    withdraw: list[PackagedFormat] = field(default_factory=list)
    """Formats whose delivery had begun in a job that did not succeed; empty for one that did."""


@activity.defn
async def clean_up(request: CleanUpRequest) -> None:
    """Remove files; what is already gone, or out of reach, fails nothing."""
    async with beating(Progress()):
        await asyncio.to_thread(remove, request.job_id)
        for output in request.withdraw:
            await _withdraw(request.location, output)


async def _withdraw(location: Location, output: PackagedFormat) -> None:
    # The main manifest first: from then on no player starts.
    for name in [*reversed(output.manifests), *output.media]:
        try:
            await open_storage(location).delete(name)
        except StorageError as error:
            activity.logger.warning("%s of the failed job stays published: %s", output.type, error)
            return
