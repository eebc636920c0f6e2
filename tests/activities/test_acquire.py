import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activities import acquire as module
from activities.acquire import Acquired, AcquireRequest, acquire, choose
from activities.errors import AcquisitionError
from activities.map import MapRequest, map_media
from activities.mappings import MediaMappings
from activities.storage.base import Entry
from activities.workspace import workspace
from tests.activities.running import JOB_ID, Running, location
from tests.clips import Clips


async def acquired(folder: Path, **mappings: object) -> Acquired:
    return await Running()(acquire, request(folder, **mappings))


def request(folder: Path, **mappings: object) -> AcquireRequest:
    return AcquireRequest(JOB_ID, location(folder), MediaMappings.model_validate(mappings))


async def failure(folder: Path, **mappings: object) -> AcquisitionError:
    with pytest.raises(AcquisitionError) as caught:
        await acquired(folder, **mappings)
    return caught.value


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.fixture
def elsewhere(root: Path, mounted: Callable[..., Path]) -> Path:
    """A source on another file system than the workspace."""
    return mounted(root / "elsewhere", "-t", "tmpfs", "tmpfs")


async def test_a_source_on_the_same_file_system_is_not_copied(root: Path) -> None:
    (root / "a.mp4").write_text("a.mp4")
    for _ in range(2):  # the second time as another attempt
        (file,) = (await acquired(root)).files
        assert inode(workspace(JOB_ID) / file.path) == inode(root / "a.mp4")
        assert file.linked


async def test_a_linked_source_that_is_written_to_fails_the_job(root: Path, clip: Clips) -> None:
    shutil.copy(clip(), root / "a.mp4")
    (file,) = (await acquired(root)).files
    with (root / "a.mp4").open("ab") as writer:
        writer.write(b"more")
    with pytest.raises(AcquisitionError, match=r"'a\.mp4' was written to") as caught:
        await Running()(map_media, MapRequest(JOB_ID, [file], MediaMappings()))
    assert not caught.value.retryable


async def test_usable_files_are_copied_and_the_rest_is_told(root: Path) -> None:
    (root / "sub").mkdir()
    for name in ("movie.MP4", "sub/audio 'de'.m4a", "notes.txt"):
        (root / name).write_bytes(name.encode())
    result = await acquired(root, AudioFileLanguageExpression="'(?<lang>..)'")
    assert [(file.name, file.path, file.size) for file in result.files] == [
        ("movie.MP4", "source/0001.mp4", 9),
        ("sub/audio 'de'.m4a", "source/0002.m4a", 18),
    ]
    assert result.ignored == ["notes.txt"]
    for file in result.files:
        assert (workspace(JOB_ID) / file.path).read_bytes() == file.name.encode()


@pytest.mark.parametrize("name", ["-i.mp4", "a\nb.mp4", "x.m p4\n", "$(x).mp4", "世界.mp4", "%s.mp4", "x.ünï"])
async def test_no_odd_name_reaches_the_workspace(root: Path, name: str) -> None:
    (root / name).write_text("x")
    (file,) = (await acquired(root, VideoStreamExpression=".")).files
    assert file.name == name
    assert file.path in {"source/0001", "source/0001.mp4"}


async def test_progress_counts_bytes_to_the_end(root: Path) -> None:
    (root / "a.mp4").write_bytes(os.urandom(3_000_000))
    (root / "b.mp4").write_bytes(b"12345")
    running = Running()
    await running(acquire, request(root))
    assert (running.beats[-1].done, running.beats[-1].total) == (3_000_005, 3_000_005)


async def test_an_attempt_after_a_kill_keeps_what_is_complete(elsewhere: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (elsewhere / name).write_text(name)
    await acquired(elsewhere)
    source = workspace(JOB_ID) / "source"
    kept = inode(source / "0001.mp4")
    (source / "0002.mp4").rename(source / "0002.mp4.part")
    (source / "0002.mp4.part").write_text("ha")
    running = Running()
    await running(acquire, request(elsewhere))
    assert inode(source / "0001.mp4") == kept
    assert (source / "0002.mp4").read_text() == "b.mp4"
    assert running.beats[-1].share == 1


async def test_a_changed_source_is_copied_anew(root: Path) -> None:
    (root / "b.mp4").write_text("b.mp4")
    await acquired(root)
    (root / "a.mp4").write_text("a.mp4")
    first = (await acquired(root)).files[0]
    assert (workspace(JOB_ID) / first.path).read_text() == "a.mp4"


async def test_a_film_that_did_not_change_is_kept_when_another_file_comes(elsewhere: Path, tmp_path: Path) -> None:
    for name in ("film.mp4", "gone.vtt", "other.mp4"):
        (elsewhere / name).write_text(name)
    await acquired(elsewhere, MediaDetection="Convention")
    source = workspace(JOB_ID) / "source"
    os.link(source / "0001.mp4", tmp_path / "film")
    (elsewhere / "film.vtt").write_text("film.vtt")
    (elsewhere / "gone.vtt").unlink()
    (elsewhere / "other.mp4").write_text("changed")
    (source / "0001.mp4.5f01c3d2.part").write_text("of an attempt that was killed")
    (source / ".files.json.part").mkdir()
    (source / ".files.json.part" / "1f").write_text("of it, too")
    files = (await acquired(elsewhere, MediaDetection="Convention")).files
    assert (source / "0001.mp4").samefile(tmp_path / "film")
    assert {file.path.removeprefix("source/") for file in files} == {"0001.mp4", "0002.vtt", "0003.mp4"}
    assert {path.name: path.read_text() for path in source.glob("0*")} == {
        "0001.mp4": "film.mp4",
        "0002.vtt": "film.vtt",
        "0003.mp4": "changed",
    }


async def test_a_cancelled_copy_is_never_taken_for_complete(elsewhere: Path) -> None:
    with (elsewhere / "a.mp4").open("wb") as file:
        file.truncate(shutil.disk_usage(workspace(JOB_ID)).free // 2)  # of holes: far more than is copied meanwhile
    part = workspace(JOB_ID) / "source" / "0001.mp4.part"
    await Running().cancelled(acquire, request(elsewhere), part.exists)
    assert not part.with_name("0001.mp4").exists()


async def test_a_picture_is_not_begun_where_there_is_no_room_for_the_sound(elsewhere: Path) -> None:
    (elsewhere / "a.mp4").write_text("a.mp4")
    with (elsewhere / "audio 'de'.m4a").open("wb") as file:
        file.truncate(1 << 40)
    error = await failure(elsewhere, AudioFileLanguageExpression="'(..)'")
    assert "audio 'de'.m4a cannot be copied to the worker's work folder: no space is left" in str(error)
    assert error.retryable
    assert not [*(workspace(JOB_ID) / "source").glob("0*")]


async def test_a_missing_folder_is_named(root: Path) -> None:
    error = await failure(root / "nowhere")
    assert str(root / "nowhere") in str(error)
    assert "no such file or folder" in str(error)
    assert not error.retryable


async def test_a_folder_without_usable_file_tells_what_it_holds_and_what_was_looked_for(root: Path) -> None:
    for number in range(20):
        (root / f"{number:02}.txt").touch()
    text = str(await failure(root, VideoStreamExpression="[.]mxf$"))
    assert "'00.txt'" in text
    assert "15 more" in text
    assert "VideoStreamExpression '[.]mxf$'" in text
    assert "no files at all" in str(await failure_of_empty(root))


async def failure_of_empty(root: Path) -> AcquisitionError:
    (root / "empty").mkdir()
    return await failure(root / "empty")


async def test_ignored_files_fail_the_job_if_asked(root: Path) -> None:
    for name in ("movie.mp4", "notes.txt"):
        (root / name).touch()
    error = await failure(root, FailOnIgnoredFiles=True)
    assert "'notes.txt'" in str(error)
    assert "FailOnIgnoredFiles" in str(error)


async def test_a_wanted_file_that_cannot_be_used_fails_the_job(root: Path) -> None:
    os.mkfifo(root / "movie.mp4")
    assert str(await failure(root)) == "the file 'movie.mp4' is not a regular file"


async def test_an_unwanted_one_is_ignored(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "movie.mp4").touch()
    assert (await acquired(root)).ignored == ["pipe"]


async def test_a_full_work_folder_is_tried_again(root: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "in").mkdir()
    (root / "in" / "movie.mp4").write_bytes(bytes(1_000_000))
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(full_disk))
    error = await failure(root / "in")
    assert error.retryable
    assert "work folder" in str(error)
    assert str(full_disk) not in str(error)


async def test_too_many_files_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    for name in "abc":
        (root / f"{name}.mp4").touch()
    assert "at most 2" in str(await failure(root))


async def test_names_that_are_too_long_together_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NAMES", 900)
    for letter in "aäb":
        (root / f"{letter * 120}.mp4").touch()
    assert len((await acquired(root)).files) == 3
    (root / f"{'漢' * 80}.mp4").touch()
    (root / f"{'ä' * 120}-2.mp4").touch()
    assert "have more than 900 bytes together; shorten them" in str(await failure(root))


async def test_the_list_of_ignored_files_stays_small(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IGNORED", 30)
    (root / "movie.mp4").touch()
    for number in range(10):
        (root / f"字幕{number}.txt").touch()
    assert (await acquired(root)).ignored == ["字幕0.txt", "字幕1.txt", "… and 8 more"]


async def test_watermarks_are_copied_whatever_the_mappings_say(root: Path) -> None:
    for name in ("movie.mp4", "logo.png", "other.png"):
        (root / name).write_bytes(name.encode())
    asked = replace(request(root, FailOnIgnoredFiles=False), watermarks=["logo.png"])
    result = await Running()(acquire, asked)
    assert [file.name for file in result.files] == ["movie.mp4", "logo.png"]
    assert result.ignored == ["other.png"]


@pytest.mark.parametrize(
    ("names", "picture"),
    [
        (["a.mkv", "b.mp4", "de.m4a", "en.vtt", "logo.png"], {"a.mkv", "b.mp4", "logo.png"}),
        (["de.m4a", "en.vtt", "logo.png"], set()),
    ],
)
def test_the_picture_is_whatever_may_be_the_film_and_what_lies_over_it(names: list[str], picture: set[str]) -> None:
    chosen = choose([Entry(name, 1) for name in names], MediaMappings(media_detection="Convention"), ["logo.png"])
    assert {entry.name for entry in chosen.entries} == {*names}
    assert chosen.picture == picture


@pytest.mark.parametrize("name", ["missing.png", "../root/movie.mp4", "/etc/passwd", "./movie.mp4", "link.png"])
async def test_a_watermark_that_is_not_in_the_folder_is_named(name: str, root: Path) -> None:
    (root / "movie.mp4").write_text("x")
    (root / "link.png").symlink_to("/etc/passwd")
    with pytest.raises(AcquisitionError, match=f"VisibleVideoWatermarks: the file '{name}'"):
        await Running()(acquire, replace(request(root), watermarks=[name]))
