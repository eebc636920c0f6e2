import asyncio
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pika
import pytest

import publishers.rabbitmq
from publishers import open_publisher
from publishers.base import Publisher, PublishError, Refused, Unavailable
from publishers.config import RabbitMq
from tests.publishers.messages import AT, lifecycle
from tests.servers.ports import free_ports
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


@asynccontextmanager
async def opened(rabbitmq: RabbitMQ, **changes: object) -> AsyncIterator[tuple[Publisher, str]]:
    block = config(rabbitmq, **changes)
    rabbitmq.declare_queue(block.queue)
    async with open_publisher(block) as publisher:
        yield publisher, block.queue


async def failure(block: RabbitMq) -> PublishError:
    with pytest.raises(PublishError) as caught:
        async with open_publisher(block) as publisher:
            await publisher.publish(lifecycle())
    assert block.credentials_secret not in str(caught.value)
    return caught.value


async def test_events_arrive_in_order_with_their_properties(rabbitmq: RabbitMQ) -> None:
    events = [lifecycle(number) for number in range(1, 4)]
    async with opened(rabbitmq) as (publisher, queue):
        for event in events:
            await publisher.publish(event)
    received = rabbitmq.drain(queue)
    assert [body for _, body in received] == [event.body for event in events]
    properties = received[0][0]
    assert properties.type == "ImagesExtractionFailure"
    assert properties.message_id == events[0].event_id
    assert properties.timestamp == int(AT.timestamp())
    assert properties.content_type == "application/json"
    assert properties.delivery_mode == pika.DeliveryMode.Persistent.value


async def test_the_body_is_compact_utf8(rabbitmq: RabbitMQ) -> None:
    async with opened(rabbitmq) as (publisher, queue):
        await publisher.publish(lifecycle())
    with rabbitmq.channel() as channel:
        _, _, body = channel.basic_get(queue, auto_ack=True)
    assert body.startswith(b'{"EventType":"ImagesExtractionFailure",')
    assert "größer, 世界".encode() in body


async def test_several_at_once_all_arrive(rabbitmq: RabbitMQ) -> None:
    async with opened(rabbitmq) as (publisher, queue):
        await asyncio.gather(*(publisher.publish(lifecycle(number)) for number in range(1, 51)))
    assert len(rabbitmq.drain(queue)) == 50


async def test_a_missing_queue_is_named(rabbitmq: RabbitMQ) -> None:
    error = await failure(block := config(rabbitmq))
    assert isinstance(error, Refused)
    assert f"queue {block.queue} does not exist" in str(error)
    assert f"127.0.0.1:{rabbitmq.port}" in str(error)


async def test_a_full_queue_is_tried_again(rabbitmq: RabbitMQ) -> None:
    block = config(rabbitmq)
    rabbitmq.declare_queue(block.queue, max_length=1, overflow="reject-publish")
    async with open_publisher(block) as publisher:
        await publisher.publish(lifecycle(1))
        with pytest.raises(Unavailable, match="full"):
            await publisher.publish(lifecycle(2))


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
    async with opened(rabbitmq) as (publisher, queue):
        await publisher.publish(lifecycle(1))
        rabbitmq.kill()
        with pytest.raises(Unavailable):
            await publisher.publish(lifecycle(2))
    await asyncio.to_thread(rabbitmq.restart)
    async with opened(rabbitmq, Queue=queue) as (publisher, _):
        await publisher.publish(lifecycle(2))
    # What the broker does with what it had confirmed is not ours: under load, it was seen to lose it.
    assert [body["SequenceNumber"] for _, body in rabbitmq.drain(queue)][-1] == 2


async def test_an_idle_connection_stays_open(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers.rabbitmq, "PATIENCE", 1)
    async with opened(rabbitmq) as (publisher, queue):
        await asyncio.sleep(4)  # the broker closes after two silent heartbeats
        await publisher.publish(lifecycle())
    assert len(rabbitmq.drain(queue)) == 1


async def test_an_untrusted_certificate_is_refused(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with tls_server(tmp_path) as port:
        error = await failure(config(rabbitmq, Protocol="amqps", Port=port))
    assert isinstance(error, Refused)
    assert "certificate" in str(error)


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """Answers one connection with a certificate that nobody signed."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *named], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as connection:  # the client hangs up
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=[listener])
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
