import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest

from activities.storage import files, open_storage
from activities.storage.base import Entry, Storage, StorageError
from activities.storage.config import FilesLocation


def storage(folder: str | Path) -> Storage:
    return open_storage(FilesLocation(provider="Files", uri_path=str(folder)))


async def entries(folder: str | Path) -> list[Entry]:
    return [entry async for entry in storage(folder).entries()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def nothing(_: int) -> None:
    """Nobody counts."""


HOSTILE = [
    "with space.mp4",
    "-rf.mp4",
    "quote'\".mp4",
    "new\nline.mp4",
    "世界 ☃.mp4",
    "$(reboot);`x`|&.mp4",
    "%2e%2e%2f.mp4",
    "..hidden.mp4",
    "back\\slash.mp4",
    "*?.mp4",
]


async def test_files_are_listed_at_any_depth_sorted(root: Path) -> None:
    for name in ("b.mp4", "a/z.vtt", "a.mp4", "a/deep/er/x.srt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * len(name))
    assert await entries(root) == [Entry(name, len(name)) for name in ("a.mp4", "a/deep/er/x.srt", "a/z.vtt", "b.mp4")]


async def test_an_empty_folder_has_no_entries(root: Path) -> None:
    assert await entries(root) == []


async def test_ten_thousand_files_are_listed(root: Path) -> None:
    for number in range(10_000):
        (root / f"{number:05}.mp4").touch()
    found = await entries(root)
    assert (len(found), found[0].name, found[-1].name) == (10_000, "00000.mp4", "09999.mp4")


async def test_a_folder_with_too_many_files_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_ENTRIES", 3)
    for number in range(4):
        (root / str(number)).touch()
    with pytest.raises(StorageError, match="more than 3 files"):
        await entries(root)


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_name_travels_both_ways(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "local").write_bytes(b"content")
    await storage(root / "new").store(tmp_path / "local", f"sub/{name}", nothing)
    assert await entries(root / "new") == [Entry(f"sub/{name}", 7)]
    await storage(root / "new").fetch(f"sub/{name}", tmp_path / "back", nothing)
    assert (tmp_path / "back").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "", ".", "a\0b", ".."])
async def test_a_name_cannot_leave_the_folder(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_text("outside")
    folder = storage(root)
    for leaving in (
        folder.fetch(name, tmp_path / "got", nothing),
        folder.store(tmp_path / "x", name, nothing),
        folder.delete(name),
    ):
        with pytest.raises(StorageError, match="does not name a file"):
            await leaving
    assert names(tmp_path) == ["root", "x"]


async def test_names_that_are_not_utf8_are_listed_but_not_used(root: Path) -> None:
    (root / os.fsdecode(b"bad-\xff.mp4")).touch()
    (entry,) = await entries(root)
    assert entry.name == "bad-\ufffd.mp4"
    assert "UTF-8" in entry.unusable


async def test_what_is_no_regular_file_is_listed_but_never_opened(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    os.mknod(root / "device.mp4", 0o600 | 0o020000, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.mp4"))
        found = await entries(root)
    assert {entry.name: entry.unusable for entry in found} == dict.fromkeys(
        ["device.mp4", "pipe.mp4", "socket.mp4"], "is not a regular file"
    )
    for entry in found:
        with pytest.raises(StorageError, match="not a regular file"):
            await storage(root).fetch(entry.name, tmp_path / "got", nothing)


async def test_links_stay_inside_of_the_root(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_text("secret")
    (root / "here").mkdir()
    (root / "real.mp4").write_text("fine")
    links: dict[str, str | Path] = {
        "inside.mp4": "../real.mp4",
        "outside.mp4": tmp_path / "secret.mp4",
        "loop.mp4": "loop.mp4",
        "broken.mp4": "nothing",
        "folder.mp4": "..",
    }
    for name, target in links.items():
        (root / "here" / name).symlink_to(target)
    found = {entry.name: entry.unusable for entry in await entries(root / "here")}
    assert found.pop("inside.mp4") == ""
    assert all(found.values())
    assert "out of the allowed folders" in found["outside.mp4"]
    await storage(root / "here").fetch("inside.mp4", tmp_path / "got", nothing)
    for name in found:
        with pytest.raises(StorageError):
            await storage(root / "here").fetch(name, tmp_path / "stolen", nothing)
    assert not (tmp_path / "stolen").exists()


async def test_nothing_is_written_through_links_to_the_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "sub").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "victim")
    (root / ".file.part").symlink_to(tmp_path / "victim")
    (tmp_path / "local").write_text("new")
    with pytest.raises(StorageError, match="outside of the allowed folders"):
        await storage(root).store(tmp_path / "local", "sub/x", nothing)
    await storage(root).store(tmp_path / "local", "file", nothing)
    assert (root / "file").read_text() == "new"
    assert not (root / "file").is_symlink()
    assert not (tmp_path / "victim").exists()


async def test_a_pipe_where_the_file_grows_does_not_hang(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / ".x.part")
    os.mkfifo(root / "x")
    (tmp_path / "local").write_text("new")
    await storage(root).store(tmp_path / "local", "x", nothing)
    assert names(root) == ["x"]
    assert (root / "x").read_text() == "new"


@pytest.mark.parametrize("path", ["/", "/etc", "{root}/..", "{root}-2", "file:///etc"])
async def test_a_location_outside_of_the_roots_is_refused(root: Path, path: str) -> None:
    place = storage(path.format(root=root))
    for check in (place.check_readable(), place.check_writable()):
        with pytest.raises(StorageError, match="ENCODING_FILES_ROOT") as caught:
            await check
        assert str(root) in str(caught.value)


async def test_no_root_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODING_FILES_ROOT", raising=False)
    with pytest.raises(StorageError, match="set ENCODING_FILES_ROOT"):
        await entries(tmp_path)


@pytest.mark.parametrize("path", ["media/in", "file://server/share", "/a" * 300])
def test_what_is_no_local_folder_is_refused(path: str) -> None:
    with pytest.raises(StorageError, match="UriPath"):
        storage(path)


async def test_a_long_chain_of_links_is_refused(root: Path) -> None:
    for folder in ("here", "chain"):
        (root / folder).mkdir()
    for number in range(1500):
        (root / "chain" / str(number)).symlink_to(str(number + 1))
    (root / "here" / "x.mp4").symlink_to("../chain/0")
    (entry,) = await entries(root / "here")
    assert "link" in entry.unusable


async def test_bytes_are_counted_on_both_ways(root: Path, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(os.urandom(5_000_000))
    up: list[int] = []
    down: list[int] = []
    await storage(root).store(tmp_path / "local", "x", up.append)
    await storage(root).fetch("x", tmp_path / "back", down.append)
    assert sum(up) == sum(down) == 5_000_000
    assert len(up) > 3
    assert (tmp_path / "back").read_bytes() == (tmp_path / "local").read_bytes()


async def test_a_cancelled_store_has_stopped_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    local = tmp_path / "local"
    with local.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes: far more than could be copied
    begun = threading.Event()
    copying = asyncio.create_task(storage(root).store(local, "x", lambda _: begun.set()))
    await asyncio.to_thread(begun.wait)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert names(root) == []


async def test_a_store_that_fails_leaves_the_old_file(full_disk: Path, tmp_path: Path) -> None:
    (full_disk / "x").write_text("old")
    (tmp_path / "local").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match="space") as caught:
        await storage(full_disk).store(tmp_path / "local", "x", nothing)
    assert caught.value.temporary
    assert names(full_disk) == ["x"]
    assert (full_disk / "x").read_text() == "old"


async def test_a_full_work_folder_is_not_taken_for_a_bad_source(root: Path, full_disk: Path) -> None:
    (root / "x").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match="x cannot be copied to the worker's work folder") as caught:
        await storage(root).fetch("x", full_disk / "got", nothing)
    assert caught.value.temporary
    assert str(full_disk) not in str(caught.value)


async def test_a_read_only_file_system_is_named(read_only: Path, tmp_path: Path) -> None:
    (tmp_path / "local").touch()
    with pytest.raises(StorageError, match="read-only") as caught:
        await storage(read_only).store(tmp_path / "local", "sub/x", nothing)
    assert not caught.value.temporary


async def test_delete_takes_the_file_and_what_a_killed_store_left(root: Path) -> None:
    for name in ("x", ".x.part", "other"):
        (root / name).touch()
    await storage(root).delete("x")
    assert names(root) == ["other"]


@pytest.mark.parametrize("name", ["nothing", "no/such/folder", "file/below"])
async def test_deleting_what_is_not_there_is_fine(root: Path, name: str) -> None:
    (root / "file").touch()
    await storage(root).delete(name)


async def test_check_writable_leaves_nothing(root: Path) -> None:
    (root / "is").mkdir()
    await storage(root / "is").check_writable()
    await storage(root / "new" / "er").check_writable()
    assert names(root) == ["is"]
    assert names(root / "is") == []


async def test_checks_tell_what_is_wrong(root: Path, read_only: Path, full_disk: Path) -> None:
    (root / "file").touch()
    (full_disk / "filler").write_bytes(bytes(64 * 1024))
    (root / "circle").symlink_to("circle")
    wrong = {
        "no such file or folder": storage(root / "none").check_readable(),
        "is a file, not a folder": storage(root / "file").check_readable(),
        "a part of the path is a file": storage(root / "file").check_writable(),
        "file, not a folder": storage(root / "file" / "below").check_writable(),
        "links lead in a circle": storage(root / "circle").check_readable(),
        "read-only": storage(read_only).check_writable(),
        "no space": storage(full_disk).check_writable(),
        "too long": storage(root / ("x" * 300)).check_writable(),
    }
    for text, check in wrong.items():
        with pytest.raises(StorageError, match=text):
            await check


async def test_links_are_percent_encoded(root: Path) -> None:
    folder = storage(f"file://{root}/a%20b/")
    assert folder.link("dash/世#1.mpd") == f"file://{root}/a%20b/dash/%E4%B8%96%231.mpd"
    assert folder.link("") == f"file://{root}/a%20b"


async def test_one_folder_is_one_place_however_it_is_written(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    spellings = [f"{root}/real", f"{root}/link/../real/", f"file://{root}/link"]
    assert {await storage(spelling).place() for spelling in spellings} == {f"file://{root}/real/"}
