"""HTTP connections of urllib3, on which three libraries stand: to allowed addresses alone."""

import socket
from functools import lru_cache

from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from publishers.addresses import connected

PATIENCE = 10.0
"""Seconds to connect, where the library has set none."""


class Checked(HTTPConnection):
    """Asks `connected` for its sockets; beside a class of TLS, what is inside of TLS does."""

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


def guarded(manager: PoolManager) -> PoolManager:
    """`manager`, whose new connections are checked from now on.

    Raises, when they are made:
        AddressError: the host has no address that a job may lead to.
    """
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _checked(pool) for scheme, pool in pools.items()}
    return manager


@lru_cache(maxsize=16)  # some callers make classes of their own
def _checked(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    if issubclass(pool.ConnectionCls, Checked):
        return pool
    connection = type("CheckedConnection", (Checked, pool.ConnectionCls), {})
    return type("CheckedPool", (pool,), {"ConnectionCls": connection})
