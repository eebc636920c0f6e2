"""Asks a key service for keys: SPEKE v2 over HTTPS."""

import os
import socket
from base64 import b64encode
from contextlib import closing, suppress
from hashlib import sha1, sha256
from ssl import SSLSocket
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPSConnection, port_by_scheme
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError, SSLError
from urllib3.util import make_headers, parse_url

from activities.drm.config import DrmManaged, thumbprints
from activities.drm.key import DrmError
from publishers import tls
from publishers.addresses import reachable
from publishers.pace import HostError, pace, paced_tls
from publishers.web import guarded

PROXY = "HTTPS_PROXY"
TIMEOUT = Timeout(connect=10, read=30)
LONGEST = 1 << 20
"""Bytes of an answer; real ones have a few thousand."""
OK, TOO_MANY, BROKEN = 200, 429, 500
REMEDIES = {
    401: "refused TenantId and ManagementKey; correct them",
    403: "refused TenantId and ManagementKey; correct them",
    404: "has nothing at ApiUrl; correct it",
}


class WrongCertificate(SSLError):
    """The certificate has none of the thumbprints."""


def answer(managed: DrmManaged, document: bytes) -> bytes:
    """Send the request of a section whose secrets are readable; returns the key service's document.

    Raises:
        DrmError: it gives none.
    """
    pace().begin()
    try:
        with _manager(managed) as manager:
            response = manager.request(
                "POST",
                endpoint(managed.api_url),
                body=document,
                headers=_headers(managed),
                timeout=TIMEOUT,
                retries=False,  # the activity is tried again as a whole
                redirect=False,  # the ManagementKey goes to no other host
                preload_content=False,
            )
            with closing(response):
                return _content(response)
    except HostError as error:
        raise DrmError(f"DrmManaged.ApiUrl: {error}") from None
    except WrongCertificate:
        raise DrmError("DrmManaged.Thumbprints: the key service's certificate has none of them") from None
    except (HTTPError, OSError) as error:
        if isinstance(error, SSLError) and not tls.is_cut_off(error):
            raise DrmError(
                f"DrmManaged.ApiUrl: the key service's certificate is not trusted, or not for its host; "
                f"name its authority in {tls.VARIABLE}"
            ) from None
        raise DrmError(
            f"DrmManaged.ApiUrl: the key service cannot be reached ({type(error).__name__})", temporary=True
        ) from None


def endpoint(api_url: str) -> str:
    """Of SPEKE: the address itself where it names that, else the one below the management API."""
    return api_url if "speke" in urlsplit(api_url).path.lower() else f"{api_url.rstrip('/')}/SpekeV2"


def _headers(managed: DrmManaged) -> dict[str, str]:
    # Not by urllib3, which takes Latin letters alone and repeats others in its error.
    login = b64encode(f"{managed.tenant_id}:{managed.management_key}".encode()).decode()
    return {"Authorization": f"Basic {login}", "Content-Type": "application/xml", "X-Speke-Version": "2.0"}


def _content(response: BaseHTTPResponse) -> bytes:
    if response.status != OK:
        what = REMEDIES.get(response.status, "did not take the request; see its log")
        temporary = response.status >= BROKEN or response.status == TOO_MANY
        raise DrmError(f"DrmManaged: the key service {what} (HTTP status {response.status})", temporary=temporary)
    content = response.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise DrmError("DrmManaged.ApiUrl: the key service's answer is too long for one; check ApiUrl")
    return content


def _manager(managed: DrmManaged) -> PoolManager:
    context = paced_tls(tls.verifying())
    manager = _proxy(context, managed.api_url) if managed.proxy else PoolManager(ssl_context=context)
    if managed.thumbprints:
        pins = thumbprints(managed.thumbprints)
        pool = type("_Pool", (HTTPSConnectionPool,), {"ConnectionCls": type("_Pinned", (_Pinned,), {"pins": pins})})
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": pool}
    return manager if managed.proxy else guarded(manager)


def _proxy(context: Any, api_url: str) -> ProxyManager:
    """It looks names up itself, and is not asked for what is private as far as this worker knows."""
    url = os.environ.get(PROXY) or os.environ.get(PROXY.lower())
    if not url:
        raise DrmError(f"DrmManaged.Proxy is true, but the worker has no {PROXY}; set it there, or Proxy to false")
    service = urlsplit(api_url)
    with suppress(socket.gaierror):  # where a proxy is, workers often know no names
        reachable(service.hostname or "", service.port or port_by_scheme[service.scheme])
    login = parse_url(url).auth
    headers = make_headers(proxy_basic_auth=login) if login else None
    return ProxyManager(url, proxy_headers=headers, ssl_context=context, proxy_ssl_context=paced_tls(tls.verifying()))


class _Pinned(HTTPSConnection):
    """Looks at the certificate besides verifying it, before anything secret is sent."""

    pins: ClassVar[frozenset[str]]

    def connect(self) -> None:
        super().connect()
        certificate = cast("SSLSocket", self.sock).getpeercert(binary_form=True) or b""
        # SHA-1 is what many tools show; the chain is verified as well.
        found = {sha1(certificate, usedforsecurity=False).hexdigest(), sha256(certificate).hexdigest()}
        if not found & self.pins:
            raise WrongCertificate("none of the thumbprints")
