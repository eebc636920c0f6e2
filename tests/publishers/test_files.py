import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import publishers
from publishers import roots
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import Files
from publishers.events import Message
from tests.publishers.messages import JOB_ID, lifecycle, progress


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def publish(folder: str | Path, *events: Message) -> None:
    for event in events:
        await publishers.publish(Files.model_validate({"Type": "Files", "UriPath": str(folder)}), event)


async def failure(folder: str | Path) -> PublishError:
    with pytest.raises(PublishError) as caught:
        await publish(folder, lifecycle())
    return caught.value


async def test_events_are_named_in_order_in_the_jobs_folder(root: Path) -> None:
    await publish(root / "events", lifecycle(1), progress(1, 7), progress(1, 100), lifecycle(12))
    assert names(root / "events" / JOB_ID) == [
        "000001-AcquisitionProgress-007.json",
        "000001-AcquisitionProgress-100.json",
        "000001-ImagesExtractionFailure.json",
        "000012-ImagesExtractionFailure.json",
    ]


async def test_the_file_is_the_event(root: Path) -> None:
    await publish(root, event := lifecycle())
    assert json.loads((root / JOB_ID / "000001-ImagesExtractionFailure.json").read_bytes()) == event.body


async def test_a_second_delivery_replaces_the_first(root: Path) -> None:
    await publish(root, lifecycle(text="old"), lifecycle(text="new"))
    (file,) = (root / JOB_ID).iterdir()
    assert json.loads(file.read_bytes())["Message"] == "new"


async def test_what_a_killed_worker_left_is_replaced(root: Path) -> None:
    (root / JOB_ID).mkdir()
    (root / JOB_ID / ".000001-ImagesExtractionFailure.json.part").write_text("half")
    await publish(root, lifecycle())
    assert names(root / JOB_ID) == ["000001-ImagesExtractionFailure.json"]


async def test_a_file_uri_is_decoded(root: Path) -> None:
    await publish(f"file://{root}/my%20events", lifecycle())
    assert (root / "my events" / JOB_ID).is_dir()


@pytest.mark.parametrize("path", ["/", "/etc", "{root}/../elsewhere", "{root}x", "file:///etc", "{root}/out"])
async def test_a_folder_outside_of_the_roots_is_refused(root: Path, path: str) -> None:
    (root / "out").symlink_to(root.parent)
    error = await failure(path.format(root=root))
    assert isinstance(error, Refused)
    assert "add it to ENCODING_FILES_ROOT" in str(error)


async def test_a_jobs_folder_that_is_a_link_to_the_outside_is_refused(root: Path, tmp_path: Path) -> None:
    (root / JOB_ID).symlink_to(tmp_path)
    assert isinstance(await failure(root), Refused)
    assert names(tmp_path) == ["root"]


async def test_a_link_that_is_put_there_meanwhile_leads_nowhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, resolved = tmp_path / "outside", roots._resolved
    outside.mkdir()

    def resolve(path: Path) -> Path:
        if (found := resolved(path)).name == JOB_ID and not (root / "events").exists():
            (root / "events").symlink_to(outside)
        return found

    monkeypatch.setattr(roots, "_resolved", resolve)
    assert "replaced by a link" in str(await failure(root / "events"))
    assert names(outside) == []


async def test_no_root_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ENCODING_FILES_ROOT", raising=False)
    assert "ENCODING_FILES_ROOT" in str(await failure(tmp_path))


async def test_a_root_that_is_not_mounted_is_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(tmp_path / "share"))
    assert "does not exist" in str(await failure(tmp_path / "share" / "events"))
    assert names(tmp_path) == []


async def test_a_file_in_the_way_is_refused(root: Path) -> None:
    (root / "events").touch()
    assert isinstance(await failure(root / "events"), Refused)


async def test_a_full_disk_is_tried_again(root: Path, tiny_disk: Path) -> None:
    error = await failure(root / tiny_disk)
    assert isinstance(error, Unavailable)
    assert "space" in str(error)


@pytest.fixture
def tiny_disk(root: Path) -> Iterator[Path]:
    """A file system without a free byte, as name below the root."""
    disk = root / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", disk], check=True)
    (disk / "filler").write_bytes(bytes(4096))
    yield Path("disk")
    subprocess.run(["umount", disk], check=True)
