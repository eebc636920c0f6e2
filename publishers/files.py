"""Events as files in a local folder: the transport that needs no server.

`<folder>/<JobId>/<SequenceNumber>-<EventType>.json`; a progress event has its percent behind the type.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from publishers.atomic import replacing
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import Files
from publishers.events import Message
from publishers.roots import FolderError, below_roots, files_roots, held, local_path

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


class FilesConnection:
    """Writes each event as one file, whole or not at all. There is nothing to connect to."""

    def send(self, config: Files, message: Message) -> None:
        """See base class; a second time, the event replaces itself."""
        UUID(message.job_id)  # nothing else may become a folder's name
        with _folder(config) as folder:
            target = below_roots(folder / message.job_id, files_roots())
            with held(target, make=True) as own, replacing(own / file_name(message)) as file:
                file.write(json.dumps(message.body, ensure_ascii=False, indent=2).encode())

    def check(self, config: Files) -> None:
        """See base class."""
        with _folder(config) as folder, held(folder, make=True) as own:
            if not os.access(own, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def close(self) -> None:
        """See base class."""


def connect(_: Files) -> FilesConnection:
    """There is nothing to connect to: the first event shows whether the folder can be written."""
    return FilesConnection()


def file_name(message: Message) -> str:
    """By number; progress repeats the number of the event that it follows."""
    progress = "" if message.progress is None else f"-{message.progress:03}"
    return f"{message.sequence_number:06}-{message.event_type}{progress}.json"


@contextmanager
def _folder(config: Files) -> Iterator[Path]:
    """The folder that `config` means; what goes wrong in the block is explained."""
    try:
        yield below_roots(local_path(config.uri_path), files_roots())
    except FolderError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        reason = REFUSALS.get(error.errno or 0)
        kind: type[PublishError] = Refused if reason else Unavailable
        raise kind(f"events cannot be written to {config.uri_path}: {reason or error.strerror}") from None
