import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pika import frame, spec

from tests.servers.listener import Listener

START = spec.Connection.Start(
    0, 9, {"capabilities": {"publisher_confirms": True, "basic.nack": True}}, b"PLAIN", b"en_US"
)
POLITE: dict[type, Any] = {
    spec.Connection.StartOk: spec.Connection.Tune(0, 131072, 0),
    spec.Connection.Open: spec.Connection.OpenOk(),
    spec.Channel.Open: spec.Channel.OpenOk(),
    spec.Confirm.Select: spec.Confirm.SelectOk(),
    spec.Connection.Close: spec.Connection.CloseOk(),
}


class Script(Listener):
    """Says the same to everybody, then listens until they have gone."""

    def __init__(self, said: Iterable[bytes]) -> None:
        super().__init__()
        self._said = said

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            for piece in self._said:
                client.sendall(piece)
            while client.recv(1 << 16):
                pass


class Broker(Listener):
    """A RabbitMQ broker that is polite until somebody publishes: no real one can be made to lie.

    Args:
        answer: what it sends then, in bytes.
    """

    def __init__(self, answer: Iterable[bytes]) -> None:
        super().__init__()
        self._answer = answer

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            client.recv(8)
            client.sendall(method(0, START))
            heard = b""
            while data := client.recv(1 << 16):
                heard += data
                while (found := frame.decode_frame(heard))[0]:
                    heard = heard[found[0] :]
                    self._reply(client, found[1])

    def _reply(self, client: socket.socket, heard: Any) -> None:
        asked = getattr(heard, "method", None)
        if reply := POLITE.get(type(asked)):
            client.sendall(method(heard.channel_number, reply))
        elif isinstance(asked, spec.Basic.Publish):
            for piece in self._answer:
                client.sendall(piece)


def method(channel: int, of: Any) -> bytes:
    """A frame, as it is sent."""
    return bytes(frame.Method(channel, of).marshal())
