"""Local folders and mounted shares, never outside of the worker's allowed roots."""

import os
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from activities.storage.base import Entry, OnBytes, StorageError
from activities.storage.config import FilesLocation
from activities.storage.explain import explained
from activities.storage.transfer import Stop, copy, stoppable
from publishers.atomic import replacing, temporary_name
from publishers.roots import FolderError, below_roots, files_roots, local_path

MOST_ENTRIES = 100_000
"""So that a location that is a whole disk by mistake fails, and does not fill the memory."""


class FilesStorage:
    """The `Files` provider. Every path is resolved anew before it is touched: links may have changed."""

    def __init__(self, location: FilesLocation) -> None:
        self._roots = files_roots()
        with explained("UriPath"):
            self._folder = local_path(location.uri_path)

    async def entries(self) -> AsyncIterator[Entry]:
        """Links to folders are listed as unusable, not followed: they could lead in circles."""
        for entry in await stoppable(self._list):
            yield entry

    async def fetch(self, name: str, to: Path, on_bytes: OnBytes) -> None:
        await stoppable(lambda stop: self._fetch(name, to, on_bytes, stop))

    async def store(self, source: Path, name: str, on_bytes: OnBytes) -> None:
        await stoppable(lambda stop: self._store(source, name, on_bytes, stop))

    async def delete(self, name: str) -> None:
        await stoppable(lambda _: self._delete(name))

    async def check_readable(self) -> None:
        await stoppable(lambda _: self._check_readable())

    async def check_writable(self) -> None:
        await stoppable(lambda _: self._check_writable())

    async def place(self) -> str:
        folder = await stoppable(lambda _: os.path.realpath(self._folder))
        return f"{Path(folder).as_uri().rstrip('/')}/"

    def link(self, name: str) -> str:
        return (self._folder / name).as_uri()

    def _list(self, stop: Stop) -> list[Entry]:
        found: list[Entry] = []
        with explained(f"the folder {self._folder} cannot be listed"):
            top = below_roots(self._folder, self._roots)
            for item in _walk(top):
                stop.check()
                if len(found) == MOST_ENTRIES:
                    raise StorageError(
                        f"the folder {self._folder} holds more than {MOST_ENTRIES} files; name the folder of one title"
                    )
                found.append(self._entry(item, item.path[len(str(top)) :].lstrip("/")))
        return sorted(found, key=lambda entry: entry.name)

    def _entry(self, item: os.DirEntry[str], name: str) -> Entry:
        printable = os.fsencode(name).decode(errors="replace")
        if printable != name:
            return Entry(printable, 0, "has a name that is not valid UTF-8; rename it")
        try:
            status = item.stat(follow_symlinks=False)
            if item.is_symlink():
                status = below_roots(Path(item.path), self._roots).stat()
        except FolderError:
            return Entry(name, 0, "is a link that leads out of the allowed folders")
        except OSError:
            return Entry(name, 0, "is a link that leads nowhere, or may not be read")
        if stat.S_ISDIR(status.st_mode):
            return Entry(name, 0, "is a link to a folder; links to folders are not followed")
        if not stat.S_ISREG(status.st_mode):
            return Entry(name, 0, "is not a regular file")
        return Entry(name, status.st_size)

    def _fetch(self, name: str, to: Path, on_bytes: OnBytes, stop: Stop) -> None:
        reading = f"{self._folder / name} cannot be read"
        writing = f"{name} cannot be copied to the worker's work folder"
        with explained(reading):
            source = _open_regular(below_roots(self._inside(name), self._roots))
        with source, explained(writing), to.open("wb") as target:
            copy(source, target, on_bytes, stop, texts=(reading, writing))

    def _store(self, source: Path, name: str, on_bytes: OnBytes, stop: Stop) -> None:
        reading = f"{name} cannot be read from the worker's work folder"
        writing = f"{self._folder / name} cannot be written"
        with explained(writing):
            target = self._target(name)
            target.parent.mkdir(parents=True, exist_ok=True)
        with explained(reading):
            opened = source.open("rb")
        with opened, explained(writing), replacing(target) as part:
            copy(opened, part, on_bytes, stop, texts=(reading, writing))

    def _delete(self, name: str) -> None:
        with explained(f"{self._folder / name} cannot be deleted"):
            target = self._target(name)
            for path in (target, temporary_name(target)):
                try:
                    path.unlink(missing_ok=True)
                except NotADirectoryError:
                    return  # then nothing can be there

    def _check_readable(self) -> None:
        with explained(f"the folder {self._folder} cannot be read"):
            folder = below_roots(self._folder, self._roots)
            with os.scandir(folder) as items:
                next(items, None)
            if not os.access(folder, os.R_OK | os.X_OK):
                raise PermissionError(13, "permission denied")

    def _check_writable(self) -> None:
        with explained(f"the folder {self._folder} cannot be written"):
            # Not made, lest it stays behind: what can hold a file can hold a folder.
            _write_probe(_nearest(below_roots(self._folder, self._roots)))

    def _inside(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or "\0" in name or name.startswith("/") or ".." in parts:
            raise FolderError(f"{name!r} does not name a file in this folder")
        return self._folder / name

    def _target(self, name: str) -> Path:
        """Where `name` is written: its folder is resolved; a link in its own place is replaced."""
        path = self._inside(name)
        return below_roots(path.parent, self._roots) / path.name


def _walk(top: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below `top` that is not a folder itself."""
    pending = [str(top)]
    while pending:
        with os.scandir(pending.pop()) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    pending.append(item.path)
                else:
                    yield item


def _open_regular(path: Path) -> BinaryIO:
    """Open a file that is one: opening a pipe could wait for ever, opening a device could do anything."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise FolderError("it is not a regular file")
    # In case it was swapped meanwhile: follow no link and wait for no pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb", buffering=0)


def _write_probe(folder: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".encoding-", dir=folder)
    try:
        os.write(descriptor, b"probe")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _nearest(folder: Path) -> Path:
    """`folder`, or the innermost of its parents that is there."""
    for path in (folder, *folder.parents):
        with suppress(FileNotFoundError):
            path.lstat()
            return path
    return folder
