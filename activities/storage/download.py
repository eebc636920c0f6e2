"""Fetching files: in parts, several at once, going on where a broken connection or a killed worker has left off."""

import hashlib
import secrets
import shutil
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from functools import partial
from operator import le
from pathlib import Path

from activities.storage.base import DamagedError, Entry, OnBytes, Source, Span, StorageError
from activities.storage.explain import explained
from activities.storage.growing import DONE, MISSING, Growing, begun, found
from activities.storage.lanes import for_each
from activities.storage.patience import Patience, persistently
from activities.storage.threads import Stop, stoppable

PIECE = 8 << 20
"""Bytes that are written down as done together: what a killed worker fetches once more at the most, per lane."""
MOST_ENTRIES = 100_000
"""So that a location that is a whole disk by mistake, or a listing without end, fails, and does not fill the memory."""
LARGEST = 10_000_000_000_000
"""Bytes of a file: whatever a server claims, each piece of it takes memory and time."""
HASH_BUFFER = 1 << 20
BLOCK = 512
"""Bytes: what `stat` counts in."""
PARTS = (".part", ".part.done")
"""Beside a file that is still to be whole: what there is of it, and notes about that."""


async def listed(storage: Source) -> list[Entry]:
    """All files of the location, sorted by name."""

    def entries(stop: Stop) -> list[Entry]:
        return persistently(lambda: sorted(_all(storage, stop), key=lambda entry: entry.name), stop)

    return await stoppable(entries)


def _all(storage: Source, stop: Stop) -> Iterator[Entry]:
    for number, entry in enumerate(storage.entries(), 1):
        stop.check()
        if number > MOST_ENTRIES:
            raise StorageError(f"the folder holds more than {MOST_ENTRIES} files; name the folder of one title")
        yield entry


async def looked_at(storage: Source, entries: Sequence[Entry]) -> list[Entry]:
    """The same entries with sizes, versions and digests.

    Raises:
        StorageError: one cannot be looked at, or its size cannot be meant.
    """
    found = [*entries]

    def look(place: int, stop: Stop) -> None:
        found[place] = _sane(persistently(partial(storage.look, entries[place]), stop))

    await for_each(range(len(entries)), look, storage.lanes)
    return found


def _sane(entry: Entry) -> Entry:
    if entry.size < 0:
        raise StorageError(f"the file {entry.name!r} cannot be read: the server does not tell its size")
    if entry.size > LARGEST:
        raise StorageError(
            f"the file {entry.name!r} has {entry.size} bytes by what its storage tells, and may have {LARGEST}; "
            "replace it, or correct what the storage tells"
        )
    return entry


async def fetched(storage: Source, wanted: Sequence[tuple[Entry, Path]], on_bytes: OnBytes) -> None:
    """Copy files, which were looked at, to local paths; a path is there when its file is complete and verified.

    What an earlier attempt has copied of the same version stays, and is counted.

    Raises:
        StorageError: one cannot be read or written, has changed meanwhile, or has arrived damaged; or there is no space
            for all of them.
    """
    with ExitStack() as stack:
        downloads = await stoppable(lambda _: _begun(wanted, on_bytes))
        for download in downloads:
            stack.enter_context(closing(download))
        work = ((download, run) for download in downloads for run in download.runs(storage.request_size))
        await for_each(work, lambda each, stop: _fetch(storage, *each, on_bytes, stop), storage.lanes)


def _begun(wanted: Sequence[tuple[Entry, Path]], on_bytes: OnBytes) -> list["Download"]:
    """Those that are not there yet; what is there of all is counted."""
    missing = check_room(wanted)
    downloads = [Download(entry, path) for entry, path in missing]
    on_bytes(sum(entry.size for entry, _ in wanted) - sum(entry.size for entry, _ in missing))
    on_bytes(sum(download.done_size for download in downloads))
    return downloads


def check_room(wanted: Sequence[tuple[Entry, Path]]) -> list[tuple[Entry, Path]]:
    """Fail unless the disk has space for what is missing of all: now, and not when it is full, for other jobs as well.

    Returns what is missing.

    Raises:
        StorageError: it has not.
    """
    if not (missing := [(entry, path) for entry, path in wanted if not path.exists()]):
        return []
    largest, path = max(missing, key=lambda pair: pair[0].size)
    what = f"{largest.name} cannot be copied to the worker's work folder"
    with explained(what, own=True):
        disk = shutil.disk_usage(path.parent)
        need = sum(entry.size - _taken(part_of(path)) for entry, path in missing)
    if need > disk.free and disk.total:  # some file systems do not tell
        raise StorageError(
            f"{what}: no space is left for it; {need} bytes are still to come, and {disk.free} are free: free some",
            temporary=True,
        )
    return missing


def _taken(path: Path) -> int:
    """Bytes on its disk."""
    with suppress(FileNotFoundError):
        return path.stat().st_blocks * BLOCK
    return 0


def part_of(target: Path) -> Path:
    """Where a file grows until it is whole."""
    return target.with_name(f"{target.name}{PARTS[0]}")


def _fetch(storage: Source, download: "Download", run: Span, on_bytes: OnBytes, stop: Stop) -> None:
    at = run.start
    for data in received(storage, download.entry, run, stop):
        download.write(at, data)
        at += len(data)
        on_bytes(len(data))
    if download.is_mine_to_finish():
        download.finish(stop)


def received(storage: Source, entry: Entry, run: Span, stop: Stop) -> Iterator[bytes | memoryview]:
    """One run of bytes, over as many connections as it takes; a piece is valid until the next is asked for."""
    patience, at = Patience(stop), run.start
    while at < run.end:
        try:
            for data in storage.read(entry, Span(at, run.end)):
                stop.check()
                at += len(data)
                yield data
                patience.success()
        except StorageError as error:
            patience.failure(error)
        else:
            if at < run.end:
                patience.failure(StorageError(f"the file {entry.name!r} ends too early", temporary=True))


class Download:
    """A file that grows beside its target, as `<target>.part`, with notes of the pieces that are there.

    An attempt that Temporal has given up may still write, beside the next one. Both may write to one file of one
    version, but nobody believes notes about another file than the one that is open. Where nothing tells one version
    from another, each attempt has a file of its own.
    """

    def __init__(self, entry: Entry, target: Path) -> None:
        self.entry = entry
        self._target = target
        own = "" if entry.version else f".{secrets.token_hex(4)}"
        self._part, self._notes = (target.with_name(f"{target.name}{own}{part}") for part in PARTS)
        self._lock = threading.Lock()
        self._growing: Growing | None = None
        self._is_finishing = False
        self._done = bytearray(-(-entry.size // PIECE))
        with self._explained():
            if growing := self._found():
                self._done = growing.done(len(self._done))
                growing.close()

    @property
    def done_size(self) -> int:
        """Bytes that are there."""
        missing = self._done.count(MISSING) * PIECE
        if self._done.endswith(bytes([MISSING])):
            missing -= len(self._done) * PIECE - self.entry.size
        return self.entry.size - missing

    def runs(self, most: int) -> Iterator[Span]:
        """What is missing, in runs of at most `most` bytes, or one piece; one of no bytes where nothing is.

        Each is found when it is asked for: behind the last one, nothing may have been written meanwhile.
        """
        longest, at = max(most // PIECE, 1), self._done.find(MISSING)
        if at < 0:
            yield Span(0, 0)
        while at >= 0:
            last = min(at + longest, len(self._done))
            end = self._done.find(DONE, at, last)
            end = last if end < 0 else end
            yield Span(at * PIECE, self._piece(end - 1).end)
            at = self._done.find(MISSING, end)

    def write(self, at: int, data: bytes | memoryview) -> None:
        """Keep bytes that have arrived: those of one piece in order, by one thread."""
        end = at + len(data)
        if end > self.entry.size:
            raise StorageError(f"the file {self.entry.name!r} has become longer", temporary=True)
        with self._explained():
            growing = self._opened()
            growing.write(at, data)
            for number in range(at // PIECE, -(-end // PIECE)):
                if self._piece(number).end <= end:
                    growing.note(number)
                    self._done[number] = DONE

    def is_mine_to_finish(self) -> bool:
        """Whether everything is there; true for the first that asks."""
        with self._lock:
            mine = MISSING not in self._done and not self._is_finishing
            self._is_finishing |= mine
            return mine

    def finish(self, stop: Stop) -> None:
        """Verify what has arrived and put it in its place."""
        with self._explained():
            growing = self._opened()
            if (digest := self.entry.digest) and digest_of(growing.path, digest.algorithm, stop) != digest.value:
                self._notes.unlink(missing_ok=True)
                if growing.is_at(self._target):  # another attempt has put it there, and this one written to it since
                    self._target.unlink()
                raise DamagedError(self.entry.name, digest.algorithm)
            self._put_in_place(growing)
            self.close()

    def _put_in_place(self, growing: Growing) -> None:
        own = self._target.with_name(f"{self._target.name}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            if growing.is_at(self._part):
                self._part.rename(own)  # nobody else knows this name: what was looked at under it is what is replaced
                if growing.is_at(own):
                    own.replace(self._target)
                    self._notes.unlink(missing_ok=True)
                    return
                own.unlink()
        if not growing.is_at(self._target):  # where another attempt has put this very file
            raise self._overtaken()

    def close(self) -> None:
        """Leave everything as it is, for a later attempt."""
        with self._lock:
            if self._growing:
                self._growing.close()
            self._growing = None

    def _opened(self) -> Growing:
        """Only when first needed: there can be more files than a process may have open."""
        with self._lock:
            if not self._growing:
                growing = self._found() or self._begun()
                if not all(map(le, self._done, growing.done(len(self._done)))):
                    growing.close()
                    raise self._overtaken()  # it is not the file in which these pieces were
                self._growing = growing
            return self._growing

    def _found(self) -> Growing | None:
        return found(self._part, self._notes, self.entry.version, self.entry.size)

    def _begun(self) -> Growing:
        if DONE in self._done:
            raise self._overtaken()  # its notes are not for this attempt to remove
        try:
            return begun(self._part, self._notes, self.entry.version, self.entry.size)
        except FileExistsError:
            raise self._overtaken() from None

    def _overtaken(self) -> StorageError:
        return StorageError(f"another attempt copies {self.entry.name} as well", temporary=True)

    def _piece(self, number: int) -> Span:
        return Span(number * PIECE, min((number + 1) * PIECE, self.entry.size))

    def _explained(self) -> AbstractContextManager[None]:
        return explained(f"{self.entry.name} cannot be copied to the worker's work folder", own=True)


def digest_of(path: Path, algorithm: str, stop: Stop) -> bytes:
    """Of a local file, as `Digest` has it."""
    hashed = _Crc32() if algorithm == "crc32" else hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        while data := file.read(HASH_BUFFER):
            stop.check()
            hashed.update(data)
    return hashed.digest()


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")
