"""Azure Blob Storage. A folder is what the names of blobs begin with; it is not there without a blob."""

import base64
import binascii
import secrets
import ssl
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.paging import ItemPaged
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobClient, BlobProperties, BlobType, ContainerClient

from activities.storage.azure.errors import azure_explained
from activities.storage.azure.folder import blob_folder
from activities.storage.azure.upload import BLOCK, PIECE, SOURCE, begun, blocks, generated, put
from activities.storage.base import Content, Digest, Entry, Kept, Span, StorageError, Upload, inside
from activities.storage.config import AzureBlobLocation
from publishers.pace import HostError, pace
from publishers.tls import VARIABLE, authorities, verifying
from publishers.web import check_xml, guarded

CONNECT_PATIENCE, ANSWER_PATIENCE = 10, 30
"""seconds"""
PAGE = 1000
"""Files of a page at most; with 8 KiB each, it is not too large for an answer."""
MOST_PAGES = 5000
"""Of a listing; a page may have no file."""
PARTIAL = 206
SUCCESSES = (200, PARTIAL)


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
            use_env_settings=False,  # no proxy, which would look names up once more
        )
        self._transport.open()  # once, here: several threads that find it closed would each do it
        self._transport.session.headers["Accept-Encoding"] = "identity"
        _guard(self._transport)
        self._container = ContainerClient(
            self._folder.service,
            self._folder.container,
            {"account_name": self._folder.account, "account_key": key},
            transport=self._transport,
            raw_response_hook=_check_answer,
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
            response, pieces = generated(self._blob(entry.name)).blob.download(
                range=f"bytes={span.start}-{span.end - 1}", headers=headers, decompress=False, cls=_answer
            )
            try:
                if response.status_code != PARTIAL:
                    raise StorageError(f"the file {entry.name!r} cannot be read: the server sends no parts of files")
                yield from _paced(pieces)
            finally:
                response.close()

    def upload(self, source: Content, name: str, kept: Kept) -> Upload:
        """See base class."""
        return begun(self._blob(name), source, name, kept)

    def delete(self, name: str, kept: Kept) -> None:
        """See base class. Blocks that nobody has committed go when a blob takes their place."""
        blob = self._blob(name)
        with azure_explained(f"the file {name!r} cannot be deleted"):
            _delete(blob)
            if kept.get(SOURCE) and blocks(blob):
                put(blob, b"", {})
                _delete(blob)

    def withdraw(self, name: str, kept: Kept) -> None:
        """See base class."""
        self.delete(name, kept)

    def check_readable(self) -> None:
        """See base class."""
        for entry in self.entries():
            if entry.size and not entry.unusable:
                for _ in self.read(entry, Span(0, 1)):
                    pass
            return

    def check_writable(self) -> None:
        """See base class: nobody sees a block that is never committed, and one that is needs the same permission."""
        with azure_explained(f"{self._shown} cannot be written"):
            self._blob(f".encoding-{secrets.token_hex(8)}").stage_block("probe", b"probe")

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
        found: ItemPaged[BlobProperties] = self._container.list_blobs(
            self._folder.prefix or None, include=["metadata"], results_per_page=PAGE
        )
        pages = found.by_page()
        tokens: set[str | None] = set()
        for page in pages:
            yield from page
            token = getattr(pages, "continuation_token", None)
            if token in tokens or len(tokens) >= MOST_PAGES:
                raise StorageError(f"{self._shown} cannot be listed: the list does not end")
            tokens.add(token)


def _guard(transport: RequestsTransport) -> None:
    for scheme in ("http://", "https://"):
        guarded(transport.session.get_adapter(scheme).poolmanager)


def _check_answer(answer: PipelineResponse[Any, Any]) -> None:
    """Refuse what was packed, which nobody has asked for, and whatever may multiply when it is read."""
    response = answer.http_response
    if answer.context.options.get("stream") and response.status_code in SUCCESSES:
        return
    is_packed = response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity")
    if is_packed and response.body():
        raise HostError("the service packs what it sends, unasked; is it the right address?")
    check_xml(response.body())


def _paced(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Each is a step."""
    pace().begin()
    for piece in pieces:
        yield piece
        pace().begin()


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
    return Entry(name, int(blob.size), unusable, blob.etag.strip('"'), digest)


def _delete(blob: BlobClient) -> None:
    try:
        blob.delete_blob()
    except ResourceNotFoundError:
        return


def _answer(response: Any, pieces: Iterator[bytes], _: object) -> tuple[Any, Iterator[bytes]]:
    return response.http_response, pieces
