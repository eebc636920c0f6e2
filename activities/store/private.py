"""The work store as a bucket: workers have disks of their own, and fetch what they need."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

from activities.errors import JobError, LostError
from activities.machine import on_disk
from activities.media.allowed import Served
from activities.settings import Settings
from activities.storage.base import DamagedError, Entry, StorageError
from activities.storage.download import digest_of, fetched, looked_at
from activities.storage.journal import Journal
from activities.storage.lanes import for_each
from activities.storage.patience import asked, persistently
from activities.storage.threads import Stop, stoppable, together
from activities.storage.upload import stored
from activities.store.bucket import Unfinished, WorkBucket
from activities.store.kept import ALGORITHM, Kept, KeptFile, covered, files_of, note_name, read, units, written
from activities.store.own import own_bucket, told
from activities.store.ranges import Blocks, served
from activities.store.scratch import scratch
from activities.tracks import SourceFile

NOTES_AT_ONCE = 8


@asynccontextmanager
async def in_bucket(
    settings: Settings,
    job_id: str,
    *,
    needs: Iterable[str],
    wishes: Iterable[str],
    sources: Iterable[SourceFile],
    failing: type[JobError],
) -> AsyncIterator["BucketWork"]:
    """As `at_work`."""
    UUID(job_id)
    with _explained(failing):
        bucket = own_bucket(settings.work_store, job_id)
    with closing(bucket):
        async with scratch(settings.work_root, job_id) as root:
            work = BucketWork(bucket, root, failing)
            await work.fetch(needs, wishes)
            async with work.serving(sources):
                yield work


async def removed(store: str, job_id: str) -> None:
    """Remove all that a job has in the bucket, unfinished uploads as well."""
    UUID(job_id)
    with closing(own_bucket(store, job_id)) as bucket:

        def give_up(upload: Unfinished, stop: Stop) -> None:
            persistently(partial(bucket.give_up, upload.name, upload.id), stop)

        def delete(name: str, stop: Stop) -> None:
            persistently(partial(bucket.delete, name, {}), stop)

        await for_each(await asked(bucket.unfinished), give_up, bucket.lanes)
        await for_each(await stoppable(partial(_names, bucket)), delete, bucket.lanes)


def _names(bucket: WorkBucket, stop: Stop) -> list[str]:
    def read() -> list[str]:
        names = []
        for entry in bucket.entries():
            stop.check()
            names.append(entry.name)
        return names

    return persistently(read, stop)


@contextmanager
def _explained(failing: type[JobError]) -> Iterator[None]:
    """Another worker, or a later attempt, may have more luck with the store."""
    try:
        yield
    except StorageError as error:
        raise failing(f"the work store: {told(error)}", retryable=True) from None


class BucketWork:
    """See `Work`; `root` is a folder of this activity's own."""

    is_common = False

    def __init__(self, bucket: WorkBucket, root: Path, failing: type[JobError]) -> None:
        self.root = root
        self._bucket = bucket
        self._failing = failing
        self._notes: dict[str, Kept | None] = {}
        self._served: dict[str, Served] = {}

    def input(self, file: SourceFile) -> Served:
        """See base class."""
        return self._served[file.path]

    async def fetch(self, needs: Iterable[str], wishes: Iterable[str] = ()) -> None:
        """Bring files, or folders that were kept as such, to `root`; sizes and checksums are compared."""
        with _explained(self._failing):
            needed, lost = await self._found(needs)
            if lost or (lost := await self._fetch(needed)):
                raise LostError(lost, code=self._failing.code)
            wished, _ = await self._found(wishes)
            while lost := await self._fetch(wished):
                wished = {path: file for path, file in wished.items() if path not in lost}

    async def keep(self, *paths: str, beside: str = "") -> None:
        """See base class."""
        with _explained(self._failing):
            for unit in paths:
                files = await stoppable(partial(files_of, self.root, unit))
                await self._keep(unit, Kept(await self._others(beside, unit) | files), files)

    async def missing(self, files: Sequence[SourceFile]) -> list[list[SourceFile]]:
        """See base class: one file a group, so that the disk has to hold but one."""
        with _explained(self._failing):
            await self._read_notes(file.path for file in files)
        notes = ((file, self._notes[file.path]) for file in files)
        return [[file] for file, note in notes if not (file.version and note and note.source == _identity(file))]

    async def keep_sources(self, files: Sequence[SourceFile]) -> None:
        """See base class."""
        with _explained(self._failing):
            for file in files:
                local = await stoppable(partial(files_of, self.root, file.path))
                await self._keep(file.path, Kept(local, _identity(file)), local, is_source=True)
                await on_disk((self.root / file.path).unlink)

    @asynccontextmanager
    async def serving(self, sources: Iterable[SourceFile]) -> AsyncIterator[None]:
        """Serve sources by range; where one fails, that is the error, whatever its reader makes of it."""
        paths = [file.path for file in sources]
        with _explained(self._failing):
            await self._read_notes(paths)
        memory = OrderedDict[tuple[str, int], bytes]()
        blocks = {path: Blocks(self._bucket, self._source(path), memory) for path in paths}
        async with served(blocks) as self._served:
            try:
                yield
            except Exception:
                self._check(blocks)
                raise
            self._check(blocks)

    def _check(self, sources: Mapping[str, Blocks]) -> None:
        for path, blocks in sources.items():
            if blocks.failure and not blocks.failure.temporary:
                raise LostError([path], code=self._failing.code)
            if blocks.failure:
                with _explained(self._failing):
                    raise blocks.failure

    def _source(self, path: str) -> Entry:
        note = self._notes[path]
        if not note or path not in note.files:
            raise LostError([path], code=self._failing.code)
        return note.files[path].entry

    async def _found(self, paths: Iterable[str]) -> tuple[dict[str, KeptFile], list[str]]:
        """The files at `paths`, and those of `paths` where there are none."""
        found, lost = dict[str, KeptFile](), list[str]()
        asked = [*paths]
        await self._read_notes(units(path)[0] for path in asked)
        for path in asked:
            if files := await self._kept_as(path):
                found |= files
            else:
                lost.append(path)
        return found, lost

    async def _kept_as(self, path: str) -> dict[str, KeptFile]:
        for unit in units(path):
            await self._read_notes([unit])
            if files := covered(self._notes[unit], unit, path):
                return files
        return {}

    async def _read_notes(self, wanted: Iterable[str]) -> None:
        new, lanes = {*wanted} - {*self._notes}, asyncio.Semaphore(NOTES_AT_ONCE)

        async def look(unit: str) -> None:
            async with lanes:
                text = await asked(self._bucket.text_of, note_name(unit))
            self._notes[unit] = read(text) if text else None

        await together(*map(look, new))

    async def _fetch(self, wanted: dict[str, KeptFile]) -> list[str]:
        """What of it cannot be had; the others are there if there is none."""
        pairs = [(file.entry, self.root / path) for path, file in wanted.items()]
        await stoppable(partial(_forget_others, pairs))
        for tries_left in (1, 0):
            try:
                await fetched(self._bucket, pairs, lambda _: None)
            except StorageError as error:
                if lost := await self._lost(wanted, error, tries_left):
                    return lost
                if not isinstance(error, DamagedError):
                    raise
            else:
                break
        return []

    async def _lost(self, wanted: dict[str, KeptFile], error: StorageError, tries_left: int) -> list[str]:
        """What cannot be fetched again: objects that are gone, have another size, or were damaged twice."""
        sizes = await stoppable(lambda _: {path: self._bucket.size_of(file.object) for path, file in wanted.items()})
        lost = [path for path, size in sizes.items() if size != wanted[path].size]
        if not lost and not tries_left and isinstance(error, DamagedError):
            lost = [path for path, file in wanted.items() if file.object == error.name]
        return lost

    async def _others(self, beside: str, unit: str) -> dict[str, KeptFile]:
        """Those of the folder `beside`, under their names in the folder `unit`; none is sent again."""
        if not beside:
            return {}
        return {unit + path.removeprefix(beside): file for path, file in (await self._kept_as(beside)).items()}

    async def _keep(self, unit: str, kept: Kept, files: dict[str, KeptFile], *, is_source: bool = False) -> None:
        text = written(kept)
        # Named by its content: a later attempt goes on only with the very same files.
        journal = await on_disk(Journal, self.root / f".{hashlib.sha256(text).hexdigest()[:16]}.journal")
        await stored(self._bucket, [(self.root / name, name) for name in files], lambda _: None, journal)
        if is_source:
            [entry] = await looked_at(self._bucket, [files[unit].entry])
            kept.files[unit] = KeptFile(unit, entry.size, files[unit].sha256, entry.version)
            text = written(kept)
        # Last, and in one piece: until then nothing of it is there for others.
        await asked(self._bucket.put_text, note_name(unit), text)
        self._notes[unit] = kept


def _identity(file: SourceFile) -> str:
    """Of its content, where its location tells a version."""
    return f"{file.size} {file.version} {file.name}"


def _forget_others(pairs: Sequence[tuple[Entry, Path]], stop: Stop) -> None:
    """Make room for all files; one that an earlier attempt has fetched stays only if it is the same."""
    for entry, path in pairs:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and entry.digest and digest_of(path, ALGORITHM, stop) != entry.digest.value:
            path.unlink()
