"""What the `UriPath` of a bucket's folder means."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

from publishers.urls import split_url, url_host

AMAZON_FORM = "https://<bucket>.s3.<region>.amazonaws.com/<folder>/"
AMAZON_HOST = re.compile(
    r"""((?P<bucket>[a-z0-9._-]+)\.)?
        s3(?P<special>-fips|-accelerate|-external-1)?
        (?P<dualstack>\.dualstack)?
        ([.-](?P<region>[a-z]{2,4}(-[a-z]+)+-\d+))?
        (?P<domain>\.amazonaws\.com(\.cn)?)""",
    re.VERBOSE,
)
BUCKET = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,255}")
"""The rules of older and other services: whether there is such a bucket is for the service to say."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Folder:
    """A folder in a bucket."""

    service: str
    """`https://host`, maybe with port and path, without a slash at the end."""
    bucket: str
    prefix: str
    """With what the key of each of its files begins; empty, or ends in `/`."""
    base: str
    """Its link, which ends in `/`."""
    region: str | None = None
    dualstack: bool = False
    """Whether Amazon is asked over IPv6 as well."""

    @property
    def place(self) -> str:
        """Its one true spelling."""
        return f"{_true(f'{self.service}/{self.bucket}')}/{quote(self.prefix)}"

    @classmethod
    def on_amazon(cls, uri: str) -> Self:
        """The folder at an address of Amazon S3, whichever of its forms.

        Raises:
            ValueError: it is none.
        """
        parts = split_url(uri)
        host = AMAZON_HOST.fullmatch(parts.hostname or "")
        if parts.scheme.lower() != "https" or not host or host["special"] or parts.port not in (None, PORTS["https"]):
            raise ValueError(f"UriPath must have the form {AMAZON_FORM}")
        path, bucket = _decoded(parts), host["bucket"]
        if not bucket:
            bucket, _, path = path.partition("/")
        bucket, prefix = _bucket(bucket), _prefix(path)
        region, dualstack = host["region"], bool(host["dualstack"])
        return cls(f"https://s3{host['domain']}", bucket, prefix, _base(parts), region, dualstack)

    @classmethod
    def on_compatible(cls, uri: str, endpoint: str) -> Self:
        """The folder at `<endpoint>/<bucket>/<folder>`, `<bucket>.<endpoint>/<folder>` or `s3://<bucket>/<folder>`.

        Raises:
            ValueError: it is none of them.
        """
        parts, service = split_url(uri), _service(split_url(endpoint))
        if parts.scheme.lower() == "s3":
            bucket, prefix = _bucket(parts.netloc), _prefix(_decoded(parts))
            return cls(service, bucket, prefix, f"{service}/{bucket}/{quote(prefix)}")
        there = _service(parts) + "/"
        if there.startswith(service + "/"):
            bucket, _, path = unquote(there.removeprefix(service + "/")).partition("/")
        else:
            scheme, _, host = service.partition("://")
            match = re.match(rf"{scheme}://(?P<bucket>[^/]+)\.{re.escape(host)}/(?P<path>.*)", there)
            if not match:
                forms = f"{service}/<bucket>/<folder>/ or s3://<bucket>/<folder>/"
                raise ValueError(f"UriPath is not below EndpointUrl; it must have the form {forms}")
            bucket, path = match["bucket"], unquote(match["path"])
        return cls(service, _bucket(bucket), _prefix(path), _base(parts))


def _true(address: str) -> str:
    """Of a bucket: Amazon has many hosts for the same, and takes the bucket from the host, or else from the path."""
    parts = urlsplit(address)
    host = AMAZON_HOST.fullmatch((parts.hostname or "").rstrip("."))
    if not host:
        return address
    bucket = f"{host['bucket']}/" if host["bucket"] else ""
    return f"https://s3{host['domain']}/{bucket}{parts.path.strip('/')}"


def _service(parts: SplitResult) -> str:
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    shown = url_host(host)
    port = "" if parts.port in (None, PORTS.get(scheme)) else f":{parts.port}"
    return f"{scheme}://{shown}{port}{quote(_decoded(parts, first='/'))}".rstrip("/")


def _base(parts: SplitResult) -> str:
    return _service(parts) + "/"


def _decoded(parts: SplitResult, first: str = "") -> str:
    try:
        return first + unquote(parts.path, errors="strict").strip("/")
    except UnicodeDecodeError:
        raise ValueError("UriPath holds percent-encoded bytes that are not UTF-8") from None


def _prefix(path: str) -> str:
    return f"{path.strip('/')}/" if path.strip("/") else ""


def _bucket(name: str) -> str:
    if not BUCKET.fullmatch(name):
        raise ValueError("UriPath names no bucket, or holds characters that a bucket's name cannot have")
    return name
