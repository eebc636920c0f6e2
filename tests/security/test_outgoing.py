"""No block of a job leads the worker to a host that is not public, unless the operator allows it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activities.drm import speke
from activities.drm.config import DrmManaged
from activities.drm.key import DrmError
from activities.storage.base import StorageError
from activities.storage.config import Location
from publishers.addresses import VARIABLE, private_hosts
from publishers.base import PublishError
from publishers.config import MessagePublisher
from publishers.connections import close_connections
from tests.security.leading import ERRORS, LEADS, Lead, emulator, followed, ftps_events, key_service, rabbitmq, s3, sqs
from tests.servers.ports import port_of
from tests.workflows.test_job import minimal
from workflows.job import Job
from workflows.session import _own_hosts

every_lead = pytest.mark.parametrize("lead", LEADS, ids=lambda lead: lead.__name__)


@pytest.fixture(autouse=True)
def _connections_are_made_anew() -> Iterator[None]:
    yield
    close_connections()


async def refused(section: Location | MessagePublisher | DrmManaged) -> Exception:
    with pytest.raises(ERRORS) as caught:
        await followed(section)
    assert not getattr(caught.value, "temporary", False)
    return caught.value


def is_untouched(server: socket.socket) -> bool:
    try:
        server.accept()
    except BlockingIOError:
        return True
    return False


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A name server that answers for `cdn.example`, each time with the next address, all others as ever."""
    real = socket.getaddrinfo

    def answering(*addresses: str) -> list[str]:
        left, asked = list(addresses), list[str]()

        def resolve(host: str, port: int, *arguments: Any, **options: Any) -> Any:
            if host != "cdn.example":
                return real(host, port, *arguments, **options)
            asked.append(host)
            return real(left.pop(0) if len(left) > 1 else left[0], port, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return answering


@every_lead
async def test_a_public_name_of_a_private_host_is_not_connected_to(
    lead: Lead, names: Callable[..., list[str]], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    asked = names("127.0.0.1")
    error = await refused(lead(f"cdn.example:{port_of(listener)}"))
    assert "cdn.example has a private address" in str(error)
    assert "127.0.0.1" not in str(error)
    assert is_untouched(listener)
    assert asked


@every_lead
async def test_a_name_that_changes_its_mind_leads_only_to_what_was_checked(
    lead: Lead, names: Callable[..., list[str]], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "127.0.0.2")
    names("127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1")  # nobody listens at the address that is allowed
    with pytest.raises((StorageError, PublishError, DrmError)):
        await followed(lead(f"cdn.example:{port_of(listener)}"))
    assert is_untouched(listener)


@every_lead
async def test_the_operator_can_allow_it(lead: Lead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "127.0.0.1")
    with pytest.raises((StorageError, PublishError, DrmError)) as caught:
        await followed(lead("127.0.0.1:9"))  # where nobody listens
    assert "private" not in str(caught.value)


def test_whoever_runs_a_job_alone_may_go_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    leads = [
        rabbitmq("127.0.0.1:5672"),
        rabbitmq("::1:5671"),
        emulator("bus.internal:5673"),
        ftps_events("[::1]:990"),
        sqs("queues.internal"),
    ]
    job = Job.parse(
        minimal(
            MessagePublishers=[lead.to_json_object() for lead in leads],
            ContentAcquisition=s3("store.internal:9000").to_json_object(),
        )
    )
    hosts = set(_own_hosts(job))
    assert {
        "127.0.0.1:5672",
        "[::1]:5671",
        "bus.internal:5673",
        "[::1]:990",
        "queues.internal",
        "store.internal:9000",
    } <= hosts
    monkeypatch.setenv(VARIABLE, ",".join(hosts))
    assert len(private_hosts()) == len(hosts)


@pytest.mark.parametrize("lead", [s3, sqs], ids=lambda lead: lead.__name__)
async def test_no_proxy_is_asked_to_go_there_instead(
    lead: Lead, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{port_of(listener)}")
    monkeypatch.setenv(VARIABLE, f"127.0.0.1:{port_of(listener)}")
    assert "private address" in str(await refused(lead("127.0.0.1:9")))
    assert is_untouched(listener)


def test_the_proxy_of_key_services_is_not_asked_to_go_there_instead(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port_of(listener)}")
    with pytest.raises(DrmError, match="private address"):
        speke.answer(key_service("localhost", Proxy=True), b"")
    assert is_untouched(listener)


def test_the_proxy_of_key_services_is_asked_for_allowed_ports_alone(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "localhost:443")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port_of(listener)}")
    with pytest.raises(DrmError, match="private address"):
        speke.answer(key_service("localhost:9", Proxy=True), b"")
    assert is_untouched(listener)
