"""What a storage is and how it may fail. Names are relative to the location's folder, parts joined by `/`."""

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from activities.heartbeat import Progress


class StorageError(Exception):
    """An operation failed. The text is for people, says what to do, and holds no secret.

    Args:
        temporary: whether trying again may help without anybody changing anything.
    """

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True)
class Entry:
    """A file in a storage."""

    name: str
    """Always printable; where the real name is not, a replacement, and `unusable` says so."""
    size: int
    """bytes"""
    unusable: str = ""
    """Why it cannot be fetched (`is not a regular file`); empty for every ordinary file."""


OnBytes = Callable[[int], None]
"""Called, from any thread, with the number of bytes that have passed since the last call."""


def counting(progress: Progress) -> OnBytes:
    """Adds up in `progress`, also when several transfers run at once."""
    lock = threading.Lock()

    def add(size: int) -> None:
        with lock:
            progress.done += size

    return add


class Storage(Protocol):
    """One location, opened. Every method raises `StorageError`; third-party errors never leave it."""

    def entries(self) -> AsyncIterator[Entry]:
        """All files below the location, at any depth, sorted by name."""

    async def fetch(self, name: str, to: Path, on_bytes: OnBytes) -> None:
        """Copy the file `name` to the local path `to`."""

    async def store(self, source: Path, name: str, on_bytes: OnBytes) -> None:
        """Copy a local file to `name`; a reader sees the whole file or none."""

    async def delete(self, name: str) -> None:
        """Remove the file `name`, and what a killed `store` left of it, if they are there."""

    async def check_readable(self) -> None:
        """Fail unless the location exists and can be listed and read."""

    async def check_writable(self) -> None:
        """Fail unless files can be written; leaves nothing behind."""

    async def place(self) -> str:
        """The folder in its one true spelling, ending in `/`: the same folder gives the same text."""

    def link(self, name: str) -> str:
        """The absolute link under which a player finds `name`; of the folder itself for an empty name."""
