"""The consumers of docs/consumers.md, as they are written there, against real servers."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from publishers import publish
from publishers.asyncapi import BEGIN, EXAMPLES
from publishers.config import MessagePublisher
from publishers.events import JobSuccess, Message, Sender, event_schemas, message
from tests.servers.certificates import Certificates, certificates
from tests.servers.ftps import Pyftpd
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.service_bus import ServiceBus
from tests.servers.sqs import Sqs
from workflows.job import publishers_of

PAGE = (Path(__file__).parents[2] / "docs" / "consumers.md").read_text()
SECTION = r"^## ([^\n]+)\n\n(?:[^`\n]+\n\n)?```python\n(.*?)```"
CONSUMERS = dict(re.findall(SECTION, PAGE, flags=re.MULTILINE | re.DOTALL))
PATIENCE = 60


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBus]:
    with ExitStack() as stack:
        server = ServiceBus(tmp_path_factory.mktemp("bus"), ["events"])
        stack.callback(server.stop)
        server.start()
        yield server


@pytest.fixture(scope="module")
def ftp(tmp_path_factory: pytest.TempPathFactory, tls: Certificates) -> Iterator[Pyftpd]:
    with ExitStack() as stack:
        server = Pyftpd(tmp_path_factory.mktemp("ftp"), tls)
        stack.callback(server.stop)
        server.start()
        yield server


def story() -> list[Message]:
    """A whole job, of which two events come twice."""
    sender = Sender(str(uuid4()), "studio-one", "title-4711")
    bodies = [body for body in EXAMPLES if type(body).__name__ not in ("ImagesExtractionFailure", "FinalError")]
    assert isinstance(bodies[-1], JobSuccess)
    events = [message(sender, number, BEGIN, body) for number, body in enumerate(bodies, 1)]
    return [*events[:3], events[1], *events[3:-1], events[3], events[-1]]


def block(**fields: Any) -> MessagePublisher:
    [publisher] = publishers_of({"MessagePublishers": [fields]})
    return publisher


async def consumed(name: str, publisher: MessagePublisher, events: list[Message], **settings: str) -> None:
    for event in events:
        await publish(publisher, event)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CONSUMERS[name]),
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, errors.decode()) == (0, "")
    unique = {event.event_id: f"{event.sequence_number} {event.event_type}" for event in events}
    assert output.decode().splitlines() == list(unique.values())


def assert_valid(bodies: list[Any], events: list[Message]) -> None:
    """What really went over the wire fits the published schemas."""
    assert len(bodies) >= len({event.event_id for event in events})
    for body in bodies:
        Draft202012Validator(event_schemas()[body["EventType"]]).validate(body)


async def test_rabbitmq(rabbitmq: RabbitMQ) -> None:
    events, login = story(), {"CredentialsName": rabbitmq.user, "CredentialsSecret": rabbitmq.password}
    for queue in ("consumer", "raw"):
        rabbitmq.declare_queue(queue)
    address = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": rabbitmq.host, "Port": rabbitmq.port, **login}
    await consumed("RabbitMQ", block(Queue="consumer", **address), events, AMQP_URL=rabbitmq.url, QUEUE="consumer")
    for event in events:
        await publish(block(Queue="raw", **address), event)
    assert_valid([body for _, body in rabbitmq.drain("raw")], events)


async def test_azure_service_bus(bus: ServiceBus) -> None:
    events, connection = story(), bus.connection_string()
    publisher = block(Type="AzureServiceBusQueue", Connection=connection, Queue="events")
    await consumed("Azure Service Bus", publisher, events, CONNECTION=connection, QUEUE="events")
    await publish(publisher, events[0])
    assert_valid([json.loads(received.body) for received in bus.drain("events", 1)], events[:1])


async def test_amazon_sqs(sqs: Sqs) -> None:
    events, url = story(), sqs.create_queue(f"{uuid4()}.fifo", FifoQueue="true")
    login = {"CredentialsName": sqs.key_id, "CredentialsSecret": sqs.secret}
    publisher = block(Type="AmazonSqs", QueueUrl=url, Region=sqs.region, EndpointUrl=sqs.url, **login)
    login = {"AWS_ACCESS_KEY_ID": sqs.key_id, "AWS_SECRET_ACCESS_KEY": sqs.secret, "AWS_DEFAULT_REGION": sqs.region}
    await consumed("Amazon SQS", publisher, events, QUEUE_URL=url, ENDPOINT_URL=sqs.url, **login)
    again = story()
    await publish(publisher, again[0])
    assert_valid([json.loads(each["Body"]) for each in sqs.drain(url)], again[:1])


async def test_ftps(ftp: Pyftpd, tls: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(tls.ca))
    events = story()
    publisher = block(
        Type="Ftps", UriPath=f"{ftp.url}/events", CredentialsName=ftp.user, CredentialsSecret=ftp.password
    )
    login = {"FTP_USER": ftp.user, "FTP_PASSWORD": ftp.password, "CA_FILE": str(tls.ca)}
    folder = f"events/{events[0].job_id}"
    await consumed("FTPS", publisher, events, HOST="127.0.0.1", PORT=str(ftp.port), FOLDER=folder, **login)
    assert_valid([json.loads(file.read_text()) for file in (ftp.home / folder).iterdir()], events)


async def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(tmp_path))
    events = story()
    folder = tmp_path / events[0].job_id
    await consumed("Files", block(Type="Files", UriPath=str(tmp_path)), events, FOLDER=str(folder))
    assert_valid([json.loads(file.read_text()) for file in folder.iterdir()], events)


def test_every_transport_has_a_consumer() -> None:
    assert list(CONSUMERS) == ["RabbitMQ", "Azure Service Bus", "Amazon SQS", "FTPS", "Files"]
