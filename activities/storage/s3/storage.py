"""Folders in buckets of Amazon S3 and of services that speak its protocol.

Reading needs s3:ListBucket and s3:GetObject, writing s3:PutObject and no other permission.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from botocore.parsers import ResponseParserError

from activities.storage.base import Content, Entry, Kept, Span, StorageError, Upload, inside
from activities.storage.config import AmazonS3Location, S3CompatibleLocation
from activities.storage.s3.checksums import digest
from activities.storage.s3.client import Connection
from activities.storage.s3.errors import CHANGED, EMPTY_RANGE, Explainer, tolerated
from activities.storage.s3.upload import PART, Target, upload
from publishers.pace import pace

LANES = 8
PIECE = 256 << 10
"""Bytes that are read at once."""
MOST_PAGES = 10_000
"""Of a listing: a service that sends empty ones for ever would never come to the most files."""


class S3Storage:
    """The `AmazonS3` and `AmazonS3Compatible` providers."""

    lanes = LANES
    request_size = PART
    is_own = False
    """Whether it is the operator's, not a job's."""

    def __init__(self, location: AmazonS3Location | S3CompatibleLocation) -> None:
        self._folder = location.folder
        other = isinstance(location, S3CompatibleLocation)
        self._explainer = Explainer(
            address="EndpointUrl" if other else "UriPath",
            identity="RoleArnToAssume" if location.role_arn_to_assume else "CredentialsName",
            region="Region" if other else "UriPath",
        )
        self._explained = self._explainer.explained
        self._connection = Connection(location, self._folder, self._explainer, LANES, is_own=self.is_own)
        self._shown = f"s3://{self._folder.bucket}/{self._folder.prefix}"

    def entries(self) -> Iterator[Entry]:
        """See base class; objects that only stand for a folder are left out."""
        for found in self._pages():
            for item in found.get("Contents", []):
                if entry := _entry(item, self._folder.prefix):
                    yield entry

    def look(self, entry: Entry) -> Entry:
        """See base class."""
        with self._explained(f"the file {entry.name!r} cannot be read"):
            found = self._client.head_object(**self._at(entry.name), ChecksumMode="ENABLED")
        return replace(entry, size=found.get("ContentLength", -1), version=found.get("ETag", ""), digest=digest(found))

    def read(self, entry: Entry, span: Span) -> Iterator[bytes]:
        """See base class."""
        if not span.size:
            return
        condition = {"IfMatch": entry.version} if entry.version else {}
        with self._explained(f"the file {entry.name!r} cannot be read"):
            found = self._client.get_object(
                **self._at(entry.name), Range=f"bytes={span.start}-{span.end - 1}", **condition
            )
            with closing(found["Body"]) as body:
                _verify(entry, span, found)
                left = span.size
                while left and (data := _piece(body, min(left, PIECE))):
                    left -= len(data)
                    yield data

    def upload(self, source: Content, name: str, kept: Kept) -> Upload:
        """See base class."""
        return upload(self._target(name), source, kept)

    def delete(self, name: str, kept: Kept) -> None:
        """See base class."""
        self._remove(name, kept, Target.delete)

    def withdraw(self, name: str, kept: Kept) -> None:
        """See base class.

        Who may write need not be allowed to delete: then the file is overwritten with an empty one, so that no player
        starts from an old manifest.
        """
        self._remove(name, kept, Target.withdraw)

    def check_readable(self) -> None:
        """See base class; S3 knows no folders, so that an empty one is not there."""
        for item in self._page(MaxKeys=1).get("Contents", []):
            with self._explained(f"the files in {self._shown} cannot be read"):
                self._touch(item["Key"])
            return
        raise StorageError(f"the folder {self._shown} cannot be read: nothing is in it; correct UriPath")

    def check_writable(self) -> None:
        """See base class: an upload in parts that is given up needs the same permission as one that is not."""
        target = self._target(f".encoding-{secrets.token_hex(8)}")
        with self._explained(f"the folder {self._shown} cannot be written"):
            unfinished = self._client.create_multipart_upload(**target.at)["UploadId"]
            target.give_up(unfinished)

    def place(self) -> str:
        """See base class."""
        return self._folder.place

    def link(self, name: str) -> str:
        """See base class."""
        return self._folder.base + quote(name)

    def close(self) -> None:
        """See base class."""
        self._connection.close()

    @property
    def _client(self) -> Any:
        return self._connection.client

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._folder.bucket, "Key": self._folder.prefix + inside(name)}

    def _remove(self, name: str, kept: Kept, remove: Callable[[Target], None]) -> None:
        target = self._target(name)
        target.abort(kept)
        with self._explained(f"{target.shown} cannot be deleted"):
            remove(target)

    def _target(self, name: str) -> Target:
        at = self._at(name)
        return Target(self._client, at, f"{self._shown}{name}", self._explainer)

    def _pages(self, **options: str) -> Iterator[dict[str, Any]]:
        seen, more = set[str](), dict[str, str]()
        for _ in range(MOST_PAGES):
            page = self._page(**options, **more)
            yield page
            token = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated") or not token:
                return
            if token in seen:
                break
            seen.add(token)
            more = {"ContinuationToken": token}
        raise StorageError(f"the folder {self._shown} cannot be listed: the service's listing does not end")

    def _page(self, **more: Any) -> dict[str, Any]:
        what = f"the folder {self._shown} cannot be listed"
        with self._explained(what):
            page: dict[str, Any] = self._client.list_objects_v2(
                Bucket=self._folder.bucket, Prefix=self._folder.prefix, **more
            )
            has_names = all("Key" in item for item in page.get("Contents", []))
            if "IsTruncated" not in page or not has_names:  # boto3 reads any XML as an empty listing
                raise self._explainer.explain(what, ResponseParserError())
        return page

    def _touch(self, key: str) -> None:
        with tolerated(*EMPTY_RANGE):  # an empty file has no first byte
            found = self._client.get_object(Bucket=self._folder.bucket, Key=key, Range="bytes=0-0")
            with closing(found["Body"]) as body:
                body.read(1)


def _piece(body: Any, size: int) -> bytes:
    pace().begin()
    data: bytes = body.read(size)
    return data


def _entry(item: dict[str, Any], prefix: str) -> Entry | None:
    name, size = item["Key"][len(prefix) :], item.get("Size", -1)
    if name.endswith("/") or not name:
        return None
    unusable = ""
    if "\ufffd" in name:
        unusable = "has a name that is not valid UTF-8; rename it"
    elif {".", ".."}.intersection(name.split("/")) or name.startswith("/") or "\0" in name:
        unusable = "has a name that no path can have; rename it"
    return Entry(name, size, unusable, version=item.get("ETag", ""))


def _verify(entry: Entry, span: Span, found: dict[str, Any]) -> None:
    """Not all services heed the conditions of a request."""
    if entry.version not in ("", found.get("ETag", entry.version)):
        raise StorageError(f"the file {entry.name!r} cannot be read: {CHANGED}", temporary=True)
    length = found.get("ContentRange", "").rpartition("/")[2]
    if length.isdecimal() and int(length) != entry.size:
        raise StorageError(f"the file {entry.name!r} cannot be read: {CHANGED}", temporary=bool(entry.version))
    if span.start and not found.get("ContentRange", "").startswith(f"bytes {span.start}-"):
        raise StorageError(f"the file {entry.name!r} cannot be read: the service does not send parts of files")
