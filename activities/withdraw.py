"""Taking back what a job has published, or had begun to: no player is to find it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from temporalio import activity

from activities.archive import places_of, published
from activities.deliver import DeliverRequest, journal_path
from activities.errors import PublishingError
from activities.images import ImagesRequest
from activities.machine import on_disk
from activities.storage import opened
from activities.storage.base import Storage, StorageError
from activities.storage.config import WritableLocation
from activities.storage.journal import Journal
from activities.storage.patience import asked
from activities.storage.upload import deleted
from activities.store.claims import claims_of
from activities.store.work import at_work


async def taken_back(deliveries: Iterable[DeliverRequest], images: ImagesRequest | None) -> None:
    """Withdraw all; a location that refuses is not asked again.

    Raises:
        StorageError: one, or the work store, does not answer.
    """
    for delivery in deliveries:
        with _refusal_told(delivery.output.type, delivery.job_id):
            await withdrawn(delivery)
    if images:
        with _refusal_told("the images", images.job_id):
            await _images_withdrawn(images)


@contextmanager
def _refusal_told(what: str, job_id: str) -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        if error.temporary:
            raise
        activity.logger.error("%s of job %s stays published: %s", what, job_id, error)


async def withdrawn(delivery: DeliverRequest) -> None:
    """Remove the files of a format, and its unfinished uploads; what another job has begun to replace stays.

    Raises:
        StorageError: the location, or the work store, does not allow it or cannot be reached.
    """
    notes = journal_path(delivery.output)
    try:
        async with at_work(delivery.job_id, wishes=[notes], failing=PublishingError) as work:
            await _deleted(delivery, await on_disk(_journal, work.root / notes))
    except PublishingError as error:
        activity.logger.warning("unfinished uploads of %s may be left: %s", delivery.output.type, error)
        await _deleted(delivery, None)


def _journal(path: Path) -> Journal:
    path.parent.mkdir(parents=True, exist_ok=True)
    return Journal(path)


async def _deleted(delivery: DeliverRequest, journal: Journal | None) -> None:
    goods, places = published(delivery.output), partial(places_of, output=delivery.output)
    async with _own(delivery.job_id, delivery.location, places) as (storage, is_own):
        # The main manifest first: from then on no player starts.
        await deleted(storage, goods.manifests[::-1], journal, in_order=True, only_while=is_own)
        await deleted(storage, [*goods.media][::-1], journal, only_while=is_own)


async def _images_withdrawn(images: ImagesRequest) -> None:
    async with _own(images.job_id, images.location, lambda location: [images.place(location)]) as (storage, is_own):
        await deleted(storage, images.paths, only_while=is_own)


@asynccontextmanager
async def _own(
    job_id: str, location: WritableLocation, places: Callable[[str], list[str]]
) -> AsyncIterator[tuple[Storage, Callable[[], Awaitable[bool]]]]:
    """A location, and a question: whether the job still was the last to publish at the places there."""
    with claims_of(job_id) as claims:
        async with opened(location) as storage:
            yield storage, partial(asked, claims.hold, places(await asked(storage.place)))
