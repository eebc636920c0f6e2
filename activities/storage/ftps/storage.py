"""Folders on FTP servers. Versions are made of time and size, and files become visible by a rename."""

import ftplib
import posixpath
import secrets
import socket
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from urllib.parse import quote, unquote, urlsplit

from activities.storage.base import Content, Entry, Kept, Span, StorageError, inside
from activities.storage.config import FtpsLocation
from activities.storage.ftps.listing import Kind, Listed, facts_of, folder_listing
from activities.storage.ftps.pool import Pool
from activities.storage.ftps.upload import BEGUN, FtpsUpload, file_size, part_of
from publishers.ftp import LOGIN, PORTS, Client, FtpError, explained
from publishers.pace import pace
from publishers.urls import url_host

PATIENCE = 30.0
"""Seconds without a byte."""
PIECE = 1 << 18
PIECE_SECONDS = 0.5
"""After which a slow connection hands on what it has."""
DEEPEST = 50
MOST_FOLDERS = 10_000


class FtpsStorage:
    """The `Ftps` provider."""

    lanes = 3
    request_size = sys.maxsize  # each has a connection made for it

    def __init__(self, location: FtpsLocation) -> None:
        self._uri, self._user = location.uri_path, location.credentials_name

        def connect() -> Client:
            with explained(self._uri):
                return Client(self._uri, self._user, location.credentials_secret, PATIENCE)

        self._pool = Pool(connect, self.lanes)

    def entries(self) -> Iterator[Entry]:
        """A folder that is there a second time, by a link, is listed as unusable where the server lets it be told."""
        with self._using("the folder cannot be listed") as client:
            top = _enter(client, client.absolute(self._uri))
            seen = {_unique(client)}
        pending = [""]
        folders = 1
        while pending:
            folder = pending.pop()
            for item in self._listed(posixpath.join(top, folder)):
                name = posixpath.join(folder, item.name)
                if problem := _problem(item, seen):
                    yield Entry(_printable(name), -1, problem)
                elif item.kind is Kind.FOLDER:
                    folders += 1
                    _check_extent(name, folders)
                    seen.add(item.unique)
                    pending.append(name)
                else:
                    yield Entry(name, item.size)

    def look(self, entry: Entry) -> Entry:
        """See base class."""
        with self._using(f"{entry.name!r} cannot be read") as client:
            return _seen(client, entry, self._path(client, entry.name))

    def read(self, entry: Entry, span: Span) -> Iterator[memoryview]:
        """See base class; the last piece comes when the file is known not to have changed meanwhile."""
        what = f"{entry.name!r} cannot be read"
        buffer, left, size, came = memoryview(bytearray(PIECE)), span.size, 0, 0
        with self._using(what) as client:
            path = self._path(client, entry.name)
            _check_unchanged(client, entry, path)
            if not left:
                return
            with suppress(_Enough), client.data(f"RETR {path}", span.start) as data:
                while size := _fill(data, buffer[: min(left, PIECE)]):
                    left -= size
                    came = _kept_pace(came + size)
                    if not left:
                        break
                    yield buffer[:size]
                if span.end != entry.size:
                    raise _Enough
        with self._using(what) as client:
            _check_unchanged(client, entry, path)
        if size:
            yield buffer[:size]

    def upload(self, source: Content, name: str, kept: Kept) -> FtpsUpload:
        """See base class."""
        return FtpsUpload(self._using, partial(self._path, name=inside(name)), source, name, kept)

    def delete(self, name: str, kept: Kept) -> None:
        """See base class."""
        with self._using(f"{name!r} cannot be deleted") as client:
            path = self._path(client, name)
            for each in (path, part_of(path)):
                try:
                    client.delete(each)
                except ftplib.error_perm:
                    if file_size(client, each) is not None:
                        raise
        kept.pop(BEGUN, None)

    def withdraw(self, name: str, kept: Kept) -> None:
        """See base class."""
        self.delete(name, kept)

    def check_readable(self) -> None:
        """See base class."""
        with self._using("the folder cannot be read") as client:
            _enter(client, client.absolute(self._uri))
            folder_listing(client)

    def check_writable(self) -> None:
        """See base class; where the folder is missing, the nearest one above it is tried."""
        what = "the folder cannot be written"
        with self._using(what) as client:
            folder = _writable(client, client.absolute(self._uri))
        probe = posixpath.join(folder, f".encoding-{secrets.token_hex(8)}")
        try:
            with self._using(what) as client:
                with client.data(f"STOR {part_of(probe)}") as data:
                    data.sendall(b"probe")
                client.rename(part_of(probe), probe)
                client.delete(probe)
        except StorageError:
            with suppress(StorageError):
                self.delete(posixpath.relpath(probe, folder), {})
            raise

    def place(self) -> str:
        """See base class; a server has the same folders on all its default ports."""
        parts = urlsplit(self._uri)
        server = url_host(str(parts.hostname))
        if parts.port not in (None, PORTS[parts.scheme.lower()]):
            server = f"{server}:{parts.port}"
        with self._using("the folder cannot be found") as client:
            folder = client.absolute(self._uri)
            above = _nearest(client, folder)
            real = posixpath.normpath(posixpath.join("/", client.pwd(), posixpath.relpath(folder, above)))
            # Who is put at the root, most likely sees but a part of the server, which is called the same for others.
            user = f"{quote(self._user, safe='')}@" if client.home == "/" else ""
        return f"ftp://{user}{server}{quote(real.rstrip('/'))}/"

    def link(self, name: str) -> str:
        """See base class."""
        parts = urlsplit(self._uri)
        folder = unquote(parts.path) or "/"
        return f"{parts.scheme}://{parts.netloc}{quote(posixpath.join(folder, name))}"

    def close(self) -> None:
        """See base class."""
        self._pool.close()

    def _path(self, client: Client, name: str) -> str:
        return posixpath.join(client.absolute(self._uri), inside(name))

    def _listed(self, folder: str) -> list[Listed]:
        with self._using(f"the folder {folder!r} cannot be listed") as client:
            client.cwd(folder)
            return [_resolved(client, item, folder) for item in folder_listing(client)]

    @contextmanager
    def _using(self, what: str) -> Iterator[Client]:
        """A connection for the block; `what` begins the text of an error."""
        try:
            with explained(self._uri), self._pool.lent() as client:
                yield client
        except FtpError as error:
            field = "CredentialsName" if error.code in LOGIN else "UriPath"
            raise StorageError(f"{what}: {error}", temporary=error.temporary, field=field) from None


class _Enough(Exception):
    """Ends a transfer before the end of the file; the connection goes with it."""


def _seen(client: Client, entry: Entry, path: str) -> Entry:
    size = file_size(client, path)
    if size is None:
        raise StorageError(f"{entry.name!r} cannot be read: there is no such file, or this user may not see it")
    try:
        changed = client.sendcmd(f"MDTM {path}")[3:].strip()
    except ftplib.error_perm:
        changed = ""
    return replace(entry, size=size, version=changed and f"{size}-{changed}")


def _check_unchanged(client: Client, entry: Entry, path: str) -> None:
    if entry.version and _seen(client, entry, path).version != entry.version:
        raise StorageError(
            f"the file {entry.name!r} has changed since it was listed; start the job when it is no longer written",
            temporary=True,
        )


def _fill(data: socket.socket, buffer: memoryview) -> int:
    """Read until the buffer is full, or some time has passed: TLS hands out but little at once."""
    filled, until = 0, time.monotonic() + PIECE_SECONDS
    while filled < len(buffer) and time.monotonic() < until:
        if not (size := data.recv_into(buffer[filled:])):
            break
        filled += size
    return filled


def _kept_pace(size: int) -> int:
    """A piece is a step, in however many parts it comes; returns how much of the next one has come."""
    if size < PIECE:
        return size
    pace().begin()
    return 0


def _unique(client: Client) -> str:
    """What tells the folder from others that `client` is in; empty where the server does not say."""
    if "MLST" not in client.features:
        return ""
    with suppress(ftplib.error_perm):
        lines = client.sendcmd("MLST").splitlines()
        return facts_of(lines[1].strip())[0].get("unique", "") if len(lines) > 1 else ""
    return ""


def _resolved(client: Client, item: Listed, folder: str) -> Listed:
    """A link to a file becomes that file."""
    if item.kind is Kind.LINK and not _name_problem(item.name):
        size = file_size(client, posixpath.join(folder, item.name))
        return replace(item, kind=Kind.FILE, size=size) if size is not None else item
    return item


def _problem(item: Listed, seen: Collection[str]) -> str:
    """Why it cannot be fetched, or entered; empty where it can. `seen`: what tells the folders that are known."""
    if item.kind is Kind.LINK or (item.kind is Kind.FOLDER and item.unique and item.unique in seen):
        return "is a link to a folder or leads nowhere; links to folders are not followed"
    if item.kind is Kind.OTHER:
        return "is not a regular file"
    return _name_problem(item.name)


def _name_problem(name: str) -> str:
    if set(name) & set("/\0\r"):
        return "has a name that FTP cannot carry; rename it"
    if _printable(name) != name:
        return "has a name that is not valid UTF-8; rename it"
    return ""


def _printable(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _check_extent(name: str, folders: int) -> None:
    if name.count("/") >= DEEPEST:
        raise StorageError(f"folders lie more than {DEEPEST} deep in each other, or links lead in a circle")
    if folders > MOST_FOLDERS:
        raise StorageError(f"the folder holds more than {MOST_FOLDERS} folders; name the folder of one title")


def _enter(client: Client, folder: str) -> str:
    """Make `folder` the one that listings are about."""
    try:
        client.cwd(folder)
    except ftplib.error_perm:
        above = _nearest(client, folder)
        reason = _barrier(client, above, folder) or f"{above!r} holds no folder {_next(above, folder)!r}"
        raise StorageError(f"the folder cannot be read: {reason}") from None
    return folder


def _nearest(client: Client, folder: str) -> str:
    """Enter `folder`, or the innermost above it that can be entered."""
    while True:
        try:
            client.cwd(folder)
        except ftplib.error_perm:
            if folder == "/":
                raise
            folder = posixpath.dirname(folder)
        else:
            return folder


def _writable(client: Client, folder: str) -> str:
    """`folder`, or the innermost above it that is there: what can hold a file, can hold a folder."""
    above = _nearest(client, folder)
    if above != folder and (reason := _barrier(client, above, folder)):
        raise StorageError(f"the folder cannot be written: {reason}")
    return above


def _next(above: str, folder: str) -> str:
    return posixpath.relpath(folder, above).split("/")[0]


def _barrier(client: Client, above: str, folder: str) -> str:
    """What is in the way to `folder`, in `above`, which `client` is in; empty where there is nothing."""
    name = _next(above, folder)
    try:
        kinds = [item.kind for item in folder_listing(client) if item.name == name]
    except (ftplib.error_perm, StorageError):
        return ""  # it must not be looked at
    if not kinds:
        return ""
    if kinds[0] is Kind.FILE:
        return f"{name!r} in {above!r} is a file, not a folder"
    return f"this user has no permission to enter {name!r} in {above!r}"
