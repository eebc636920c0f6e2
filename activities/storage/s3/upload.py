"""Files on their way into a bucket: small ones in one request, large ones in parts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from activities.storage.base import Content, Kept, OnBytes, Span, StorageError, Upload
from activities.storage.content import cache_control, content_type
from activities.storage.explain import explained
from activities.storage.s3.body import Body
from activities.storage.s3.checksums import parts_etag
from activities.storage.s3.errors import DENIED, GONE, LOST, NO_UPLOAD, Explainer, code_of, tolerated
from publishers.pace import pace

PART = 8 << 20
MOST_PARTS = 10_000
COMPLETION_SECONDS = 600
"""A service that puts large files together sends a space now and then for minutes."""
UPLOAD, PART_SIZE, ETAG = "upload", "part size", "part "
"""Keys of notes: the upload's id, and with a part's number behind it the part's ETag."""


@dataclass(frozen=True)
class Target:
    """The object that a file becomes."""

    client: Any
    at: dict[str, str]
    """Bucket and key, as parameters."""
    shown: str
    explainer: Explainer

    @property
    def headers(self) -> dict[str, str]:
        """For those who will read it."""
        return {"ContentType": content_type(self.at["Key"]), "CacheControl": cache_control(self.at["Key"])}

    def abort(self, kept: Kept) -> None:
        """Take back the unfinished upload that `kept` tells of, and forget it."""
        if unfinished := kept.get(UPLOAD):
            with self.explainer.explained(f"the unfinished upload of {self.shown} cannot be deleted"):
                self.give_up(unfinished)
        forget(kept)

    def delete(self) -> None:
        """Remove it."""
        self.client.delete_object(**self.at)

    def withdraw(self) -> None:
        """Remove it, or else empty it."""
        try:
            self.delete()
        except ClientError as error:
            if code_of(error) not in DENIED:
                raise
            if not self._is_missing():
                self.client.put_object(**self.at, **self.headers, Body=b"")

    def give_up(self, unfinished: str) -> None:
        """Take back an upload. Where even that is denied, the bucket's own rules have to."""
        with tolerated(*NO_UPLOAD, *DENIED):
            self.client.abort_multipart_upload(**self.at, UploadId=unfinished)

    def knows(self, unfinished: str) -> bool:
        """Whether an upload can go on; one that may not be asked for probably can."""
        with self.explainer.explained(f"{self.shown} cannot be written"):
            try:
                self.client.list_parts(**self.at, UploadId=unfinished, MaxParts=1)
            except ClientError as error:
                return code_of(error) not in (*NO_UPLOAD, *GONE)
        return True

    def size(self) -> int | None:
        """What is there now, in bytes; None where that may not be asked, or there is nothing."""
        try:
            return int(self.client.head_object(**self.at)["ContentLength"])
        except ClientError as error:
            if code_of(error) not in (*DENIED, *GONE):
                raise
            return None

    def _is_missing(self) -> bool:
        """Where that may be asked."""
        try:
            self.client.head_object(**self.at)
        except ClientError as error:
            return code_of(error) in GONE
        return False


def upload(target: Target, source: Content, kept: Kept) -> Upload:
    """Begin, or go on, to send a file."""
    with explained(f"{source.name} cannot be read from the worker's work folder"):
        size = source.stat().st_size
    if size <= PART:
        return SingleUpload(target, source, size)
    if (unfinished := kept.get(UPLOAD)) and not target.knows(unfinished):
        forget(kept)
    return PartsUpload(target, source, size, kept)


def forget(kept: Kept) -> None:
    """Take the notes of an upload back."""
    for key in [*kept]:
        if key in (UPLOAD, PART_SIZE) or key.startswith(ETAG):
            del kept[key]


class SingleUpload:
    """A file that one request takes, and makes visible as a whole."""

    def __init__(self, target: Target, source: Content, size: int) -> None:
        self._target = target
        self._source = source
        self._size = size

    def missing(self) -> list[Span]:
        """See base class."""
        return [Span(0, self._size)]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class."""
        with self._target.explainer.explained(f"{self._target.shown} cannot be written"):
            with Body(self._source, part, on_bytes) as body:
                answer = self._target.client.put_object(**self._target.at, **self._target.headers, **body.parameters())
            body.verify(answer)

    def finish(self) -> None:
        """See base class: the checksum that was sent along was of all of it."""


class PartsUpload:
    """A file in parts, which become visible together. An upload that the service has lost begins anew."""

    def __init__(self, target: Target, source: Content, size: int, kept: Kept) -> None:
        self._target = target
        self._source = source
        self._size = size
        self._kept = kept
        self._part_size = int(kept.get(PART_SIZE, _part_size(size)))
        self._beginning = threading.Lock()
        self._is_asked = False
        """To put the parts together."""

    def missing(self) -> list[Span]:
        """See base class."""
        return [part for number, part in self._parts() if f"{ETAG}{number}" not in self._kept]

    def send(self, part: Span, on_bytes: OnBytes) -> None:
        """See base class."""
        number, unfinished = part.start // self._part_size + 1, self._begun()
        with self._writing(unfinished):
            with Body(self._source, part, on_bytes) as body:
                answer = self._target.client.upload_part(
                    **self._target.at, UploadId=unfinished, PartNumber=number, **body.parameters()
                )
            body.verify(answer)
            tag = answer["ETag"]
        self._kept[f"{ETAG}{number}"] = tag

    def finish(self) -> None:
        """See base class; sends what was lost with an upload that had to begin anew."""
        for part in self.missing():
            self.send(part, lambda _: None)
        tags = [self._kept[f"{ETAG}{number}"] for number, _ in self._parts()]
        unfinished = self._begun()
        with self._writing(unfinished):
            if not self._is_complete(unfinished, tags):
                self._target.abort(self._kept)
                raise StorageError(f"{self._target.shown} has arrived with a wrong size", temporary=True)
        forget(self._kept)

    def _is_complete(self, unfinished: str, tags: list[str]) -> bool:
        """Put the parts together; afterwards the ETag tells of the parts, or else the size has to be right."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        again, self._is_asked = self._is_asked, True
        try:
            with pace().lasting(COMPLETION_SECONDS):
                answer = self._target.client.complete_multipart_upload(
                    **self._target.at, UploadId=unfinished, MultipartUpload={"Parts": parts}
                )
        except ClientError as error:
            if again and code_of(error) in NO_UPLOAD and self._target.size() == self._size:
                return True  # it was the answer of the request before that has been lost
            raise
        return answer.get("ETag") == parts_etag(tags) or self._target.size() in (None, self._size)

    def _parts(self) -> Iterator[tuple[int, Span]]:
        for number, start in enumerate(range(0, self._size, self._part_size), 1):
            yield number, Span(start, min(start + self._part_size, self._size))

    def _begun(self) -> str:
        """The id of the upload."""
        with self._beginning:
            if UPLOAD not in self._kept:
                with self._target.explainer.explained(f"{self._target.shown} cannot be written"):
                    begun = self._target.client.create_multipart_upload(**self._target.at, **self._target.headers)
                    unfinished = begun["UploadId"]
                self._kept[PART_SIZE] = str(self._part_size)
                self._kept[UPLOAD] = unfinished
            return self._kept[UPLOAD]

    @contextmanager
    def _writing(self, unfinished: str) -> Iterator[None]:
        """Errors explained; one that says that the upload or a part is gone makes it forgotten."""
        with self._target.explainer.explained(f"{self._target.shown} cannot be written"):
            try:
                yield
            except ClientError as error:
                with self._beginning:
                    if code_of(error) in LOST and self._kept.get(UPLOAD) == unfinished:
                        self._target.abort(self._kept)
                raise


def _part_size(size: int) -> int:
    """Whole MiB, so that the most parts that there may be are enough."""
    least = -(-size // MOST_PARTS)
    return max(PART, -(-least // (1 << 20)) << 20)
