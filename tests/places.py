"""Empty folders on real servers, one fixture a provider."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from activities.storage.config import AzureBlobLocation, FilesLocation, FtpsLocation, HttpLocation, WritableLocation
from tests.activities.storage.doing import Place, SourcePlace
from tests.activities.storage.s3_doing import s3_folder
from tests.servers.azurite import Blob
from tests.servers.certificates import Certificates
from tests.servers.ftps import Pyftpd, Vsftpd
from tests.servers.nginx import Nginx
from tests.servers.s3 import S3


def putting(folder: Path) -> Callable[[str, bytes], None]:
    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return put


def place_in(folder: Path, location: WritableLocation) -> Place:
    """For storages whose files lie in a local folder."""
    return Place(
        location,
        putting(folder),
        lambda name: (folder / name).read_bytes(),
        lambda: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
    )


@pytest.fixture
def azure_place(azurite: Blob) -> Place:
    container = azurite.create_container(f"media-{secrets.token_hex(4)}")
    prefix = "Kanal 1/ü/"

    def put(name: str, data: bytes) -> None:
        container.upload_blob(prefix + name, data, overwrite=True)

    return Place(
        AzureBlobLocation(
            provider="AzureBlob",
            uri_path=f"{azurite.url}/{container.container_name}/Kanal%201/%C3%BC/",
            credentials_name=azurite.account,
            credentials_secret=azurite.key,
        ),
        put,
        lambda name: container.download_blob(prefix + name).readall(),
        lambda: sorted(name.removeprefix(prefix) for name in container.list_blob_names()),
    )


@pytest.fixture
def files_place(root: Path) -> Place:
    folder = root / "place"
    folder.mkdir()
    return place_in(folder, FilesLocation(provider="Files", uri_path=str(folder)))


@pytest.fixture
def http_place(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> SourcePlace:
    """On a server that sends parts of files."""
    monkeypatch.setenv("ENCODING_PRIVATE_HOSTS", "127.0.0.1")
    folder = Path(tempfile.mkdtemp(dir=nginx.home))
    folder.chmod(0o755)
    return SourcePlace(HttpLocation(provider="Http", uri_path=f"{nginx.url}/{folder.name}/"), putting(folder))


@pytest.fixture
def plain_http_place(
    serve_folder: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SourcePlace:
    """On a server that only sends whole files, and has no ETags."""
    monkeypatch.setenv("ENCODING_PRIVATE_HOSTS", "127.0.0.1")
    (tmp_path / "served").mkdir()
    address = serve_folder(tmp_path / "served")
    return SourcePlace(HttpLocation(provider="Http", uri_path=address), putting(tmp_path / "served"))


@pytest.fixture
def trusting(ftp_certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(ftp_certificates.ca))


@pytest.fixture
def ftps_place(vsftpd: Vsftpd, trusting: None) -> Iterator[Place]:
    """On the strict server; all in the folder belongs to its user."""
    del trusting
    user = vsftpd.account.name
    folder = vsftpd.account.home / "place"
    folder.mkdir()
    shutil.chown(folder, user)
    place = place_in(folder, ftps(f"{vsftpd.url}/place", user, vsftpd.account.password))

    def put(name: str, data: bytes) -> None:
        place.put(name, data)
        for path in folder.rglob("*"):
            shutil.chown(path, user)

    yield replace(place, put=put)
    shutil.rmtree(folder)


@pytest.fixture
def lenient_ftps_place(pyftpd: Pyftpd, trusting: None) -> Iterator[Place]:
    del trusting
    folder = pyftpd.home / "place"
    folder.mkdir()
    yield place_in(folder, ftps(f"{pyftpd.url}/place", pyftpd.user, pyftpd.password))
    shutil.rmtree(folder)


def ftps(url: str, user: str, password: str) -> FtpsLocation:
    return FtpsLocation(provider="Ftps", uri_path=url, credentials_name=user, credentials_secret=password)


@pytest.fixture
def s3_place(s3: S3) -> Place:
    return s3_folder(s3, f"odd + \u4e16%/{secrets.token_hex(8)}")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> SourcePlace:
    """By provider, for tests that are parametrized with it indirectly."""
    found: SourcePlace = request.getfixturevalue(f"{request.param}_place")
    return found
