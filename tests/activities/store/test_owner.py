"""A store belongs to one namespace."""

import secrets
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from activities.settings import Settings
from activities.store.owner import is_owned, is_same, own_store
from tests.activities.store.conftest import Disk
from tests.activities.store.test_store import keeping, working
from tests.servers.temporal import TemporalServer


@pytest.fixture
async def clients(temporal_server: TemporalServer) -> tuple[Client, Client]:
    """Of two namespaces."""
    first = await Client.connect(temporal_server.address)
    name, kept = f"other-{secrets.token_hex(4)}", Duration()
    kept.FromTimedelta(timedelta(days=1))
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=kept)
    await first.workflow_service.register_namespace(request)
    return first, await Client.connect(temporal_server.address, namespace=name)


async def test_a_store_with_jobs_of_one_namespace_is_refused_to_another(
    store: Disk, clients: tuple[Client, Client]
) -> None:
    store("one")
    first, second = clients
    settings = Settings.from_environment()
    for _ in range(2):
        await own_store(settings, first)
    await working(keeping({"made-1/a": b"a"}, "made-1"))
    with pytest.raises(
        RuntimeError, match=r"ENCODING_WORK_(ROOT|STORE) names .* of another namespace \(default .*remove"
    ):
        await own_store(settings, second)
    assert (await is_owned(settings, first), await is_owned(settings, second)) == (True, False)


async def test_a_store_without_jobs_may_be_had(store: Disk, clients: tuple[Client, Client]) -> None:
    store("one")
    first, second = clients
    settings = Settings.from_environment()
    assert not await is_owned(settings, first)
    for client in (first, second):
        await own_store(settings, client)
    assert (await is_owned(settings, first), await is_owned(settings, second)) == (False, True)


@pytest.mark.parametrize(
    ("found", "owner", "same"),
    [
        ("media 1", "media 1", True),
        ("media 1", "media 2", False),
        ("media 1", "other 1", False),
        ("media", "media 2", True),
        ("", "media 2", False),
    ],
)
def test_two_servers_may_have_namespaces_of_one_name(found: str, owner: str, same: bool) -> None:  # noqa: FBT001
    assert is_same(found, owner) is same
