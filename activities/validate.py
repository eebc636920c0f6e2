"""Pre-Validation: both ends of the job can be reached, before any work is done."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import closing
from dataclasses import dataclass

from temporalio import activity

from activities.errors import PrevalidationError
from activities.heartbeat import Progress, beating
from activities.settings import Settings
from activities.storage import opened
from activities.storage.base import StorageError
from activities.storage.config import Location, WritableLocation
from activities.storage.threads import stoppable
from activities.store.own import own_bucket

SOURCE = "ContentAcquisition"


@dataclass(frozen=True)
class ValidateRequest:
    """All locations of the job."""

    acquisition: Location
    publishing: WritableLocation
    images: WritableLocation | None = None


@activity.defn
async def validate(request: ValidateRequest) -> None:
    """Read from the source's location, write to the others.

    Raises:
        PrevalidationError: with every location that fails, each by its field.
    """
    targets = {"ContentPublishing": request.publishing}
    if request.images:
        targets["ImageExtraction.Location"] = request.images
    async with beating(Progress()):
        checks = await asyncio.gather(
            _failure(SOURCE, _check_readable(request.acquisition)),
            *(_failure(field, _check_writable(target)) for field, target in targets.items()),
        )
        failures = [failure for failure in checks if failure] or await _overlaps(request.acquisition, targets)
    if failures:
        temporary = all(failure.temporary for failure in failures)
        raise PrevalidationError("; ".join(map(str, failures)), retryable=temporary)


async def _check_readable(location: Location) -> None:
    async with opened(location) as source:
        await stoppable(lambda _: source.check_readable())


async def _check_writable(location: WritableLocation) -> None:
    async with opened(location) as storage:
        await stoppable(lambda _: storage.check_writable())


async def _failure(field: str, check: Coroutine[None, None, None]) -> StorageError | None:
    try:
        await check
    except StorageError as error:
        return StorageError(f"{field}.{error.field}: {error}", temporary=error.temporary)
    return None


async def _overlaps(acquisition: Location, targets: Mapping[str, WritableLocation]) -> list[StorageError]:
    """Output in the source's folder could overwrite the source, or be taken for it by the next job."""
    try:
        source = await _place(acquisition)
        places = {field: await _place(target) for field, target in targets.items()}
        in_store = _in_store({SOURCE: source, **places})
    except StorageError as error:  # some have to ask their server
        return [error]
    return in_store or [
        StorageError(
            f"{field}.UriPath: it is the folder of {SOURCE}.UriPath, inside it or around it; publish to another folder"
        )
        for field, place in places.items()
        if place.startswith(source) or source.startswith(place)
    ]


def _in_store(places: Mapping[str, str]) -> list[StorageError]:
    """The workers' own bucket holds what belongs to all jobs, whatever the credentials of one allow there."""
    if not (store := Settings.from_environment().work_store):
        return []
    with closing(own_bucket(store, "")) as bucket:
        own = bucket.place()
    return [
        StorageError(f"{field}.UriPath: it is, holds or lies in the workers' own folder (ENCODING_WORK_STORE)")
        for field, place in places.items()
        if place.startswith(own) or own.startswith(place)
    ]


async def _place(location: Location) -> str:
    async with opened(location) as storage:
        return await stoppable(lambda _: storage.place())
