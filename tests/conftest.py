import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from publishers.connections import close_connections
from tests.clips import Clips
from tests.servers.azurite import Blob
from tests.servers.certificates import Certificates, certificates
from tests.servers.ftps import Account, Pyftpd, Vsftpd
from tests.servers.http import serve
from tests.servers.nginx import Nginx
from tests.servers.process import started
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.s3 import S3
from tests.servers.sqs import Sqs
from tests.servers.temporal import TemporalServer

pytest_plugins = ["tests.places"]

LONGEST = (
    "test_overlap",
    "test_chaos",
    "test_delivery",
    "test_death",
    "test_outages",
    "test_cli_remote",
    "test_players",
    "test_chunks",
    "test_store",
)


os.environ["ENCODING_PRIVATE_HOSTS"] = "127.0.0.0/8, ::1, 10.213.0.0/16"
"""The servers of the tests are on this machine, seen from it or from its namespaces; tests of refusals take it away."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules that take longest begin: where tests run in parallel, the short ones fill what is left."""
    items.sort(key=lambda item: (item.path.stem not in LONGEST, "integration" not in item.path.parts))


@pytest.fixture(scope="session", autouse=True)
def _no_connection_outlives_the_tests() -> Iterator[None]:
    yield
    close_connections()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections of which nothing comes; `accept` does not wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.fixture(scope="session")
def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    server = TemporalServer(tmp_path_factory.mktemp("temporal"))
    with started(server):
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    with started(server):
        yield server


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    server = Sqs(tmp_path_factory.mktemp("sqs"))
    with started(server):
        yield server


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    server = Nginx(folder, certificates(folder / "tls"))
    with started(server):
        yield server


@pytest.fixture(scope="session")
def ftp_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("ftp-certificates"))


@pytest.fixture(scope="session")
def ftp_account() -> Iterator[Account]:
    with Account() as account:
        yield account


@pytest.fixture(scope="session")
def vsftpd(
    tmp_path_factory: pytest.TempPathFactory, ftp_account: Account, ftp_certificates: Certificates
) -> Iterator[Vsftpd]:
    server = Vsftpd(tmp_path_factory.mktemp("vsftpd"), "ftpes", ftp_account, ftp_certificates)
    with started(server):
        yield server


@pytest.fixture(scope="session")
def pyftpd(tmp_path_factory: pytest.TempPathFactory, ftp_certificates: Certificates) -> Iterator[Pyftpd]:
    server = Pyftpd(tmp_path_factory.mktemp("pyftpd"), ftp_certificates)
    with started(server):
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blob]:
    server = Blob(tmp_path_factory.mktemp("azurite"))
    with started(server):
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3"))
    with started(server):
        yield server


@pytest.fixture
def serve_folder() -> Iterator[Callable[[Path], str]]:
    """Serve a folder over HTTP until the test ends; returns its address."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(serve(folder))


@pytest.fixture
def mounted() -> Iterator[Callable[..., Path]]:
    """Mount a file system until the test ends: `mounted(folder, "-t", "tmpfs", …, "tmpfs")`."""
    mounts: list[Path] = []

    def mount(folder: Path, *arguments: str | os.PathLike[str]) -> Path:
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", *arguments, folder], check=True)
        mounts.append(folder)
        return folder

    yield mount
    for folder in reversed(mounts):
        subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    return Clips(tmp_path_factory.mktemp("clips"))
