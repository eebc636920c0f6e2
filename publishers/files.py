"""Events as files in a local folder: the transport that needs no server.

`<folder>/<JobId>/<SequenceNumber>-<EventType>.json`; a progress event has its percent behind the type.
"""

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from publishers.atomic import replacing
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import Files
from publishers.events import Message
from publishers.roots import FolderError, below_roots, files_roots, local_path

# What somebody has to change; everything else may pass (a full disk, a server that is away).
REFUSALS = {
    errno.EACCES: "the worker's user may not write there",
    errno.EPERM: "the worker's user may not write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a file is where a folder should be",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ELOOP: "links in the path lead in a circle",
}


class FilesPublisher:
    """Writes each event as one file, whole or not at all."""

    def __init__(self, config: Files) -> None:
        self._config = config

    async def publish(self, message: Message) -> None:
        """Write one event; a second time, it replaces itself."""
        await asyncio.to_thread(self._write, message)

    def _write(self, message: Message) -> None:
        UUID(message.job_id)  # nothing else may become a folder's name
        try:
            folder = below_roots(local_path(self._config.uri_path), files_roots()) / message.job_id
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(below_roots(folder, files_roots()) / file_name(message)) as file:
                file.write(json.dumps(message.body, ensure_ascii=False, indent=2).encode())
        except FolderError as error:
            raise Refused(str(error)) from None
        except OSError as error:
            raise _explained(error, folder) from None


def file_name(message: Message) -> str:
    """By number; progress repeats the number of the event that it follows."""
    progress = "" if message.progress is None else f"-{message.progress:03}"
    return f"{message.sequence_number:06}-{message.event_type}{progress}.json"


@asynccontextmanager
async def open_files(config: Files) -> AsyncIterator[FilesPublisher]:
    """There is nothing to connect to: the first event shows whether the folder can be written."""
    yield FilesPublisher(config)


def _explained(error: OSError, folder: Path) -> PublishError:
    reason = REFUSALS.get(error.errno or 0)
    if reason:
        return Refused(f"events cannot be written to {folder}: {reason}")
    return Unavailable(f"events cannot be written to {folder}: {error.strerror}")
