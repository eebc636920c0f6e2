"""Receivers that are down, refuse, or come back: the events of a job, lane by lane."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips
from tests.integration.service import Ended, Event, Service, running
from tests.servers.ports import free_ports
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.temporal import TemporalServer

DEADLINE = "8"
METADATA = "__temporal_workflow_metadata"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("outages"), temporal_server.address) as service:
        yield service


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = RabbitMQ(tmp_path_factory.mktemp("broker"))
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server


@pytest.fixture
def broker(own_broker: RabbitMQ) -> RabbitMQ:
    """A broker that a test may take down; it runs when the next test begins."""
    if not own_broker.running:
        own_broker.start()
    return own_broker


def queue(broker: RabbitMQ, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "Type": "RabbitMQ",
        "Protocol": "amqp",
        "Host": broker.host,
        "Port": broker.port,
        "Queue": name,
        "CredentialsName": broker.user,
        "CredentialsSecret": broker.password,
        **changes,
    }


def assert_same_story(received: list[Event], ended: Ended) -> None:
    """In order, complete, the same ids as on the other lane; progress only between its neighbours and never falling."""
    lifecycle = [event for event in received if "Progress" not in event]
    assert lifecycle == ended.lifecycle
    for before, event in itertools.pairwise(received):
        if "Progress" not in event:
            assert event["SequenceNumber"] == before["SequenceNumber"] + 1
        else:
            assert event["SequenceNumber"] == before["SequenceNumber"]
            assert event["Progress"] > before.get("Progress", -1)


async def bodies(broker: RabbitMQ, name: str) -> list[Event]:
    return [body for _, body in await asyncio.to_thread(broker.drain, name)]


@pytest.mark.slow
async def test_a_broker_that_is_down_from_the_start_gets_everything_later(
    service: Service, broker: RabbitMQ, clip: Clips
) -> None:
    broker.declare_queue("late")
    broker.stop()
    job = service.job(service.source(clip(), name="short"))
    job["MessagePublishers"].append(queue(broker, "late"))
    handle = await service.submit(job)
    await service.wait_for(handle.id, "JobSuccess")  # nobody waited for the broker
    await asyncio.to_thread(broker.start)
    ended = await service.end(handle)
    assert ended.status == "COMPLETED"
    assert ended.result["Undelivered"] == []
    assert_same_story(await bodies(broker, "late"), ended)


async def test_a_broker_that_goes_away_in_the_middle_misses_nothing(
    service: Service, broker: RabbitMQ, clip: Clips
) -> None:
    broker.declare_queue("gap")
    job = service.job(service.source(clip(seconds=20, size="1280x720"), name="long"))
    job["MessagePublishers"].append(queue(broker, "gap"))
    handle = await service.submit(job)
    await service.wait_for(handle.id, "EncodingProgress")
    await asyncio.to_thread(broker.stop)
    await service.wait_for(handle.id, "JobSuccess")
    await asyncio.to_thread(broker.start)
    ended = await service.end(handle)
    assert ended.result["Undelivered"] == []
    assert_same_story(await bodies(broker, "gap"), ended)


async def test_what_is_refused_is_named_and_holds_nobody_up(service: Service, broker: RabbitMQ, clip: Clips) -> None:
    broker.declare_queue("twice")
    job = service.job(service.source(clip(), name="short"))
    job["MessagePublishers"] += [
        queue(broker, "twice"),
        queue(broker, "twice"),
        queue(broker, "twice", CredentialsSecret="wr0ng-s3cret"),
        queue(broker, "no-such-queue"),
    ]
    ended = await service.run(job)
    assert ended.names[-1] == "JobSuccess"
    wrong, missing = ended.result["Undelivered"]
    assert "user name and password" in wrong["Reason"]
    assert "no-such-queue does not exist" in missing["Reason"]
    assert wrong["Pending"] == missing["Pending"] == len(ended.lifecycle)
    assert "no-such-queue does not exist" in service.log
    assert "wr0ng-s3cret" not in service.log + str(ended.result)
    received = [event for event in await bodies(broker, "twice") if "Progress" not in event]
    assert sorted(received, key=lambda event: event["SequenceNumber"])[::2] == ended.lifecycle
    assert len(received) == 2 * len(ended.lifecycle)


@pytest.mark.slow
async def test_twice_cancelled_while_it_drains_it_still_ends_as_it_had(
    service: Service, broker: RabbitMQ, clip: Clips
) -> None:
    broker.declare_queue("drain")
    broker.stop()
    job = service.job(service.source(clip(), name="short"))
    job["MessagePublishers"].append(queue(broker, "drain"))
    handle = await service.submit(job)
    await service.wait_for(handle.id, "JobSuccess")
    await handle.cancel()
    await handle.signal("cancel", "too late")
    await asyncio.to_thread(broker.start)
    ended = await service.end(handle)
    assert ended.status == "COMPLETED"
    assert ended.names[-1] == "JobSuccess"
    assert_same_story(await bodies(broker, "drain"), ended)


async def test_the_deadline_closes_the_run_and_names_what_was_not_delivered(
    tmp_path: Path, service: Service, temporal_server: TemporalServer, clip: Clips
) -> None:
    service.stop()
    nobody = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": "127.0.0.1", "Port": free_ports(1)[0], "Queue": "q"}
    nobody |= {"CredentialsName": "me", "CredentialsSecret": "s3cret"}
    settings = {"ENCODING_DELIVERY_DEADLINE_SECONDS": DEADLINE}
    try:
        with running(tmp_path / "service", temporal_server.address, **settings) as impatient:
            job = impatient.job(impatient.source(clip()))
            job["MessagePublishers"].append(nobody)
            ended = await impatient.run(job)
            [undelivered] = ended.result["Undelivered"]
            assert undelivered["Publisher"] == f"RabbitMQ 127.0.0.1:{nobody['Port']} queue q"
            assert undelivered["Pending"] == len(ended.lifecycle)
            assert "not reached within 0:00:08" in undelivered["Reason"]
            failed = await impatient.run(job | {"Unheard": "of"})
            assert failed.status == "FAILED"
            assert failed.error["Code"] == 5003
            assert impatient.log.count("gave up RabbitMQ") == 2
            details = await (await impatient.client()).get_workflow_handle(failed.job_id).query(METADATA)
            assert f"1 events not delivered to RabbitMQ 127.0.0.1:{nobody['Port']} queue q" in str(details)
    finally:
        service.start()
