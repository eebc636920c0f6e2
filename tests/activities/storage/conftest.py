import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activities.storage.config import FilesLocation, FtpsLocation, HttpLocation, WritableLocation
from tests.activities.storage.doing import Place, SourcePlace
from tests.servers.certificates import Certificates
from tests.servers.ftps import Pyftpd, Vsftpd
from tests.servers.nginx import Nginx


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
    """On the strict server."""
    del trusting
    folder = vsftpd.account.home / "place"
    folder.mkdir()
    shutil.chown(folder, vsftpd.account.name)
    yield place_in(folder, ftps(f"{vsftpd.url}/place", vsftpd.account.name, vsftpd.account.password))
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
def place(request: pytest.FixtureRequest) -> SourcePlace:
    """By provider, for tests that are parametrized with it indirectly."""
    found: SourcePlace = request.getfixturevalue(f"{request.param}_place")
    return found
