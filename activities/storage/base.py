"""What a storage is and how it may fail. Names are relative to the location's folder, parts joined by `/`.

A storage only answers single, blocking requests. What takes many of them (parallel parts, going on after a broken
connection or a killed worker, retries, checksums, cancelling) is done once for all storages: `download`, `upload`.
"""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from io import RawIOBase
from pathlib import PurePosixPath
from typing import Literal, Protocol


class StorageError(Exception):
    """An operation failed. The text is for people, says what to do, and holds no secret.

    Args:
        temporary: whether trying again may help without anybody changing anything.
        field: the field of the storage block that the remedy is about.
    """

    def __init__(self, message: str, *, temporary: bool = False, field: str = "UriPath") -> None:
        super().__init__(message)
        self.temporary = temporary
        self.field = field


class DamagedError(StorageError):
    """What has arrived of the file `name` is not what its checksum says."""

    def __init__(self, name: str, algorithm: str) -> None:
        super().__init__(f"the file {name!r} has arrived damaged: its {algorithm} checksum differs", temporary=True)
        self.name = name


@dataclass(frozen=True)
class Digest:
    """A checksum of a whole file, as a store has computed it."""

    algorithm: str
    """`crc32`, or a name that `hashlib` knows."""
    value: bytes


@dataclass(frozen=True)
class Entry:
    """A file in a storage."""

    name: str
    """Always printable; where the real name is not, a replacement, and `unusable` says so."""
    size: int
    """bytes; -1 where only `Source.look` can tell"""
    unusable: str = ""
    """Why it cannot be fetched (`is not a regular file`); empty for every ordinary file."""
    version: str = ""
    """Another one after each change of the content (an ETag, a time); empty where the storage has none."""
    digest: Digest | None = None


@dataclass(frozen=True)
class Span:
    """Neighbouring bytes of a file."""

    start: int
    end: int
    """Behind the last one."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start


def inside(name: str) -> str:
    """`name`, if it can only be that of a file below the location.

    Raises:
        StorageError: it leads elsewhere.
    """
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or name.startswith("/") or ".." in parts:
        raise StorageError(f"{name!r} does not name a file in this folder")
    return name


OnBytes = Callable[[int], None]
"""Called, from any thread, with the number of bytes that have passed since the last call."""

Kept = MutableMapping[str, str]
"""What an upload notes of itself, and finds again after the worker was killed."""


class Status(Protocol):
    """Of content, as `os.stat` tells it."""

    @property
    def st_size(self) -> int:
        """How many bytes there are."""

    @property
    def st_mtime_ns(self) -> int:
        """When it changed last."""


class Content(Protocol):
    """What is sent: a `Path` of a local file, or what behaves like one."""

    @property
    def name(self) -> str:
        """For messages."""

    def stat(self) -> Status:
        """Raises `OSError` like the next."""

    def open(self, mode: Literal["rb"], buffering: Literal[0]) -> RawIOBase:
        """To be read from any place; several readers at once."""


class Upload(Protocol):
    """A file on its way into a storage. Readers see what was there before until `finish`, and then all of it."""

    def missing(self) -> list[Span]:
        """The parts that are still to be sent; an empty file has one, of no bytes."""

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """Send one part, several threads several parts; once more after a temporary error.

        All its bytes are counted, those that turn out to be there already as well.
        """

    def finish(self) -> None:
        """Make it visible, and be sure that it has the right size; once more after a temporary error."""


class Source(Protocol):
    """One location, opened for reading; for several threads.

    All methods block, raise nothing but `StorageError`, and do not try again by themselves; none waits longer than
    about half a minute without a byte.
    """

    lanes: int
    """How many requests at once are worth it."""
    request_size: int
    """Bytes that one `read` is asked for at most; known when a file was looked at."""

    def entries(self) -> Iterator[Entry]:
        """All files below the location, at any depth and in any order; it ends, whatever the other side does."""

    def look(self, entry: Entry) -> Entry:
        """The entry with all that the storage knows of this one file: size, version, digest."""

    def read(self, entry: Entry, span: Span) -> Iterator[bytes | memoryview]:
        """The bytes of `span`, of the version in `entry`; a piece is valid until the next is asked for."""

    def check_readable(self) -> None:
        """Fail unless the location exists and can be listed and read."""

    def place(self) -> str:
        """The folder in its one true spelling, ending in `/`: the same folder gives the same text."""

    def close(self) -> None:
        """Let go of connections; raises nothing."""


class Storage(Source, Protocol):
    """A location that can be written, too."""

    def upload(self, source: Content, name: str, kept: Kept) -> Upload:
        """Begin, or go on, to send `source` to `name`."""

    def delete(self, name: str, kept: Kept) -> None:
        """Remove the file `name`, and what an unfinished upload (see `kept`) has left of it, if they are there."""

    def withdraw(self, name: str, kept: Kept) -> None:
        """The same for what a job has published; an empty file may stay where nothing may be removed."""

    def check_writable(self) -> None:
        """Fail unless files can be written; leaves nothing behind."""

    def link(self, name: str) -> str:
        """The absolute link under which a player finds `name`; of the folder itself for an empty name."""
