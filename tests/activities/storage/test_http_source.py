import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest

from activities.storage import download, storage_of
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import HttpLocation
from activities.storage.http import connections as http_connections
from activities.storage.http import source as http
from publishers import pace
from tests.activities.storage.doing import SourcePlace, entries, fetch, look
from tests.servers.nginx import Nginx
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy
from tests.servers.raw import ENDLESS, Raw, answer

LISTING = answer(b'<title>Index of /</title><a href="x.mp4">x.mp4</a>')
FILE = Entry("x.mp4", 10)


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_PRIVATE_HOSTS", "127.0.0.1,localhost")


@pytest.fixture
def moved(nginx: Nginx) -> Path:
    """Where `/moved/` redirects to."""
    folder = nginx.home / "moved-to"
    folder.mkdir(exist_ok=True)
    return folder


def location(address: str, user: str | None = None, password: str | None = None) -> HttpLocation:
    return HttpLocation(provider="Http", uri_path=address, credentials_name=user, credentials_secret=password)


def names(address: str) -> list[str]:
    with closing(storage_of(location(address))) as source:
        return [entry.name for entry in source.entries()]


def read(address: str, entry: Entry = FILE, span: Span | None = None) -> bytes:
    with closing(storage_of(location(address))) as source:
        return b"".join(bytes(piece) for piece in source.read(entry, span or Span(0, entry.size)))


def failure(where: HttpLocation) -> StorageError:
    with pytest.raises(StorageError) as caught, closing(storage_of(where)) as source:
        source.check_readable()
    return caught.value


@pytest.mark.parametrize(
    ("path", "text", "temporary"),
    [
        ("/nowhere/", "finds nothing there", False),
        ("/unlisted/", "permit to read files and to list folders", False),
        ("/locked/", "wants a user and a password", False),
        ("/410/", "no longer", False),
        ("/429/", "too many requests", True),
        ("/503/", "status 503; it asks to wait 7 seconds", True),
    ],
)
def test_answers_are_told_apart(nginx: Nginx, path: str, text: str, temporary: bool) -> None:  # noqa: FBT001
    for folder in ("locked", "unlisted"):
        (nginx.home / folder).mkdir(exist_ok=True)
    error = failure(location(nginx.url + path))
    assert text in str(error)
    assert error.temporary == temporary


def test_what_keeps_from_connecting_is_told_apart(
    nginx: Nginx, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(http_connections, "SILENCE_SECONDS", 0.2)
    [free] = free_ports(1)
    assert "the host is unknown" in str(failure(location("http://nowhere.invalid/x/")))
    assert "refuses the connection" in str(failure(location(f"http://127.0.0.1:{free}/")))
    assert "does not speak TLS" in str(failure(location(nginx.url.replace("http:", "https:"))))
    assert "ENCODING_CA_FILE" in str(failure(location(nginx.tls_url)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer" in str(failure(location(f"http://127.0.0.1:{silent.getsockname()[1]}/")))
    monkeypatch.setenv("ENCODING_CA_FILE", str(tmp_path / "nothing"))
    assert "ENCODING_CA_FILE" in str(failure(location(nginx.tls_url)))


def test_a_page_that_lists_nothing_is_told_with_the_remedy(nginx: Nginx) -> None:
    for name, content in (("json/index.html", "{}"), ("site/index.html", "<p>Welcome</p>")):
        (nginx.home / name).parent.mkdir(exist_ok=True)
        (nginx.home / name).write_text(content)
        assert "turn directory listing on" in str(failure(location(f"{nginx.url}/{Path(name).parent}/")))
    with Raw(lambda _: answer(b'["x.mp4"]', kind="application/json")) as server:
        assert "application/json" in str(failure(location(server.url)))


async def test_tls_and_credentials(nginx: Nginx, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(nginx.tls.ca))
    (nginx.home / "locked").mkdir(exist_ok=True)
    (nginx.home / "locked" / "x.mp4").write_bytes(b"content")
    for address in (nginx.url, nginx.tls_url):
        await fetch(location(f"{address}/locked/", nginx.user, nginx.password), "x.mp4", tmp_path / address[:5])
        assert (tmp_path / address[:5]).read_bytes() == b"content"
    error = failure(location(f"{nginx.url}/locked/", nginx.user, "wrong"))
    assert error.field == "CredentialsSecret"
    assert "wrong" not in str(error)
    assert "from https to http" in str(failure(location(f"{nginx.tls_url}/down/")))


async def test_a_redirect_is_followed_and_a_server_without_head_is_asked_otherwise(
    nginx: Nginx, moved: Path, tmp_path: Path
) -> None:
    (moved / "x.mp4").write_bytes(b"content")
    where = location(f"{nginx.url}/moved/")
    assert [entry.name for entry in await entries(where)] == ["x.mp4"]
    await fetch(where, "x.mp4", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"content"
    with Raw(lambda head: answer(b"0123456789") if head.startswith("GET") else answer(status="405 No")) as server:
        assert (await look(location(server.url), "x.mp4")).size == 10


def test_credentials_stay_with_the_server_they_are_for() -> None:
    with (
        Raw(lambda _: LISTING) as other,
        Raw(lambda _: answer(b"", f"Location: {other.url}/", status="302 Found")) as server,
        closing(storage_of(location(server.url, "user", "password"))) as source,
    ):
        source.check_readable()
        assert "Authorization: Basic dXNlcjpwYXNzd29yZA==" in server.requests[0]
        assert "uthorization" not in other.requests[0]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{other}/",
        "http://[::1]:{other}/",
        "http://[::ffff:127.0.0.1]:{other}/",
        "http://2130706433:{other}/",
        "http://0177.0.0.1:{other}/",
        "//localhost:{other}/",
        "http://user:secret@127.0.0.1:{own}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{other}/",
        "data:text/html,<a href=x>",
        "http://[",
        "",
    ],
)
def test_a_redirect_leads_nowhere_that_the_job_could_not_name(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def redirect(_: str) -> list[bytes]:
        return answer(b"", f"Location: {target.format(other=other.port, own=server.port)}", status="302 Found")

    with Raw(lambda _: LISTING) as other, Raw(redirect) as server:
        monkeypatch.setenv("ENCODING_PRIVATE_HOSTS", f"127.0.0.1:{server.port}")
        error = failure(location(server.url))
        assert not error.temporary
        assert "secret" not in str(error)
        assert len(server.requests) == 1
        assert other.requests == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Raw(lambda _: LISTING) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert names(server.url) == ["x.mp4"]


def endless(head: bytes, piece: bytes) -> Callable[[str], Iterator[bytes]]:
    """An answer that never ends: 1 GiB, sent as long as somebody reads."""

    def pieces(_: str) -> Iterator[bytes]:
        yield head
        block = piece * ((1 << 16) // len(piece) + 1)
        yield from repeat(block, ENDLESS // len(block))

    return pieces


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNK = b"1\r\nx\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (OK, b"X-More: more\r\n"),
        (OK + b"X-More: ", b"more"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"\r\n", b"<a href=x>"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: more\r\n"),
        (OK + b"Content-Length: 1000000000000\r\n\r\n", b"<!--"),
    ],
)
def test_an_answer_without_end_ends(head: bytes, piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "STEP_BYTES", 1 << 20)
    with Raw(endless(head, piece)) as server, pytest.raises(StorageError):
        names(server.url)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", OK + b"Content-Length: 9999999\r\n\r\n"])
def test_a_byte_now_and_then_is_no_answer(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(_: str) -> Iterator[bytes]:
        yield head
        while not over.wait(0.02):
            yield b"x"

    monkeypatch.setattr(pace, "STEP_SECONDS", 0.3)
    over = threading.Event()
    with Raw(drip) as server, pytest.raises(StorageError, match="slowly") as caught:
        names(server.url)
    over.set()
    assert caught.value.temporary


def test_redirects_in_a_circle_end() -> None:
    with Raw(lambda _: answer(b"", "Location: /", status="302 Found")) as server:
        assert "more than 5 times" in str(failure(location(server.url)))
        assert len(server.requests) == 6


def test_a_folder_in_itself_and_folders_without_end_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with Raw(lambda _: answer(b"<a href=again/>x</a>")) as server, pytest.raises(StorageError, match="20 deep"):
        names(server.url)
    monkeypatch.setattr(http, "MOST_FOLDERS", 50)
    page = "".join(f"<a href={number}/>" for number in range(100)).encode()
    with Raw(lambda _: answer(page)) as server, pytest.raises(StorageError, match="50 folders"):
        names(server.url)


async def test_a_page_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_ENTRIES", 1000)
    page = "".join(f"<a href={number}>" for number in range(download.MOST_ENTRIES + 1)).encode()
    with Raw(lambda _: answer(page)) as server, pytest.raises(StorageError, match="more than 1000 files"):
        await entries(location(server.url))


def test_a_packed_answer_is_refused_and_not_unpacked() -> None:
    with Raw(lambda _: answer(b"\x1f\x8b", "Content-Encoding: gzip")) as server:
        assert "packs what it sends" in str(failure(location(server.url)))
        assert "Accept-Encoding: identity" in server.requests[0]


def partial(content_range: str, body: bytes = b"x" * 10, *headers: str) -> list[bytes]:
    return answer(body, f"Content-Range: {content_range}", *headers, status="206 Partial Content")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (partial("bytes 1-10/10"), "other bytes"),
        (partial("bytes 0-8/10"), "other bytes"),
        (partial("lines 0-9/10"), "other bytes"),
        (answer(b"x" * 10, status="206 Partial Content"), "other bytes"),
        (partial("bytes 0-9/11"), "has changed"),
        (partial("bytes 0-9/10", b"x" * 10, 'ETag: "other"'), "has changed"),
        (answer(b"x" * 11), "has changed"),
        (answer(status="412 Precondition Failed"), "has changed"),
        (answer(status="416 Range Not Satisfiable"), "has changed"),
        ([OK, b"Content-Length: 10\r\n\r\nxxx"], "connection has broken"),
    ],
)
def test_other_bytes_than_were_asked_for_are_not_taken(sent: list[bytes], text: str) -> None:
    with Raw(lambda _: sent) as server, pytest.raises(StorageError, match=text):
        read(server.url, Entry("x.mp4", 10, version='"this"'))


def test_a_server_that_only_sends_whole_files_is_read_from_the_start() -> None:
    with Raw(lambda _: answer(b"0123456789")) as server:
        assert read(server.url, FILE, Span(3, 6)) == b"345"
        assert "Range: bytes=3-5" in server.requests[0]


async def test_checksums_of_the_server_are_used() -> None:
    digest = "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    with Raw(lambda head: answer(b"" if head.startswith("HEAD") else b"x", digest)) as server:
        found = await look(location(server.url), "x")
        assert found.digest
        assert (found.digest.algorithm, found.digest.value) == ("sha256", bytes(32))


@pytest.mark.parametrize("size", [10**16, 10**13 + 1])
async def test_a_size_that_nobody_can_mean_is_refused(size: int) -> None:
    with Raw(lambda _: [OK, f"Content-Length: {size}\r\n\r\n".encode()]) as server:
        with pytest.raises(StorageError, match=f"'x.mp4' has {size} bytes .* may have {download.LARGEST}") as caught:
            await look(location(server.url), "x.mp4")
        assert not caught.value.temporary


async def test_a_broken_connection_goes_on_where_it_was(
    nginx: Nginx, http_place: SourcePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PART", 1 << 40)
    content = os.urandom(24 << 20)
    http_place.put("x.mp4", content)
    passed: list[int] = []
    with Proxy(nginx.port) as proxy:

        def cut(size: int) -> None:
            passed.append(size)
            if sum(passed) > 1 << 20 and len(cuts) < 1:
                cuts.append(size)
                proxy.cut()

        cuts: list[int] = []
        through = http_place.location.uri_path.replace(str(nginx.port), str(proxy.port))
        await fetch(location(through), "x.mp4", tmp_path / "x", cut)
    assert cuts
    assert sum(passed) == len(content)  # not a byte came twice
    assert (tmp_path / "x").read_bytes() == content


async def test_a_killed_server_that_comes_back_is_read_on(
    nginx: Nginx, http_place: SourcePlace, tmp_path: Path
) -> None:
    content = os.urandom(24 << 20)
    http_place.put("x.mp4", content)
    killed = threading.Event()

    def kill(size: int) -> None:
        if size > 1 and not killed.is_set():
            killed.set()
            nginx.kill()
            nginx.start()

    await fetch(http_place.location, "x.mp4", tmp_path / "x", kill)
    assert killed.is_set()
    assert (tmp_path / "x").read_bytes() == content


async def test_parts_of_a_large_file_are_read_side_by_side(
    nginx: Nginx, http_place: SourcePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PART", download.PIECE)
    content = os.urandom(3 * download.PIECE)
    http_place.put("parts.mp4", content)
    await fetch(http_place.location, "parts.mp4", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == content
    assert sum("GET" in line and "parts.mp4" in line and " 206 " in line for line in nginx.requests()) == 3


def test_one_folder_is_one_place_however_it_is_written() -> None:
    spellings = ["http://Host/a b/c", "HTTP://host:80/a%20b/%63/", "http://host/a%20b/./c/"]
    found = set()
    for spelling in spellings:
        with closing(storage_of(location(spelling))) as source:
            found.add(source.place())
    assert found == {"http://host/a%20b/c/"}


def test_credentials_are_complete_or_absent() -> None:
    with pytest.raises(ValueError, match="belong together"):
        location("http://host/", "user")
    with pytest.raises(StorageError, match="colon"), closing(storage_of(location("http://host/", "a:b", "password"))):
        pass
