"""Hosts that a job names and that send a byte now and then, or none: they hold no thread for long, nor a cancel up."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from pika import frame

import publishers.rabbitmq
from activities.drm.config import DrmManaged
from activities.drm.key import DrmError
from activities.storage import storage_of
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import AzureBlobLocation, FtpsLocation, HttpLocation, Location, S3CompatibleLocation
from publishers import pace, publish
from publishers.base import PublishError, Unavailable
from publishers.config import MessagePublisher
from publishers.connections import close_connections
from tests.publishers.messages import lifecycle
from tests.security.leading import (
    Lead,
    azure,
    azure_tls,
    emulator,
    followed,
    ftp,
    http,
    https,
    key_service,
    rabbitmq,
    s3,
    s3_role,
    s3_tls,
    sqs,
)
from tests.servers.amqp_script import Broker, Script
from tests.servers.certificates import Certificates, certificates
from tests.servers.ftp_script import Script as FtpScript
from tests.servers.ports import port_of
from tests.servers.raw import Raw, answer

STEP = 0.15
PATIENT_STEP = 1.5
"""Where a slow host must not be given up: a busy machine lets a piece wait for half a second."""
LONG = 5.0
"""Seconds; all that is waited for here is over in a tenth of them."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999\r\n\r\n"
SIZE = (8 << 20) + 1


def leads(*named: Lead) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("lead", named, ids=lambda lead: lead.__name__)


class TlsRaw(Raw):
    """The same inside of TLS."""

    def __init__(self, made: Certificates, pieces: Iterator[bytes]) -> None:
        super().__init__(lambda _: pieces)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)

    def serve(self, client: socket.socket) -> None:
        with self._context.wrap_socket(client, server_side=True) as secured:
            super().serve(secured)


@pytest.fixture(autouse=True)
def _steps_are_short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pace, "STEP_SECONDS", STEP)
    yield
    close_connections()


@pytest.fixture
def drip() -> Iterator[Callable[..., Iterator[bytes]]]:
    """Bytes that come now and then, until the test ends, or two times as long as it may take."""
    over = threading.Event()

    def dripping(head: bytes, drop: bytes = b" ") -> Iterator[bytes]:
        yield head
        for _ in range(round(2 * LONG / 0.02)):
            if over.wait(0.02):
                return
            yield drop

    yield dripping
    over.set()


Drip = Callable[..., Iterator[bytes]]


async def is_given_up(section: Location | MessagePublisher | DrmManaged) -> None:
    begin = time.monotonic()
    with pytest.raises((StorageError, PublishError, DrmError)) as caught:
        await followed(section)
    assert time.monotonic() - begin < LONG
    assert isinstance(caught.value, Unavailable) or getattr(caught.value, "temporary", False)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", HEAD], ids=["head", "body"])
@leads(s3, s3_role, azure, sqs)
async def test_an_answer_has_its_time(lead: Lead, head: bytes, drip: Drip) -> None:
    with Raw(lambda _: drip(head)) as server:
        await is_given_up(lead(f"127.0.0.1:{server.port}"))


@leads(https, s3_tls, azure_tls, key_service)
async def test_so_it_has_inside_of_tls(lead: Lead, drip: Drip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificates(tmp_path / "tls")
    monkeypatch.setenv("ENCODING_CA_FILE", str(made.ca))
    with TlsRaw(made, drip(HEAD)) as server:
        await is_given_up(lead(f"127.0.0.1:{server.port}"))


async def test_a_reply_of_an_ftp_server_has_its_time(drip: Drip) -> None:
    with Script(drip(b"220 ")) as server:
        await is_given_up(ftp(f"127.0.0.1:{server.port}"))


def test_a_file_of_an_ftp_server_comes_at_some_pace(drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.storage.ftps.storage.PIECE_SECONDS", 0.01)
    with (
        FtpScript({"SIZE": "213 9999"}, drip(b"x")) as server,
        closing(storage_of(ftp(f"127.0.0.1:{server.port}"))) as source,
    ):
        begin = time.monotonic()
        with pytest.raises(StorageError, match="stopped answering"):
            list(source.read(Entry("x", 9999), Span(0, 9999)))
        assert time.monotonic() - begin < LONG


async def test_the_first_words_of_a_service_bus_have_their_time(drip: Drip) -> None:
    with Script(drip(b"AMQP\x03\x01\x00\x00\x00\x00\x10\x00\x02\x01\x00\x00")) as server:
        await is_given_up(emulator(f"127.0.0.1:{server.port}"))


async def test_a_broker_that_only_shows_life_does_not_confirm(drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers.rabbitmq, "CONFIRM_SECONDS", STEP)
    life = frame.Heartbeat().marshal()
    with Broker(drip(life, life)) as server, pytest.raises(Unavailable, match="does not confirm in time"):
        await publish(rabbitmq(f"127.0.0.1:{server.port}"), lifecycle())


def test_a_service_may_take_long_to_put_a_file_together(
    drip: Drip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 does: it sends spaces meanwhile."""
    monkeypatch.setattr(pace, "STEP_SECONDS", PATIENT_STEP)

    def reply(head: str) -> Iterator[bytes]:
        if head.startswith("POST"):
            spaces = drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<?xml version='1.0'?>")
            yield from islice(spaces, 100)
            yield b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
        elif head.startswith("HEAD"):
            yield f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n".encode()
        else:
            yield from answer(b"<ListPartsResult></ListPartsResult>")

    with (tmp_path / "x").open("wb") as file:
        file.truncate(SIZE)
    kept = {"upload": "u", "part size": str(8 << 20), "part 1": "1", "part 2": "2"}
    with Raw(reply) as server, closing(storage_of(s3(f"127.0.0.1:{server.port}"))) as storage:
        begin = time.monotonic()
        storage.upload(tmp_path / "x", "x", kept).finish()
        assert time.monotonic() - begin > PATIENT_STEP
    assert not kept


@leads(http, s3, azure, ftp)
def test_a_slow_host_may_take_long_for_a_whole_file(lead: Lead, drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "STEP_SECONDS", PATIENT_STEP)
    part, parts = bytes(1 << 16), 100
    size = parts * len(part)
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{size - 1}/{size}\r\nContent-Length: {size}\r\n\r\n"
    file = islice(drip(b"" if lead is ftp else head.encode(), part), parts + 1)
    with FtpScript({"SIZE": f"213 {size}"}, file) if lead is ftp else Raw(lambda _: file) as server:
        location = lead(f"127.0.0.1:{server.port}")
        assert isinstance(location, FtpsLocation | HttpLocation | S3CompatibleLocation | AzureBlobLocation)
        begin = time.monotonic()
        with closing(storage_of(location)) as source:
            assert sum(map(len, source.read(Entry("x", size), Span(0, size)))) == size
        assert time.monotonic() - begin > PATIENT_STEP


@leads(http, s3, azure, ftp)
async def test_a_cancel_does_not_wait_for_a_silent_host(
    lead: Lead, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STEP_SECONDS", 60.0)
    following = asyncio.create_task(followed(lead(f"127.0.0.1:{port_of(listener)}")))
    listener.settimeout(LONG)
    connection, _ = await asyncio.to_thread(listener.accept)
    with connection:
        await asyncio.sleep(0.1)  # the thread waits for a word
        following.cancel()
        begin = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await following
        assert time.monotonic() - begin < LONG
