"""What is promised of delivery, over every transport at once, with faults that are real."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from tests.clips import Clips
from tests.integration.service import Ended, Event, Service, running
from tests.integration.test_outages import assert_same_story, bodies, queue
from tests.servers.certificates import certificates
from tests.servers.ftps import Pyftpd
from tests.servers.ports import free_ports
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.service_bus import ServiceBus
from tests.servers.sqs import Sqs
from tests.servers.temporal import TemporalServer
from workflows.job import Job
from workflows.keys import create, protect_job, public_key

LONG = {"seconds": 20, "size": "1280x720"}
MEASURED = {"Timestamp", "SpeedFactor", "RemainingSeconds"}


@dataclass
class Receivers:
    """One of each kind; what they have received is read without any code of the publishers."""

    rabbitmq: RabbitMQ
    sqs: Sqs
    bus: ServiceBus
    ftp: Pyftpd
    public_key: Path

    @property
    def secrets(self) -> list[str]:
        return [self.rabbitmq.password, self.sqs.secret, self.bus.key, self.ftp.password]

    def add_to(self, job: dict[str, Any]) -> "Addressed":
        """Append a block for each to the job, their secrets protected."""
        login = {"CredentialsName": self.sqs.key_id, "CredentialsSecret": self.sqs.secret}
        name = f"events-{free_ports(1)[0]}"
        self.rabbitmq.declare_queue(name)
        url = self.sqs.create_queue(f"{name}.fifo", FifoQueue="true")
        ftp = {"CredentialsName": self.ftp.user, "CredentialsSecret": self.ftp.password}
        job["MessagePublishers"] += [
            queue(self.rabbitmq, name),
            {"Type": "AmazonSqs", "QueueUrl": url, "Region": self.sqs.region, "EndpointUrl": self.sqs.url, **login},
            {"Type": "AzureServiceBusQueue", "Connection": self.bus.connection_string(), "Queue": "events"},
            {"Type": "Ftps", "UriPath": f"{self.ftp.url}/events", **ftp},
        ]
        assert protect_job(job, Job.parse(job), public_key(self.public_key)) == 4
        return Addressed(self, name, url)


@dataclass
class Addressed:
    """The receivers' ends of one job."""

    receivers: Receivers
    queue: str
    queue_url: str

    async def stories(self, job_id: str) -> dict[str, list[Event]]:
        """By transport, in the order in which they arrived; files have no other order than their names."""
        sqs = await asyncio.to_thread(self.receivers.sqs.drain, self.queue_url)
        bus = await asyncio.to_thread(self.receivers.bus.drain, "events", 1)
        files = sorted((self.receivers.ftp.home / "events" / job_id).glob("*.json"))
        by_name = [json.loads(file.read_text()) for file in files]
        return {
            "RabbitMQ": await bodies(self.receivers.rabbitmq, self.queue),
            "AmazonSqs": [json.loads(message["Body"]) for message in sqs],
            "AzureServiceBusQueue": [event for each in bus if (event := json.loads(each.body))["JobId"] == job_id],
            "Ftps": sorted(by_name, key=lambda event: (event["SequenceNumber"], event.get("Progress", -1))),
        }


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory, rabbitmq: RabbitMQ, sqs: Sqs) -> Iterator[Receivers]:
    folder = tmp_path_factory.mktemp("receivers")
    bus = ServiceBus(folder, ["events"])
    ftp = Pyftpd(folder, certificates(folder / "tls"))
    _, public = create(folder / "keys")
    with ExitStack() as stack:
        for server in (bus, ftp):
            stack.callback(server.stop)
            server.start()
        yield Receivers(rabbitmq, sqs, bus, ftp, public)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer, receivers: Receivers
) -> Iterator[Service]:
    settings = {
        "ENCODING_CA_FILE": str(receivers.public_key.parents[1] / "tls" / "ca.pem"),
        "ENCODING_PRIVATE_KEYS": str(receivers.public_key.with_name("private.pem")),
        "ENCODING_LOG_LEVEL": "DEBUG",
    }
    with running(tmp_path_factory.mktemp("delivery"), temporal_server.address, **settings) as service:
        yield service


def once(story: list[Event]) -> list[Event]:
    """What a consumer keeps that drops an `EventId` it has seen."""
    seen: dict[str, Event] = {}
    for event in story:
        first = seen.setdefault(event["EventId"], event)
        # A percent that is told again, as the worker died before it knew that it had told it, is measured again.
        measured = MEASURED if "Progress" in event else set()
        assert {**first, **dict.fromkeys(measured)} == {**event, **dict.fromkeys(measured)}
    return list(seen.values())


async def history_of(handle: WorkflowHandle[Any, Any]) -> str:
    """All of it as the server keeps it; its JSON form would hide payloads in base64."""
    events = (await handle.fetch_history()).events
    return b"".join(event.SerializeToString() for event in events).decode(errors="replace")


@pytest.mark.slow
async def test_five_publishers_tell_one_story_though_the_worker_is_killed_twice(
    service: Service, receivers: Receivers, clip: Clips
) -> None:
    job = service.job(service.source(clip(**LONG), name="long"))  # type: ignore[arg-type]
    addressed = receivers.add_to(job)
    handle = await service.submit(job)
    for moment in ("EncodingProgress", "EncodingFinished"):
        await service.wait_for(handle.id, moment)
        service.kill()
        service.start()
    ended = await service.end(handle)
    assert ended.names[-1] == "JobSuccess"
    assert ended.result["Undelivered"] == []
    for transport, story in (await addressed.stories(handle.id)).items():
        assert once(story), transport
        assert_same_story(once(story), ended)


async def test_no_secret_is_anywhere(service: Service, receivers: Receivers, clip: Clips) -> None:
    source = service.source(clip(), name="short")
    failing = {"VideoStreamExpression": r"\.nothing$"}
    jobs = [service.job(source), service.job(source, MediaMappings=failing), service.job(source, Unheard="of")]
    addressed = [receivers.add_to(job) for job in jobs[:2]]
    jobs[2]["MessagePublishers"] = jobs[0]["MessagePublishers"]
    sampled: set[str] = set()
    sampling = asyncio.create_task(_sample(service, sampled))
    handles = [await service.submit(job) for job in jobs]
    await handles[0].signal("progress_reported", "nonsense")
    ended: list[Ended] = [await service.end(handle) for handle in handles]
    sampling.cancel()
    assert [each.names[-1] for each in ended] == ["JobSuccess", "FinalError", "FinalError"]
    seen = {
        "histories": "".join([await history_of(handle) for handle in handles]),
        "descriptions": str([(await handle.describe()).raw_description for handle in handles]),
        "queries": str([await handle.query("progress") for handle in handles]),
        "log": service.log,
        "events": str([await each.stories(handle.id) for each, handle in zip(addressed, handles, strict=False)]),
        "arguments and workspace": str(sampled),
    }
    assert "DEBUG" in seen["log"]
    assert jobs[0]["MessagePublishers"][1]["CredentialsSecret"] in seen["histories"]
    assert "manifest.mpd" in seen["arguments and workspace"]
    for place, text in seen.items():
        assert text, place
        for secret in receivers.secrets:
            assert secret not in text, place


async def _sample(service: Service, sampled: set[str]) -> None:
    """Arguments of the worker and of all that it has started, and what lies in the work folder, again and again."""
    while True:
        arguments = [Path(f"/proc/{pid}/cmdline") for pid in [service.pid, *_descendants(service.pid)]]
        for file in [*arguments, *service.work.rglob("*")]:
            with suppress(OSError):  # it was quicker
                sampled.add(f"{file}: " + file.read_bytes()[:4096].decode(errors="replace"))
        await asyncio.sleep(0.02)


def _descendants(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, thread.read_text().split()):
                yield child
                yield from _descendants(child)


async def test_what_cannot_be_delivered_shows_in_the_ui_before_anything_is_sent(
    service: Service, receivers: Receivers, clip: Clips
) -> None:
    job = service.job(service.source(clip(), name="short"))
    job["MessagePublishers"].append(queue(receivers.rabbitmq, "no-such-queue"))
    handle = await service.submit(job)
    await service.end(handle)
    details = str(await handle.query("__temporal_workflow_metadata"))
    assert "the queue no-such-queue does not exist" in details


async def _others_are_done(handle: WorkflowHandle[Any, Any]) -> None:
    """The lanes of receivers that are there have nothing left to send."""
    while sum(lane["State"] == "Sending" for lane in (await handle.query("progress"))["Delivery"]) > 1:
        await asyncio.sleep(0.1)


async def test_an_outage_costs_no_history(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="short"))
    nobody = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": "127.0.0.1", "Port": free_ports(1)[0], "Queue": "q"}
    job["MessagePublishers"].append({**nobody, "CredentialsName": "me", "CredentialsSecret": "s3cret"})
    handle = await service.submit(job)
    await service.wait_for(handle.id, "JobSuccess")
    lengths: dict[int, int] = {}
    await _others_are_done(handle)
    while len(lengths) < 3:
        raw = (await handle.describe()).raw_description
        attempts = [each.attempt for each in raw.pending_activities if each.activity_type.name == "publish_events"]
        assert len(attempts) == 1
        lengths[attempts[0]] = raw.workflow_execution_info.history_length
        await asyncio.sleep(0.2)
    assert len(set(lengths.values())) == 1, lengths
    await handle.terminate()


async def test_metrics_count_what_was_delivered_and_what_was_not(
    tmp_path: Path, temporal_server: TemporalServer, service: Service, clip: Clips
) -> None:
    service.stop()
    address = f"127.0.0.1:{free_ports(1)[0]}"
    try:
        with running(tmp_path / "s", temporal_server.address, ENCODING_METRICS_ADDRESS=address) as measured:
            ended = await measured.run(measured.job(measured.source(clip())))
            reader, writer = await asyncio.open_connection(*address.split(":"))
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            metrics = (await reader.read()).decode()
            writer.close()
    finally:
        service.start()
    [line] = [line for line in metrics.splitlines() if line.startswith("encoding_events_delivered")]
    assert 'transport="Files"' in line
    assert len(ended.lifecycle) <= float(line.split()[-1]) <= len(ended.events)
