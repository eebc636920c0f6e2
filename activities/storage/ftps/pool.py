"""A few FTP connections for several threads."""

import ftplib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from activities.storage.base import StorageError
from publishers.ftp import BUSY, Client, FtpError

FRESH_SECONDS = 5.0
"""A connection that was idle for longer is asked before it is used."""


class Pool:
    """Connections that are each lent to one thread at a time.

    A server that takes no more of them makes the pool smaller, not the work fail; a thread then waits for a connection
    of another one, which moves bytes, or breaks off when it does not for a while.
    """

    def __init__(self, connect: Callable[[], Client], most: int) -> None:
        self._connect = connect
        self._most = most
        self._open = 0
        self._idle: list[tuple[float, Client]] = []
        self._changed = threading.Condition()

    @contextmanager
    def lent(self) -> Iterator[Client]:
        """A connection for the time of the block; one that was closed in it is not lent again.

        Raises:
            FtpError: there is none.
        """
        client = self._take()
        try:
            yield client
        except (ftplib.error_perm, StorageError):
            self._give_back(client)  # it has said no, and is fine
            raise
        except BaseException:
            client.close()  # nobody knows what state it is in
            self._give_back(client)
            raise
        self._give_back(client)

    def close(self) -> None:
        """End those that nobody uses."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._open -= len(idle)
        for _, client in idle:
            client.end()

    def _take(self) -> Client:
        while True:
            if client := self._idle_or_none():
                return client
            try:
                return self._connect()
            except FtpError as error:
                if not self._has_shrunk(error):
                    raise
            except BaseException:
                self._forget()
                raise

    def _idle_or_none(self) -> Client | None:
        """An idle connection that works; None = the caller is to make one, which is counted already."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._idle or self._open < self._most)
                if not self._idle:
                    self._open += 1
                    return None
                since, client = self._idle.pop()
            if time.monotonic() - since < FRESH_SECONDS or _answers(client):
                return client
            self._forget()

    def _has_shrunk(self, error: FtpError) -> bool:
        """Count a connection that could not be made; whether there are others to wait for."""
        with self._changed:
            self._open -= 1
            self._changed.notify()
            if error.code == BUSY and self._open:
                self._most = self._open
                return True
            return False

    def _forget(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _give_back(self, client: Client) -> None:
        if not client.is_open:
            self._forget()
            return
        with self._changed:
            self._idle.append((time.monotonic(), client))
            self._changed.notify()


def _answers(client: Client) -> bool:
    try:
        client.voidcmd("NOOP")
    except (ftplib.Error, OSError, EOFError):
        client.close()
        return False
    return True
