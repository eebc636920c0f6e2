"""All servers that jobs need, each behind a proxy of its own, and workers that reach them by these alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.storages import Bucket, Container, Ftp, Local, Storage
from tests.integration.service import Service
from tests.servers.azurite import Blob
from tests.servers.certificates import certificates
from tests.servers.ftps import Pyftpd
from tests.servers.process import Server
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.s3 import S3
from tests.servers.service_bus import ServiceBus
from tests.servers.sqs import Sqs
from tests.servers.temporal import TemporalServer
from workflows.keys import create

QUEUE = "events"
"""On every broker; all jobs share it."""


class Impatient(Service):
    """A worker that misses a dead one sooner."""

    program = Path(__file__).with_name("impatient.py")


@dataclass(frozen=True)
class Victim:
    """A server that can be ended in the middle of its work, and comes back with what it had confirmed."""

    start: Callable[[], None]
    end: Callable[[], None]


class World:
    """Everything runs inside the block.

    Args:
        workers: how many.
        heartbeat: seconds after which a worker that says nothing is given up.
    """

    def __init__(self, folder: Path, workers: int, heartbeat: int) -> None:
        self.folder = folder
        self.temporal, self.rabbitmq = TemporalServer(self._made("temporal")), RabbitMQ(self._made("rabbitmq"))
        self.s3, self.blob, self.sqs = S3(self._made("s3")), Blob(self._made("blob")), Sqs(self._made("sqs"))
        self.tls = certificates(folder / "tls")
        self.ftp, self.bus = Pyftpd(self._made("ftp"), self.tls), ServiceBus(self._made("bus"), [QUEUE])
        self._ports = {
            "temporal": self.temporal.port,
            "rabbitmq": self.rabbitmq.port,
            "s3": self.s3.port,
            "blob": self.blob.port,
            "ftp": self.ftp.port,
            "bus": self.bus.port,
            "sqs": self.sqs.port,
        }
        self.victims = {
            "temporal": Victim(self.temporal.start, self.temporal.kill),
            "rabbitmq": Victim(self.rabbitmq.start, self.rabbitmq.kill),
            "s3": Victim(self.s3.start, self.s3.kill),
            # This emulation writes down what it has confirmed only when it ends, or some seconds later.
            "blob": Victim(self.blob.start, self.blob.stop),
            "ftp": Victim(self.ftp.start, self.ftp.kill),
            "bus": Victim(self.bus.start, self.bus.kill),
        }
        """Not the stand-in for SQS: it keeps its messages in memory."""
        self._workers, self._heartbeat = workers, heartbeat
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            servers: list[Server] = [self.temporal, self.rabbitmq, self.s3, self.blob, self.sqs, self.ftp, self.bus]
            self._start(stack, servers)
            self.proxies = {name: stack.enter_context(Proxy(port)) for name, port in self._ports.items()}
            self.rabbitmq.declare_queue(QUEUE)
            self.blob.create_container(Container.name)
            self.queue_url = self.sqs.create_queue(f"{QUEUE}.fifo", FifoQueue="true")
            self._make_workers()
            self._start(stack, self.workers)
            self.storages: dict[str, Storage] = {
                "files": Local(self.root),
                "ftp": Ftp(self.ftp, self.proxies["ftp"]),
                "s3": Bucket(self.s3, self.proxies["s3"]),
                "blob": Container(self.blob, self.proxies["blob"]),
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def root(self) -> Path:
        """Below which all `Files` locations lie."""
        return self.workers[0].root

    @property
    def work(self) -> Path:
        """Where all workers keep what they work on."""
        return self.workers[0].work

    @property
    def public_key(self) -> Path:
        return self.folder / "keys" / "public.pem"

    @property
    def secrets(self) -> list[str]:
        """All that the jobs are given."""
        return [
            self.rabbitmq.password,
            self.sqs.secret,
            self.bus.key,
            self.ftp.password,
            self.s3.admin.secret,
            self.blob.key,
        ]

    def _make_workers(self) -> None:
        create(self.public_key.parent)
        self.workers = list[Impatient]()
        for number in range(self._workers):
            common = {"ENCODING_FILES_ROOT": str(self.root), "ENCODING_WORK_ROOT": str(self.work)} if number else {}
            settings = {
                "ENCODING_CA_FILE": str(self.tls.ca),
                "ENCODING_PRIVATE_KEYS": str(self.public_key.with_name("private.pem")),
                # Each of many deaths counts as an attempt.
                "ENCODING_FAULT_ATTEMPTS": "100",
                "ENCODING_DELIVERY_DEADLINE_SECONDS": "3600",
                "CHAOS_HEARTBEAT_SECONDS": str(self._heartbeat),
                **common,
            }
            address = f"127.0.0.1:{self.proxies['temporal'].port}"
            self.workers.append(Impatient(self._made(f"worker-{number}"), address, **settings))

    @staticmethod
    def _start(stack: ExitStack, servers: Sequence[Server]) -> None:
        for server in servers:
            stack.callback(server.stop)
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda server: server.start(), servers))

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder
