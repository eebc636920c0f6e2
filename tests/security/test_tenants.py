"""One job does not reach what belongs to another: workspaces, chunks, the work store."""

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from activities.acquire import _file, choose
from activities.errors import PrevalidationError
from activities.mappings import MediaMappings
from activities.storage import storage_of
from activities.storage.base import Entry, StorageError
from activities.storage.config import FilesLocation
from activities.validate import ValidateRequest, validate
from activities.workspace import workspace
from publishers import publish
from publishers.base import Refused
from publishers.config import Files
from publishers.events import Message
from tests.activities.running import Running
from tests.activities.storage.s3_doing import s3_location
from tests.publishers.messages import lifecycle
from tests.servers.s3 import S3


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs may read and write; an operator has put the workspaces into it."""
    folder = tmp_path / "root"
    (folder / "in").mkdir(parents=True)
    (folder / "in/film.mp4").write_bytes(b"film")
    monkeypatch.setenv("ENCODING_FILES_ROOT", str(folder))
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(folder / "work"))
    return folder


@pytest.fixture
def other(root: Path) -> Path:
    """The workspace of another tenant's job."""
    assert root.is_dir()
    folder = workspace(str(uuid4()))
    (folder / "secret.mp4").write_bytes(b"secret")
    return folder


def location(folder: Path) -> FilesLocation:
    return FilesLocation(provider="Files", uri_path=str(folder))


@pytest.mark.parametrize("way", ["itself", "the folder of all", "around them", "a link", "climbing"])
async def test_no_location_holds_or_lies_in_the_work_folder(way: str, root: Path, other: Path) -> None:
    (root / "link").symlink_to(other)
    ways = {"itself": other, "the folder of all": other.parent, "around them": root, "a link": root / "link"}
    leading = location(ways.get(way, root / "in/../work" / other.name))
    for check in ("check_readable", "check_writable"):
        with closing(storage_of(leading)) as storage, pytest.raises(StorageError, match="ENCODING_WORK_ROOT"):
            getattr(storage, check)()
    with closing(storage_of(leading)) as storage, pytest.raises(StorageError, match="ENCODING_WORK_ROOT"):
        list(storage.entries())
    request = ValidateRequest(location(root / "in"), leading)
    with pytest.raises(PrevalidationError, match=r"ContentPublishing\.UriPath: .*ENCODING_WORK_ROOT"):
        await Running()(validate, request)


async def test_a_link_in_a_source_does_not_lead_there(root: Path, other: Path) -> None:
    (root / "in/taken.mp4").symlink_to(other / "secret.mp4")
    with closing(storage_of(location(root / "in"))) as storage:
        found = {entry.name: entry.unusable for entry in storage.entries()}
        assert "link" in found["taken.mp4"]
        with pytest.raises(StorageError):
            storage.look(Entry("taken.mp4", 6))


async def test_events_are_not_written_there(other: Path) -> None:
    with pytest.raises(Refused, match="ENCODING_WORK_ROOT"):
        await publish(Files(type="Files", uri_path=str(other)), lifecycle())
    assert [path.name for path in other.iterdir()] == ["secret.mp4"]


@pytest.mark.parametrize(
    "job_id",
    [
        "..",
        "../other",
        "/etc",
        "a" * 36,
        "",
        "8f4e0a80-b0e8-41e2-9dd4-893dbdefd8f3/..",
        "8f4e0a80-b0e8-41e2-9dd4-893dbdefd8f3\0",
    ],
)
async def test_only_a_guid_names_a_workspace(job_id: str, root: Path) -> None:
    with pytest.raises(ValueError, match="hexadecimal UUID"):
        workspace(job_id)
    event = lifecycle()
    message = Message(event.body | {"JobId": job_id})
    with pytest.raises(ValueError, match="hexadecimal UUID"):
        await publish(Files(type="Files", uri_path=str(root / "events")), message)
    assert not (root / "work").exists() or not [*(root / "work").iterdir()]


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "../up.mp4",
        "a\nb.mp4",
        "a|b;c.mp4",
        "x:y'z,[w];$(id).mp4",
        "%03d.mp4",
        "concat:a.mp4",
        "a.mp4'",
        "a.mp4/..",
    ],
)
def test_no_name_of_a_client_becomes_an_argument(name: str) -> None:
    assert _file(1, Entry(name, 1)).path in ("source/0001.mp4", "source/0001")


def test_a_watermark_is_found_in_the_list_and_nowhere_else() -> None:
    film, mark = Entry("film.mp4", 1), Entry("a:b'c,[d];e\n.png", 1)
    assert choose([film, mark], MediaMappings(), [mark.name]).entries == [film, mark]
    for name in ("../mark.png", "/etc/passwd", "mark.png"):
        with pytest.raises(Exception, match="is not in the source folder"):
            choose([film, mark], MediaMappings(), [name])


@pytest.mark.parametrize("field", ["ContentAcquisition", "ContentPublishing"])
async def test_no_location_is_in_the_work_store(
    field: str, s3: S3, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_WORK_STORE", f"s3://{s3.bucket}/work")
    monkeypatch.setenv("ENCODING_WORK_STORE_ENDPOINT", s3.url)
    s3.client.put_object(Bucket=s3.bucket, Key=f"work/{uuid4()}/film.mp4", Body=b"secret")
    inside = s3_location(s3, "work/")
    request = ValidateRequest(
        acquisition=inside if field == "ContentAcquisition" else location(root / "in"),
        publishing=inside if field == "ContentPublishing" else location(root / "out"),
    )
    with pytest.raises(PrevalidationError, match=rf"{field}\.UriPath: .*ENCODING_WORK_STORE"):
        await Running()(validate, request)
