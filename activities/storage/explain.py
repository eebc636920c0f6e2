"""What the operating system's errors mean to the person whose files these are."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from activities.storage.base import StorageError
from publishers.roots import FolderError

TEMPORARY = True
PERMANENT = False

REASONS: dict[int, tuple[str, bool]] = {
    errno.ENOENT: ("there is no such file or folder", PERMANENT),
    errno.EACCES: ("permission denied; give the worker's user access", PERMANENT),
    errno.EPERM: ("the system does not permit it; give the worker's user access", PERMANENT),
    errno.EROFS: ("the file system is read-only", PERMANENT),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", PERMANENT),
    errno.EEXIST: ("a file is where a folder should be", PERMANENT),
    errno.EISDIR: ("a folder is where the file should be", PERMANENT),
    errno.ELOOP: ("links lead in a circle", PERMANENT),
    errno.ENAMETOOLONG: ("the name is too long for the file system", PERMANENT),
    errno.EFBIG: ("the file is too large for the file system", PERMANENT),
    errno.ENOSPC: ("no space is left; free some", TEMPORARY),
    errno.EDQUOT: ("the disk quota is used up; free some space", TEMPORARY),
    errno.EIO: ("the disk or its connection reports an error", TEMPORARY),
    errno.ESTALE: ("the network file system has lost it", TEMPORARY),
    errno.ETIMEDOUT: ("the network file system does not answer", TEMPORARY),
    errno.EAGAIN: ("the system is busy", TEMPORARY),
    errno.EBUSY: ("the system is busy", TEMPORARY),
    errno.EINTR: ("it was interrupted", TEMPORARY),
    errno.EMFILE: ("too many files are open", TEMPORARY),
    errno.ENFILE: ("too many files are open", TEMPORARY),
    errno.ENOMEM: ("memory is short", TEMPORARY),
}


OPERATORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Of a client's folder they are told at once; of the worker's own, another worker or a later try may have more luck."""


@contextmanager
def explained(what: str, *, own: bool = False) -> Iterator[None]:
    """Turn an OSError in the block into a StorageError: `what`, a colon, and the reason.

    Args:
        own: it is about the worker's own work folder.
    """
    try:
        yield
    except FolderError as error:
        raise StorageError(f"{what}: {error}") from None
    except OSError as error:
        reason, temporary = REASONS.get(error.errno or 0, (error.strerror or "unknown error", PERMANENT))
        temporary |= own and error.errno in OPERATORS
        raise StorageError(f"{what}: {reason}", temporary=temporary) from None
