"""Answers that no real service gives on demand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from activities.storage import storage_of
from activities.storage.base import Entry, StorageError
from activities.storage.s3 import upload
from tests.activities.storage.doing import check, entries
from tests.activities.storage.s3_doing import s3_location
from tests.servers.raw import Raw, answer
from tests.servers.s3 import S3

PAGE = (
    "<ListBucketResult><IsTruncated>{more}</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    "<EncodingType>url</EncodingType>{items}</ListBucketResult>"
)


@contextmanager
def answering(answer: Callable[[str], tuple[int, str]]) -> Iterator[str]:
    """A service that gives the answers, by path, that no real one gives on demand: faults, endless lists, odd names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "code", "text", "lasts"),
    [
        (503, "SlowDown", "busy", "for a while"),
        (500, "InternalError", "busy", "for a while"),
        (502, "", "busy", "for a while"),
        (429, "TooManyRequests", "busy", "for a while"),
        (403, "RequestTimeTooSkewed", "clock", "until corrected"),
        (301, "PermanentRedirect", "another region", "until corrected"),
        (507, "QuotaExceeded", "no space", "for a while"),
        (418, "Teapot", "Teapot", "until corrected"),
    ],
)
async def test_the_services_faults_are_told_apart(s3: S3, status: int, code: str, text: str, lasts: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>quoted nowhere</Message></Error>" if code else "gateway"
    with answering(lambda _: (status, body)) as url, pytest.raises(StorageError, match=text) as caught:
        await check(s3_location(s3, "x", EndpointUrl=url), writable=False)
    assert caught.value.temporary == (lasts == "for a while")
    assert "quoted" not in str(caught.value)


async def test_a_listing_that_does_not_end_is_given_up(s3: S3) -> None:
    page = PAGE.format(more="true", token="again", items="")
    with answering(lambda _: (200, page)) as url, pytest.raises(StorageError, match="does not end"):
        await entries(s3_location(s3, "x", EndpointUrl=url))


async def test_names_that_no_path_can_have_are_listed_but_not_used(s3: S3) -> None:
    keys = ["x/../y", "x/./y", "x//y", "x/ok%0A+name", "x/%FF", "x/folder/", "x/"]
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    page = PAGE.format(more="false", token="", items=items)
    with answering(lambda _: (200, page)) as url:
        found = {entry.name: bool(entry.unusable) for entry in await entries(s3_location(s3, "x", EndpointUrl=url))}
    assert found == {"../y": True, "./y": True, "/y": True, "ok\n name": False, "\ufffd": True}


async def test_a_file_of_which_no_size_is_listed_is_asked_for_it(s3: S3) -> None:
    page = PAGE.format(more="false", token="", items="<Contents><Key>x/film.mp4</Key></Contents>")
    with answering(lambda _: (200, page)) as url:
        assert await entries(s3_location(s3, "x", EndpointUrl=url)) == [Entry("film.mp4", -1)]


async def test_a_listing_without_names_is_not_of_s3(s3: S3) -> None:
    page = PAGE.format(more="false", token="", items="<Contents><Size>1</Size></Contents>")
    with answering(lambda _: (200, page)) as url, pytest.raises(StorageError, match="not that of S3"):
        await entries(s3_location(s3, "x", EndpointUrl=url))


def test_an_upload_that_gets_no_id_is_not_to_s3(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(upload.PART + 1))
    with (
        Raw(lambda _: answer()) as server,
        closing(storage_of(s3_location(s3, "x", EndpointUrl=server.url))) as storage,
    ):
        begun = storage.upload(tmp_path / "x", "x", {})
        part = begun.missing()[0]
        with pytest.raises(StorageError, match="not that of S3"):
            begun.send(part, lambda _: None)


async def test_an_answer_that_is_not_of_s3_names_the_address(s3: S3) -> None:
    with answering(lambda _: (200, "<html><p>welcome</p></html>")) as url, pytest.raises(StorageError) as caught:
        await check(s3_location(s3, "x", EndpointUrl=url), writable=False)
    assert (caught.value.field, caught.value.temporary) == ("EndpointUrl", False)
