import random
import socket
from contextlib import suppress

# Below the range from which the kernel serves connections and whoever asks for any port,
# above the passive ports of vsftpd.
_RANGE = range(12_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, and that no other process of tests is given while this one lives."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(_RANGE)
        if _reserve(port) and _is_free(port):
            ports.append(port)
    return ports


def _reserve(port: int) -> bool:
    """A name in the kernel can be bound once; it is free again when the process has ended."""
    mine = socket.socket(socket.AF_UNIX)
    with mine, suppress(OSError):
        mine.bind(f"\0encoding-tests-port-{port}")
        mine.detach()  # stays open
        return True
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def port_of(server: socket.socket) -> int:
    """Where it listens."""
    return int(server.getsockname()[1])
