import secrets
from pathlib import Path

import pytest

from activities.storage.config import AzureBlobLocation, FilesLocation
from tests.activities.storage.doing import Place
from tests.servers.azurite import Blob


@pytest.fixture
def files_place(root: Path) -> Place:
    folder = root / "place"
    folder.mkdir()

    def put(name: str, data: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return Place(
        FilesLocation(provider="Files", uri_path=str(folder)),
        put,
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
def place(request: pytest.FixtureRequest) -> Place:
    """By provider, for tests that are parametrized with it indirectly."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found
