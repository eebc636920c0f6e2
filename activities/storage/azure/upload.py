"""Sending files to Azure Blob Storage: small ones in one request, others in blocks."""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, ContentSettings

from activities.storage.azure.errors import azure_explained
from activities.storage.base import Content, Kept, OnBytes, Span, StorageError, Upload
from activities.storage.content import cache_control, content_type
from activities.storage.explain import explained

PIECE = 256 << 10
"""Bytes that are handed on, or sent, at once."""
BLOCK = 8 << 20
"""Bytes of a part; a file of up to so many is sent in one request."""
MOST_BLOCKS = 50_000
SOURCE = "source"
"""Note about the local file whose parts were sent: of another one they are worth nothing."""


def begun(blob: BlobClient, source: Content, name: str, kept: Kept) -> Upload:
    """The upload of a local file."""
    with explained(f"{name} cannot be read from the worker's work folder"):
        status = source.stat()
    file = _Source(source, name, status.st_size)
    if status.st_size <= BLOCK:
        return _SmallUpload(file, blob)
    return _BlockUpload(file, blob, kept, f"{status.st_size}-{status.st_mtime_ns}")


class _Source:
    """A local file that is sent."""

    def __init__(self, content: Content, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._content = content

    def read(self, part: Span) -> bytes:
        with (
            explained(f"{self.name} cannot be read from the worker's work folder"),
            self._content.open("rb", buffering=0) as file,
        ):
            file.seek(part.start)
            data = file.read(part.size) or b""
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
            put(self._blob, _Body(data, on_bytes) if data else data, {**headers, "Content-MD5": _md5(data)})

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
            there = blocks(self._blob)
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
        committed = [BlobBlock(self._kept[_note(part)]) for part in self._parts]
        settings = ContentSettings(content_type=content_type(name), cache_control=cache_control(name))
        with azure_explained(self._doing):
            self._blob.commit_block_list(committed, content_settings=settings)
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


def put(blob: BlobClient, data: "_Body | bytes", headers: dict[str, str]) -> None:
    # The public `upload_blob` hands a whole file to the socket at once, with one time limit for all.
    generated(blob).block_blob.upload(content_length=len(data), body=data, headers=headers)


def blocks(blob: BlobClient) -> set[str]:
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


def generated(blob: BlobClient) -> Any:
    """The client's own inner client, one method a request of the protocol."""
    return blob._client  # noqa: SLF001
