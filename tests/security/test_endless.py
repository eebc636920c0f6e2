"""Hosts that a job names and that answer without end: refused before the worker's memory is theirs."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest
from pika import frame, spec

from activities.storage import storage_of
from activities.storage.base import StorageError
from activities.storage.config import Location
from publishers import check, publish
from publishers.base import PublishError, Unavailable
from publishers.config import MessagePublisher
from publishers.connections import close_connections
from publishers.pace import STEP_BYTES
from tests.activities.storage.doing import nothing
from tests.publishers.messages import lifecycle
from tests.security.leading import azure, emulator, followed, rabbitmq, s3, s3_role, sqs
from tests.servers.amqp_script import Broker, Script, method
from tests.servers.raw import ENDLESS, Raw, answer

Lead = Callable[[str], Location | MessagePublisher]
CHUNKED = "Content-Type: application/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
BLOCK = b"10000\r\n" + b" " * (1 << 16) + b"\r\n"
LISTING = (
    b"<ListBucketResult><IsTruncated>false</IsTruncated>"
    b"<Contents><Key>in/x</Key><Size>9</Size></Contents></ListBucketResult>"
)
MULTIPLYING = b'<!DOCTYPE x [<!ATTLIST x a CDATA "many">]><x><x/><x/></x>'

xml_readers = pytest.mark.parametrize("lead", [s3, s3_role, azure], ids=lambda lead: lead.__name__)


@pytest.fixture(autouse=True)
def _connections_are_made_anew() -> Iterator[None]:
    yield
    close_connections()


class Endless:
    """An answer without end, and how many bytes of it were taken."""

    def __init__(self, head: bytes, piece: bytes = BLOCK) -> None:
        self.taken = 0
        self._head, self._piece = head, piece

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        for piece in repeat(self._piece, ENDLESS // len(self._piece)):
            yield piece
            self.taken += len(piece)

    @property
    def is_bounded(self) -> bool:
        """Whether little more than a step was taken: the system's buffers hold some megabytes."""
        return self.taken < 3 * STEP_BYTES


async def refusal(section: Location | MessagePublisher) -> str:
    with pytest.raises((StorageError, PublishError)) as caught:
        await followed(section)
    return str(caught.value)


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
@pytest.mark.parametrize("lead", [s3, s3_role, azure, sqs], ids=lambda lead: lead.__name__)
async def test_an_answer_is_not_gathered_without_end(lead: Lead, status: str) -> None:
    sent = Endless(f"HTTP/1.1 {status}\r\n{CHUNKED}".encode())
    with Raw(lambda _: sent) as server:
        assert "does not end" in await refusal(lead(f"127.0.0.1:{server.port}"))
    assert sent.is_bounded


async def test_of_a_file_no_more_is_read_than_was_asked_for() -> None:
    sent = Endless(f"HTTP/1.1 206 Partial Content\r\n{CHUNKED}".encode())
    with Raw(lambda head: answer(LISTING) if "list-type" in head else sent) as server:
        await followed(s3(f"127.0.0.1:{server.port}"))
    assert sent.is_bounded


def test_a_library_that_reads_on_behind_the_end_comes_to_one(tmp_path: Path) -> None:
    """So does botocore, where a service that shall say whether to send a file breaks off within its words."""
    (tmp_path / "x").write_bytes(b"content")
    with (
        Raw(lambda _: [b"HTTP/1.1 100 Continue\r\n"]) as server,
        closing(storage_of(s3(f"127.0.0.1:{server.port}"))) as storage,
    ):
        [part] = (upload := storage.upload(tmp_path / "x", "x", {})).missing()
        with pytest.raises(StorageError, match="does not end"):
            upload.send(part, nothing)


@xml_readers
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
async def test_no_answer_defines_what_multiplies(lead: Lead, status: str) -> None:
    with Raw(lambda _: answer(MULTIPLYING, status=status, kind="application/xml")) as server:
        assert "none of such a service" in await refusal(lead(f"127.0.0.1:{server.port}"))


async def test_what_azure_packs_is_not_unpacked() -> None:
    with Raw(lambda _: answer(b"\x1f\x8bnothing", "Content-Encoding: gzip", kind="application/xml")) as server:
        assert "packs what it sends" in await refusal(azure(f"127.0.0.1:{server.port}"))
        assert "Accept-Encoding: identity" in server.requests[0]


async def test_a_service_bus_gets_no_room_for_more_than_was_agreed() -> None:
    with Script([b"AMQP\x03\x01\x00\x00", b"\xff\xff\xff\xff\x02\x01\x00\x00"]) as server:
        assert "larger than was agreed" in await refusal(emulator(f"127.0.0.1:{server.port}"))


FRAME = b"\x01\x00\x00\xff\xff\xff\xff"
RETURNED = [
    method(1, spec.Basic.Return(312, "NO_ROUTE", "", "q")),
    frame.Header(1, 1 << 60, spec.BasicProperties()).marshal(),
]


@pytest.mark.parametrize(
    "sent", [Endless(FRAME), Endless(b"".join(RETURNED), frame.Body(1, bytes(1 << 16)).marshal())], ids=["frame", "all"]
)
async def test_a_broker_sends_no_more_than_was_agreed(sent: Endless) -> None:
    with Broker(sent) as server, pytest.raises(Unavailable, match="sends more at once than was agreed"):
        await publish(rabbitmq(f"127.0.0.1:{server.port}"), lifecycle())
    assert sent.is_bounded


async def test_nor_before_anything_was_agreed() -> None:
    sent = Endless(FRAME)
    with Script(sent) as server, pytest.raises(PublishError):
        await check(rabbitmq(f"127.0.0.1:{server.port}"))
    assert sent.is_bounded
