"""What activities do with a storage, in one call each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from activities.storage import opened
from activities.storage.base import Entry, StorageError
from activities.storage.config import FtpsLocation, HttpLocation, Location, WritableLocation
from activities.storage.download import fetched, listed, looked_at
from activities.storage.journal import Journal
from activities.storage.tar import Tar
from activities.storage.threads import stoppable
from activities.storage.upload import deleted, stored


@dataclass(frozen=True)
class SourcePlace:
    """An empty folder on a real server, and a way to put files there."""

    location: Location
    put: Callable[[str, bytes], None]


@dataclass(frozen=True)
class Place(SourcePlace):
    """One that can be written, and what a plain client of that server sees in it."""

    location: WritableLocation
    get: Callable[[str], bytes]
    names: Callable[[], list[str]]
    """Sorted."""


def nothing(_: int) -> None:
    """Nobody counts."""


async def entries(location: Location) -> list[Entry]:
    async with opened(location) as storage:
        return await listed(storage)


async def look(location: Location, name: str) -> Entry:
    async with opened(location) as storage:
        [entry] = await looked_at(storage, [Entry(name, -1)])
        return entry


async def fetch(
    location: Location, name: str, to: Path, on_bytes: Callable[[int], None] = nothing, *, entry: Entry | None = None
) -> None:
    """`entry`: what was seen of the file earlier, instead of now."""
    async with opened(location) as storage:
        [known] = [entry] if entry else await looked_at(storage, [Entry(name, -1)])
        await fetched(storage, [(known, to)], on_bytes)


async def store(
    location: WritableLocation,
    source: Path | Tar,
    name: str,
    on_bytes: Callable[[int], None] = nothing,
    journal: Journal | None = None,
) -> None:
    if not journal:
        assert isinstance(source, Path)
        journal = Journal(source.with_name(".journal"))
    async with opened(location) as storage:
        await stored(storage, [(source, name)], on_bytes, journal)


async def delete(location: WritableLocation, name: str, journal: Journal | None = None) -> None:
    async with opened(location) as storage:
        await deleted(storage, [name], journal)


async def check(location: Location, *, writable: bool) -> None:
    if writable and not isinstance(location, HttpLocation):
        async with opened(location) as storage:
            await stoppable(lambda _: storage.check_writable())
    else:
        async with opened(location) as source:
            await stoppable(lambda _: source.check_readable())


async def check_fails(location: FtpsLocation, *, writable: bool = False) -> StorageError:
    """What the check says; never the secret."""
    with pytest.raises(StorageError) as caught:
        await check(location, writable=writable)
    assert location.credentials_secret not in str(caught.value)
    return caught.value
