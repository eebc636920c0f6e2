"""Connections to web servers."""

from urllib3 import PoolManager, Timeout

from publishers.tls import verifying
from publishers.web import guarded

CONNECT_SECONDS, SILENCE_SECONDS = 10, 30


def connections(lanes: int) -> PoolManager:
    """Pools of connections; neither proxies nor retries nor redirects of urllib3's own.

    Raises:
        OSError: the authorities' file cannot be read.
    """
    return guarded(
        PoolManager(
            maxsize=lanes,
            retries=False,
            timeout=Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS),
            ssl_context=verifying(),
        )
    )
