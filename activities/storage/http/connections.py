"""Connections to web servers: to allowed addresses alone, and only as long as what comes gets somewhere."""

import socket
import ssl
import time
from typing import TYPE_CHECKING

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPSConnection
from urllib3.response import HTTPResponse

from publishers.tls import verifying
from publishers.web import Checked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS, SILENCE_SECONDS = 10, 30
STEP_SECONDS, STEP_BYTES = 60, 8 << 20
"""What the head of an answer, and each piece of its body, may take. A sender of a byte a second, or of headers
without end, never falls silent."""


class Pace:
    """What one step of an answer has taken so far; the time in which nobody asks for more does not count."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The next step starts."""
        self._seconds, self._bytes = 0.0, 0

    def count(self, seconds: float, size: int) -> None:
        """Something has arrived.

        Raises:
            OSError: too much for one step, or too little for its time (`TimeoutError`).
        """
        self._seconds += seconds
        self._bytes += size
        if self._seconds > STEP_SECONDS:
            raise TimeoutError("what comes, comes too slowly")
        if self._bytes > STEP_BYTES:
            raise OSError("more comes than can be meant")


class _Socket(socket.socket):
    pace: Pace

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        begun = time.monotonic()
        size = super().recv_into(buffer, nbytes, flags)
        self.pace.count(time.monotonic() - begun, size)
        return size


class _TlsSocket(ssl.SSLSocket):
    pace: Pace

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        begun = time.monotonic()
        size = super().recv_into(buffer, nbytes, flags)
        self.pace.count(time.monotonic() - begun, size)
        return size


class _Connection(Checked):
    """Its sockets keep `pace`."""

    pace: Pace

    def _new_conn(self) -> socket.socket:
        paced = _Socket(fileno=super()._new_conn().detach())
        paced.settimeout(CONNECT_SECONDS)
        return paced

    def connect(self) -> None:
        super().connect()
        self.pace = Pace()
        if isinstance(self.sock, _Socket | _TlsSocket):
            self.sock.pace = self.pace

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        self.pace.begin()
        return super().getresponse()


class _TlsConnection(_Connection, HTTPSConnection):
    """The same inside of TLS: `HTTPSConnection` gets its socket from `_new_conn`."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def connections(lanes: int) -> PoolManager:
    """Pools of connections; neither proxies nor retries nor redirects of urllib3's own.

    Raises:
        OSError: the authorities' file cannot be read.
    """
    context = verifying()
    context.sslsocket_class = _TlsSocket
    manager = PoolManager(
        maxsize=lanes,
        retries=False,
        timeout=Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
        ssl_context=context,
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
