"""The folder in which a job keeps what it works on, and its layout.

Names inside are ours (`source/0001.mp4`), never the client's: no odd character reaches a tool's argument.
Activities exchange paths relative to the workspace, so that workers may mount it anywhere.
"""

import os
import shutil
import zlib
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from temporalio import activity

from activities.settings import Settings

SOURCES = "source"
"""The folder in it that is there as long as the job works."""


def workspace_path(job_id: str) -> Path:
    """Where the job's folder is, or would be. `job_id` must be a GUID: it becomes a path."""
    UUID(job_id)
    return Settings.from_environment().work_root / job_id


def workspace(job_id: str) -> Path:
    """The job's folder, made when missing."""
    folder = workspace_path(job_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def attempt_folder(name: str) -> str:
    """A folder for the results of this attempt alone: what a dying one still writes must not get among them.

    Attempts count from one again when the workflow asks once more, or is reset: then it is another time.
    """
    info = activity.info()
    return f"{name}-{info.attempt}-{round(info.scheduled_time.timestamp() * 1000):x}"


def fresh(folder: Path) -> Path:
    """`folder`, empty: what an earlier attempt left in it is gone."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def tidy(root: Path) -> None:
    """Leave no empty folder where the sources are gone: the job has ended, and this attempt has come too late."""
    if not os.path.exists(root / SOURCES):  # noqa: PTH110 - raises nothing
        for folder in sorted(root.glob("**"), reverse=True):
            with suppress(OSError):  # it is not empty, or gone already
                folder.rmdir()


def checksum(file: Path) -> int:
    """CRC-32 of a file's content."""
    found = 0
    with file.open("rb", buffering=0) as content:
        while piece := content.read(1 << 20):
            found = zlib.crc32(piece, found)
    return found


def remove(job_id: str) -> None:
    """Delete the job's folder and all in it.

    Raises:
        OSError: something stays, since the disk does not let go of it, or somebody still writes.
    """
    if (folder := workspace_path(job_id)).exists():
        shutil.rmtree(folder)
