"""A file on its way to an FTP server."""

import ftplib
import posixpath
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import RawIOBase
from pathlib import Path

from activities.storage.base import Content, Kept, OnBytes, Span, StorageError
from activities.storage.explain import explained
from activities.storage.ftps.listing import size_of
from publishers.atomic import temporary_name
from publishers.ftp import Client

PIECE = 1 << 18
"""Bytes that are sent at once."""
BEGUN = "begun"
"""Note about an upload: that the temporary file is its own, and a copy of what."""


class FtpsUpload:
    """A copy that grows beside its target.

    Args:
        using: lends a connection; it is told what for, in case of an error.
        target: the path to write to.
    """

    def __init__(
        self,
        using: Callable[[str], AbstractContextManager[Client]],
        target: Callable[[Client], str],
        source: Content,
        name: str,
        kept: Kept,
    ) -> None:
        self._using, self._target = using, target
        self._source, self._kept = source, kept
        self._reading = f"{name} cannot be read from the worker's work folder"
        self._writing = f"{name!r} cannot be written"
        with explained(self._reading):
            status = source.stat()
        self._size = status.st_size
        self._original = f"{status.st_size}-{status.st_mtime_ns}"
        self._is_renaming = False

    def missing(self) -> list[Span]:
        """See base class: all, in one go; `send` finds out what is there."""
        return [Span(0, self._size)]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class; goes on where the last attempt has left off, if the server can."""
        del part
        with self._using(self._writing) as client:
            growing = part_of(target := self._target(client))
            client.make_folder(posixpath.dirname(target))
            offset = self._size_of_own(client, growing)
            try:
                self._copy(client, growing, offset, on_bytes)
            except ftplib.error_perm:
                if not offset or not client.is_open:
                    raise
                self._kept.pop(BEGUN, None)
                client.close()  # it may remember the offset
                raise StorageError(f"{self._writing}: the server does not go on with files", temporary=True) from None

    def finish(self) -> None:
        """See base class."""
        with self._using(self._writing) as client:
            growing = part_of(target := self._target(client))
            size = file_size(client, growing)
            if size is None and self._is_renaming and file_size(client, target) == self._size:
                return  # the last attempt has done it; its confirmation was lost
            if size != self._size:
                self._kept.pop(BEGUN, None)
                raise StorageError(
                    f"{self._writing}: {size or 0} of {self._size} bytes have arrived; it is sent anew",
                    temporary=True,
                )
            self._is_renaming = True
            client.replace(growing, target)

    def _size_of_own(self, client: Client, growing: str) -> int:
        """Bytes of this very upload that are there: others leave files as well."""
        size = file_size(client, growing) if self._kept.get(BEGUN) == self._original else 0
        return size if size and size <= self._size else 0

    def _copy(self, client: Client, growing: str, offset: int, on_bytes: OnBytes) -> None:
        with explained(self._reading):
            source = self._source.open("rb", buffering=0)
        with source, client.data(f"STOR {growing}", offset) as data:
            # Only now: the server has emptied what somebody else has left.
            self._kept[BEGUN] = self._original
            on_bytes(offset)
            source.seek(offset)
            buffer = memoryview(bytearray(PIECE))
            while size := self._read(source, buffer):
                data.sendall(buffer[:size])
                on_bytes(size)

    def _read(self, source: RawIOBase, buffer: memoryview) -> int:
        with explained(self._reading):
            return source.readinto(buffer) or 0


def part_of(target: str) -> str:
    """Where `target` grows."""
    return str(temporary_name(Path(target)))


def file_size(client: Client, path: str) -> int | None:
    """In bytes, or None where there is no such file."""
    if (told := client.told_size(path)) is None:
        return None
    if (size := size_of(told)) < 0:
        raise StorageError(f"the server tells no size of {path!r} that can be true")
    return size
