"""Requests to a web server, with redirects followed by hand: a server is trusted no more than the job that names it."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin

from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, parse_url

from activities.storage.base import StorageError
from activities.storage.http.connections import connections
from activities.storage.http.errors import explained, status_error
from publishers.pace import pace
from publishers.tls import VARIABLE as CA_FILE

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
DRAINED = 1 << 13
"""Bytes of an unread body that are cheaper to read than a new connection is to make."""


class Answer:
    """An answer that is no redirect; its body is still to be read."""

    def __init__(self, response: BaseHTTPResponse, url: Url, what: str, *, has_credentials: bool) -> None:
        self.status = response.status
        self.headers = response.headers
        self.url = url
        """Where it has come from, after redirects."""
        self._response = response
        self._what = what
        self._has_credentials = has_credentials

    def expect(self, *statuses: int) -> None:
        """Fail unless it has one of these, and a body that is sent as it is.

        Raises:
            StorageError: it has not.
        """
        if self.status not in statuses:
            raise status_error(self._what, self._response, has_credentials=self._has_credentials)
        if self.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            # Never unpacked: a few bytes could become any number of them.
            raise StorageError(f"{self._what}: the server packs what it sends, unasked; turn that off for this folder")

    def piece(self, size: int) -> bytes:
        """The next `size` bytes of the body, or fewer at its end."""
        pace().begin()
        return self._response.read(size)


class HttpClient:
    """For one server, and for those it redirects to; for several threads."""

    def __init__(self, server: Url, user: str | None, password: str | None, lanes: int) -> None:
        self._origin = origin(server)
        self._authorization: dict[str, str] = {}
        if user is not None:
            token = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
            self._authorization = {"Authorization": f"Basic {token}"}
        try:
            self._connections = connections(lanes)
        except OSError as error:
            raise StorageError(f"the authorities' file that {CA_FILE} names cannot be read: {error.strerror}") from None

    @contextmanager
    def asked(self, what: str, method: str, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """The answer to one request, for the time of the block.

        Args:
            what: begins the text of an error, in the block as well: `the folder x cannot be listed`.
            method: without a body.
            url: on whatever server; credentials go to the job's own alone.
            headers: besides what every request has.
        """
        with explained(what):
            at = parse_url(url)
            for _ in range(MOST_REDIRECTS + 1):
                response = self._send(method, at, headers or {})
                try:
                    if response.status not in REDIRECTS:
                        yield Answer(response, at, what, has_credentials=bool(self._credentials(at)))
                        return
                    at = _next(what, at, response.headers.get("Location", ""))
                finally:
                    _end(response)
        raise StorageError(f"{what}: the server redirects more than {MOST_REDIRECTS} times")

    def close(self) -> None:
        """Let go of connections."""
        self._connections.clear()

    def _send(self, method: str, url: Url, headers: Mapping[str, str]) -> BaseHTTPResponse:
        scheme, host, port = origin(url)
        pool = self._connections.connection_from_host(host, port, scheme)
        return pool.urlopen(
            method,
            url.request_uri,
            headers={"Accept-Encoding": "identity", **headers, **self._credentials(url)},
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def _credentials(self, url: Url) -> dict[str, str]:
        return self._authorization if origin(url) == self._origin else {}


def origin(url: Url) -> tuple[str, str, int]:
    """Scheme, host and port."""
    scheme = url.scheme or ""
    return scheme, url.host or "", url.port or PORTS.get(scheme, 0)


def _next(what: str, url: Url, location: str) -> Url:
    """Where a redirect leads; the text of an error does not quote it, for it may be signed."""
    try:
        target = parse_url(urljoin(url.url, location))
    except ValueError:  # also LocationParseError
        raise StorageError(f"{what}: the server redirects to what is no address") from None
    if target.scheme not in PORTS or not target.host or target.auth or not location:
        raise StorageError(f"{what}: the server redirects to what is no plain http or https address")
    if (url.scheme, target.scheme) == ("https", "http"):
        raise StorageError(f"{what}: the server redirects from https to http; name a server that stays with https")
    return target._replace(fragment=None)


def _end(response: BaseHTTPResponse) -> None:
    """The connection serves the next request where little is left of the answer; else it is closed."""
    length = getattr(response, "length_remaining", None)
    if length is not None and length <= DRAINED:
        response.drain_conn()
    else:
        response.close()
    response.release_conn()
