"""Files that appear whole, so that a reader sees all of it or none."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def temporary_name(target: Path) -> Path:
    """Where `target` grows until it is whole; the same for every attempt, so that none leaves another."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def replacing(target: Path, folder: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that becomes `target` at the end of the block, safe from a power cut by then.

    An error in the block removes it and leaves what `target` was before. Several may do so at once, as an attempt that
    was given up and the next one: each has a file of its own, in a folder in which whoever comes next finds it. Under
    one name for all, one would rename what another has half written: nothing is renamed by its descriptor, and a lock
    around that would stop everybody while one stands still, and is not to be had on every share.

    Args:
        target: what it becomes.
        folder: where it grows, beside `target`; needed where writers meet all the time, and shall not try again.

    Raises:
        OSError: as the file system has it; EAGAIN where another was faster, and has removed what it found.
    """
    folder = folder or temporary_name(target)
    with _growing(folder) as parts:
        own = parts / secrets.token_hex(8)
        try:
            with _created(own) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                with _unless_removed():
                    own.replace(target)
        except BaseException:
            own.unlink(missing_ok=True)
            raise
    remove_parts(folder)  # an attempt that stands still may never come back to its own
    _sync_folder(target.parent)


def remove_parts(folder: Path) -> None:
    """Remove all that grows there; whoever still writes will find that out in the end, and may try again."""
    try:
        folder.unlink(missing_ok=True)
    except IsADirectoryError:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _growing(folder: Path) -> Iterator[Path]:
    """The folder, made where it is missing, without what killed attempts have left; it goes with the last user."""
    with suppress(IsADirectoryError):
        folder.unlink(missing_ok=True)  # whatever it is: opening a pipe or a link could hang or lead away
    with _unless_removed(FileExistsError):  # it was, and is not any more
        folder.mkdir(mode=0o700, exist_ok=True)
    with _unless_removed():
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        parts = Path(f"/proc/self/fd/{descriptor}")
        for part in parts.iterdir():
            if not _is_in_use(part):
                part.unlink(missing_ok=True)
        yield parts
    finally:
        os.close(descriptor)
        with suppress(OSError):  # others are at work
            folder.rmdir()


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    with _unless_removed():
        file = path.open("xb")
    with file:
        with suppress(OSError):  # where there are no locks, another may take it for left behind, and this one try again
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file


def _is_in_use(path: Path) -> bool:
    """Whether a process lives that writes to it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False


@contextmanager
def _unless_removed(sign: type[OSError] = FileNotFoundError) -> Iterator[None]:
    try:
        yield
    except sign:
        raise BlockingIOError(errno.EAGAIN, "another writes the same file at this moment") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
