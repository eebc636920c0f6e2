import asyncio
import logging
import socket
from contextlib import closing
from functools import partial
from uuid import uuid4

import pika
import pytest

import publishers.rabbitmq
from publishers import check, publish
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import RabbitMq
from publishers.connections import CONNECTIONS
from publishers.rabbitmq import connect
from tests.publishers.messages import AT, lifecycle, progress
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMQ


def config(rabbitmq: RabbitMQ, **changes: object) -> RabbitMq:
    fields = {
        "Type": "RabbitMQ",
        "Protocol": "amqp",
        "Host": rabbitmq.host,
        "Port": rabbitmq.port,
        "Queue": f"events-{uuid4()}",
        "CredentialsName": rabbitmq.user,
        "CredentialsSecret": rabbitmq.password,
    }
    return RabbitMq.model_validate(fields | changes)


def queue_of(rabbitmq: RabbitMQ, **changes: object) -> RabbitMq:
    """A block whose queue exists."""
    block = config(rabbitmq, **changes)
    rabbitmq.declare_queue(block.queue)
    return block


def numbers(rabbitmq: RabbitMQ, block: RabbitMq) -> list[int]:
    return [body["SequenceNumber"] for _, body in rabbitmq.drain(block.queue)]


async def failure(block: RabbitMq) -> PublishError:
    with pytest.raises(PublishError) as caught:
        await publish(block, lifecycle())
    assert block.credentials_secret not in str(caught.value)
    return caught.value


async def test_events_arrive_in_order_with_their_properties(rabbitmq: RabbitMQ) -> None:
    events, block = [lifecycle(number) for number in range(1, 4)], queue_of(rabbitmq)
    for event in events:
        await publish(block, event)
    received = rabbitmq.drain(block.queue)
    assert [body for _, body in received] == [event.body for event in events]
    properties = received[0][0]
    assert properties.type == "ImagesExtractionFailure"
    assert properties.message_id == events[0].event_id
    assert properties.timestamp == int(AT.timestamp())
    assert properties.content_type == "application/json"
    assert properties.delivery_mode == pika.DeliveryMode.Persistent.value


async def test_the_body_is_compact_utf8(rabbitmq: RabbitMQ) -> None:
    await publish(block := queue_of(rabbitmq), lifecycle())
    with rabbitmq.channel() as channel:
        _, _, body = channel.basic_get(block.queue, auto_ack=True)
    assert body.startswith(b'{"EventType":"ImagesExtractionFailure",')
    assert "größer, 世界".encode() in body


async def test_many_jobs_at_once_share_a_few_connections(rabbitmq: RabbitMQ) -> None:
    with Proxy(rabbitmq.port) as proxy:
        blocks = [queue_of(rabbitmq, Port=proxy.port) for _ in range(5)]
        await asyncio.gather(*(publish(block, lifecycle(number)) for block in blocks for number in range(1, 21)))
        assert proxy.opened <= CONNECTIONS
    for block in blocks:
        assert sorted(numbers(rabbitmq, block)) == list(range(1, 21))


async def test_a_check_sends_nothing(rabbitmq: RabbitMQ) -> None:
    await check(block := queue_of(rabbitmq))
    assert numbers(rabbitmq, block) == []


def test_checks_leave_no_channel_open(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pika, "ConnectionParameters", partial(pika.ConnectionParameters, channel_max=2))
    block = queue_of(rabbitmq)
    with closing(connect(block)) as connection:
        for _ in range(3):
            connection.check(block)
        connection.send(block, lifecycle())
    assert numbers(rabbitmq, block) == [1]


async def test_a_check_finds_a_missing_queue_and_a_wrong_password(rabbitmq: RabbitMQ) -> None:
    with pytest.raises(Refused, match="does not exist"):
        await check(config(rabbitmq))
    with pytest.raises(Refused, match="password"):
        await check(config(rabbitmq, CredentialsSecret="wrong"))


async def test_a_missing_queue_is_named(rabbitmq: RabbitMQ) -> None:
    error = await failure(block := config(rabbitmq))
    assert isinstance(error, Refused)
    assert f"queue {block.queue} does not exist" in str(error)
    assert f"127.0.0.1:{rabbitmq.port}" in str(error)


async def test_a_full_queue_is_tried_again(rabbitmq: RabbitMQ) -> None:
    block = config(rabbitmq)
    rabbitmq.declare_queue(block.queue, max_length=1, overflow="reject-publish")
    await publish(block, lifecycle(1))
    with pytest.raises(Unavailable, match="full"):
        await publish(block, lifecycle(2))


async def test_a_wrong_password_is_refused_and_never_shown(
    rabbitmq: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure(config(rabbitmq, CredentialsSecret="wrong-and-secret"))
    assert isinstance(error, Refused)
    assert "password" in str(error)
    assert "wrong-and-secret" not in caplog.text


async def test_an_unknown_virtual_host_is_refused(rabbitmq: RabbitMQ) -> None:
    error = await failure(config(rabbitmq, VirtualHost="nowhere"))
    assert isinstance(error, Refused)
    assert "virtual host" in str(error)


async def test_no_broker_is_tried_again(rabbitmq: RabbitMQ) -> None:
    error = await failure(config(rabbitmq, Port=free_ports(1)[0]))
    assert isinstance(error, Unavailable)
    assert "cannot be reached" in str(error)


async def test_an_unknown_host_is_tried_again(rabbitmq: RabbitMQ) -> None:
    assert isinstance(await failure(config(rabbitmq, Host="nowhere.invalid")), Unavailable)


async def test_a_host_that_can_be_none_is_refused(rabbitmq: RabbitMQ) -> None:
    assert isinstance(await failure(config(rabbitmq, Host="a..b")), Refused)


async def test_tls_to_a_plain_port_is_refused(rabbitmq: RabbitMQ) -> None:
    error = await failure(config(rabbitmq, Protocol="amqps"))
    assert "TLS" in str(error) or "cannot be reached" in str(error)


async def test_a_silent_server_does_not_hang(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers.rabbitmq, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await failure(config(rabbitmq, Port=silent.getsockname()[1]))
    assert isinstance(error, Unavailable)


async def test_a_broker_that_dies_is_noticed_and_found_again(rabbitmq: RabbitMQ) -> None:
    await publish(block := queue_of(rabbitmq), lifecycle(1))
    rabbitmq.kill()
    with pytest.raises(Unavailable):
        await publish(block, lifecycle(2))
    await asyncio.to_thread(rabbitmq.restart)
    # What the broker does with what it had confirmed is not ours: under load, it was seen to lose an event and a queue.
    rabbitmq.declare_queue(block.queue)
    await publish(block, lifecycle(2))
    assert numbers(rabbitmq, block)[-1] == 2


async def test_a_broker_that_restarted_meanwhile_is_found_at_once(rabbitmq: RabbitMQ) -> None:
    await publish(block := queue_of(rabbitmq), lifecycle(1))
    await asyncio.to_thread(rabbitmq.restart)
    await publish(block, lifecycle(2))
    assert numbers(rabbitmq, block) == [1, 2]


async def test_an_event_whose_confirmation_is_cut_off_comes_again_with_its_id(rabbitmq: RabbitMQ) -> None:
    with Proxy(rabbitmq.port) as proxy:
        await publish(block := queue_of(rabbitmq, Port=proxy.port), lifecycle(1))
        proxy.cut_at_answer = True
        with pytest.raises(Unavailable):  # also the second connection is cut, while it is made
            await publish(block, lifecycle(2))
        proxy.cut_at_answer = False
        await publish(block, lifecycle(2))
    bodies = [body for _, body in rabbitmq.drain(block.queue)]
    assert [body["SequenceNumber"] for body in bodies] == [1, 2, 2]
    assert bodies[1] == bodies[2]


async def test_an_event_larger_than_the_broker_allows_is_refused(rabbitmq: RabbitMQ) -> None:
    block = queue_of(rabbitmq)
    with pytest.raises(Refused, match="larger than the broker allows"):
        await publish(block, lifecycle(text="x" * 200_000))
    await publish(block, lifecycle(2))
    assert numbers(rabbitmq, block) == [2]


async def test_amqps_verifies_the_certificate(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(rabbitmq.tls.ca))
    tls = queue_of(rabbitmq, Protocol="amqps", Port=rabbitmq.tls_port)
    await publish(tls, lifecycle())
    assert numbers(rabbitmq, tls) == [1]
    other_name = config(rabbitmq, Protocol="amqps", Port=rabbitmq.tls_port, Host="127.1")
    assert "certificate" in str(await failure(other_name))
    monkeypatch.delenv("ENCODING_CA_FILE")
    error = await failure(config(rabbitmq, Protocol="amqps", Port=rabbitmq.tls_port, VirtualHost="another"))
    assert isinstance(error, Refused)
    assert "certificate" in str(error)


async def test_progress_whose_way_was_too_long_is_dropped(rabbitmq: RabbitMQ) -> None:
    block = queue_of(rabbitmq)
    with Proxy(rabbitmq.port) as proxy:
        way = config(rabbitmq, Port=proxy.port, Queue=block.queue)
        proxy.delay = 0.1  # to connect takes several times as long
        with pytest.raises(PublishError, match="out of date"):
            await publish(way, progress(percent=7), within=0.2)
        proxy.delay = 0.0
        await publish(way, progress(percent=8), within=60)
    assert [body["Progress"] for _, body in rabbitmq.drain(block.queue)] == [8]
