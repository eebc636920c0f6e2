"""Each way in which a location can be wrong is told in its own words, at the field that is to be changed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from activities.storage import storage_of
from activities.storage.azure import storage as azure
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import AzureBlobLocation
from tests.activities.storage.doing import Place
from tests.servers.azurite import Blob
from tests.servers.certificates import Certificates, certificates
from tests.servers.ports import free_ports

KEY = "c2VjcmV0LWtleQ=="


def location(address: str, key: str = KEY) -> AzureBlobLocation:
    return AzureBlobLocation(
        provider="AzureBlob", uri_path=address, credentials_name=Blob.account, credentials_secret=key
    )


def failure(place: AzureBlobLocation, *, writable: bool = False) -> StorageError:
    with pytest.raises(StorageError) as caught, closing(storage_of(place)) as storage:
        (storage.check_writable if writable else storage.check_readable)()
    assert place.credentials_secret not in f"{caught.value!r} {caught.value}"
    return caught.value


@contextmanager
def answering(status: int, *headers: tuple[str, str], body: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """A service that gives one answer to everything: its address, and the requests that it got.

    For what Azurite does not do: it knows no clock, firewall, load, quota or policy.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response_only(status)
            for name, value in (*headers, ("Content-Length", str(len(body))), ("Content-Type", "application/xml")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}/{Blob.account}/media/in/", asked


@pytest.mark.parametrize("writable", [False, True])
def test_a_wrong_key_and_a_missing_container_are_told_apart(azurite: Blob, writable: bool) -> None:  # noqa: FBT001
    wrong_key = failure(location(f"{azurite.url}/media/in/"), writable=writable)
    assert "account key is wrong" in str(wrong_key)
    assert wrong_key.field == "CredentialsSecret"
    no_container = failure(location(f"{azurite.url}/no-such/in/", azurite.key), writable=writable)
    assert "there is no such container; create it" in str(no_container)
    assert no_container.field == "UriPath"
    assert not wrong_key.temporary
    assert not no_container.temporary


def test_what_is_no_key_is_refused_at_once() -> None:
    error = failure(location("https://encodingtests.blob.core.windows.net/media/", "not/base64!"))
    assert (str(error), error.field) == ("is not an account key: it must be base64", "CredentialsSecret")


def test_an_archived_file_says_to_rehydrate_it(azurite: Blob, azure_place: Place) -> None:
    assert isinstance(azure_place.location, AzureBlobLocation)
    azure_place.put("x.mp4", b"content")
    with closing(storage_of(azure_place.location)) as storage:
        [entry] = storage.entries()
        container = azurite.container(azure_place.location.uri_path.split("/")[4])
        container.get_blob_client("Kanal 1/ü/x.mp4").set_standard_blob_tier("Archive")
        with pytest.raises(StorageError, match="rehydrate it"):
            list(storage.read(Entry("x.mp4", entry.size), Span(0, 7)))


def test_unknown_hosts_and_refused_connections_are_told_apart() -> None:
    [port] = free_ports(1)
    assert "host's name is not valid" in str(failure(location("http://a..b/media/in/")))
    assert "host is unknown" in str(failure(location("http://nowhere.invalid/media/in/")))
    refused = failure(location(f"http://127.0.0.1:{port}/media/in/"))
    assert "refuses the connection" in str(refused)
    assert refused.temporary


@pytest.mark.parametrize("writable", [False, True])
def test_a_service_that_does_not_answer_is_given_up(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    monkeypatch.setattr(azure, "ANSWER_PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(location(f"http://127.0.0.1:{silent.getsockname()[1]}/media/in/"), writable=writable)
    assert "does not answer" in str(error)
    assert error.temporary


@pytest.fixture
def tls(tmp_path: Path) -> Certificates:
    return certificates(tmp_path / "tls")


def test_tls_works_with_the_authority_and_is_refused_without(
    tmp_path: Path, tls: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    server = Blob(tmp_path / "server", tls)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        place = location(f"{server.url}/media/in/", server.key)
        distrusted = failure(place)
        assert "certificate is not trusted; name its authority in ENCODING_CA_FILE" in str(distrusted)
        assert not distrusted.temporary
        monkeypatch.setenv("ENCODING_CA_FILE", str(tls.ca))
        assert "no such container" in str(failure(place))


def test_a_file_of_authorities_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(tmp_path / "nowhere.pem"))
    assert "ENCODING_CA_FILE does not name a file with certificates" in str(failure(location("https://a.b/media/")))


def test_tls_is_not_spoken_with_a_server_without(azurite: Blob) -> None:
    assert "is it rather http://" in str(failure(location(f"{azurite.url}/media/".replace("http:", "https:"))))


def date(hours: int) -> tuple[str, str]:
    return "Date", format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)


@pytest.mark.parametrize(
    ("status", "code", "hours", "text", "field"),
    [
        (403, "AuthenticationFailed", 1, "the worker's clock is wrong by -60 minutes", "UriPath"),
        (403, "AuthenticationFailed", 0, "the account key is wrong", "CredentialsSecret"),
        (403, "AuthorizationFailure", 0, "the account's firewall keeps this worker out", "CredentialsSecret"),
        (403, "KeyBasedAuthenticationNotPermitted", 0, "takes no account keys", "CredentialsSecret"),
        (403, "AuthorizationPermissionMismatch", 0, "cannot be {}: permission denied", "CredentialsSecret"),
        (403, "AccountIsDisabled", 0, "is disabled", "CredentialsName"),
        (400, "AccountRequiresHttps", 0, "write https://", "UriPath"),
        (409, "BlobImmutableDueToPolicy", 0, "a retention policy protects it", "UriPath"),
        (418, "", 0, "HTTP status 418", "UriPath"),
    ],
)
def test_refusals_are_final_and_say_what_to_change(status: int, code: str, hours: int, text: str, field: str) -> None:
    with answering(status, ("x-ms-error-code", code), date(hours)) as (address, asked):
        for writable, done in ((False, "listed"), (True, "written")):
            error = failure(location(address), writable=writable)
            assert text.format(done) in str(error)
            assert (error.field, error.temporary) == (field, False)
    assert len(asked) == 2


@pytest.mark.parametrize("told", ["26 Nov 2026 20:00:00 -0000", "26 Nov 99999999999999999999 20:00:00 GMT", "x"])
def test_a_date_of_any_form_is_read_or_passed_over(told: str) -> None:
    with answering(403, ("x-ms-error-code", "AuthenticationFailed"), ("Date", told)) as (address, _):
        assert failure(location(address)).field in ("UriPath", "CredentialsSecret")


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "ServerBusy"), (500, "OperationTimedOut"), (400, "Md5Mismatch"), (500, ""), (502, ""), (429, ""), (507, "")],
)
def test_a_busy_or_full_service_is_asked_again_by_the_engine_alone(status: int, code: str) -> None:
    with answering(status, ("x-ms-error-code", code)) as (address, asked):
        assert failure(location(address)).temporary
        assert failure(location(address), writable=True).temporary
    assert len(asked) == 2


def test_a_redirect_is_not_followed_with_the_credentials() -> None:
    with answering(302, ("Location", "http://127.0.0.1:9/")) as (address, asked):
        assert "HTTP status 302" in str(failure(location(address)))
    assert len(asked) == 1


PROPERTIES = {"Content-Length": "1", "Etag": "1", "BlobType": "BlockBlob"}


@pytest.mark.parametrize("lacks", PROPERTIES)
def test_a_listing_that_lacks_what_azure_tells_is_not_of_azure(lacks: str) -> None:
    told = "".join(f"<{name}>{value}</{name}>" for name, value in PROPERTIES.items() if name != lacks)
    blob = f"<Blob><Name>in/x.mp4</Name><Properties>{told}</Properties></Blob>"
    page = f"<EnumerationResults><Blobs>{blob}</Blobs></EnumerationResults>"
    with answering(200, body=page.encode()) as (address, _):
        assert "is not that of Azure Blob Storage" in str(failure(location(address)))


def test_a_listing_without_end_ends() -> None:
    page = b"<EnumerationResults><Blobs/><NextMarker>again</NextMarker></EnumerationResults>"
    with answering(200, body=page) as (address, asked):
        assert "the list does not end" in str(failure(location(address)))
    assert len(asked) < 5
