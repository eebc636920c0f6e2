"""HTTP connections of urllib3, on which four libraries stand: to allowed addresses alone, and with limits."""

import socket
from functools import lru_cache

from urllib3 import HTTPConnectionPool, HTTPResponse, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from publishers.addresses import connected
from publishers.pace import HostError, pace, paced_tls
from publishers.tls import verifying

PATIENCE = 10.0
"""Seconds to connect, where the library has set none."""


class Checked(HTTPConnection):
    """Asks `connected` for its sockets; beside a class of TLS, what is inside of TLS does.

    An answer is one step, with all of its body unless whoever reads it begins others. No body is unpacked: a few bytes
    could become any number of them.
    """

    def _new_conn(self) -> socket.socket:
        seconds = self.timeout if isinstance(self.timeout, int | float) else PATIENCE
        try:
            made = connected(self._dns_host, self.port, seconds)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no answer") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error
        for option in self.socket_options or ():
            made.setsockopt(*option)
        return made

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        pace().begin()
        response = super().getresponse()
        response.CONTENT_DECODERS = []
        return response


def guarded(manager: PoolManager) -> PoolManager:
    """`manager`, whose new connections are checked, and keep the pace, from now on.

    Raises, when they are made:
        HostError: the host has no address that a job may lead to; when they are read, that there is no end.
    """
    options, pools = manager.connection_pool_kw, manager.pool_classes_by_scheme
    options["ssl_context"] = paced_tls(options.get("ssl_context") or verifying())
    manager.pool_classes_by_scheme = {scheme: _checked(pool) for scheme, pool in pools.items()}
    return manager


def check_xml(answer: bytes) -> None:
    """See that a library may read an answer of a service: none of them declares a document type.

    Raises:
        HostError: it does; so it can give each of many elements attributes of any length.
    """
    if b"<!DOCTYPE" in answer:
        raise HostError("the answer is none of such a service; is it the right address?")


@lru_cache(maxsize=16)  # some callers make classes of their own
def _checked(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    if issubclass(pool.ConnectionCls, Checked):
        return pool
    connection = type("CheckedConnection", (Checked, pool.ConnectionCls), {})
    return type("CheckedPool", (pool,), {"ConnectionCls": connection})
