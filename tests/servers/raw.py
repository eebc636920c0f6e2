import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.servers.listener import Listener

ENDLESS = 1 << 30


class Raw(Listener):
    """A server that sends any bytes at all: what no real one does, and a hostile one may.

    `answer` gets the head of a request and gives the pieces of the answer; then the connection is closed.
    """

    def __init__(self, answer: Callable[[str], Iterable[bytes]]) -> None:
        super().__init__()
        self._answer = answer
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[str] = []
        """Their heads."""

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(1 << 16)
                if not data:
                    return
                head += data
            self.requests.append(head.decode("latin-1"))
            for piece in self._answer(self.requests[-1]):
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):  # what is not read when a connection closes can cost the client the answer
                pass


def answer(body: bytes = b"", *headers: str, status: str = "200 OK", kind: str = "text/html") -> list[bytes]:
    """One that is in order; `headers` come first."""
    lines = [
        f"HTTP/1.1 {status}",
        "Connection: close",
        *headers,
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    return ["\r\n".join(lines).encode("latin-1"), body]
