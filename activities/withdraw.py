"""Taking back what a job has published, or had begun to: no player is to find it."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from temporalio import activity

from activities.archive import places_of, published
from activities.deliver import DeliverRequest, journal_path
from activities.errors import PublishingError
from activities.machine import on_disk
from activities.storage import opened
from activities.storage.base import StorageError
from activities.storage.journal import Journal
from activities.storage.patience import persistently
from activities.storage.threads import stoppable
from activities.storage.upload import deleted
from activities.store.claims import claims_of
from activities.store.work import at_work


async def taken_back(deliveries: Iterable[DeliverRequest]) -> None:
    """Withdraw all; a location that refuses is not asked again.

    Raises:
        StorageError: one, or the work store, does not answer.
    """
    for delivery in deliveries:
        try:
            await withdrawn(delivery)
        except StorageError as error:
            if error.temporary:
                raise
            activity.logger.error("%s of job %s stays published: %s", delivery.output.type, delivery.job_id, error)


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
    with claims_of(delivery.job_id) as claims:
        async with opened(delivery.location) as storage:
            place = await stoppable(partial(persistently, storage.place))
            hold = partial(claims.hold, places_of(place, delivery.output))

            async def is_own() -> bool:
                return await stoppable(partial(persistently, hold))

            goods = published(delivery.output)
            # The main manifest first: from then on no player starts.
            await deleted(storage, goods.manifests[::-1], journal, in_order=True, only_while=is_own)
            await deleted(storage, [*goods.media][::-1], journal, only_while=is_own)
