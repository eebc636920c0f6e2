import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.activities.limits.work import Work
from tests.clips import Clips


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The work root."""
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(disk: Path, clip: Clips, tmp_path_factory: pytest.TempPathFactory) -> Work:
    outside = tmp_path_factory.mktemp("outside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENCODING_WORK_ROOT", str(disk))
        patch.setenv("ENCODING_FILES_ROOT", str(outside))
        return await Work.of(clip(seconds=4), outside)


@pytest.fixture
def work(made: Work, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(disk))
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(made.outside))
    return made
