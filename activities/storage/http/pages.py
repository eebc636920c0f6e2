"""Pages of links, as web servers make them of folders."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import SplitResult, unquote_to_bytes, urljoin, urlsplit

TITLE = re.compile(r"index of|directory listing|listing of", re.IGNORECASE)
PLAIN = re.compile(r"[A-Za-z0-9_%-][A-Za-z0-9_%.~-]*/?")
UNUSABLE = "has a name that is no plain file name in UTF-8; rename it"


class NoListing(ValueError):
    """A page is not that of a folder."""


@dataclass(frozen=True)
class Link:
    """To something below the folder of the page."""

    name: str
    """Decoded, parts joined by `/`."""
    is_folder: bool
    unusable: str = ""


def links(page: str, address: str) -> Iterator[Link]:
    """All links of an HTML page at `address` that lead below its folder.

    Raises:
        NoListing: it is no folder's page.
    """
    anchors = _Anchors()
    try:
        # Not closed: what is cut off at the end, closing would search through once for each of its signs.
        anchors.feed(page)
    except AssertionError:  # that is how it refuses declarations which it does not know
        raise NoListing from None
    here = urlsplit(urljoin(address, "."))
    paths = [_path(href, here) for href in anchors.hrefs]
    above = [unquote_to_bytes(part) for part in here.path.split("/")[:-1]]
    found = [link for path in paths if (link := _below(path, above))]
    leads_back = here.path in paths or urljoin(here.path, "..") in paths
    if not (found or leads_back or anchors.has_title):
        raise NoListing
    yield from found


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: dict[str, None] = {}  # a set that keeps the order
        self.has_title = False
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_title = tag in ("title", "h1")
        if tag == "a":
            self.hrefs |= {value: None for name, value in attrs if name == "href" and value}

    def handle_data(self, data: str) -> None:
        if self._is_title and TITLE.search(data):
            self.has_title = True


def _path(href: str, here: SplitResult) -> str:
    """The path of a link on the same server; empty for every other, and for those that sort the page."""
    if PLAIN.fullmatch(href):
        return here.path + href  # as nearly all are: the long way takes ten times as long
    try:
        there = urlsplit(urljoin(here.geturl(), href.strip()))
        is_other = (here.scheme, here.hostname, here.port) != (there.scheme, there.hostname, there.port)
    except ValueError:
        return ""
    return "" if is_other or there.query else there.path


def _below(path: str, above: list[bytes]) -> Link | None:
    # Compared when decoded: servers differ in what they encode.
    parts = [unquote_to_bytes(part) for part in path.split("/")]
    own = parts[len(above) :]
    if parts[: len(above)] != above or own in ([], [b""]):
        return None
    is_folder = own[-1] == b""
    own = own[:-1] if is_folder else own
    name = b"/".join(own)
    is_odd = any(part in (b"", b".", b"..") or b"/" in part for part in own)
    shown = name.decode(errors="replace").replace("\0", "\ufffd")
    return Link(shown, is_folder, UNUSABLE if is_odd or shown.encode() != name else "")
