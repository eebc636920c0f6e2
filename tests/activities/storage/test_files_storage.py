import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.storage import download
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import FilesLocation
from activities.storage.files import FilesStorage
from publishers import roots
from tests.activities.storage.doing import check, delete, entries, fetch, store


def at(folder: str | Path) -> FilesLocation:
    return FilesLocation(provider="Files", uri_path=str(folder))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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


async def test_an_empty_folder_has_no_entries(root: Path) -> None:
    assert await entries(at(root)) == []


async def test_ten_thousand_files_are_listed(root: Path) -> None:
    for number in range(10_000):
        (root / f"{number:05}.mp4").touch()
    found = await entries(at(root))
    assert (len(found), found[0].name, found[-1].name) == (10_000, "00000.mp4", "09999.mp4")


async def test_a_folder_with_too_many_files_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_ENTRIES", 3)
    for number in range(4):
        (root / str(number)).touch()
    with pytest.raises(StorageError, match="more than 3 files"):
        await entries(at(root))


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_name_travels_both_ways(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "local").write_bytes(b"content")
    await store(at(root / "new"), tmp_path / "local", f"sub/{name}")
    [entry] = await entries(at(root / "new"))
    assert (entry.name, entry.size, entry.unusable) == (f"sub/{name}", 7, "")
    await fetch(at(root / "new"), f"sub/{name}", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"content"


async def test_names_that_are_not_utf8_are_listed_but_not_used(root: Path) -> None:
    (root / os.fsdecode(b"bad-\xff.mp4")).touch()
    (entry,) = await entries(at(root))
    assert entry.name == "bad-\ufffd.mp4"
    assert "UTF-8" in entry.unusable


async def test_what_is_no_regular_file_is_listed_but_never_opened(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    os.mknod(root / "device.mp4", 0o600 | 0o020000, os.makedev(1, 5))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket.mp4"))
        found = await entries(at(root))
    assert {entry.name: entry.unusable for entry in found} == dict.fromkeys(
        ["device.mp4", "pipe.mp4", "socket.mp4"], "is not a regular file"
    )
    for entry in found:
        with pytest.raises(StorageError, match="not a regular file"):
            await fetch(at(root), entry.name, tmp_path / "got")


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
    found = {entry.name: entry.unusable for entry in await entries(at(root / "here"))}
    assert found.pop("inside.mp4") == ""
    assert all(found.values())
    assert "out of the allowed folders" in found["outside.mp4"]
    await fetch(at(root / "here"), "inside.mp4", tmp_path / "got")
    for name in found:
        with pytest.raises(StorageError):
            await fetch(at(root / "here"), name, tmp_path / "stolen")
    assert not (tmp_path / "stolen").exists()


async def test_nothing_is_written_through_links_to_the_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "sub").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "victim")
    (root / ".file.part").symlink_to(tmp_path / "victim")
    (tmp_path / "local").write_text("new")
    with pytest.raises(StorageError, match="outside of the allowed folders"):
        await store(at(root), tmp_path / "local", "sub/x")
    await store(at(root), tmp_path / "local", "file")
    assert (root / "file").read_text() == "new"
    assert not (root / "file").is_symlink()
    assert not (tmp_path / "victim").exists()


@pytest.fixture
def swapped(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a link leads to that takes the place of the folder `a` whenever a path through it was looked at."""
    outside, resolved = tmp_path / "outside", roots._resolved
    for folder in (outside / "b", root / "a" / "b"):
        folder.mkdir(parents=True)
        (folder / "x").write_text("in or out")

    def resolve(path: Path) -> Path:
        found = resolved(path)
        if not (root / "a").is_symlink() and found.is_relative_to(root / "a"):
            (root / "a").rename(root / "real")
            (root / "a").symlink_to(outside)
        return found

    monkeypatch.setattr(roots, "_resolved", resolve)
    return outside / "b"


@pytest.mark.parametrize(
    "use",
    [
        lambda storage: [*storage.entries()],
        lambda storage: storage.look(Entry("x", 9)),
        lambda storage: [*storage.read(Entry("x", 9), Span(0, 9))],
        lambda storage: storage.share(Entry("x", 9), Path("got")),
        lambda storage: storage.delete("x", {}),
        lambda storage: storage.check_readable(),
        lambda storage: storage.check_writable(),
        lambda storage: storage.upload(Path(__file__), "x", {}).send(Span(0, 0), lambda _: None),
        lambda storage: storage.upload(Path(__file__), "new/er/x", {}).send(Span(0, 0), lambda _: None),
    ],
)
def test_a_link_that_is_put_there_meanwhile_leads_nowhere(
    use: Callable[[FilesStorage], object], root: Path, swapped: Path
) -> None:
    with pytest.raises(StorageError, match="moved, or replaced by a link"):
        use(FilesStorage(at(root / "a" / "b")))
    assert {path.name: path.read_text() for path in swapped.iterdir()} == {"x": "in or out"}


async def test_a_pipe_where_the_file_grows_does_not_hang(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / ".x.part")
    os.mkfifo(root / "x")
    (tmp_path / "local").write_text("new")
    await store(at(root), tmp_path / "local", "x")
    assert names(root) == ["x"]
    assert (root / "x").read_text() == "new"


@pytest.mark.parametrize("path", ["/", "/etc", "{root}/..", "{root}-2", "file:///etc"])
async def test_a_location_outside_of_the_roots_is_refused(root: Path, path: str) -> None:
    for writable in (False, True):
        with pytest.raises(StorageError, match="add it to ENCODING_FILES_ROOT"):
            await check(at(path.format(root=root)), writable=writable)


async def test_no_root_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODING_FILES_ROOT", raising=False)
    with pytest.raises(StorageError, match="set ENCODING_FILES_ROOT"):
        await entries(at(tmp_path))


@pytest.mark.parametrize("path", ["media/in", "file://server/share", "/a" * 300])
async def test_what_is_no_local_folder_is_refused(path: str) -> None:
    with pytest.raises(StorageError, match="UriPath"):
        await entries(at(path))


async def test_a_long_chain_of_links_is_refused(root: Path) -> None:
    for folder in ("here", "chain"):
        (root / folder).mkdir()
    for number in range(1500):
        (root / "chain" / str(number)).symlink_to(str(number + 1))
    (root / "here" / "x.mp4").symlink_to("../chain/0")
    (entry,) = await entries(at(root / "here"))
    assert "link" in entry.unusable


async def test_a_cancelled_store_has_stopped_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    local = tmp_path / "local"
    with local.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of holes: far more than could be copied
    begun = threading.Event()
    copying = asyncio.create_task(store(at(root), local, "x", lambda _: begun.set()))
    await asyncio.to_thread(begun.wait)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert names(root) == []


async def test_a_store_that_fails_leaves_the_old_file(full_disk: Path, tmp_path: Path) -> None:
    (full_disk / "x").write_text("old")
    (tmp_path / "local").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match="space") as caught:
        await store(at(full_disk), tmp_path / "local", "x")
    assert caught.value.temporary
    assert names(full_disk) == ["x"]
    assert (full_disk / "x").read_text() == "old"


async def test_a_full_work_folder_is_not_taken_for_a_bad_source(root: Path, full_disk: Path) -> None:
    (root / "x").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match="x cannot be copied to the worker's work folder") as caught:
        await fetch(at(root), "x", full_disk / "got")
    assert caught.value.temporary
    assert str(full_disk) not in str(caught.value)


async def test_a_read_only_file_system_is_named(read_only: Path, tmp_path: Path) -> None:
    (tmp_path / "local").touch()
    with pytest.raises(StorageError, match="read-only") as caught:
        await store(at(read_only), tmp_path / "local", "sub/x")
    assert not caught.value.temporary


async def test_delete_takes_the_file_and_what_a_killed_store_left(root: Path) -> None:
    (root / ".x.part").mkdir()
    for name in ("x", ".x.part/1f", "other"):
        (root / name).touch()
    await delete(at(root), "x")
    assert names(root) == ["other"]


def test_a_store_that_another_one_overtakes_is_tried_again_and_shows_no_half(root: Path, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(os.urandom(3 << 20))
    early, late = (FilesStorage(at(root)).upload(tmp_path / "local", "x", {}) for _ in range(2))
    [all_of_it], seen = late.missing(), list[bytes]()

    def overtake(_: int) -> None:
        if not seen:
            early.send(all_of_it, lambda _: None)
            seen.append((root / "x").read_bytes())

    with pytest.raises(StorageError) as caught:
        late.send(all_of_it, overtake)
    assert caught.value.temporary
    late.send(all_of_it, lambda _: None)
    assert names(root) == ["x"]
    assert (tmp_path / "local").read_bytes() == (root / "x").read_bytes() == seen[0]


@pytest.mark.parametrize("name", ["nothing", "no/such/folder", "file/below"])
async def test_deleting_what_is_not_there_is_fine(root: Path, name: str) -> None:
    (root / "file").touch()
    await delete(at(root), name)


async def test_check_writable_leaves_nothing(root: Path) -> None:
    (root / "is").mkdir()
    await check(at(root / "is"), writable=True)
    await check(at(root / "new" / "er"), writable=True)
    assert names(root) == ["is"]
    assert names(root / "is") == []


async def test_checks_tell_what_is_wrong(root: Path, read_only: Path, full_disk: Path) -> None:
    (root / "file").touch()
    (full_disk / "filler").write_bytes(bytes(64 * 1024))
    (root / "circle").symlink_to("circle")
    wrong = {
        "no such file or folder": check(at(root / "none"), writable=False),
        "is a file, not a folder": check(at(root / "file"), writable=False),
        "a part of the path is a file": check(at(root / "file"), writable=True),
        "file, not a folder": check(at(root / "file" / "below"), writable=True),
        "links lead in a circle": check(at(root / "circle"), writable=False),
        "read-only": check(at(read_only), writable=True),
        "no space": check(at(full_disk), writable=True),
        "too long": check(at(root / ("x" * 300)), writable=True),
    }
    for text, checking in wrong.items():
        with pytest.raises(StorageError, match=text):
            await checking


def test_links_are_percent_encoded(root: Path) -> None:
    folder = FilesStorage(at(f"file://{root}/a%20b/"))
    assert folder.link("dash/世#1.mpd") == f"file://{root}/a%20b/dash/%E4%B8%96%231.mpd"
    assert folder.link("") == f"file://{root}/a%20b"


def test_one_folder_is_one_place_however_it_is_written(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    spellings = [f"{root}/real", f"{root}/link/../real/", f"file://{root}/link"]
    assert {FilesStorage(at(spelling)).place() for spelling in spellings} == {f"file://{root}/real/"}
