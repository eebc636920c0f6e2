"""The end of every job: nothing of it stays in the work folder, nor at its place if it did not succeed."""

from dataclasses import dataclass, field

from temporalio import activity

from activities.deliver import DeliverRequest
from activities.errors import PublishingError
from activities.heartbeat import Progress, beating
from activities.images import ImagesRequest
from activities.package import PackagedFormat
from activities.storage import opened
from activities.storage.base import Entry, Storage, StorageError
from activities.storage.config import WritableLocation
from activities.storage.download import looked_at
from activities.storage.patience import asked
from activities.store.work import emptied
from activities.tracks import SourceFile
from activities.withdraw import taken_back


@dataclass(frozen=True)
class CleanUpRequest:
    """What to remove besides the workspace."""

    job_id: str
    location: WritableLocation
    withdraw: list[PackagedFormat] = field(default_factory=list)
    """Formats whose delivery had begun in a job that did not succeed; empty for one that did."""
    images: ImagesRequest | None = None
    """The same for the images, without their picture."""

    @property
    def deliveries(self) -> list[DeliverRequest]:
        """What is to be withdrawn, as it was asked for."""
        return [DeliverRequest(self.job_id, self.location, output) for output in self.withdraw]


@dataclass(frozen=True)
class DeleteSourceRequest:
    """The files that a job has used."""

    location: WritableLocation
    files: list[SourceFile]


@activity.defn
async def clean_up(request: CleanUpRequest) -> None:
    """Remove files; what is already gone, or where that is refused for good, fails nothing.

    Raises:
        PublishingError: the location, or the work store, is away.
    """
    async with beating(Progress()):
        try:
            await taken_back(request.deliveries, request.images)
            await emptied(request.job_id)
        except StorageError as error:
            raise PublishingError(f"files stay: {error}", retryable=True) from None


@activity.defn
async def delete_source(request: DeleteSourceRequest) -> None:
    """Remove the files that the job has used. One that was replaced since then stays: another job may want it.

    Raises:
        PublishingError: one cannot be removed.
    """
    async with beating(Progress(total=len(request.files))) as progress:
        try:
            async with opened(request.location) as storage:
                for file in request.files:
                    await _delete_unchanged(storage, file)
                    progress.done += 1
        except StorageError as error:
            raise PublishingError(f"files stay in the source folder: {error}", retryable=error.temporary) from None


async def _delete_unchanged(storage: Storage, file: SourceFile) -> None:
    try:
        [entry] = await looked_at(storage, [Entry(file.name, file.size)])
    except StorageError as error:
        if error.temporary:
            raise
        activity.logger.warning("%s is not deleted: %s", file.name, error)
        return
    if (entry.size, entry.version) == (file.size, file.version):
        await asked(storage.delete, file.name, {})
    else:
        activity.logger.warning("%s is not deleted: it has changed since the job has read it", file.name)
