import secrets
from pathlib import Path

import pytest

from activities.storage.config import FilesLocation
from tests.activities.storage.doing import Place
from tests.activities.storage.s3_doing import s3_folder
from tests.servers.s3 import S3


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
def s3_place(s3: S3) -> Place:
    return s3_folder(s3, f"odd + \u4e16%/{secrets.token_hex(8)}")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    """By provider, for tests that are parametrized with it indirectly."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found
