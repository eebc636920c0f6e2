"""Writing a local file so that a reader sees all of it or none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def temporary_name(target: Path) -> Path:
    """Where `target` grows until it is whole; the same for every attempt, so that none leaves another."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def replacing(target: Path, part: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that becomes `target` at the end of the block, safe from a power cut by then.

    An error in the block removes it and leaves what `target` was before.

    Args:
        target: what it becomes.
        part: where it grows, in the same folder; needed where several writers replace `target` at once.

    Raises:
        OSError: as the file system has it.
    """
    part = part or temporary_name(target)
    part.unlink(missing_ok=True)  # whatever it is: opening a pipe or a link could hang or lead away
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
