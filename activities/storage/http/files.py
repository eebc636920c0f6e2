"""What the head of an answer tells of a file: its size, its version, and which bytes of it follow."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus

from activities.storage.base import Digest, Entry, Span, StorageError
from activities.storage.http.client import Answer

STRONG = re.compile(r'"[\x21\x23-\x7e]*"')
NUMBER = re.compile(r"\d{1,18}")
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
DIGEST = re.compile(r"(sha-256|sha-512)=:?([A-Za-z0-9+/]+=*)", re.IGNORECASE)


def _number(text: str) -> int:
    """-1 where it is none."""
    return int(text) if NUMBER.fullmatch(text.strip()) else -1


def size_of(answer: Answer) -> int:
    """Of the whole file; -1 where the answer does not tell it."""
    if answer.status == HTTPStatus.OK:
        return _number(answer.headers.get("Content-Length", ""))
    found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    return _number(found[3]) if found else -1


def version_of(headers: Mapping[str, str], size: int) -> str:
    """The strong ETag, else the time of the last change with the size."""
    tag = headers.get("ETag", "").strip()
    changed = headers.get("Last-Modified", "").strip()
    if STRONG.fullmatch(tag):
        return tag
    return f"{changed}|{size}" if changed.isascii() and changed.isprintable() and changed else ""


def unchanged(version: str) -> dict[str, str]:
    """The header that asks for this version alone."""
    if STRONG.fullmatch(version):
        return {"If-Match": version}
    return {"If-Unmodified-Since": version.partition("|")[0]} if version else {}


def digest_of(headers: Mapping[str, str]) -> Digest | None:
    """Of the whole file, where the server has one."""
    found = DIGEST.search(headers.get("Repr-Digest", "") or headers.get("Digest", ""))
    if not found:
        return None
    algorithm = found[1].lower().replace("-", "")
    try:
        value = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return None
    return Digest(algorithm, value) if len(value) == hashlib.new(algorithm).digest_size else None


def check_range(what: str, entry: Entry, span: Span, answer: Answer) -> None:
    """Fail unless the answer holds these bytes, or all, of this version."""
    changed = StorageError(
        f"the file {entry.name!r} has changed since it was listed; start the job when it is no longer written",
        temporary=True,
    )
    if answer.status in (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        raise changed
    answer.expect(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
    size = size_of(answer)
    version = version_of(answer.headers, size if size >= 0 else entry.size)
    if size not in (-1, entry.size) or (entry.version and version and version != entry.version):
        raise changed
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if not found or (int(found[1]), int(found[2])) != (span.start, span.end - 1):
            raise StorageError(f"{what}: the server sends other bytes than it was asked for")
