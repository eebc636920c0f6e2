"""Azure Blob Storage. A folder is what the names of blobs begin with; it is not there without a blob."""

import base64
import binascii
import hashlib
import os
import secrets
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.paging import ItemPaged
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobBlock, BlobClient, BlobProperties, BlobType, ContainerClient, ContentSettings

from activities.storage.azure_errors import azure_explained
from activities.storage.azure_folder import blob_folder
from activities.storage.base import Digest, Entry, Kept, OnBytes, Span, StorageError, Upload, inside
from activities.storage.config import AzureBlobLocation
from activities.storage.content import cache_control, content_type
from activities.storage.explain import explained
from publishers.tls import VARIABLE, authorities, verifying

CONNECT_PATIENCE, ANSWER_PATIENCE = 10, 30
"""seconds"""
PIECE = 256 << 10
"""Bytes that are handed on, or sent, at once."""
BLOCK = 8 << 20
"""Bytes of a part; a file of up to so many is sent in one request."""
MOST_BLOCKS = 50_000
MOST_PAGES = 1000
"""Of a listing; a page has up to 5000 files, and may have none."""
PARTIAL = 206
SOURCE = "source"
"""Note about the local file whose parts were sent: of another one they are worth nothing."""


class AzureBlobStorage:
    """The `AzureBlob` provider."""

    lanes = 8
    request_size = 2 * BLOCK

    def __init__(self, location: AzureBlobLocation) -> None:
        self._folder = blob_folder(location.uri_path, location.credentials_name)
        self._shown = f"the folder {self._folder.link('')}"
        key = location.credentials_secret.strip()
        _check_key(key)
        self._transport = RequestsTransport(
            connection_timeout=CONNECT_PATIENCE,
            read_timeout=ANSWER_PATIENCE,
            connection_verify=_authorities(),
            connection_data_block_size=PIECE,
        )
        self._transport.open()  # once, here: several threads that find it closed would each do it
        self._container = ContainerClient(
            self._folder.service,
            self._folder.container,
            {"account_name": self._folder.account, "account_key": key},
            transport=self._transport,
            retry_total=0,
            permit_redirects=False,
        )

    def entries(self) -> Iterator[Entry]:
        """No snapshots, no earlier versions, nothing that was deleted softly."""
        is_there = False
        with azure_explained(f"{self._shown} cannot be listed"):
            for blob in self._blobs():
                is_there = True
                if not _is_folder(blob):
                    yield _entry(blob, blob.name[len(self._folder.prefix) :])
        if not is_there:
            raise StorageError(f"{self._shown} holds no file; correct its name, or put the files there")

    def look(self, entry: Entry) -> Entry:
        """See base class."""
        with azure_explained(f"the file {entry.name!r} cannot be read"):
            return _entry(self._blob(entry.name).get_blob_properties(), entry.name)

    def read(self, entry: Entry, span: Span) -> Iterator[bytes]:
        """See base class."""
        headers = {"If-Match": f'"{entry.version}"'} if entry.version else {}
        with azure_explained(f"the file {entry.name!r} cannot be read"):
            # The public `download_blob` keeps a whole part in memory, and sleeps and tries again by itself.
            response, pieces = _generated(self._blob(entry.name)).blob.download(
                range=f"bytes={span.start}-{span.end - 1}", headers=headers, decompress=False, cls=_answer
            )
            try:
                if response.status_code != PARTIAL:
                    raise StorageError(f"the file {entry.name!r} cannot be read: the server sends no parts of files")
                yield from pieces
            finally:
                response.close()

    def upload(self, source: Path, name: str, kept: Kept) -> Upload:
        """See base class."""
        blob = self._blob(name)
        with explained(f"{name} cannot be read from the worker's work folder"):
            status = source.stat()
        if status.st_size <= BLOCK:
            return _SmallUpload(_Source(source, name, status.st_size), blob)
        mark = f"{status.st_size}-{status.st_mtime_ns}"
        return _BlockUpload(_Source(source, name, status.st_size), blob, kept, mark)

    def delete(self, name: str, kept: Kept) -> None:
        """See base class. Blocks that nobody has committed go when a blob takes their place."""
        blob = self._blob(name)
        with azure_explained(f"the file {name!r} cannot be deleted"):
            _delete(blob)
            if kept.get(SOURCE) and _blocks(blob):
                _put(blob, b"", {})
                _delete(blob)

    def check_readable(self) -> None:
        """See base class."""
        for entry in self.entries():
            if entry.size and not entry.unusable:
                for _ in self.read(entry, Span(0, 1)):
                    pass
            return

    def check_writable(self) -> None:
        """See base class."""
        blob = self._blob(f".encoding-{secrets.token_hex(8)}")
        with azure_explained(f"{self._shown} cannot be written"):
            _put(blob, b"probe", {})
            _delete(blob)

    def place(self) -> str:
        """See base class."""
        return self._folder.place()

    def link(self, name: str) -> str:
        """See base class."""
        return self._folder.link(name)

    def close(self) -> None:
        """See base class."""
        self._transport.close()

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._folder.prefix + inside(name))

    def _blobs(self) -> Iterator[BlobProperties]:
        found: ItemPaged[BlobProperties] = self._container.list_blobs(self._folder.prefix or None, include=["metadata"])
        pages = found.by_page()
        tokens: set[str | None] = set()
        for page in pages:
            yield from page
            token = getattr(pages, "continuation_token", None)
            if token in tokens or len(tokens) >= MOST_PAGES:
                raise StorageError(f"{self._shown} cannot be listed: the list does not end")
            tokens.add(token)


class _Source:
    """A local file that is sent."""

    def __init__(self, path: Path, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._path = path

    def read(self, part: Span) -> bytes:
        with explained(f"{self.name} cannot be read from the worker's work folder"), self._path.open("rb") as file:
            data = os.pread(file.fileno(), part.size, part.start)
        if len(data) < part.size:
            raise StorageError(f"{self.name} has become shorter in the worker's work folder", temporary=True)
        return data


class _SmallUpload:
    """A file in one request. It is visible with its last byte, and the service has verified it by then."""

    def __init__(self, source: _Source, blob: BlobClient) -> None:
        self._source = source
        self._blob = blob

    def missing(self) -> list[Span]:
        """See base class."""
        return [Span(0, self._source.size)]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class."""
        name = self._source.name
        data = self._source.read(part)
        headers = {"x-ms-blob-content-type": content_type(name), "x-ms-blob-cache-control": cache_control(name)}
        with azure_explained(f"the file {name!r} cannot be written"):
            _put(self._blob, _Body(data, on_bytes) if data else data, {**headers, "Content-MD5": _md5(data)})

    def finish(self) -> None:
        """See base class."""


class _BlockUpload:
    """A file in blocks, which nobody sees until all are committed at once.

    A block's id tells its place and its content, so one that is there already, of whatever attempt, is the right one.
    """

    def __init__(self, source: _Source, blob: BlobClient, kept: Kept, mark: str) -> None:
        self._source = source
        self._blob = blob
        self._kept = kept
        self._mark = mark
        self._doing = f"the file {source.name!r} cannot be written"
        size = max(BLOCK, -(-source.size // MOST_BLOCKS))
        self._parts = [Span(at, min(at + size, source.size)) for at in range(0, source.size, size)]

    def missing(self) -> list[Span]:
        """See base class."""
        if self._kept.get(SOURCE) != self._mark:
            for key in list(self._kept):
                del self._kept[key]
            self._kept[SOURCE] = self._mark
            return self._parts
        with azure_explained(self._doing):
            there = _blocks(self._blob)
        return [part for part in self._parts if self._kept.get(_note(part)) not in there]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class."""
        data = self._source.read(part)
        md5 = _md5(data)
        block = f"{part.start:015}-{md5}"
        headers = {"Content-MD5": md5}
        with azure_explained(self._doing):
            self._blob.stage_block(block, _Body(data, on_bytes), part.size, headers=headers)
        self._kept[_note(part)] = block

    def finish(self) -> None:
        """See base class."""
        name = self._source.name
        blocks = [BlobBlock(self._kept[_note(part)]) for part in self._parts]
        settings = ContentSettings(content_type=content_type(name), cache_control=cache_control(name))
        with azure_explained(self._doing):
            self._blob.commit_block_list(blocks, content_settings=settings)
            size = self._blob.get_blob_properties().size
        if size != self._source.size:
            raise StorageError(
                f"{self._doing}: it has {size} bytes there, not {self._source.size}; is another job writing it, too?",
                temporary=True,
            )


class _Body(Iterable[bytes]):
    """What a request sends, in pieces that are counted and that each have their own time limit."""

    def __init__(self, data: bytes, on_bytes: OnBytes) -> None:
        self._data = data
        self._on_bytes = on_bytes

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), PIECE):
            piece = self._data[at : at + PIECE]
            yield piece
            self._on_bytes(len(piece))


def _check_key(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise StorageError("is not an account key: it must be base64", field="CredentialsSecret") from None


def _authorities() -> str | bool:
    """What certificates are verified with, in the words of the client: a file, a folder, True for its own list."""
    try:
        verifying()
    except OSError:
        raise StorageError(f"{VARIABLE} does not name a file with certificates; correct it") from None
    system = ssl.get_default_verify_paths()
    return authorities() or system.cafile or system.capath or True


def _is_folder(blob: BlobProperties) -> bool:
    """Whether it only stands for a folder: so do Data Lake accounts and many tools."""
    is_marked = any(key.lower() == "hdi_isfolder" and value == "true" for key, value in (blob.metadata or {}).items())
    return is_marked or (blob.size == 0 and blob.name.endswith("/"))


def _entry(blob: BlobProperties, name: str) -> Entry:
    md5 = blob.content_settings.content_md5
    unusable = ""
    if any(part in ("", ".", "..") for part in name.split("/")):
        unusable = "has a name that cannot be a file's path; rename it"
    elif blob.blob_tier == "Archive":
        unusable = "is in the archive tier; rehydrate it to the hot or cool tier first"
    # Writing to a page or append blob leaves the checksum as it was.
    digest = Digest("md5", bytes(md5)) if md5 and blob.blob_type == BlobType.BLOCKBLOB else None
    return Entry(name, blob.size, unusable, blob.etag.strip('"'), digest)


def _put(blob: BlobClient, data: "_Body | bytes", headers: dict[str, str]) -> None:
    # The public `upload_blob` hands a whole file to the socket at once, with one time limit for all.
    _generated(blob).block_blob.upload(content_length=len(data), body=data, headers=headers)


def _delete(blob: BlobClient) -> None:
    try:
        blob.delete_blob()
    except ResourceNotFoundError:
        return


def _blocks(blob: BlobClient) -> set[str]:
    """The ids of what is there, committed or not."""
    try:
        committed, uncommitted = blob.get_block_list("all")
    except ResourceNotFoundError:
        return set()
    return {str(block.id) for block in (*committed, *uncommitted)}


def _note(part: Span) -> str:
    return f"block {part.start}-{part.end}"


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _generated(blob: BlobClient) -> Any:
    """The client's own inner client, one method a request of the protocol."""
    return blob._client  # noqa: SLF001


def _answer(response: Any, pieces: Iterator[bytes], _: object) -> tuple[Any, Iterator[bytes]]:
    return response.http_response, pieces
