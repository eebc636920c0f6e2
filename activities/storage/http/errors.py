"""What web servers' answers, and their silence, mean to the person who has named them."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.response import BaseHTTPResponse

from activities.storage.base import StorageError
from activities.storage.explain import PERMANENT, TEMPORARY
from publishers.pace import HostError
from publishers.tls import VARIABLE as CA_FILE

SECONDS = re.compile(r"\d{1,5}")
NO_TLS = ("WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL", "SSLV3_ALERT_HANDSHAKE_FAILURE", "HTTP_REQUEST")
"""OpenSSL's reasons that trying again does not change."""

STATUSES: dict[int, tuple[str, bool, str]] = {
    HTTPStatus.UNAUTHORIZED: ("the server wants a user and a password; give both", PERMANENT, "CredentialsName"),
    HTTPStatus.FORBIDDEN: ("the server forbids it; permit to read files and to list folders", PERMANENT, "UriPath"),
    HTTPStatus.NOT_FOUND: ("the server finds nothing there; correct the address", PERMANENT, "UriPath"),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: (
        "a proxy on the way wants credentials; name the server itself",
        PERMANENT,
        "UriPath",
    ),
    HTTPStatus.REQUEST_TIMEOUT: ("the server has waited too long for the request", TEMPORARY, "UriPath"),
    HTTPStatus.GONE: ("the server has it no longer", PERMANENT, "UriPath"),
    HTTPStatus.TOO_MANY_REQUESTS: ("the server has too many requests", TEMPORARY, "UriPath"),
}
REFUSED = ("the server refuses the user or the password; correct them", PERMANENT, "CredentialsSecret")
"""What `UNAUTHORIZED` means when there were credentials."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of connections in the block into a StorageError: `what`, a colon, and the reason.

    Texts of the libraries are not used: they quote addresses, which can be signed.
    """
    try:
        yield
    except (HTTPError, HTTPException, OSError, HostError) as error:
        reason, temporary = _reason(error)
        raise StorageError(f"{what}: {reason}", temporary=temporary) from None


def status_error(what: str, answer: BaseHTTPResponse, *, has_credentials: bool) -> StorageError:
    """For an answer that is no success."""
    status = answer.status
    other = (f"the server answers with status {status}", status >= HTTPStatus.INTERNAL_SERVER_ERROR, "UriPath")
    reason, temporary, field = STATUSES.get(status, other)
    if status == HTTPStatus.UNAUTHORIZED and has_credentials:
        reason, temporary, field = REFUSED
    asked = SECONDS.fullmatch(answer.headers.get("Retry-After", "")) if temporary else None
    wait = f"; it asks to wait {asked[0]} seconds" if asked else ""
    return StorageError(f"{what}: {reason}{wait}", temporary=temporary, field=field)


def _reason(error: BaseException) -> tuple[str, bool]:
    chain = [*_chain(error)]
    for each in chain:
        if isinstance(each, HostError):
            return str(each), PERMANENT
        if isinstance(each, ssl.SSLCertVerificationError):
            why = f"the server's certificate is not trusted ({each.verify_message})"
            return f"{why}; have it corrected, or set {CA_FILE} on the worker to its authority's file", PERMANENT
        if isinstance(each, ssl.SSLError) and each.reason in NO_TLS:
            return "the server does not speak TLS there; correct scheme and port", PERMANENT
        if isinstance(each, socket.gaierror):
            is_unsure = each.errno == socket.EAI_AGAIN
            return "the host is unknown; correct its name", is_unsure
    for kind, reason, temporary in REASONS:
        if any(isinstance(each, kind) for each in chain):
            return reason, temporary
    return "the connection has broken", TEMPORARY


REASONS: tuple[tuple[type[BaseException], str, bool], ...] = (
    (NameResolutionError, "the host is unknown; correct its name", PERMANENT),
    (LocationValueError, "the address is not valid", PERMANENT),
    (ConnectionRefusedError, "the host refuses the connection; correct the port, or start the server", TEMPORARY),
    (ReadTimeoutError, "the server does not answer, or far too slowly", TEMPORARY),
    (NewConnectionError, "there is no way to the host", TEMPORARY),
    (ConnectTimeoutError, "the host does not answer; correct host and port, or let the worker through", TEMPORARY),
    (ssl.SSLError, "the TLS connection has broken", TEMPORARY),
)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was made from: urllib3 keeps that as cause, or as argument."""
    for _ in range(10):
        if error is None:
            return
        yield error
        inner = next((each for each in error.args if isinstance(each, BaseException)), None)
        error = error.__cause__ or inner or error.__context__
