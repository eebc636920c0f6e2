"""What servers answer: pages and listings of folders, heads of files, and errors that could repeat a secret."""

import ftplib
import html
from urllib.parse import quote, urlsplit

from hypothesis import given
from hypothesis import strategies as st
from urllib3._collections import HTTPHeaderDict
from urllib3.response import HTTPResponse
from urllib3.util import parse_url

from activities.storage.base import Entry, Span, StorageError, inside
from activities.storage.ftps.listing import Kind, machine_listing, unix_listing
from activities.storage.http.client import Answer
from activities.storage.http.files import check_range, digest_of, size_of, unchanged, version_of
from activities.storage.http.pages import NoListing, links
from publishers.ftp import FtpError, explained
from tests.fuzz.trying import check_told, inputs, made_of

HERE = "http://host/in/put/"
HREFS = made_of(
    "x.mp4", "/", "..", "../", "./", "%2e%2e", "%2F", "%00", "%ff", "http://host", "//evil/", "/in/put/", "?a", "#", ":"
)
PAGES = made_of(
    "<title>Index of /", "</title>", "<h1>", "<a href=", '<a href="', "'", '"', ">", "</a>", "<!--", "-->", "<![CDATA[",
    "<script>", "</script>", "<!doctype", "&#x41;", "&amp", "x.mp4", "/in/put/y/", size=20,
)  # fmt: skip


@given(PAGES | HREFS.map(lambda href: f'<title>Index of x</title><a href="{html.escape(href)}">x</a>'))
@inputs(75)
def test_no_page_leads_out_of_its_folder(page: str) -> None:
    try:
        found = list(links(page, HERE))
    except NoListing:
        return
    for link in found:
        assert link.name
        assert "\0" not in link.name
        if not link.unusable:
            address = urlsplit(HERE + quote(inside(link.name)))
            assert (address.hostname, address.path.startswith("/in/put/")) == ("host", True)


FILES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=20)
PLAIN = FILES.filter(lambda name: name not in (".", ".."))


@given(st.lists(PLAIN, min_size=1, max_size=5, unique=True))
@inputs(30)
def test_the_page_of_a_folder_is_read(names: list[str]) -> None:
    page = "".join(f'<a href="./{html.escape(quote(name))}">x</a>' for name in names)
    assert [link.name for link in links(page, HERE) if not link.unusable] == names


FACTS = made_of(
    "type=file;", "type=dir;", "size=", "12;", "UNIX.mode=0;", "type=OS.unix=slink:", "unique=1g1;", " ", "x.mp4"
)
LISTED = made_of(
    "-rw-r--r-- 1 me us 12 Nov 26 20:00 ", "drwx", "lrwxrwxrwx", "total 5", " -> ", "x.mp4", "Jan 1 2026 ", " "
)


@given(st.lists(FACTS, max_size=4), st.lists(LISTED, max_size=4))
@inputs(50)
def test_listings_are_read_or_refused(machine: list[str], unix: list[str]) -> None:
    found = list(machine_listing(machine))
    try:
        found += unix_listing(unix)
    except StorageError as error:
        check_told(error)
    for listed in found:
        assert listed.name not in ("", ".", "..")
        assert -1 <= listed.size < 10**14


@given(PLAIN.filter(lambda name: " -> " not in name), st.integers(0, 10**14 - 1), st.booleans())
@inputs(30)
def test_a_line_of_each_form_says_the_same(name: str, size: int, folder: bool) -> None:  # noqa: FBT001
    [one] = machine_listing([f"Type={'dir' if folder else 'file'};Size={size}; {name}"])
    [other] = unix_listing([f"{'d' if folder else '-'}rw-r--r--   1 me   us  {size} Nov 26 20:00 {name}"])
    assert one.name == other.name == name
    assert one.kind is other.kind is (Kind.FOLDER if folder else Kind.FILE)
    assert folder or one.size == other.size == size


VALUES = made_of(
    "bytes ",
    "0",
    "9",
    "-",
    "/",
    "*",
    "10",
    '"tag"',
    "W/",
    "sha-256=:",
    "AAAA",
    "==",
    ":",
    "Thu, 26 Nov 2026 20:00:00 GMT",
)
FIELDS = st.sampled_from(
    ["Content-Length", "Content-Range", "ETag", "Last-Modified", "Repr-Digest", "Digest", "Retry-After"]
)


@given(st.dictionaries(FIELDS, VALUES, max_size=4), st.sampled_from([200, 206, 412, 416, 404, 500]))
@inputs(50)
def test_heads_are_read_or_refused(headers: dict[str, str], status: int) -> None:
    response = HTTPResponse(b"", HTTPHeaderDict(headers), status, preload_content=False)
    answer = Answer(response, parse_url(HERE), "it cannot be read", has_credentials=True)
    size = size_of(answer)
    assert -1 <= size < 10**18
    assert all(char.isprintable() for value in unchanged(version_of(response.headers, size)).values() for char in value)
    digest = digest_of(response.headers)
    assert digest is None or len(digest.value) in (32, 64)
    try:
        check_range("it cannot be read", Entry("x", 10), Span(0, 5), answer)
    except StorageError as error:
        check_told(error)
    else:
        assert status in (200, 206)


SECRET = "pa55-w0rd"
REPLIES = made_of("530", "500", "501 ", "503-", "230", " PASS ", SECRET, "\n", "TLS", "too many", "login")


@given(REPLIES)
@inputs(30)
def test_an_answer_of_a_server_is_told_in_one_line(reply: str) -> None:
    try:
        with explained("ftp://host/in"):
            raise ftplib.error_perm(reply)
    except FtpError as error:
        check_told(error, secrets=["\n", "\0"])
