"""Servers to transfer to, each with the library or program that is at home there."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.blob import ContainerClient
from s3transfer.manager import TransferManager

from activities.storage.config import AzureBlobLocation, FtpsLocation, S3CompatibleLocation
from tests.servers.azurite import Blob
from tests.servers.certificates import certificates
from tests.servers.ftps import Account, Vsftpd
from tests.servers.process import started
from tests.servers.s3 import S3

LANES = 8
Files = Sequence[tuple[Path, str]]
"""Local paths, and names in the folder."""
RemoteLocation = FtpsLocation | S3CompatibleLocation | AzureBlobLocation


@dataclass(frozen=True)
class Peer:
    """A provider: a location of ours by folder, and how its own library copies many files to and from that folder."""

    name: str
    location: Callable[[str], RemoteLocation]
    up: Callable[[str, Files], None]
    down: Callable[[str, Files], None]
    takes_many: bool = True


@contextmanager
def s3(scratch: Path) -> Iterator[Peer]:
    folder = scratch / "s3"
    folder.mkdir()
    server = S3(folder)
    with started(server), TransferManager(server.client) as manager:
        bucket = server.bucket

        def wait(futures: list[Any]) -> None:
            for future in futures:
                future.result()

        yield Peer(
            "S3 (seaweedfs), boto3",
            lambda folder: _s3_location(server, folder),
            lambda folder, files: wait([manager.upload(str(path), bucket, f"{folder}/{name}") for path, name in files]),
            lambda folder, files: wait(
                [manager.download(bucket, f"{folder}/{name}", str(path)) for path, name in files]
            ),
        )


def _s3_location(server: S3, folder: str) -> S3CompatibleLocation:
    return S3CompatibleLocation(
        provider="AmazonS3Compatible",
        uri_path=f"s3://{server.bucket}/{folder}/",
        endpoint_url=server.url,
        credentials_name=server.admin.key_id,
        credentials_secret=server.admin.secret,
    )


@contextmanager
def azure(scratch: Path) -> Iterator[Peer]:
    """Azurite, with the client's own parallel parts for one file, and its files side by side for several."""
    folder = scratch / "azure"
    folder.mkdir()
    server = Blob(folder)
    with started(server), ThreadPoolExecutor(LANES) as pool:
        server.create_container("media")
        # As the client comes, with its own retries.
        container = ContainerClient(server.url, "media", {"account_name": server.account, "account_key": server.key})

        def up(folder: str, files: Files) -> None:
            list(pool.map(lambda file: _blob_up(container, folder, *file, lanes=_lanes(files)), files))

        def down(folder: str, files: Files) -> None:
            list(pool.map(lambda file: _blob_down(container, folder, *file, lanes=_lanes(files)), files))

        yield Peer("Blob (Azurite), azure client", lambda folder: _blob_location(server, folder), up, down)


def _lanes(files: Files) -> int:
    return LANES if len(files) == 1 else 1


def _blob_up(container: ContainerClient, folder: str, path: Path, name: str, *, lanes: int) -> None:
    with path.open("rb") as source:
        container.upload_blob(f"{folder}/{name}", source, overwrite=True, max_concurrency=lanes)


def _blob_down(container: ContainerClient, folder: str, path: Path, name: str, *, lanes: int) -> None:
    with path.open("wb") as target:
        container.download_blob(f"{folder}/{name}", max_concurrency=lanes).readinto(target)


def _blob_location(server: Blob, folder: str) -> AzureBlobLocation:
    return AzureBlobLocation(
        provider="AzureBlob",
        uri_path=f"{server.url}/media/{folder}/",
        credentials_name=server.account,
        credentials_secret=server.key,
    )


@contextmanager
def ftps(scratch: Path) -> Iterator[Peer]:
    """Vsftpd with explicit TLS, and curl with all files in one run, over one control connection."""
    folder = scratch / "ftps"
    folder.mkdir()
    tls = certificates(folder / "tls")
    os.environ["ENCODING_CA_FILE"] = str(tls.ca)
    with Account() as account:
        server = Vsftpd(folder, "ftpes", account, tls)
        login = ["--user", f"{account.name}:{account.password}", "--ssl-reqd", "--cacert", str(tls.ca)]

        def curl(folder: str, files: Files, way: str) -> None:
            address = f"ftp://localhost:{server.port}/{folder}"
            pairs = [part for path, name in files for part in (way, str(path), f"{address}/{name}")]
            subprocess.run(["curl", "-sS", "--fail", "--ftp-create-dirs", *login, *pairs], check=True)

        with started(server):
            yield Peer(
                "FTPS (vsftpd), curl",
                lambda folder: _ftps_location(server, account, folder),
                lambda folder, files: curl(folder, files, "-T"),
                lambda folder, files: curl(folder, files, "-o"),
                takes_many=False,
            )


def _ftps_location(server: Vsftpd, account: Account, folder: str) -> FtpsLocation:
    return FtpsLocation(
        provider="Ftps",
        uri_path=f"{server.url}/{folder}",
        credentials_name=account.name,
        credentials_secret=account.password,
    )
