from collections.abc import Callable
from pathlib import Path

import pytest

from activities.workspace import workspace
from tests.activities.delivering import OUTPUT
from tests.activities.running import JOB_ID


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that `Files` locations may lie in; the workspaces are outside of it."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(folder))
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path / "work"))
    return folder


@pytest.fixture
def packaged(root: Path) -> Path:
    """The files of a format, in the workspace."""
    folder = workspace(JOB_ID) / OUTPUT.root
    (folder / "video").mkdir(parents=True)
    for name in (*OUTPUT.media, *OUTPUT.manifests):
        (folder / name).write_text(name)
    assert root.exists()
    return folder


@pytest.fixture
def full_disk(root: Path, mounted: Callable[..., Path]) -> Path:
    """A file system of which 64 KiB are free."""
    return mounted(root / "disk", "-t", "tmpfs", "-o", "size=64k", "tmpfs")


@pytest.fixture
def read_only(root: Path, mounted: Callable[..., Path]) -> Path:
    """A file system that takes nothing."""
    return mounted(root / "read-only", "-t", "tmpfs", "-o", "ro", "tmpfs")
