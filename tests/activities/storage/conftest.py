import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.storage.config import FilesLocation, HttpLocation
from tests.activities.storage.doing import Place, SourcePlace
from tests.servers.nginx import Nginx


def putting(folder: Path) -> Callable[[str, bytes], None]:
    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return put


@pytest.fixture
def files_place(root: Path) -> Place:
    folder = root / "place"
    folder.mkdir()

    return Place(
        FilesLocation(provider="Files", uri_path=str(folder)),
        putting(folder),
        lambda name: (folder / name).read_bytes(),
        lambda: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
    )


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
def place(request: pytest.FixtureRequest) -> SourcePlace:
    """By provider, for tests that are parametrized with it indirectly."""
    found: SourcePlace = request.getfixturevalue(f"{request.param}_place")
    return found
