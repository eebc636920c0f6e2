import asyncio
import json
import logging
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

import publishers.service_bus
from activities.notify import PublishRequest, publish_events
from publishers import check, publish
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import AzureServiceBusQueue
from publishers.connections import CONNECTIONS, close_connections
from publishers.events import ImagesExtracted, Message, message
from publishers.tls import VARIABLE
from tests.activities.running import Running
from tests.publishers.messages import AT, JOB_ID, SENDER, lifecycle, progress
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy
from tests.servers.service_bus import ServiceBus

QUEUES = [f"events-{number}" for number in range(20)]
UNUSED = iter(QUEUES)
TLS_HOST = "127.0.0.3"
TLS_PORT = 5671
"""With TLS, the library takes no other: so each needs an address of its own."""
OF_EVENTS = ["ImagesExtractionFailure", "AcquisitionProgress", "JobCreated", "JobSuccess", "FinalError"]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBus]:
    server = ServiceBus(tmp_path_factory.mktemp("service-bus"), QUEUES + OF_EVENTS)
    with ExitStack() as stack:
        stack.callback(server.stop)
        stack.callback(close_connections)
        server.start()
        yield server


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return next(UNUSED)


def config(bus: ServiceBus, queue: str | None = None, **changes: str) -> AzureServiceBusQueue:
    connection = bus.connection_string(**changes)
    return AzureServiceBusQueue.model_validate(
        {"Type": "AzureServiceBusQueue", "Connection": connection, "Queue": queue}
    )


def events_in(bus: ServiceBus, queue: str, expected: int) -> list[Message]:
    return [Message(json.loads(received.body)) for received in bus.drain(queue, expected)]


async def failure(block: AzureServiceBusQueue, event: Message | None = None) -> PublishError:
    with pytest.raises(PublishError) as caught:
        await publish(block, event or lifecycle())
    assert "Signature" not in str(caught.value)
    assert "SharedAccessKey" not in str(caught.value)
    return caught.value


async def test_events_arrive_in_order_with_their_properties(bus: ServiceBus, queue: str) -> None:
    events = [lifecycle(number) for number in range(1, 6)]
    for event in events:
        await publish(config(bus, queue), event)
    received = bus.drain(queue, 5)
    assert [json.loads(each.body) for each in received] == [event.body for event in events]
    assert "größer, 世界" in received[0].body
    assert received[0].properties == {"OriginalMessageType": "ImagesExtractionFailure"}
    first = received[0].message
    assert (first.message_id, first.session_id) == (events[0].event_id, JOB_ID)
    assert (first.subject, first.content_type) == ("ImagesExtractionFailure", "application/json")


async def test_without_a_queue_each_event_goes_to_its_own(bus: ServiceBus) -> None:
    for event in (lifecycle(1), progress(1), lifecycle(2)):
        await publish(config(bus), event)
    assert events_in(bus, "ImagesExtractionFailure", 2) == [lifecycle(1), lifecycle(2)]
    assert events_in(bus, "AcquisitionProgress", 1) == [progress(1)]


async def test_an_event_whose_own_queue_is_missing_holds_up_no_other(bus: ServiceBus) -> None:
    unwanted = message(SENDER, 1, AT, ImagesExtracted(relative_path="images", images=["1.jpg"]))
    await Running()(publish_events, PublishRequest(config(bus), [unwanted, lifecycle(2)]))
    assert events_in(bus, "ImagesExtractionFailure", 1) == [lifecycle(2)]


async def test_a_connection_string_may_name_the_queue(bus: ServiceBus, queue: str) -> None:
    await publish(config(bus, EntityPath=queue), lifecycle(1))
    await publish(config(bus, queue, EntityPath=queue), lifecycle(2))
    assert events_in(bus, queue, 2) == [lifecycle(1), lifecycle(2)]


async def test_a_connection_string_that_names_another_queue_is_refused(bus: ServiceBus, queue: str) -> None:
    error = await failure(config(bus, queue, EntityPath="other"))
    assert isinstance(error, Refused)
    assert "EntityPath" in str(error)


async def test_a_signature_does_instead_of_a_key(bus: ServiceBus, queue: str) -> None:
    no_key = {"SharedAccessKeyName": "", "SharedAccessKey": ""}
    await publish(config(bus, queue, **no_key, SharedAccessSignature=bus.signature()), lifecycle())
    assert events_in(bus, queue, 1) == [lifecycle()]
    error = await failure(config(bus, queue, **no_key, SharedAccessSignature=bus.signature() + "x"))
    assert isinstance(error, Refused)


async def test_many_at_once_share_a_few_connections(bus: ServiceBus, queue: str) -> None:
    with Proxy(bus.port) as proxy:
        block = config(bus, queue, Endpoint=f"sb://127.0.0.1:{proxy.port}")
        await asyncio.gather(*(publish(block, lifecycle(number)) for number in range(1, 41)))
        assert proxy.open <= CONNECTIONS
    assert sorted(event.sequence_number for event in events_in(bus, queue, 40)) == list(range(1, 41))


async def test_a_check_sends_nothing(bus: ServiceBus, queue: str) -> None:
    await check(config(bus, queue))
    await check(config(bus))
    assert events_in(bus, queue, 0) == []
    assert events_in(bus, "JobCreated", 0) == []


async def test_a_check_finds_what_is_wrong(bus: ServiceBus, queue: str) -> None:
    with pytest.raises(Refused, match="has no queue nowhere"):
        await check(config(bus, "nowhere"))
    with pytest.raises(Refused, match=f"not let this key send to the queue {bus.locked}"):
        await check(config(bus, bus.locked))
    with pytest.raises(Refused, match="key or signature"):
        await check(config(bus, queue, SharedAccessKey="wrong"))


async def test_a_missing_queue_is_named(bus: ServiceBus) -> None:
    error = await failure(config(bus, "nowhere"))
    assert type(error) is Refused  # by this name metrics count it
    assert str(error) == f"Azure Service Bus {bus.host} has no queue nowhere; create it"


async def test_an_event_larger_than_the_queue_allows_is_refused(bus: ServiceBus, queue: str) -> None:
    error = await failure(config(bus, queue), lifecycle(text="x" * 1_100_000))
    assert isinstance(error, Refused)
    assert "larger than the queue" in str(error)
    await publish(config(bus, queue), large := lifecycle(text="x" * 900_000))
    assert events_in(bus, queue, 1) == [large]


async def test_a_namespace_that_is_away_is_tried_again(bus: ServiceBus, queue: str) -> None:
    for endpoint in (f"sb://127.0.0.1:{free_ports(1)[0]}", "sb://nowhere.invalid"):
        error = await failure(config(bus, queue, Endpoint=endpoint))
        assert isinstance(error, Unavailable)
        assert "cannot be reached" in str(error)


async def test_a_namespace_that_dies_gets_the_backlog_in_order(bus: ServiceBus, queue: str) -> None:
    await publish(config(bus, queue), lifecycle(1))
    bus.kill()
    assert isinstance(await failure(config(bus, queue), lifecycle(2)), Unavailable)
    await asyncio.to_thread(bus.restart)
    for number in (2, 3, 4):
        await publish(config(bus, queue), lifecycle(number))
    assert [event.sequence_number for event in events_in(bus, queue, 4)] == [1, 2, 3, 4]


async def test_a_namespace_that_restarted_meanwhile_is_found_at_once(bus: ServiceBus, queue: str) -> None:
    await publish(config(bus, queue), lifecycle(1))
    bus.kill()
    await asyncio.to_thread(bus.restart)
    await publish(config(bus, queue), lifecycle(2))
    assert [event.sequence_number for event in events_in(bus, queue, 2)] == [1, 2]


async def test_an_event_whose_confirmation_is_cut_off_is_not_lost(bus: ServiceBus, queue: str) -> None:
    with Proxy(bus.port) as proxy:
        block = config(bus, queue, Endpoint=f"sb://127.0.0.1:{proxy.port}")
        await publish(block, lifecycle(1))
        proxy.cut_at_answer = True
        assert isinstance(await failure(block, lifecycle(2)), Unavailable)
        proxy.cut_at_answer = False
        await publish(block, lifecycle(2))
    first, *again = events_in(bus, queue, 2)
    assert first == lifecycle(1)
    assert again in ([lifecycle(2)], [lifecycle(2)] * 2)  # the cut can come before the event, too


@pytest.mark.parametrize("emulator", ["true", ""])
async def test_a_silent_server_does_not_hang(
    bus: ServiceBus, queue: str, monkeypatch: pytest.MonkeyPatch, emulator: str
) -> None:
    monkeypatch.setattr(publishers.service_bus, "PATIENCE", 1)
    with socket.create_server(("127.0.0.2", 0 if emulator else TLS_PORT)) as silent:
        endpoint = f"sb://127.0.0.2:{silent.getsockname()[1]}"
        error = await failure(config(bus, queue, Endpoint=endpoint, UseDevelopmentEmulator=emulator))
    assert isinstance(error, Unavailable)


async def test_nothing_is_left_when_connections_close(bus: ServiceBus, queue: str) -> None:
    close_connections()
    await asyncio.to_thread(bus.drain, queue)  # asyncio keeps this thread
    threads, sockets = threading.active_count(), open_sockets()
    await publish(config(bus, queue), lifecycle(1))
    await failure(config(bus, queue, SharedAccessKey="wrong"))
    bus.kill()
    await failure(config(bus, queue), lifecycle(2))
    await asyncio.to_thread(bus.restart)
    await publish(config(bus, queue), lifecycle(2))
    close_connections()
    # Not the same ones: what tests before this one have left may go meanwhile.
    assert threading.active_count() <= threads
    assert open_sockets() <= sockets


def open_sockets() -> set[str]:
    links = Path("/proc/self/fd").iterdir()
    return {str(link.readlink()) for link in links if link.is_symlink() and "socket" in str(link.readlink())}


async def test_no_secret_is_in_any_log(bus: ServiceBus, queue: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    signature = bus.signature()
    await publish(config(bus, queue), lifecycle())
    await publish(
        config(bus, queue, SharedAccessKeyName="", SharedAccessKey="", SharedAccessSignature=signature), lifecycle()
    )
    await failure(config(bus, queue, SharedAccessKey="wrong-and-secret"))
    assert caplog.text
    for secret in (bus.key, signature.split("sig=")[1][:20], "sig=", "wrong-and-secret"):
        assert secret not in caplog.text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that only itself has signed, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=bus", "-addext", f"subjectAltName=IP:{TLS_HOST}", "-keyout", str(key), "-out"]
    subprocess.run([*make, *named, str(certificate)], check=True, capture_output=True)
    return certificate, key


@asynccontextmanager
async def tls(port: int, certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """TLS in front of a server; yields the address for a connection string."""
    served: list[asyncio.Task[None] | None] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, to_server), carry(from_server, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with await asyncio.start_server(serve, TLS_HOST, TLS_PORT, ssl=context, ssl_shutdown_timeout=1):
        yield f"sb://{TLS_HOST}"
        await asyncio.to_thread(close_connections)
        await asyncio.wait([task for task in served if task])


async def test_a_certificate_must_be_trusted(
    bus: ServiceBus, queue: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls(bus.port, certificate) as endpoint:
        block = config(bus, queue, Endpoint=endpoint, UseDevelopmentEmulator="")
        error = await failure(block)
        monkeypatch.setenv(VARIABLE, str(certificate[0]))
        await publish(block, lifecycle())
    assert isinstance(error, Refused)
    assert "certificate" in str(error)
    assert events_in(bus, queue, 1) == [lifecycle()]


async def test_a_namespace_that_dies_behind_tls_gets_the_backlog(
    bus: ServiceBus, queue: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(certificate[0]))
    async with tls(bus.port, certificate) as endpoint:
        block = config(bus, queue, Endpoint=endpoint, UseDevelopmentEmulator="")
        await publish(block, lifecycle(1))
        bus.kill()
        assert isinstance(await failure(block, lifecycle(2)), Unavailable)
        await asyncio.to_thread(bus.restart)
        await publish(block, lifecycle(2))
    assert events_in(bus, queue, 2) == [lifecycle(1), lifecycle(2)]
