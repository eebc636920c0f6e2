import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.ports import free_ports
from tests.servers.process import Process

PROGRAM = str(Path(sys.executable).with_name("temporal"))
SEARCH_ATTRIBUTES = ("TenantId=Keyword", "ExternalId=Keyword", "EncodingPhase=Keyword", "ErrorCode=Int")
EXACT = ("matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1")
"""Settings for one partition of a queue: the server keeps to an order within each alone."""


class TemporalServer:
    """The real Temporal server. Its state is a file: it is all there again after `kill()` and `restart()`."""

    namespace = "default"

    def __init__(
        self, folder: Path, search_attributes: tuple[str, ...] = SEARCH_ATTRIBUTES, settings: Sequence[str] = ()
    ) -> None:
        """`settings`: of its dynamic configuration, as `name=value`."""
        self.port, ui_port, http_port, metrics_port = free_ports(4)
        self.address = f"127.0.0.1:{self.port}"
        self.ui = f"http://127.0.0.1:{ui_port}"
        self._search_attributes = search_attributes
        options = {
            "--ip": "127.0.0.1",
            "--port": self.port,
            "--ui-port": ui_port,
            "--http-port": http_port,
            "--metrics-port": metrics_port,
            "--db-filename": folder / "temporal.db",
            "--log-level": "error",
        }
        command = [PROGRAM, "server", "start-dev", "--ui-disable-news-fetch"]
        command += [str(part) for option in options.items() for part in option]
        command += [part for attribute in search_attributes for part in ("--search-attribute", attribute)]
        command += [part for setting in settings for part in ("--dynamic-config-value", setting)]
        self._process = Process(command, folder / "temporal.log", self._answers)
        self.start = self._process.start
        self.stop = self._process.stop
        self.kill = self._process.kill
        self.restart = self._process.restart

    def _answers(self) -> bool:
        """The open port proves little: this needs gRPC, the namespace and our search attributes."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False  # asking the command would cost more than the start of the server
        known = "TenantId = 'none'" if self._search_attributes else "WorkflowId = 'none'"
        query = [PROGRAM, "workflow", "list", "--address", self.address, "--query", known]
        return subprocess.run(query, capture_output=True, check=False).returncode == 0
