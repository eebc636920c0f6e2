"""What the errors of Azure Blob Storage, and of the way there, mean to the person whose files these are."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import requests
import urllib3
from azure.core.exceptions import AzureError, HttpResponseError

from activities.storage.base import StorageError
from publishers.pace import HostError
from publishers.tls import VARIABLE

MOST_SKEW = 840
"""seconds; Azure refuses requests whose time is 15 minutes off."""


class Reason(NamedTuple):
    """What is wrong, and what to do."""

    text: str
    temporary: bool = False
    field: str = "UriPath"


CHANGED = Reason("it has changed since it was listed; start the job when it is no longer written", temporary=True)
NO_KEY = "CredentialsSecret"
RETAINED = "or publish to a container without one"
UNFINISHED = "another program's unfinished upload is in the way; delete the file, or wait a week until Azure forgets it"
BY_CODE = {
    "AuthenticationFailed": Reason("the account key is wrong; give the account's present key", field=NO_KEY),
    "AuthorizationFailure": Reason(
        "access is refused: the account key is wrong, or the account's firewall keeps this worker out", field=NO_KEY
    ),
    "KeyBasedAuthenticationNotPermitted": Reason(
        "the account takes no account keys; allow storage account key access", field=NO_KEY
    ),
    "AuthorizationPermissionMismatch": Reason("permission denied; give the account the right to do it", field=NO_KEY),
    "InsufficientAccountPermissions": Reason("permission denied; give the account the right to do it", field=NO_KEY),
    "AccountIsDisabled": Reason("the account is disabled; enable it, or its subscription", field="CredentialsName"),
    "AccountBeingCreated": Reason("the account is being created", temporary=True),
    "AccountRequiresHttps": Reason("the account takes no http; write https://"),
    "ContainerNotFound": Reason("there is no such container; create it, or correct its name"),
    "ContainerBeingDeleted": Reason("the container is being deleted; wait, and create it anew"),
    "ContainerDisabled": Reason("the container is disabled; enable it"),
    "BlobNotFound": Reason("there is no such file"),
    "ResourceNotFound": Reason("there is no such file"),
    "BlobArchived": Reason("it is in the archive tier; rehydrate it to the hot or cool tier first"),
    "BlobBeingRehydrated": Reason("it is still coming out of the archive tier; start the job when it has"),
    "BlobUsesCustomerSpecifiedEncryption": Reason("it is encrypted with a key that the account does not hold"),
    "BlobImmutableDueToPolicy": Reason(f"a retention policy protects it; end the policy, {RETAINED}"),
    "BlobImmutableDueToLegalHold": Reason(f"a legal hold protects it; end the hold, {RETAINED}"),
    "LeaseIdMissing": Reason("another program holds a lease on it; break the lease"),
    "SnapshotsPresent": Reason("it has snapshots; delete them first"),
    "InvalidBlobType": Reason("a blob of another type (page or append) has its name; delete that"),
    "InvalidBlobOrBlock": Reason(UNFINISHED),
    "InvalidBlockList": Reason("parts of it are gone; they are sent again", temporary=True),
    "Md5Mismatch": Reason("it has arrived damaged", temporary=True),
    "ConditionNotMet": CHANGED,
    "InvalidRange": CHANGED,
    "InvalidHeaderValue": Reason("the service is too old for this worker; update it"),
    "InvalidQueryParameterValue": Reason("the service takes no such name; rename it"),
    "InvalidResourceName": Reason("the service takes no such name; rename it"),
    "InvalidUri": Reason("the service takes no such name; rename it"),
    "ServerBusy": Reason("the service is busy", temporary=True),
    "OperationTimedOut": Reason("the service took too long", temporary=True),
    "InternalError": Reason("the service has failed", temporary=True),
}
"""By the header `x-ms-error-code`."""

TEMPORARY_STATUSES = (408, 429)
NO_SPACE = 507

NO_ANSWER = Reason("the host does not answer; is the address right, and no firewall in the way?", temporary=True)
BROKEN = Reason("the connection broke", temporary=True)
NOT_AZURE = "the answer is not that of Azure Blob Storage; correct the address"
LACKS = (AttributeError, KeyError, TypeError, ValueError)
"""What the client, and we, come to where an answer lacks what every answer of Azure has."""
BY_ERROR: list[tuple[type[BaseException], Reason]] = [
    (ssl.SSLEOFError, BROKEN),
    (ssl.SSLZeroReturnError, BROKEN),
    (ssl.SSLCertVerificationError, Reason(f"its TLS certificate is not trusted; name its authority in {VARIABLE}")),
    (ssl.SSLError, Reason("TLS cannot be agreed on; is it rather http:// than https://?")),
    (socket.gaierror, Reason("the host is unknown; is the account's name right?")),
    (urllib3.exceptions.LocationParseError, Reason("the host's name is not valid; correct it")),
    (ConnectionRefusedError, Reason("the host refuses the connection; is the port right?", temporary=True)),
    (urllib3.exceptions.TimeoutError, NO_ANSWER),
    (TimeoutError, NO_ANSWER),
    (requests.Timeout, NO_ANSWER),
]
"""The first that fits any of the errors behind the one that was raised; all others mean a broken connection."""


@contextmanager
def azure_explained(what: str) -> Iterator[None]:
    """Turn an error of the client in the block into a StorageError: `what`, a colon, and the reason."""
    try:
        yield
    except HostError as error:
        raise StorageError(f"{what}: {error}") from None
    except (AzureError, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        reason = _reason(error)
        raise StorageError(f"{what}: {reason.text}", temporary=reason.temporary, field=reason.field) from None
    except LACKS:
        raise StorageError(f"{what}: {NOT_AZURE}") from None


def _reason(error: Exception) -> Reason:
    if not isinstance(error, HttpResponseError) or not error.response:
        return _of_connection(error)
    code, status = _header(error, "x-ms-error-code"), int(error.status_code or 0)
    if status in (401, 403) and abs(skew := _skew(error)) > MOST_SKEW:
        return Reason(f"the worker's clock is wrong by {skew / 60:.0f} minutes; set it")
    if code in BY_CODE:
        return BY_CODE[code]
    if status == NO_SPACE:
        return Reason("no space is left; free some, or raise the quota", temporary=True)
    temporary = status >= 500 or status in TEMPORARY_STATUSES  # noqa: PLR2004 - HTTP's own border
    return Reason(f"the service answers with HTTP status {status} {code}".rstrip(), temporary)


def _skew(error: HttpResponseError) -> float:
    """How far this machine's clock is ahead of the service's, in seconds; 0 where that is not told."""
    try:
        told = parsedate_to_datetime(_header(error, "Date"))
    except (ValueError, OverflowError):
        return 0
    return (datetime.now(UTC) - told.replace(tzinfo=told.tzinfo or UTC)).total_seconds()


def _header(error: HttpResponseError, name: str) -> str:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})  # the type of the answer promises none
    return headers.get(name, "")


def _of_connection(error: BaseException) -> Reason:
    behind = list(_behind(error))
    for kind, reason in BY_ERROR:
        for each in behind:
            if isinstance(each, kind):
                is_passing = isinstance(each, socket.gaierror) and each.errno == socket.EAI_AGAIN
                return reason._replace(temporary=reason.temporary or is_passing)
    return BROKEN


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that have led to it; the client's own wrap theirs in an attribute."""
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__
