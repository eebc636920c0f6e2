"""The client where no worker is; `tests/integration/test_cli_remote.py` follows jobs that run."""

import asyncio
import uuid
from typing import Any, cast

import pytest
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from activities.server import job_id_of
from tests.servers.ports import free_ports
from tests.servers.temporal import TemporalServer
from workflows import client as jobs

JOB = {"ExternalId": "title"}


@pytest.fixture
async def client(temporal_server: TemporalServer) -> Client:
    return await jobs.connect(temporal_server.address)


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex[:8]


@pytest.mark.parametrize("odd", ["", "'", '"', "' OR '1'='1", "\\", "\\'", "%", "a b", "ü\u2028", "\n"], ids=ascii)
async def test_a_job_is_found_by_either_of_its_ids(client: Client, name: str, odd: str) -> None:
    handle = await jobs.submit(client, JOB, name + odd)
    assert (await jobs.find(client, handle.id)).id == handle.id
    assert (await jobs.find(client, job_id_of(handle.id))).id == handle.id
    await handle.terminate()


@pytest.mark.parametrize("id_", ["", "' OR WorkflowId != '", "\ud800", "x" * 2000, str(uuid.uuid4())], ids=range(5))
async def test_what_is_no_job_is_unknown(client: Client, id_: str) -> None:
    with pytest.raises(jobs.UnknownJob, match="no job has the id"):
        await jobs.find(client, id_)


async def test_a_workflow_of_somebody_else_is_no_job(client: Client, name: str) -> None:
    handle = await client.start_workflow("Other", id=name, task_queue="nobody")
    with pytest.raises(jobs.UnknownJob):
        await jobs.find(client, name)
    await handle.terminate()


async def test_a_missing_namespace_is_not_a_missing_job(client: Client) -> None:
    elsewhere = Client(client.service_client, namespace="nowhere")
    with pytest.raises(RPCError, match="Namespace nowhere is not found"):
        await jobs.find(elsewhere, "title")


async def test_a_title_is_shown_as_it_is(client: Client, name: str) -> None:
    handle = await jobs.submit(client, {"ExternalId": "![seen](https://evil.example/a.png)"}, name)
    shown = await (await handle.describe()).static_summary()
    await handle.terminate()
    assert shown == r"\!\[seen\]\(https://evil.example/a.png\)"


async def test_an_id_serves_once(client: Client, name: str) -> None:
    handle = await jobs.submit(client, JOB, name)
    await handle.terminate()
    with pytest.raises(WorkflowAlreadyStartedError):
        await jobs.submit(client, JOB, name)


async def test_following_a_run_that_was_ended_before_any_worker_saw_it_ends_with_the_reason(
    client: Client, name: str
) -> None:
    handle = await jobs.submit(client, JOB, name)
    await handle.terminate()
    with pytest.raises(jobs.EndedOutside, match=rf"job {name} was ended from outside \(TERMINATED\)"):
        _ = [event async for event in jobs.follow(handle)]


async def test_many_that_ask_wait_for_a_worker_together(temporal_server: TemporalServer, name: str) -> None:
    """The server keeps few questions for each run, and refuses what is more."""
    hasty = await Client.connect(temporal_server.address, retry_config=RetryConfig(max_retries=1))
    handle = await jobs.submit(hasty, JOB, name)
    asking = [asyncio.create_task(jobs.progress(handle)) for _ in range(6)]
    answered, _ = await asyncio.wait(asking, timeout=3, return_when=asyncio.FIRST_COMPLETED)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await handle.terminate()
    assert not answered


class Broken:
    """Stands for a run: that a request is broken off just when its answer comes is not to be had from a real server."""

    async def query(self, *_: Any, **__: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RPCError("broken off", RPCStatusCode.CANCELLED, b"") from None


async def test_who_is_interrupted_while_he_asks_does_not_ask_again() -> None:
    asking = asyncio.create_task(jobs.progress(cast("jobs.Handle", Broken())))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, 5)


@pytest.mark.parametrize("variables", [{}, {"TEMPORAL_ADDRESS": ""}], ids=str)
async def test_where_no_variable_names_a_server_it_is_that_of_this_machine(
    variables: dict[str, str], temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert jobs.DEFAULT_ADDRESS == "localhost:7233"
    monkeypatch.setattr(jobs, "DEFAULT_ADDRESS", temporal_server.address)
    assert (await jobs.connect()).namespace == "default"


async def test_what_is_set_for_another_server_is_not_for_that_of_an_address(
    temporal_server: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ADDRESS": "127.0.0.1:1", "NAMESPACE": "another", "API_KEY": "key", "TLS": "true"}.items():
        monkeypatch.setenv(f"TEMPORAL_{name}", value)
    assert (await jobs.connect(temporal_server.address)).namespace == "default"


async def test_a_server_that_is_not_there_is_named() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(jobs.Unreachable, match=address):
        await jobs.connect(address)
    with pytest.raises(jobs.Unreachable, match="nonsense:port"):
        await jobs.connect("nonsense:port")
