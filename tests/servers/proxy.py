import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK = 1 << 16
AT_ONCE = struct.pack("ii", 1, 0)
"""What makes closing a socket a reset."""


class Proxy:
    """A TCP connection between a client and a server on 127.0.0.1, with a knife in it.

    Args:
        host: the address that it listens on.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.host = host
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.opened = 0
        """Connections that were ever made."""
        self.received = 0
        """Bytes that the server has sent."""
        self.cut_at_answer = False
        """Cut a connection as soon as the server answers: what was asked has arrived, its confirmation has not."""
        self.delay = 0.0
        """Seconds by which each piece of data, in both directions, comes later."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections at once."""
        for pair in self._pairs:
            self._end(pair)

    def reset(self) -> None:
        """Break off all connections, as a machine does that has crashed and knows of none of them."""
        for each in [each for pair in self._pairs for each in pair]:
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                each.shutdown(socket.SHUT_RD)  # wakes who reads here, and tells the other side nothing
            each.close()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return sum(client.fileno() >= 0 for client, _ in self._pairs)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.opened += 1
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                pair = (client, server)
                self._pairs.append(pair)
                for way in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(way, pair), daemon=True).start()

    def _carry(self, way: tuple[socket.socket, socket.socket], pair: tuple[socket.socket, socket.socket]) -> None:
        source, target = way
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self.cut_at_answer and source is pair[1]:
                    break
                self.received += len(data) if source is pair[1] else 0
                time.sleep(self.delay)
                target.sendall(data)
        self._end(pair)

    @staticmethod
    def _end(pair: tuple[socket.socket, socket.socket]) -> None:
        for each in pair:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
