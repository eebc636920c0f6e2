"""What the answers of S3 tell of a file's content."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from activities.storage.base import Digest

Answer = Mapping[str, Any]
MD5 = re.compile(r'"?([0-9a-f]{32})"?')
CHECKSUMS = {"ChecksumSHA256": "sha256", "ChecksumSHA1": "sha1", "ChecksumCRC32": "crc32"}


def etag_md5(answer: Answer) -> bytes | None:
    """The MD5 of what was sent in one request, where the ETag is one: it is not of what KMS or a client encrypts."""
    encrypted = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in answer
    found = MD5.fullmatch(answer.get("ETag", ""))
    return bytes.fromhex(found[1]) if found and not encrypted else None


def digest(answer: Answer) -> Digest | None:
    """A checksum of the whole file, not one of the checksums of its parts."""
    md5 = etag_md5(answer)
    if answer.get("ChecksumType", "FULL_OBJECT" if md5 else "") == "FULL_OBJECT":
        for field, algorithm in CHECKSUMS.items():
            if value := answer.get(field):
                return Digest(algorithm, base64.b64decode(value))
    return Digest("md5", md5) if md5 else None


def parts_etag(tags: Sequence[str]) -> str:
    """The ETag that a file of parts with these ETags usually has; empty where there is no such rule."""
    sums = [etag_md5({"ETag": tag}) or b"" for tag in tags]
    whole = hashlib.md5(b"".join(sums), usedforsecurity=False).hexdigest()
    return f'"{whole}-{len(tags)}"' if all(sums) else ""
