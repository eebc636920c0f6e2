"""What the errors of S3, of STS and of the way to them mean to the person whose bucket it is."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from activities.storage.base import StorageError
from publishers.pace import HostError
from publishers.tls import is_cut_off

LIBRARY = (BotoCoreError, ClientError, ResponseParserError, HTTPError, HostError, OSError, ValueError, KeyError)
"""What boto3 and its answers raise: bad parameters come as ValueError, what it has not foreseen as it was, and what an
answer lacks as KeyError."""
CHANGED = "it has changed since it was listed; start the job when it is no longer written"
DENIED = ("AccessDenied", "403")
GONE = ("NoSuchKey", "NotFound", "404")
NO_UPLOAD = ("NoSuchUpload",)
LOST = (*NO_UPLOAD, "InvalidPart")
EMPTY_RANGE = ("InvalidRange", "416")

IDENTITY, ADDRESS, REGION = "identity", "address", "region"
"""Stand for the field that the block has for it."""


@dataclass(frozen=True)
class Reason:
    """Why, and what to do."""

    text: str
    temporary: bool = False
    field: str = "UriPath"


UNKNOWN_KEY = Reason("the service does not know this key id; correct CredentialsName", field="CredentialsName")
WRONG_SECRET = Reason("the secret does not fit the key id; correct CredentialsSecret", field="CredentialsSecret")
NO_PERMISSION = Reason("permission denied; grant {permission}", field=IDENTITY)
NO_BUCKET = Reason("there is no such bucket; create it, or correct UriPath")
NO_FILE = Reason("there is no such file")
REPLACED = Reason(CHANGED, temporary=True)
EXPIRED = Reason("the credentials have expired", temporary=True, field=IDENTITY)
WRONG_CLOCK = Reason("the service finds the clock of this worker wrong; set it")
WRONG_REGION = Reason("the bucket is in another region; name its region", field=REGION)
FULL = Reason("no space is left, or the quota is used up; free some", temporary=True)
BUSY = Reason("the service is busy or has a fault", temporary=True)
DAMAGED = Reason("the data has arrived damaged at the service", temporary=True)
NO_KEY = Reason("the key that the bucket is encrypted with cannot be used; look at it in KMS")

CODES = {
    "InvalidAccessKeyId": UNKNOWN_KEY,
    "InvalidClientTokenId": UNKNOWN_KEY,
    "UnrecognizedClientException": UNKNOWN_KEY,
    "SignatureDoesNotMatch": WRONG_SECRET,
    "AccessDenied": NO_PERMISSION,
    "AllAccessDisabled": NO_PERMISSION,
    "AccountProblem": Reason("the account has a problem; ask the service's support", field=IDENTITY),
    "ExpiredToken": EXPIRED,
    "TokenRefreshRequired": EXPIRED,
    "InvalidToken": EXPIRED,
    "NoSuchBucket": NO_BUCKET,
    "InvalidBucketName": Reason("the bucket's name is not valid; correct UriPath"),
    "NoSuchKey": NO_FILE,
    "KeyTooLongError": Reason("the name is too long: with its folder it may have 1024 bytes"),
    "InvalidObjectState": Reason("the file is archived; restore it first"),
    "PreconditionFailed": REPLACED,
    "InvalidRange": REPLACED,
    "NoSuchUpload": Reason("the unfinished upload is gone; it is sent anew", temporary=True),
    "InvalidPart": Reason("a part of the upload is gone; it is sent anew", temporary=True),
    "RequestTimeTooSkewed": WRONG_CLOCK,
    "RequestExpired": WRONG_CLOCK,
    "PermanentRedirect": WRONG_REGION,
    "AuthorizationHeaderMalformed": WRONG_REGION,
    "IllegalLocationConstraintException": WRONG_REGION,
    "QuotaExceeded": FULL,
    "QuotaExceededException": FULL,
    "InsufficientStorage": FULL,
    "XMinioStorageFull": FULL,
    "SlowDown": BUSY,
    "Throttling": BUSY,
    "ThrottlingException": BUSY,
    "RequestLimitExceeded": BUSY,
    "RequestTimeout": BUSY,
    "OperationAborted": BUSY,
    "BadDigest": DAMAGED,
    "IncompleteBody": DAMAGED,
    "XAmzContentChecksumMismatch": DAMAGED,
    "KMS.DisabledException": NO_KEY,
    "KMS.NotFoundException": NO_KEY,
    "KMS.KMSInvalidStateException": NO_KEY,
    "ValidationError": Reason(
        "refused; is RoleSessionDurationInSeconds longer than the role allows?", field="RoleArnToAssume"
    ),
    "RegionDisabledException": Reason("STS is turned off in this region; turn it on", field="RoleArnToAssume"),
}
STATUSES = {
    301: WRONG_REGION,
    401: WRONG_SECRET,
    403: NO_PERMISSION,
    404: NO_FILE,
    408: BUSY,
    412: REPLACED,
    416: REPLACED,
    429: BUSY,
    507: FULL,
}
"""For codes that are not listed, and answers to HEAD, which have no code."""
NOT_S3 = Reason("the answer is not that of S3; correct the address", field=ADDRESS)
UNTRUSTED = Reason(
    "the certificate of the service is not trusted; name its authority in the file of ENCODING_CA_FILE", field=ADDRESS
)
UNKNOWN_HOST = Reason("the host is unknown; correct the address", field=ADDRESS)
REFUSED = Reason("the host refuses the connection; is the port right?", temporary=True, field=ADDRESS)
UNREACHABLE = Reason("the host cannot be reached", temporary=True, field=ADDRESS)
BROKEN = Reason("the connection broke", temporary=True, field=ADDRESS)
KINDS: dict[type[Exception], Reason] = {
    NoCredentialsError: Reason(
        "the worker has no credentials of its own; give CredentialsName and CredentialsSecret", field="CredentialsName"
    ),
    SSLError: Reason("TLS fails; is it an https address of a service that speaks TLS?", field=ADDRESS),
    ConnectTimeoutError: Reason(
        "the host does not answer; look at the address and the firewall", temporary=True, field=ADDRESS
    ),
    ProxyConnectionError: Reason("the worker's HTTP proxy cannot be reached", temporary=True, field=ADDRESS),
    ReadTimeoutError: Reason("the service has not answered in time", temporary=True, field=ADDRESS),
    ResponseParserError: NOT_S3,
    KeyError: NOT_S3,
    ParamValidationError: Reason("S3 does not allow such a name"),
    BotoConnectionError: BROKEN,
    HTTPClientError: BROKEN,
    IncompleteReadError: BROKEN,
    HTTPError: BROKEN,
    OSError: BROKEN,
}
"""Without an answer. The first that fits."""
PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "DeleteObject": "s3:DeleteObject",
    "AssumeRole": "sts:AssumeRole on this role, and let the role trust the caller",
}
"""By operation; all others write and need s3:PutObject."""


def code_of(error: Exception) -> str:
    """The service's own code; empty where it has not answered."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


@contextmanager
def tolerated(*codes: str) -> Iterator[None]:
    """Ignore that the service answers one of these codes in the block."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise


class Explainer:
    """Turns errors into `StorageError`s about the fields that a block has.

    Args:
        address: the field that names the host.
        identity: the field that names who is denied something.
        region: the field that names the region.
    """

    def __init__(self, *, address: str, identity: str, region: str) -> None:
        self._fields = {ADDRESS: address, IDENTITY: identity, REGION: region}

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """Turn an error of the library in the block into a StorageError: `what`, a colon, and the reason."""
        try:
            yield
        except LIBRARY as error:
            raise self.explain(what, error) from None

    def explain(self, what: str, error: Exception) -> StorageError:
        """The same for an error that was caught."""
        inner = getattr(error, "kwargs", {}).get("error")
        if isinstance(inner, StorageError):
            return inner  # of the local file that was being sent
        reason = _answered(error) if isinstance(error, ClientError) else _unanswered(error)
        field = self._fields.get(reason.field, reason.field)
        return StorageError(f"{what}: {reason.text}", temporary=reason.temporary, field=field)


def _answered(error: ClientError) -> Reason:
    code, operation = code_of(error), error.operation_name
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    reason = CODES.get(code) or STATUSES.get(status) or Reason("the service refuses", field=ADDRESS)
    if reason.field == ADDRESS and status >= 500:  # noqa: PLR2004 - HTTP: a fault of the server
        reason = BUSY
    permission = PERMISSIONS.get(operation, "s3:PutObject")
    region = error.response.get("Error", {}).get("Region")
    where = f" ({region})" if region and reason is WRONG_REGION else ""
    return replace(reason, text=f"{reason.text.format(permission=permission)}{where} ({code or status})")


def _unanswered(error: Exception) -> Reason:
    if isinstance(refused := getattr(error, "kwargs", {}).get("error", error), HostError):
        return Reason(str(refused), field=ADDRESS)
    if isinstance(error, EndpointConnectionError):
        return _unreachable(error.kwargs.get("error"))
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return UNTRUSTED
    if isinstance(error, SSLError) and is_cut_off(error):
        return BROKEN
    known = (reason for kind, reason in KINDS.items() if isinstance(error, kind))
    return next(known, Reason(f"the request cannot be made ({type(error).__name__})", field=ADDRESS))


def _unreachable(cause: BaseException | None) -> Reason:
    while cause and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, socket.gaierror):
        return replace(UNKNOWN_HOST, temporary=cause.errno == socket.EAI_AGAIN)
    return REFUSED if isinstance(cause, ConnectionRefusedError) else UNREACHABLE
