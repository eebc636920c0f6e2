"""Local folders and mounted shares, never outside of the worker's allowed roots."""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import FileIO, RawIOBase
from pathlib import Path

from activities.storage.base import Content, Entry, Kept, OnBytes, Span, StorageError, inside
from activities.storage.config import FilesLocation
from activities.storage.explain import explained
from publishers.atomic import remove_parts, replacing, temporary_name
from publishers.roots import FolderError, below_roots, files_roots, held, local_path

PIECE = 1 << 20
"""Bytes that are read at once."""


class FilesStorage:
    """The `Files` provider. Every path is resolved anew before it is touched: links may have changed."""

    lanes = 4
    request_size = sys.maxsize

    def __init__(self, location: FilesLocation) -> None:
        self._roots = files_roots()
        with explained("UriPath"):
            self._folder = local_path(location.uri_path)

    def entries(self) -> Iterator[Entry]:
        """Links to folders are listed as unusable, not followed: they could lead in circles."""
        with explained(f"the folder {self._folder} cannot be listed"):
            top = below_roots(self._folder, self._roots)
            for item, name in _walk(top):
                yield self._entry(item, top, name)

    def look(self, entry: Entry) -> Entry:
        """See base class."""
        with self._reading(entry.name) as file:
            status = os.fstat(file.fileno())
            return replace(entry, size=status.st_size, version=version_of(status))

    def read(self, entry: Entry, span: Span) -> Iterator[memoryview]:
        """See base class."""
        buffer = memoryview(bytearray(PIECE))
        with self._reading(entry.name) as file:
            if entry.version not in ("", version_of(os.fstat(file.fileno()))):
                raise StorageError(
                    f"the file {entry.name!r} has changed since it was listed; "
                    "start the job when it is no longer written",
                    temporary=True,
                )
            file.seek(span.start)
            left = span.size
            while left and (size := file.readinto(buffer[: min(left, PIECE)])):
                left -= size
                yield buffer[:size]

    def share(self, entry: Entry, target: Path) -> bool:
        """Make `target` the very file, without a copy; False where the file systems do not allow that.

        What is at `target` already stays: whether that is the file.
        """
        with self._reading(entry.name) as file:
            if version_of(os.fstat(file.fileno())) != entry.version:
                return False
            if target.exists():
                return os.path.samestat(target.stat(), os.fstat(file.fileno()))
            try:
                # Not by its name, which may mean another file by now; only with a folder does Python follow the link.
                at = file.fileno()
                os.link(f"/proc/self/fd/{at}", target, src_dir_fd=at, follow_symlinks=True)
            except OSError:
                return False
        return True

    def upload(self, source: Content, name: str, kept: Kept) -> "FilesUpload":
        """See base class; a local copy that breaks off begins anew."""
        del kept
        with explained(f"{self._folder / name} cannot be written"):
            return FilesUpload(source, self._target(name), str(self._folder / name))

    def delete(self, name: str, kept: Kept) -> None:
        """See base class."""
        del kept
        with explained(f"{self._folder / name} cannot be deleted"):
            target = self._target(name)
            with suppress(FileNotFoundError, NotADirectoryError), held(target.parent) as folder:
                (folder / target.name).unlink(missing_ok=True)
                remove_parts(temporary_name(folder / target.name))

    def withdraw(self, name: str, kept: Kept) -> None:
        """See base class."""
        self.delete(name, kept)

    def check_readable(self) -> None:
        """See base class."""
        with (
            explained(f"the folder {self._folder} cannot be read"),
            held(below_roots(self._folder, self._roots)) as folder,
        ):
            with os.scandir(folder) as items:
                next(items, None)
            if not os.access(folder, os.R_OK | os.X_OK):
                raise PermissionError(13, "permission denied")

    def check_writable(self) -> None:
        """See base class."""
        with (
            explained(f"the folder {self._folder} cannot be written"),
            # Not made, lest it stays behind: what can hold a file can hold a folder.
            held(_nearest(below_roots(self._folder, self._roots))) as folder,
        ):
            _write_probe(folder)

    def place(self) -> str:
        """See base class."""
        return f"{Path(os.path.realpath(self._folder)).as_uri().rstrip('/')}/"

    def link(self, name: str) -> str:
        """See base class."""
        return (self._folder / name).as_uri()

    def close(self) -> None:
        """See base class: nothing is kept open."""

    def _entry(self, item: os.DirEntry[str], top: Path, name: str) -> Entry:
        printable = os.fsencode(name).decode(errors="replace")
        if printable != name:
            return Entry(printable, 0, "has a name that is not valid UTF-8; rename it")
        try:
            status = item.stat(follow_symlinks=False)
            if item.is_symlink():
                status = below_roots(top / name, self._roots).stat()
        except FolderError:
            return Entry(name, 0, "is a link that leads out of the allowed folders")
        except OSError:
            return Entry(name, 0, "is a link that leads nowhere, or may not be read")
        if stat.S_ISDIR(status.st_mode):
            return Entry(name, 0, "is a link to a folder; links to folders are not followed")
        if not stat.S_ISREG(status.st_mode):
            return Entry(name, 0, "is not a regular file")
        return Entry(name, status.st_size, version=version_of(status))

    @contextmanager
    def _reading(self, name: str) -> Iterator[FileIO]:
        with explained(f"{self._folder / name} cannot be read"):
            path = below_roots(self._folder / inside(name), self._roots)
            with held(path.parent) as folder, _open_regular(folder / path.name) as file:
                yield file

    def _target(self, name: str) -> Path:
        """Where `name` is written: its folder is resolved; a link in its own place is replaced."""
        path = self._folder / inside(name)
        return below_roots(path.parent, self._roots) / path.name


class FilesUpload:
    """A copy that grows beside its target."""

    def __init__(self, source: Content, target: Path, shown: str) -> None:
        self._source = source
        self._target = target
        self._reading = f"{source.name} cannot be read from the worker's work folder"
        self._writing = f"{shown} cannot be written"
        with explained(self._reading, own=True):
            self._size = source.stat().st_size

    def missing(self) -> list[Span]:
        """See base class: all, in one go."""
        return [Span(0, self._size)]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class; the file is visible by the end already: there is but one part."""
        del part
        with explained(self._writing), held(self._target.parent, make=True) as folder:
            with explained(self._reading, own=True):
                source = self._source.open("rb", buffering=0)
            with source, replacing(folder / self._target.name) as target:
                buffer = memoryview(bytearray(PIECE))
                while size := self._read(source, buffer):
                    target.write(buffer[:size])
                    on_bytes(size)

    def finish(self) -> None:
        """See base class."""

    def _read(self, source: RawIOBase, buffer: memoryview) -> int:
        with explained(self._reading, own=True):
            return source.readinto(buffer) or 0


def version_of(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _walk(top: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Everything below `top` that is not a folder itself, with its name."""
    pending = [""]
    while pending:
        above = pending.pop()
        with held(top / above) as folder, os.scandir(folder) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    pending.append(f"{above}{item.name}/")
                else:
                    yield item, f"{above}{item.name}"


def _open_regular(path: Path) -> FileIO:
    """Open a file that is one: opening a pipe could wait for ever, opening a device could do anything."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise FolderError("it is not a regular file")
    # In case it was swapped meanwhile: follow no link and wait for no pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return FileIO(descriptor, "rb")


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
