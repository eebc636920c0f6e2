import base64
import hashlib
import hmac
import socket
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiveMode

from tests.servers.environment import SERVERS
from tests.servers.ports import free_ports
from tests.servers.process import Process

PROGRAM = Path(__file__).with_name("service_bus_stand_in.py")


@dataclass(frozen=True)
class Received:
    """A message as a consumer sees it."""

    body: str
    properties: dict[str, Any]
    message: ServiceBusReceivedMessage


class ServiceBus:
    """The stand-in for an Azure Service Bus namespace, without TLS, as an emulator."""

    key_name = "RootManageSharedAccessKey"
    key = "s3cret/Key+with=signs"
    locked = "locked"
    """A queue to which nobody may send."""

    def __init__(self, folder: Path, queues: Sequence[str]) -> None:
        [self.port] = free_ports(1)
        self.host = f"127.0.0.1:{self.port}"
        command = [str(SERVERS / "python"), str(PROGRAM), "--address", self.host, "--file", str(folder / "bus.db")]
        command += ["--key", f"{self.key_name}={self.key}", "--locked", self.locked]
        command += [part for queue in queues for part in ("--queue", queue)]
        self._file = folder / "bus.db"
        self._process = Process(command, folder / "service_bus.log", self._answers, install="make test")
        self.start = self._process.start
        self.stop = self._process.stop
        self.kill = self._process.kill
        self.restart = self._process.restart

    def connection_string(self, **changes: str) -> str:
        """A change to nothing leaves a field out."""
        fields = {
            "Endpoint": f"sb://{self.host}",
            "SharedAccessKeyName": self.key_name,
            "SharedAccessKey": self.key,
            "UseDevelopmentEmulator": "true",
        }
        return ";".join(f"{name}={value}" for name, value in (fields | changes).items() if value)

    def signature(self, seconds: int = 600) -> str:
        """A token that lets its bearer in for so long."""
        address, expiry = quote(f"sb://{self.host}", safe=""), int(time.time()) + seconds
        digest = hmac.digest(self.key.encode(), f"{address}\n{expiry}".encode(), hashlib.sha256)
        signed = quote(base64.b64encode(digest), safe="")
        return f"SharedAccessSignature sr={address}&sig={signed}&se={expiry}&skn={self.key_name}"

    def kept(self) -> int:
        """How many messages nobody has taken yet."""
        with closing(sqlite3.connect(self._file)) as messages:
            return int(messages.execute("SELECT count(*) FROM messages").fetchone()[0])

    def drain(self, queue: str, expected: int = 0) -> list[Received]:
        """All messages, in order; waits for as many as are expected, and a moment for more."""
        with (
            ServiceBusClient.from_connection_string(self.connection_string()) as client,
            client.get_queue_receiver(
                queue,
                receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
                keep_alive=None,  # its thread takes a second to end
            ) as receiver,
        ):
            received: list[Received] = []
            while batch := receiver.receive_messages(100, 10 if len(received) < expected else 0.2):
                received += map(_read, batch)
            return received

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _read(message: ServiceBusReceivedMessage) -> Received:
    # The library hands the names and texts of properties out as they came: bytes.
    properties = {_text(name): _text(value) for name, value in (message.application_properties or {}).items()}
    return Received(str(message), properties, message)


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
