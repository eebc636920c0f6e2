"""How long, and for how much, a thread waits for servers that a job names: they may drip, or never end.

What it waits for comes in steps: an answer, a reply, a piece of a file. Whatever library reads from a `Socket`, its
seconds and bytes count as those of the thread's present step.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

STEP_SECONDS, STEP_BYTES = 60.0, 8 << 20
"""What a step may take; the time in which nobody waits does not count."""
END = 1 << 16
"""Bytes that the end counts for, each time: a library that reads on behind it comes to one, too."""


class HostError(Exception):
    """A host that a job names is not dealt with any further. The text is for people."""


class Pace:
    """What the present step of a thread has taken so far."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._waiting: socket.socket | None = None
        self._is_over = False
        self._most_seconds: float | None = None
        self.begin()

    def begin(self) -> None:
        """The next step starts."""
        self._seconds, self._bytes = 0.0, 0

    def count(self, size: int) -> None:
        """So many bytes have arrived.

        Raises:
            HostError: too many for one step.
        """
        self._bytes += size or END
        if self._bytes > STEP_BYTES:
            raise HostError("what the host sends does not end; is it the right one?")

    @contextmanager
    def waiting(self, connection: socket.socket) -> Iterator[None]:
        """In the block, it takes time.

        Raises:
            OSError: too much for one step (`TimeoutError`), or nobody waits any more.
        """
        begun = time.monotonic()
        self._wait_for(connection)
        try:
            yield
        finally:
            self._wait_for(None)
            self._seconds += time.monotonic() - begun
        if self._seconds > (self._most_seconds or STEP_SECONDS):
            raise TimeoutError("what comes, comes too slowly")

    def end(self) -> None:
        """Nobody waits any more: called by another thread, it wakes the one that does."""
        with self._changing, suppress(OSError):
            self._is_over = True
            if self._waiting:
                socket.socket.shutdown(self._waiting, socket.SHUT_RDWR)  # what TLS is doing there goes on until then

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Make it the one of this thread for the time of the block."""
        before, _here.pace = _here.pace, self
        try:
            yield
        finally:
            _here.pace = before

    @contextmanager
    def lasting(self, seconds: float) -> Iterator[None]:
        """Let each step of the block take so long."""
        self._most_seconds = seconds
        try:
            yield
        finally:
            self._most_seconds = None

    def _wait_for(self, connection: socket.socket | None) -> None:
        with self._changing:
            if self._is_over and connection:
                raise ConnectionAbortedError("nobody waits any more")
            self._waiting = connection


class _Here(threading.local):
    def __init__(self) -> None:
        self.pace = Pace()


_here = _Here()


def pace() -> Pace:
    """Of this thread."""
    return _here.pace


class Socket(socket.socket):
    """One that keeps the pace of the thread that uses it."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        with pace().waiting(self):
            data = super().recv(buflen, flags)
        pace().count(len(data))
        return data

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        with pace().waiting(self):
            size = super().recv_into(buffer, nbytes or 0, flags)
        pace().count(size)
        return size

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        with pace().waiting(self):
            return super().send(data, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Is a step of its own."""
        pace().begin()
        left = memoryview(data).cast("B")
        while left:
            left = left[self.send(left, flags) :]


class TlsSocket(Socket, ssl.SSLSocket):
    """The same inside of TLS."""


def paced(made: socket.socket) -> Socket:
    """The connection of a socket that a library has made."""
    taken = Socket(fileno=made.detach())
    taken.settimeout(made.gettimeout())
    return taken


def paced_tls(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, whose new connections keep the pace from now on."""
    context.sslsocket_class = TlsSocket
    return context
