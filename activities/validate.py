"""Pre-Validation: both ends of the job can be reached, before any work is done."""

import asyncio
from dataclasses import dataclass

from temporalio import activity

from activities.errors import PrevalidationError
from activities.heartbeat import Progress, beating
from activities.storage import opened
from activities.storage.base import StorageError
from activities.storage.config import Location, WritableLocation
from activities.storage.threads import stoppable

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
    locations: dict[str, Location] = {SOURCE: request.acquisition, "ContentPublishing": request.publishing}
    if request.images:
        locations["ImageExtraction.Location"] = request.images
    async with beating(Progress()):
        checks = await asyncio.gather(*(_check(field, at) for field, at in locations.items()))
        failures = [failure for failure in checks if failure] or await _overlaps(locations)
    if failures:
        temporary = all(failure.temporary for failure in failures)
        raise PrevalidationError("; ".join(map(str, failures)), retryable=temporary)


async def _check(field: str, location: Location) -> StorageError | None:
    try:
        with opened(location) as storage:
            check = storage.check_readable if field == SOURCE else storage.check_writable
            await stoppable(lambda _: check())
    except StorageError as error:
        return StorageError(f"{field}.{error.field}: {error}", temporary=error.temporary)
    return None


async def _overlaps(locations: dict[str, Location]) -> list[StorageError]:
    """Output in the source's folder could overwrite the source, or be taken for it by the next job."""
    places = {field: await _place(location) for field, location in locations.items()}
    source = places.pop(SOURCE)
    return [
        StorageError(
            f"{field}.UriPath: it is the folder of {SOURCE}.UriPath, inside it or around it; publish to another folder"
        )
        for field, place in places.items()
        if place.startswith(source) or source.startswith(place)
    ]


async def _place(location: Location) -> str:
    with opened(location) as storage:
        return await stoppable(lambda _: storage.place())
