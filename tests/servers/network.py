"""Network namespaces: machines that reach nothing but one address of this one."""

import secrets
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self


class Network:
    """A bridge with an address of this machine, and namespaces on it that do not reach each other."""

    def __init__(self) -> None:
        self._id = secrets.token_hex(3)
        self._net = f"10.213.{secrets.randbelow(256)}"
        self._bridge = f"enc{self._id}"
        self._names: list[str] = []
        self.address = f"{self._net}.1"

    def __enter__(self) -> Self:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in self._names:
            _ip("netns", "delete", name)  # the cable goes with it
        _ip("link", "delete", self._bridge)

    def machine(self) -> str:
        """A new namespace; its name."""
        number = len(self._names) + 1
        name = f"{self._bridge}-{number}"
        cable = f"{self._bridge}-{number}"
        _ip("netns", "add", name)
        self._names.append(name)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", cable, "master", self._bridge, "up")
        _ip("link", "set", cable, "type", "bridge_slave", "isolated", "on")
        _ip("-n", name, "address", "add", f"{self._net}.{number + 1}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        return name

    def address_of(self, name: str) -> str:
        """On the bridge."""
        return f"{self._net}.{self._names.index(name) + 2}"

    @staticmethod
    def received(name: str) -> int:
        """Bytes that a machine has received."""
        return int(Path(f"/sys/class/net/{name}/statistics/tx_bytes").read_text())


def inside(name: str) -> list[str]:
    """The command that runs another one on a machine."""
    return ["ip", "netns", "exec", name]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
