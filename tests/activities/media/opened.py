"""Watches whether anybody opens a file, through the kernel's inotify."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_OPEN = 0x20
_libc = ctypes.CDLL(None, use_errno=True)


class Opened:
    """Truthy once the file was opened."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __bool__(self) -> bool:
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False


@contextmanager
def watched(path: Path) -> Iterator[Opened]:
    descriptor = _libc.inotify_init1(os.O_NONBLOCK)
    try:
        assert _libc.inotify_add_watch(descriptor, os.fsencode(path), IN_OPEN) >= 0
        yield Opened(descriptor)
    finally:
        os.close(descriptor)
