import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.storage.config import FilesLocation, FtpsLocation, Location
from tests.activities.storage.doing import Place
from tests.servers.certificates import Certificates
from tests.servers.ftps import Pyftpd, Vsftpd


def place_in(folder: Path, location: Location) -> Place:
    """For storages whose files lie in a local folder."""

    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return Place(
        location,
        put,
        lambda name: (folder / name).read_bytes(),
        lambda: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
    )


@pytest.fixture
def files_place(root: Path) -> Place:
    folder = root / "place"
    folder.mkdir()
    return place_in(folder, FilesLocation(provider="Files", uri_path=str(folder)))


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
def place(request: pytest.FixtureRequest) -> Place:
    """By provider, for tests that are parametrized with it indirectly."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found
