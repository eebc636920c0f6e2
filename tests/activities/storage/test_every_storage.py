"""What holds for every storage, on a real server of each kind."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from activities.storage import download, patience
from activities.storage.base import Entry, StorageError
from activities.storage.journal import Journal
from activities.storage.tar import Tar
from tests.activities.storage.doing import Place, SourcePlace, check, delete, entries, fetch, look, store

pytestmark = pytest.mark.usefixtures("root")
STORAGES = ["files", "ftps", "lenient_ftps", "azure", "s3"]
every_storage = pytest.mark.parametrize("place", STORAGES, indirect=True)
every_source = pytest.mark.parametrize("place", [*STORAGES, "http", "plain_http"], indirect=True)

NAMES = [
    "with space.mp4",
    "-rf.mp4",
    "quote'\".mp4",
    "世界 ☃.mp4",
    "$(reboot);`x`|&.mp4",
    "%2e%2e%2f.mp4",
    "..hidden.mp4",
    "*?+#.mp4",
    "a/deep/er/x.mp4",
]


@every_source
async def test_files_are_listed_at_any_depth_sorted_by_name(place: SourcePlace) -> None:
    for name in ("b.mp4", "a/z.vtt", "a.mp4", "a/deep/er/x.srt"):
        place.put(name, b"x" * len(name))
    found = await entries(place.location)
    assert [entry.name for entry in found] == ["a.mp4", "a/deep/er/x.srt", "a/z.vtt", "b.mp4"]
    assert all(entry.size in (len(entry.name), -1) and not entry.unusable for entry in found)


@every_storage
async def test_any_name_travels_both_ways(place: Place, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"content")
    for name in NAMES:
        await store(place.location, tmp_path / "local", name)
    assert [entry.name for entry in await entries(place.location)] == sorted(NAMES)
    assert place.names() == sorted(NAMES)
    for number, name in enumerate(NAMES):
        await fetch(place.location, name, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == b"content"
        await delete(place.location, name)
    assert place.names() == []


@every_source
async def test_any_name_is_listed_and_read_also_of_an_empty_file(place: SourcePlace, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        place.put(name, bytes(number))
    await check(place.location, writable=False)
    listed = {entry.name for entry in await entries(place.location)}
    assert listed | {"..hidden.mp4"} == set(NAMES)  # nginx never lists what begins with a dot
    for number, name in enumerate(NAMES):
        await fetch(place.location, name, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == bytes(number)


@every_storage
async def test_an_empty_file_is_a_file(place: Place, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    await store(place.location, tmp_path / "empty", "empty.mp4")
    assert place.get("empty.mp4") == b""
    await fetch(place.location, "empty.mp4", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b""


@every_storage
async def test_large_files_travel_in_parts_and_every_byte_is_counted(place: Place, tmp_path: Path) -> None:
    size = 2 * download.PIECE + 12_345
    content = os.urandom(size)
    (tmp_path / "local").write_bytes(content)
    up: list[int] = []
    down: list[int] = []
    await store(place.location, tmp_path / "local", "large.mp4", up.append)
    assert place.get("large.mp4") == content
    await fetch(place.location, "large.mp4", tmp_path / "back", down.append)
    assert (tmp_path / "back").read_bytes() == content
    assert sum(up) == sum(down) == size
    assert len(down) > 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("back")) == ["back"]


@every_storage
async def test_an_archive_arrives_though_it_is_nowhere(place: Place, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(os.urandom(5_000_001))
    tar = Tar("x.tar", [(tmp_path / name, f"folder/{name}") for name in ("a", "b")])
    up: list[int] = []
    await store(place.location, tar, "x.tar", up.append, Journal(tmp_path / "journal"))
    assert place.get("x.tar") == tar.open().readall()
    assert sum(up) == tar.stat().st_size


@every_source
async def test_what_an_earlier_attempt_has_fetched_is_not_fetched_again(place: SourcePlace, tmp_path: Path) -> None:
    content = os.urandom(3 * download.PIECE)
    place.put("x.mp4", content)
    [entry] = await entries(place.location)
    arrived = threading.Event()
    notes = tmp_path / "x.part.done"

    def count(_: int) -> None:
        if notes.exists() and b"\1" in notes.read_bytes():  # a whole piece: others grow beside it
            arrived.set()
            threading.Event().wait(0.05)  # the cancel shall find something to stop

    fetching = asyncio.create_task(fetch(place.location, "x.mp4", tmp_path / "x", count))
    await asyncio.to_thread(arrived.wait)
    fetching.cancel()
    await asyncio.wait([fetching])
    assert fetching.cancelled()
    assert not (tmp_path / "x").exists()
    done = notes.read_bytes().count(b"\1")
    counted: list[int] = []
    await fetch(place.location, entry.name, tmp_path / "x", counted.append)
    assert done >= 1
    assert counted[1] == done * download.PIECE
    assert (tmp_path / "x").read_bytes() == content


@every_source
async def test_a_file_that_was_replaced_is_not_mixed_with_the_old_one(
    place: SourcePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.01)
    place.put("x.mp4", b"old" * 1000)
    old = await look(place.location, "x.mp4")
    place.put("x.mp4", b"longer" * 1000)
    if old.version:
        with pytest.raises(StorageError) as caught:
            await fetch(place.location, "x.mp4", tmp_path / "again", entry=old)
        assert caught.value.temporary
        assert not (tmp_path / "again").exists()


@every_source
async def test_a_missing_file_is_named_and_final(place: SourcePlace, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.mp4") as caught:
        await fetch(place.location, "nowhere.mp4", tmp_path / "x", entry=Entry("nowhere.mp4", 5))
    assert not caught.value.temporary


@every_storage
async def test_storing_replaces_and_deleting_twice_is_fine(place: Place, tmp_path: Path) -> None:
    place.put("x.mpd", b"old and longer")
    (tmp_path / "local").write_bytes(b"new")
    await store(place.location, tmp_path / "local", "x.mpd")
    assert place.get("x.mpd") == b"new"
    for _ in range(2):
        await delete(place.location, "x.mpd")
    assert place.names() == []


@every_storage
async def test_what_is_noted_as_stored_is_only_counted(place: Place, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"12345")
    counted: list[int] = []
    for _ in range(2):
        journal = Journal(tmp_path / "journal")
        await store(place.location, tmp_path / "local", "x.mp4", counted.append, journal)
        await delete(place.location, "x.mp4")
    assert sum(counted) == 10
    assert place.names() == []


@every_storage
async def test_a_good_location_passes_both_checks_and_nothing_is_left(place: Place) -> None:
    place.put("x.mp4", b"x")
    await check(place.location, writable=False)
    await check(place.location, writable=True)
    assert place.names() == ["x.mp4"]


@every_storage
@pytest.mark.parametrize("name", ["../x", "a/../../x", "", ".", ".."])
async def test_a_name_cannot_leave_the_folder(place: Place, tmp_path: Path, name: str) -> None:
    (tmp_path / "local").write_text("x")
    for leaving in (
        store(place.location, tmp_path / "local", name),
        delete(place.location, name),
        fetch(place.location, name, tmp_path / "got", entry=Entry(name, 1)),
    ):
        with pytest.raises(StorageError, match="does not name a file"):
            await leaving
    assert not (tmp_path / "got").exists()
