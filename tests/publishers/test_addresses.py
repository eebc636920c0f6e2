import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from publishers.addresses import VARIABLE, AddressError, connected, private_hosts

PRIVATE = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0177.0.0.1",
    "0x7f.1",
    "127.1",
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.168.1.1",
    "224.0.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.fixture(autouse=True)
def _nothing_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_in_every_spelling_before_anything_is_sent(
    host: str, listener: socket.socket
) -> None:
    with pytest.raises(AddressError, match=VARIABLE):
        connected(host, listener.getsockname()[1], 1)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.0/8, 127.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1:{port}"),
        ("LOCALHOST", "localhost"),
        ("localhost", "localhost:{port}"),
        ("2130706433", "127.0.0.1"),
    ],
)
def test_the_operator_allows_hosts_addresses_and_networks(
    host: str, allowed: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listener.getsockname()[1]
    monkeypatch.setenv(VARIABLE, allowed.format(port=port))
    with connected(host, port, 1) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)


@pytest.mark.parametrize("allowed", ["127.0.0.1:1", "localhost:1", "localhos", "10.0.0.0/8", "::1"])
def test_what_is_not_listed_stays_refused(
    allowed: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, allowed)
    with pytest.raises(AddressError):
        connected("localhost", listener.getsockname()[1], 1)


@pytest.mark.parametrize("entry", ["*.example.com", "10.0.0.0/99", "http://host/", "host:port", "a b", "-"])
def test_an_entry_that_names_nothing_is_told(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, entry)
    with pytest.raises(ValueError, match=VARIABLE):
        private_hosts()


# The only stand-in: a name server that changes its mind cannot be had without the system's settings.
@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def answer_with(*addresses: str) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            family = socket.AF_INET
            return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return answer_with


def test_a_public_name_with_a_private_address_is_refused(
    names: Callable[..., list[str]], listener: socket.socket
) -> None:
    names("127.0.0.1")
    with pytest.raises(AddressError, match=r"cdn\.example") as caught:
        connected("cdn.example", listener.getsockname()[1], 1)
    assert "127.0.0.1" not in str(caught.value)


def test_the_address_that_was_checked_is_the_one_connected_to(
    names: Callable[..., list[str]], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "127.0.0.1")
    asked = names("10.0.0.1", "127.0.0.1")  # the first is not allowed, and passed over
    with connected("cdn.example", listener.getsockname()[1], 1) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    assert asked == ["cdn.example"]
