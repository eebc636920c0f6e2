"""The bucket that workers share: a storage like those of jobs, with the worker's own credentials."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

from activities.storage.base import Entry, Span, StorageError
from activities.storage.s3.errors import GONE, code_of
from activities.storage.s3.storage import S3Storage

Found = TypeVar("Found")


@dataclass(frozen=True)
class Unfinished:
    """An upload that was begun."""

    name: str
    id: str
    begun_at: float
    """Unix time"""


class WorkBucket(S3Storage):
    """A folder in it; no name leads out of it."""

    is_own = True

    def read(self, entry: Entry, span: Span) -> Iterator[bytes]:
        """See base class; nobody changes what is here, so that to ask again for what is different does not help."""
        try:
            yield from super().read(entry, span)
        except StorageError as error:
            if error.temporary and self._is_other(entry):
                raise StorageError(str(error)) from None
            raise

    def size_of(self, name: str) -> int | None:
        """In bytes; None = there is no such object."""
        return self._unless_gone(name, lambda: int(self._client.head_object(**self._at(name))["ContentLength"]))

    def text_of(self, name: str) -> bytes | None:
        """A small object; None = there is none."""

        def read() -> bytes:
            with closing(self._client.get_object(**self._at(name))["Body"]) as body:
                return bytes(body.read())

        return self._unless_gone(name, read)

    def put_text(self, name: str, text: bytes) -> None:
        """Replace a small object."""
        with self._explained(f"{self._shown}{name} cannot be written"):
            self._client.put_object(**self._at(name), Body=text)

    def folders(self) -> list[str]:
        """Names of the folders right below this one, those of which nothing has arrived yet as well."""
        pages = self._pages(Delimiter="/")
        found = [
            item["Prefix"].removeprefix(self._folder.prefix)
            for page in pages
            for item in page.get("CommonPrefixes", [])
        ]
        begun = [upload.name for upload in self.unfinished() if "/" in upload.name]
        return sorted({name.partition("/")[0] for name in (*found, *begun)})

    def last_written(self) -> float:
        """Unix time of the newest object or upload; 0 = there is none."""
        times = [item["LastModified"].timestamp() for page in self._pages() for item in page.get("Contents", [])]
        return max([*times, *(upload.begun_at for upload in self.unfinished())], default=0.0)

    def unfinished(self) -> list[Unfinished]:
        """Uploads that were begun and not ended; a thousand at most."""
        prefix = self._folder.prefix
        with self._explained(f"the unfinished uploads in {self._shown} cannot be listed"):
            found = self._client.list_multipart_uploads(Bucket=self._folder.bucket, Prefix=prefix)
        return [
            Unfinished(item["Key"].removeprefix(prefix), item["UploadId"], item["Initiated"].timestamp())
            for item in found.get("Uploads", [])
            if item["Key"].startswith(prefix)
        ]

    def give_up(self, name: str, unfinished: str) -> None:
        """Take an unfinished upload back."""
        with self._explained(f"the unfinished upload of {self._shown}{name} cannot be deleted"):
            self._target(name).give_up(unfinished)

    def check_usable(self) -> None:
        """Fail unless files can be written, listed, read and removed; leaves nothing behind."""
        name, text = "probe", secrets.token_bytes(16)
        self.check_writable()
        self.put_text(name, text)
        is_listed = [entry.name for entry in self.entries()] == [name]
        found = self.text_of(name)
        self.delete(name, {})
        if not is_listed or found != text:
            raise StorageError(f"{self._shown} does not give back what is written to it")

    def _is_other(self, entry: Entry) -> bool:
        """Whether there is surely something else than `entry`, or nothing."""
        with suppress(StorageError):
            found = self._unless_gone(entry.name, lambda: self.look(entry))
            return not found or found.size != entry.size or entry.version not in ("", found.version)
        return False

    def _unless_gone(self, name: str, request: Callable[[], Found]) -> Found | None:
        with self._explained(f"{self._shown}{name} cannot be read"):
            try:
                return request()
            except ClientError as error:
                if code_of(error) not in GONE:
                    raise
                return None
