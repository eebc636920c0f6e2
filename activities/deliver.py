"""Publishing: upload a packaged format, media first and manifests last."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname

from temporalio import activity

from activities.archive import Published, places_of, published
from activities.errors import JobError, PublishingError
from activities.heartbeat import Progress, beating, counting
from activities.machine import on_disk
from activities.package import PackagedFormat
from activities.server import is_current
from activities.storage import opened
from activities.storage.base import Content, OnBytes, Storage, StorageError
from activities.storage.config import WritableLocation
from activities.storage.content import MANIFESTS
from activities.storage.download import listed
from activities.storage.journal import Journal
from activities.storage.patience import asked
from activities.storage.upload import DONE, deleted, stored
from activities.store.claims import Claims, claims_of
from activities.store.work import Work, at_work

LOST = "the packaged files are no longer in the worker's work folder; start the job again"
LATE = "another worker publishes this by now, or Temporal is away"
"""A worker that has stood still may have lost its task meanwhile, and learns of that only a little later."""
TAKEN = "another job has begun to publish at the same place; let each publish to a folder of its own"
PLACES, LOST_TIMES = "", "lost"
"""What the journal notes of no file: how often the places were lost when it began."""


@dataclass(frozen=True)
class Sent:
    """Media of a format that is at its place, and to which nothing leads yet."""

    files: int
    """The first ones of `Published.media`."""
    size: int
    """bytes"""


@dataclass(frozen=True)
class DeliverRequest:
    """One format and where it goes."""

    job_id: str
    location: WritableLocation
    output: PackagedFormat
    sent: Sent | None = None
    """What has been sent ahead."""


@dataclass(frozen=True)
class Delivered:
    """It is there, playable."""

    location: str
    """The folder, as a link."""
    total_files: int
    total_size: int
    """bytes"""
    links: dict[str, str] = field(default_factory=dict)
    """`dash` and/or `hls` → absolute link of the manifest, or of the only archive."""


@dataclass(frozen=True)
class _Transfer:
    """A format on its way from a folder to a storage."""

    goods: Published
    root: Path
    size: int
    """Bytes of what is to be sent."""
    storage: Storage
    claim: "_Claim"
    journal: Journal
    on_bytes: OnBytes

    async def send(self, names: Iterable[str]) -> None:
        if not await is_current():
            raise PublishingError(LATE, retryable=True)  # it would bring back what was withdrawn
        files = await asyncio.to_thread(_contents, self.root, self.goods, names)
        await stored(self.storage, files, self.on_bytes, self.journal)

    async def make_room(self, output: PackagedFormat) -> list[str]:
        """Take back what leads to an earlier title; returns its media, to be deleted when nothing needs it any more."""
        stale_manifests, stale_media = await _stale(self.storage, output, self.goods)
        # An older manifest would lead players to media that is being replaced. The main ones go first.
        await self.delete([*reversed(self.goods.manifests), *stale_manifests], in_order=True)
        return stale_media

    async def delete(self, names: list[str], *, in_order: bool = False) -> None:
        if not await deleted(self.storage, names, self.journal, in_order=in_order, only_while=is_current):
            raise PublishingError(LATE, retryable=True)  # it would take away what another worker has published


@activity.defn
async def send_media(request: DeliverRequest) -> Sent:
    """Copy the media of one format, to be published by `deliver` when all of the title is ready.

    Raises:
        PublishingError: as `deliver`; it is for that to try again.
    """
    names = [*published(request.output).media]
    try:
        async with _transfer(request, names) as transfer:
            await transfer.make_room(request.output)
            await transfer.send(names)
            return Sent(len(names), transfer.size)
    except JobError as error:
        raise PublishingError(str(error)) from None


@activity.defn
async def deliver(request: DeliverRequest) -> Delivered:
    """Copy all files of one format; a player that finds a manifest finds everything behind it.

    A retry goes on with the file, and the part of a large one, at which the earlier attempt ended.

    Raises:
        PublishingError: the location or the work folder fails.
    """
    goods = published(request.output)
    async with _transfer(request, goods.names) as transfer:
        claim, sent = transfer.claim, transfer.claim.sent
        stale = await transfer.make_room(request.output)
        await transfer.send([*goods.media][sent.files :])
        await claim.check()
        for name in goods.manifests:
            await transfer.send([name])
        await claim.check()  # who takes the place only now removes the manifests
        await transfer.delete(stale)
        links = {kind: transfer.storage.link(name) for kind, name in goods.links.items()}
        return Delivered(transfer.storage.link(""), len(goods.names), sent.size + transfer.size, links)


@asynccontextmanager
async def _transfer(request: DeliverRequest, names: list[str]) -> AsyncIterator[_Transfer]:
    """Everything that it takes to send the files `names` of a format, without those that were sent ahead."""
    output, notes = request.output, journal_path(request.output)
    goods = published(output)
    async with beating(Progress()) as progress:
        try:
            async with _at_place(request) as (storage, claim):
                left = names[claim.sent.files :]
                needs = [f"{output.root}/{file}" for name in left for file in goods.files(name)]
                async with (
                    at_work(request.job_id, needs=needs, wishes=[notes], failing=PublishingError) as work,
                    _keeping_notes(work, notes),
                ):
                    root = work.root / output.root
                    progress.total = size = await asyncio.to_thread(_total_size, root, goods, left)
                    journal = await on_disk(_journal_since, work.root / notes, claim.lost)
                    yield _Transfer(goods, root, size, storage, claim, journal, counting(progress))
        except StorageError as error:
            raise PublishingError(str(error), retryable=error.temporary) from None


@dataclass(frozen=True)
class _Claim:
    """The job's right to the places where it publishes."""

    claims: Claims
    places: list[str]
    lost: int
    """See `Claims.take`."""
    sent: Sent
    """What was sent ahead, and nobody has replaced since."""

    async def check(self) -> None:
        """Fail if another job has taken them: the next attempt sends everything, lest players get a mix."""
        if not await asked(self.claims.held_since, self.lost, self.places):
            raise PublishingError(TAKEN, retryable=True)


@asynccontextmanager
async def _at_place(request: DeliverRequest) -> AsyncIterator[tuple[Storage, _Claim]]:
    with claims_of(request.job_id) as claims:
        async with opened(request.location) as storage:
            places = places_of(await asked(storage.place), request.output)
            yield storage, await _claimed(request, claims, places)


async def _claimed(request: DeliverRequest, claims: Claims, places: list[str]) -> _Claim:
    """Take the places. Two jobs would take them from each other for ever: who has lost them once lets the other end."""
    if activity.info().attempt > 1 and not await asked(claims.are_free, places):
        raise PublishingError(TAKEN, retryable=True)
    lost = await asked(claims.take, places)
    sent = request.sent if request.sent and not lost else Sent(0, 0)
    return _Claim(claims, places, lost, sent)


def _journal_since(path: Path, lost: int) -> Journal:
    """The notes, as far as they are about what lies there since the places were lost so often."""
    journal = Journal(path)
    if (times := str(lost)) != journal.read(PLACES).get(LOST_TIMES, "0"):
        journal.forget(DONE)
        journal.write(PLACES, LOST_TIMES, times)
    return journal


@asynccontextmanager
async def _keeping_notes(work: Work, notes: str) -> AsyncIterator[None]:
    """What was done goes on with the next attempt, wherever that is; or is taken back from there."""
    try:
        yield
    except BaseException:
        if not work.is_common and await on_disk((work.root / notes).exists):
            await work.keep(notes)
        raise


def journal_path(output: PackagedFormat) -> str:
    """The notes about the delivery of a format lie with its files: none of them speaks of files made anew."""
    return f"{output.root}/.{output.type}.journal"


async def _stale(storage: Storage, output: PackagedFormat, goods: Published) -> tuple[list[str], list[str]]:
    """Manifests and media of an earlier title in the folders that are written: beside the new they would be a mix.

    In the folder of the main manifests only manifests are looked for: other files there need not be of a title.
    """
    new, files = set(goods.names), [*output.files, *output.manifests, *goods.names]
    folders, top = set(map(dirname, files)), {dirname(name) for name in (*output.links.values(), *goods.links.values())}
    try:
        names = [entry.name for entry in await listed(storage)]
    except StorageError as error:
        # It need not exist yet, and the permission to list is not among those that an output has to grant.
        activity.logger.info("what an earlier title may have left is not looked for: %s", error)
        return [], []
    left = [name for name in names if name not in new and dirname(name) in folders]
    manifests = [name for name in left if name.endswith(MANIFESTS)]
    return manifests, [name for name in left if name not in manifests and dirname(name) not in top]


def _contents(root: Path, goods: Published, names: Iterable[str]) -> list[tuple[Content, str]]:
    try:
        return [(goods.content(root, name), name) for name in names]
    except FileNotFoundError:
        raise StorageError(LOST) from None


def _total_size(root: Path, goods: Published, names: Iterable[str]) -> int:
    try:
        return sum(content.stat().st_size for content, _ in _contents(root, goods, names))
    except FileNotFoundError:
        raise StorageError(LOST) from None
