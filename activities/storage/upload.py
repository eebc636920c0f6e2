"""Storing files: several at once, large ones in parts, going on where an earlier attempt has left off."""

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from activities.storage.base import Content, OnBytes, Span, Storage, Upload
from activities.storage.explain import explained
from activities.storage.journal import Journal
from activities.storage.lanes import for_each, in_lanes
from activities.storage.patience import persistently
from activities.storage.threads import Stop

DONE = "done"
"""Note about a file that has arrived."""


async def stored(storage: Storage, files: Sequence[tuple[Content, str]], on_bytes: OnBytes, journal: Journal) -> None:
    """Copy content to names in the storage; what `journal` knows to have arrived is only counted.

    Raises:
        StorageError: one cannot be read or written.
    """
    work = _Work(storage, files, on_bytes, journal)
    await in_lanes(work.step, storage.lanes)


async def _always() -> bool:
    return True


async def deleted(
    storage: Storage,
    names: Sequence[str],
    journal: Journal | None = None,
    *,
    in_order: bool = False,
    only_while: Callable[[], Awaitable[bool]] = _always,
) -> bool:
    """Withdraw files, several at once, and what unfinished uploads have left of them; tells whether it did so for all.

    Args:
        in_order: one after the other.
        only_while: asked before each, or each few that go at once: what was true may end while thousands are removed.
    """
    lanes = 1 if in_order else storage.lanes
    for first in range(0, len(names), lanes):
        if not await only_while():
            return False
        await for_each(names[first : first + lanes], partial(_withdraw, storage, journal), lanes)
    return True


def _withdraw(storage: Storage, journal: Journal | None, name: str, stop: Stop) -> None:
    kept = journal.about(name) if journal else {}
    kept.pop(DONE, None)  # before it is true: a killed worker must not leave it behind
    persistently(partial(storage.withdraw, name, kept), stop)


class _Sending:
    """A file of which parts are on their way."""

    def __init__(self, name: str, upload: Upload) -> None:
        self.name = name
        self.upload = upload
        self.parts = upload.missing()
        self._left = len(self.parts)
        self._counting = threading.Lock()

    def has_sent_last(self) -> bool:
        """Count a part that was sent."""
        with self._counting:
            self._left -= 1
            return self._left <= 0


class _Work:
    """Parts of files, taken by several lanes in order."""

    def __init__(
        self, storage: Storage, files: Sequence[tuple[Content, str]], on_bytes: OnBytes, journal: Journal
    ) -> None:
        self._storage = storage
        self._journal = journal
        self._on_bytes = on_bytes
        self._taking = threading.Lock()
        self._files = iter(files)
        self._parts: Iterator[Span] = iter(())
        self._sending: _Sending | None = None

    def step(self, stop: Stop) -> bool:
        """Send one part; False = none is left."""
        if not (work := self._take(stop)):
            return False
        sending, part = work
        if part:
            self._send(sending.upload, part, stop)
        if sending.has_sent_last():
            persistently(sending.upload.finish, stop)
            self._journal.write(sending.name, DONE, "yes")
        return True

    def _send(self, upload: Upload, part: Span, stop: Stop) -> None:
        passed = 0

        def count(size: int) -> None:
            nonlocal passed
            stop.check()
            passed += size
            self._on_bytes(size)

        def attempt() -> None:
            nonlocal passed
            self._on_bytes(-passed)  # of an attempt that broke off
            passed = 0
            upload.send(part, count)

        persistently(attempt, stop)

    def _take(self, stop: Stop) -> tuple[_Sending, Span | None] | None:
        """The next part of the present file, or the first of the next one; None at the end."""
        with self._taking:
            stop.check()
            if self._sending and (part := next(self._parts, None)):
                return self._sending, part
            for source, name in self._files:
                with explained(f"{name} cannot be read from the worker's work folder", own=True):
                    size = source.stat().st_size
                if self._journal.read(name).get(DONE):
                    self._on_bytes(size)
                    continue
                self._sending = self._begin(source, name, stop)
                self._on_bytes(size - sum(part.size for part in self._sending.parts))
                self._parts = iter(self._sending.parts)
                return self._sending, next(self._parts, None)
            return None

    def _begin(self, source: Content, name: str, stop: Stop) -> _Sending:
        return persistently(lambda: _Sending(name, self._storage.upload(source, name, self._journal.about(name))), stop)
