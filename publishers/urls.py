"""Addresses in a job: of services, and of folders on them."""

import re
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, Field

FTP_SCHEMES = ("ftp", "ftpes", "ftps")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def split_url(text: str) -> SplitResult:
    """The parts of an address.

    Raises:
        ValueError: it is none.
    """
    if CONTROL.search(text):  # Python would leave some of it out, other readers of the same text would not
        raise ValueError("holds a control character; write it percent-encoded, or leave it out")
    try:
        parts = urlsplit(text)
        _ = parts.port, parts.hostname  # these can fail, too
    except ValueError:
        raise ValueError("is not a valid address") from None
    return parts


def url_host(host: str) -> str:
    """A host as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_http(text: str) -> str:
    if split_url(text).scheme.lower() not in ("http", "https") or not split_url(text).hostname:
        raise ValueError("must be an http:// or https:// address")
    return text


def _is_ftp(text: str) -> str:
    parts = split_url(text)
    if parts.scheme.lower() not in FTP_SCHEMES or not parts.hostname:
        raise ValueError(
            "must be ftp:// (no TLS), ftpes:// (explicit TLS) or ftps:// (implicit TLS), then host and folder"
        )
    return text


def _is_folder(text: str) -> str:
    parts = split_url(text)
    # It is told in events: a secret in it would be as well.
    if parts.username or parts.password:
        raise ValueError("must not hold user or password; use CredentialsName and CredentialsSecret")
    if parts.query or parts.fragment:
        raise ValueError("holds ? or #; write them as %3F and %23")
    if ".." in unquote(parts.path).split("/"):
        raise ValueError("must not hold the folder ..")
    return text


Folder = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_is_folder)]
"""An address without user, password, query or `..`, whatever its scheme."""
HttpFolder = Annotated[Folder, AfterValidator(_is_http)]
"""Of a folder, or of a service."""
FtpUrl = Annotated[Folder, AfterValidator(_is_ftp)]
"""Of a folder."""
