"""The engine's own promises, seen on local files."""

import hashlib
import json
import sys
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from activities.storage import patience, storage_of
from activities.storage.base import Digest, Entry, Span, StorageError
from activities.storage.download import LARGEST, PIECE, Download, fetched, listed
from activities.storage.journal import Journal
from activities.storage.patience import TRIES, persistently
from activities.storage.threads import Stop, Stopped
from tests.activities.storage.doing import Place, entries, fetch

pytestmark = pytest.mark.usefixtures("root")


@pytest.mark.parametrize("algorithm", ["md5", "sha256", "crc32"])
async def test_a_file_that_arrives_damaged_is_not_used(files_place: Place, tmp_path: Path, algorithm: str) -> None:
    files_place.put("x.mp4", b"content")
    [entry] = await entries(files_place.location)
    crc = zlib.crc32(b"content").to_bytes(4, "big")
    right = crc if algorithm == "crc32" else hashlib.new(algorithm, b"content").digest()
    for value in (right[::-1], right):
        told = replace(entry, digest=Digest(algorithm, value))
        if value == right:
            await fetch(files_place.location, "x.mp4", tmp_path / "x", entry=told)
            assert (tmp_path / "x").read_bytes() == b"content"
            continue
        with pytest.raises(StorageError, match="damaged") as caught:
            await fetch(files_place.location, "x.mp4", tmp_path / "x", entry=told)
        assert caught.value.temporary
        assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("version", "number"), [("older", 0), ("", 1)])
async def test_notes_about_another_version_or_file_are_not_believed(
    files_place: Place, tmp_path: Path, version: str, number: int
) -> None:
    files_place.put("x.mp4", b"content")
    [entry] = await entries(files_place.location)
    (tmp_path / "x.part").write_bytes(b"older..")
    what = [version or entry.version, 7, (tmp_path / "x.part").stat().st_ino + number]
    (tmp_path / "x.part.done").write_bytes(json.dumps(what).encode() + b"\n\1")
    await fetch(files_place.location, "x.mp4", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"content"


async def test_missing_pieces_are_asked_for_in_runs(files_place: Place, tmp_path: Path) -> None:
    files_place.put("x.mp4", bytes(1))
    [entry] = await entries(files_place.location)
    large = replace(entry, size=6 * PIECE - 1)
    done = bytes([1, 0, 0, 1, 0, 0])
    (tmp_path / "x.part").touch()
    number = (tmp_path / "x.part").stat().st_ino
    (tmp_path / "x.part.done").write_bytes(json.dumps([large.version, large.size, number]).encode() + b"\n" + done)
    download = Download(large, tmp_path / "x")
    assert download.done_size == 2 * PIECE
    assert [*download.runs(1 << 60)] == [Span(PIECE, 3 * PIECE), Span(4 * PIECE, 6 * PIECE - 1)]
    assert [run.size for run in download.runs(1)] == [PIECE, PIECE, PIECE, PIECE - 1]
    assert [run.size for run in download.runs(2 * PIECE)] == [2 * PIECE, 2 * PIECE - 1]
    download.write(5 * PIECE, bytes(PIECE - 1))
    assert download.done_size == 3 * PIECE - 1
    download.close()


def test_parts_are_not_listed_before_they_are_needed(tmp_path: Path) -> None:
    download = Download(Entry("x.mp4", LARGEST), tmp_path / "x")
    tracemalloc.start()
    try:
        assert len([*islice(download.runs(1), 8)]) == 8
        assert next(download.runs(1 << 60)).size == LARGEST
        assert download.done_size == 0
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


async def test_files_that_have_no_room_together_are_not_begun(files_place: Place, full_disk: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        files_place.put(name, bytes(40_000))
    with closing(storage_of(files_place.location)) as storage:
        wanted = [(entry, full_disk / entry.name) for entry in await listed(storage)]
        with pytest.raises(StorageError, match=r"no space is left .* 80000 bytes .* 65536 are free") as caught:
            await fetched(storage, wanted, lambda _: None)
        assert caught.value.temporary
        assert not [*full_disk.iterdir()]
        await fetched(storage, wanted[:1], lambda _: None)


async def test_what_is_there_of_a_file_needs_no_room_again(files_place: Place, full_disk: Path) -> None:
    files_place.put("x.mp4", bytes(40_000))
    (full_disk / "x.part").write_bytes(bytes(40_000))
    await fetch(files_place.location, "x.mp4", full_disk / "x")


def test_attempts_do_not_mix_what_they_have_of_a_file_without_a_version(tmp_path: Path) -> None:
    target, entry = tmp_path / "x", Entry("x.mp4", 8)
    late, new = (Download(entry, target) for _ in range(2))
    new.write(0, b"new")
    late.write(0, b"late one")
    late.finish(Stop())
    assert target.read_bytes() == b"late one"
    new.write(3, b"est..")
    new.finish(Stop())
    assert target.read_bytes() == b"newest.."
    assert {*tmp_path.iterdir()} == {tmp_path / "root", target}


FILM = Entry("film.mp4", 2 * PIECE, version="1")
PIECES = [bytes([number]) * PIECE for number in (1, 2)]
DIGEST = Digest("sha256", hashlib.sha256(b"".join(PIECES)).digest())


def test_what_an_earlier_attempt_has_put_in_place_meanwhile_is_not_replaced_by_a_half(tmp_path: Path) -> None:
    target = tmp_path / "x"
    early = Download(FILM, target)
    early.write(0, PIECES[0])
    late = Download(FILM, target)
    assert late.done_size == PIECE
    early.write(PIECE, PIECES[1])
    early.finish(Stop())
    with pytest.raises(StorageError, match="another attempt") as caught:
        late.write(PIECE, PIECES[1])
    assert caught.value.temporary
    assert target.read_bytes() == b"".join(PIECES)
    assert {*tmp_path.iterdir()} == {tmp_path / "root", target}


def test_an_attempt_fills_no_other_file_than_the_one_it_knows(tmp_path: Path) -> None:
    first = Download(FILM, tmp_path / "x")
    first.write(0, PIECES[0])
    first.close()
    late = Download(FILM, tmp_path / "x")
    for path in tmp_path.glob("x.*"):
        path.unlink()
    anew = Download(FILM, tmp_path / "x")
    anew.write(PIECE, PIECES[1])
    with pytest.raises(StorageError, match="another attempt"):
        late.write(PIECE, PIECES[1])
    anew.write(0, PIECES[0])
    anew.finish(Stop())


def test_notes_do_not_count_for_a_file_that_has_taken_the_place_of_theirs(tmp_path: Path) -> None:
    first = Download(FILM, tmp_path / "x")
    first.write(0, PIECES[0])
    (tmp_path / "other").write_bytes(bytes(2 * PIECE))
    (tmp_path / "other").replace(tmp_path / "x.part")
    assert Download(FILM, tmp_path / "x").done_size == 0
    first.close()


@pytest.mark.parametrize("late_begins", ["with the first piece", "at once"])
def test_two_attempts_may_fill_one_file(tmp_path: Path, late_begins: str) -> None:
    target = tmp_path / "x"
    early, late = (Download(replace(FILM, digest=DIGEST), target) for _ in range(2))
    early.write(0, PIECES[0])
    if late_begins == "with the first piece":
        late = Download(late.entry, target)
    else:
        late.write(0, PIECES[0])
    late.write(PIECE, PIECES[1][:100])
    early.write(PIECE, PIECES[1])
    early.finish(Stop())
    late.write(PIECE, PIECES[1])
    assert late.is_mine_to_finish()
    late.finish(Stop())
    assert target.read_bytes() == b"".join(PIECES)
    assert {*tmp_path.iterdir()} == {tmp_path / "root", target}


def test_a_whole_file_that_another_attempt_damages_is_made_anew(tmp_path: Path) -> None:
    target = tmp_path / "x"
    early, late = (Download(replace(FILM, digest=DIGEST), target) for _ in range(2))
    for attempt in (early, late):
        attempt.write(0, PIECES[0])
    early.write(PIECE, PIECES[1])
    early.finish(Stop())
    late.write(PIECE, PIECES[0])
    with pytest.raises(StorageError, match="damaged"):
        late.finish(Stop())
    late.close()
    assert not target.exists()


def test_an_attempt_that_goes_on_with_another_version_notes_nothing_of_the_new_one(tmp_path: Path) -> None:
    target, newer = tmp_path / "x", replace(FILM, version="2")
    early = Download(FILM, target)
    early.write(0, PIECES[0])
    late = Download(newer, target)
    late.write(PIECE, PIECES[0])
    early.write(PIECE, PIECES[1])
    with pytest.raises(StorageError, match="another attempt") as caught:
        early.finish(Stop())
    assert caught.value.temporary
    assert not target.exists()
    early.close()
    late.close()
    again = Download(newer, target)
    assert [*again.runs(1)] == [Span(0, PIECE)]
    again.write(0, PIECES[1])
    again.finish(Stop())
    assert target.read_bytes() == PIECES[1] + PIECES[0]


def test_what_may_pass_is_tried_again_and_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.001)
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise StorageError("busy", temporary=len(tries) < 100)

    with pytest.raises(StorageError, match="busy"):
        persistently(fail, Stop())
    assert len(tries) == TRIES
    tries.extend([1] * 100)
    with pytest.raises(StorageError, match="busy"):
        persistently(fail, Stop())
    assert len(tries) == TRIES + 101


def test_a_wait_ends_at_once_when_it_is_stopped() -> None:
    stop = Stop()

    def fail() -> None:
        stop.ask()
        raise StorageError("busy", temporary=True)

    with pytest.raises(Stopped):
        persistently(fail, stop)


def test_a_journal_outlives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal")
    notes = first.about("a.mp4")
    notes["upload"] = "id"
    notes["part 1"] = "etag"
    del notes["upload"]
    with (tmp_path / "journal").open("a") as file:
        file.write('["a.mp4", "par')
    again = Journal(tmp_path / "journal")
    assert dict(again.about("a.mp4")) == {"part 1": "etag"}
    again.about("b.mp4")["upload"] = "other"
    assert dict(Journal(tmp_path / "journal").about("b.mp4")) == {"upload": "other"}


def test_a_journal_is_read_while_lanes_write_into_it(tmp_path: Path) -> None:
    notes = Journal(tmp_path / "journal").about("a.mp4")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor() as lane:
            writing = lane.submit(lambda: [notes.__setitem__(f"part {part}", "etag") for part in range(1000)])
            while not writing.done():
                list(notes)
    finally:
        sys.setswitchinterval(interval)
    assert len(notes) == 1000


@pytest.mark.parametrize("line", [b"5", b"[[], 1, 2]", b"null", b"\xff\xfe", b'["a", "b"', b"\0" * 100, b"[" * 100_000])
def test_a_journal_goes_on_behind_what_a_disk_has_lost(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal"
    Journal(path).write("a", "key", "1")
    with path.open("ab") as file:
        file.write(line)
    Journal(path).write("a", "other", "2")
    assert dict(Journal(path).about("a")) == {"key": "1", "other": "2"}
