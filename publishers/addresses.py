"""Which addresses a job may lead a worker to: its author is not the operator of the network that the worker is in.

One rule for storages, receivers of events and key services. Names are resolved here, and the connection goes to the
very address that was checked: a name server that answers differently the second time gains nothing.
"""

import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from ipaddress import IPv4Network as Network4
from ipaddress import IPv6Network as Network6
from urllib.parse import urlsplit

from publishers.pace import HostError, Socket

VARIABLE = "ENCODING_PRIVATE_HOSTS"
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
PUBLIC6 = Network6("2000::/3")
NAT64 = Network6("64:ff9b::/96")
CLOUDS = (Network4("168.63.129.16/32"), Network4("192.0.0.0/24"))
"""Services for virtual machines at addresses that look public: Azure's, Oracle's."""

Address = IPv4Address | IPv6Address
SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]


class AddressError(HostError):
    """It may not be connected to. The text does not tell what its name resolves to."""


@dataclass(frozen=True)
class PrivateHost:
    """What jobs may use although it is private: a host name, or the addresses of a network; at one port or at all."""

    name: str
    network: Network4 | Network6 | None
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether it allows this address, which `host` resolves to."""
        if self.port not in (None, port):
            return False
        return address in self.network if self.network else self.name == host.lower().rstrip(".")


def private_hosts() -> tuple[PrivateHost, ...]:
    """Those that `ENCODING_PRIVATE_HOSTS` lists, separated by commas.

    Raises:
        ValueError: an entry is neither a host name, an address nor a network.
    """
    entries = (text.strip() for text in os.environ.get(VARIABLE, "").split(","))
    return tuple(private_host(text) for text in entries if text)


def reachable(host: str, port: int) -> Sequence[Resolved]:
    """The host's addresses that a job may lead to, as `socket.getaddrinfo` gives them; at least one.

    Raises:
        AddressError: there is none.
        OSError: the name is unknown (`socket.gaierror`).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise AddressError("the host's name is not valid") from None
    allowed = private_hosts()
    usable = [each for each in found if _is_allowed(_address(each[4]), host, port, allowed)]
    if not usable:
        raise AddressError(
            f"{host} has a private address, which no job may use; name a public host, "
            f"or have the worker's operator add it to {VARIABLE}"
        )
    return usable


def connected(host: str, port: int, seconds: float) -> Socket:
    """A connection to one of the host's allowed addresses, made in `seconds`, which are its timeout from then on.

    Raises:
        AddressError: no address of the host is allowed.
        OSError: the name is unknown (`socket.gaierror`), or nobody answers.
    """
    usable = reachable(host, port)
    deadline = time.monotonic() + seconds
    for left in range(len(usable), 0, -1):
        family, kind, protocol, _, address = usable[-left]
        connection = Socket(family, kind, protocol)
        try:
            connection.settimeout(max((deadline - time.monotonic()) / left, 0.1))
            connection.connect(address)
            connection.settimeout(seconds)
        except OSError:
            connection.close()
            if left == 1:
                raise
        else:
            return connection
    raise AssertionError("the last address either connects or raises")


def _address(resolved: tuple[str | int | bytes, ...]) -> Address:
    """The address that is reached in the end: the IPv4 address inside of an IPv6 one, where there is one."""
    address = ip_address(str(resolved[0]).partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_allowed(address: Address, host: str, port: int, allowed: tuple[PrivateHost, ...]) -> bool:
    return _is_public(address) or any(each.covers(host, port, address) for each in allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        return address in PUBLIC6 and not address.is_private
    # What providers share among their customers (100.64.0.0/10) is neither private nor global.
    return address.is_global and not address.is_multicast and not any(address in cloud for cloud in CLOUDS)


def private_host(text: str) -> PrivateHost:
    """What one entry means.

    Raises:
        ValueError: nothing.
    """
    with suppress(ValueError):
        return PrivateHost("", ip_network(text, strict=False), None)
    with suppress(ValueError):
        parts = urlsplit(f"//{text}")
        host = "" if parts.path else parts.hostname or ""
        with suppress(ValueError):
            return PrivateHost("", ip_network(host), parts.port)
        if HOST_NAME.fullmatch(host):
            return PrivateHost(host, None, parts.port)
    raise ValueError(
        f"{VARIABLE} lists {text!r}; it must be a host name, host:port, an IP address or a network such as 10.0.0.0/8"
    )
