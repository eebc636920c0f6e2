"""Folders that web servers list as pages of links, for reading."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote, unquote_to_bytes

from urllib3.exceptions import LocationValueError
from urllib3.util import parse_url

from activities.storage.base import Entry, Span, StorageError, inside
from activities.storage.config import HttpLocation
from activities.storage.http.client import PORTS, Answer, HttpClient
from activities.storage.http.files import check_range, digest_of, size_of, unchanged, version_of
from activities.storage.http.pages import Link, NoListing, links

PIECE = 1 << 18
"""Bytes that are read at once."""
PART = 64 << 20
"""Bytes of a request, from servers that send parts of files."""
MOST_DEPTH = 20
MOST_FOLDERS = 2000
MOST_PAGE = 5_000_000
"""Bytes."""
LISTING_SECONDS = 600
HTML = ("text/html", "application/xhtml+xml")
NO_HEAD = (HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
"""Answers to HEAD where GET may do better: 403 of links that are signed for GET."""


class HttpSource:
    """The `Http` provider."""

    lanes = 4

    def __init__(self, location: HttpLocation) -> None:
        self.request_size = PART
        self._folder = _folder(location.uri_path)
        if ":" in (location.credentials_name or ""):
            raise StorageError("a user's name cannot hold a colon over HTTP", field="CredentialsName")
        server = parse_url(self._folder)
        self._client = HttpClient(server, location.credentials_name, location.credentials_secret, self.lanes)

    def entries(self) -> Iterator[Entry]:
        """Sizes are unknown: pages round them, or leave them out."""
        until = time.monotonic() + LISTING_SECONDS
        pending, seen, folders = [""], {""}, 1
        while pending:
            folder = pending.pop()
            if time.monotonic() > until:
                raise StorageError(f"listing the folder takes longer than {LISTING_SECONDS} seconds", temporary=True)
            for link in self._page(folder):
                name = f"{folder}{link.name}{'/' * link.is_folder}"
                if name in seen:
                    continue
                seen.add(name)
                if link.is_folder and not link.unusable:
                    pending.append(name)
                    folders += 1
                    _limit(name, folders)
                else:
                    yield Entry(name, -1, link.unusable)

    def look(self, entry: Entry) -> Entry:
        """See base class; by HEAD, or by GET of the first byte where the server has no HEAD."""
        what, url = self._file(entry.name)
        with self._client.asked(what, "HEAD", url) as answer:
            if answer.status not in NO_HEAD:
                answer.expect(HTTPStatus.OK)
                if size_of(answer) >= 0:
                    return self._seen(entry, answer)
        with self._client.asked(what, "GET", url, {"Range": "bytes=0-0"}) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # an empty file has no first byte
                return replace(entry, size=0, version="", digest=None)
            answer.expect(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
            if size_of(answer) < 0:
                raise StorageError(f"{what}: the server does not tell its size")
            return self._seen(entry, answer)

    def read(self, entry: Entry, span: Span) -> Iterator[bytes]:
        """See base class. From a server that sends whole files alone, what lies before `span` is thrown away."""
        if not span.size:
            return
        what, url = self._file(entry.name)
        wanted = {"Range": f"bytes={span.start}-{span.end - 1}", **unchanged(entry.version)}
        with self._client.asked(what, "GET", url, wanted) as answer:
            check_range(what, entry, span, answer)
            unwanted = span.start if answer.status == HTTPStatus.OK else 0
            left = unwanted + span.size
            while left and (data := answer.piece(min(PIECE, unwanted or left))):
                left -= len(data)
                if unwanted:
                    unwanted -= len(data)
                else:
                    yield data

    def check_readable(self) -> None:
        """See base class."""
        self._page("")

    def place(self) -> str:
        """See base class."""
        return self._folder

    def close(self) -> None:
        """See base class."""
        self._client.close()

    def _page(self, folder: str) -> list[Link]:
        """What the page of one folder leads to."""
        url = self._folder + quote(folder)
        what = f"the folder {url} cannot be listed"
        with self._client.asked(what, "GET", url) as answer:
            answer.expect(HTTPStatus.OK)
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            page = answer.piece(MOST_PAGE + 1) if kind in HTML else b""
            if len(page) > MOST_PAGE:
                raise StorageError(f"{what}: its page has more than {MOST_PAGE} bytes")
            with suppress(NoListing):
                return list(links(page.decode(errors="replace"), answer.url.url))
            raise StorageError(
                f"{what}: what the server sends is not the listing of a folder ({kind[:50] or 'of no type'}); "
                "name a folder, and turn directory listing on for it"
            )

    def _file(self, name: str) -> tuple[str, str]:
        """What to call it when it fails, and its address."""
        return f"the file {name!r} cannot be read", self._folder + quote(inside(name))

    def _seen(self, entry: Entry, answer: Answer) -> Entry:
        if answer.status == HTTPStatus.OK and answer.headers.get("Accept-Ranges", "").strip().lower() != "bytes":
            self.request_size = sys.maxsize  # each part would be sent with all that lies before it
        size = size_of(answer)
        return replace(entry, size=size, version=version_of(answer.headers, size), digest=digest_of(answer.headers))


def _folder(uri_path: str) -> str:
    """The address in one spelling, with `/` at its end."""
    try:
        url = parse_url(uri_path)
    except LocationValueError:
        raise StorageError(f"{uri_path!r} is not a valid address") from None
    if not url.host:
        raise StorageError(f"{uri_path!r} names no host")
    parts = [quote(unquote_to_bytes(part), safe="") for part in (url.path or "").strip("/").split("/")]
    port = f":{url.port}" if url.port and url.port != PORTS.get(url.scheme or "") else ""
    path = "/".join(part for part in parts if part)
    return f"{url.scheme}://{url.host}{port}/{path}{'/' * bool(path)}"


def _limit(name: str, folders: int) -> None:
    if name.count("/") > MOST_DEPTH:
        raise StorageError(f"folders lie in each other more than {MOST_DEPTH} deep; name the folder of one title")
    if folders > MOST_FOLDERS:
        raise StorageError(f"the folder holds more than {MOST_FOLDERS} folders; name the folder of one title")
