"""Events as files on an FTP server: the same names and bodies as in a local folder.

`<UriPath>/<JobId>/<SequenceNumber>-<EventType>.json`, uploaded under a temporary name and renamed.
"""

import json
import posixpath
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from publishers.atomic import temporary_name
from publishers.base import Refused, Unavailable
from publishers.config import Ftps
from publishers.events import Message
from publishers.files import file_name
from publishers.ftp import Client, FtpError, explained

PROCESS = secrets.token_hex(4)


class FtpsConnection:
    """One control connection; every event has a data connection of its own, as FTP has it."""

    def __init__(self, config: Ftps) -> None:
        with _published(config.uri_path):
            self._client = Client(config.uri_path, config.credentials_name, config.credentials_secret)
        self._made: set[str] = set()

    def send(self, config: Ftps, message: Message) -> None:
        """See base class; a second time, the event replaces itself."""
        UUID(message.job_id)  # nothing else may become a folder's name
        with _published(config.uri_path):
            folder = posixpath.join(self._client.absolute(config.uri_path), message.job_id)
            self._make(folder)
            target = posixpath.join(folder, file_name(message))
            part = _part_of(target)
            body = json.dumps(message.body, ensure_ascii=False, indent=2).encode()
            with self._client.data(f"STOR {part}") as data:
                data.sendall(body)
            self._client.replace(part, target)

    def check(self, config: Ftps) -> None:
        """See base class; the folder is made where it is missing."""
        with _published(config.uri_path):
            self._client.make_folder(self._client.absolute(config.uri_path))

    def close(self) -> None:
        """See base class."""
        self._client.end()

    def _make(self, folder: str) -> None:
        if folder not in self._made:
            self._client.make_folder(folder)
            self._made.add(folder)


def _part_of(target: str) -> str:
    """Where it grows, as long as nobody else does: two blocks can mean one folder, and an attempt can come late.

    Under one name for all, one would rename what another has just begun. Threads that follow each other have one
    name, so that what a broken connection has left is used again.
    """
    return str(temporary_name(Path(f"{target}.{PROCESS}-{threading.get_ident():x}")))


def connect(config: Ftps) -> FtpsConnection:
    """Log in to the server of `config`."""
    return FtpsConnection(config)


@contextmanager
def _published(uri: str) -> Iterator[None]:
    try:
        with explained(uri):
            yield
    except FtpError as error:
        kind = Unavailable if error.temporary else Refused
        raise kind(str(error)) from None
