"""What is special about FTP, on vsftpd (strict, no MLSD) and pyftpdlib (lenient, MLSD)."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from activities.storage import patience, storage_of
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import FtpsLocation
from activities.storage.download import looked_at
from activities.storage.journal import Journal
from activities.storage.upload import stored
from publishers.ftp import Client
from tests.activities.storage.doing import Place, check, check_fails, delete, entries, fetch, nothing, store
from tests.places import ftps as location
from tests.servers.certificates import Certificates
from tests.servers.ftps import Pyftpd, Vsftpd
from tests.servers.ports import free_ports

pytestmark = pytest.mark.usefixtures("trusting")
both_servers = pytest.mark.parametrize("place", ["ftps", "lenient_ftps"], indirect=True)
LARGE = 24 << 20


@contextmanager
def running(server: Pyftpd) -> Iterator[Pyftpd]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def at(server: Pyftpd, folder: str = "") -> FtpsLocation:
    return location(f"{server.url}/{folder}", server.user, server.password)


def once(when: int, what: Callable[[], None]) -> tuple[Callable[[int], None], list[int]]:
    """A counter that does something as soon as so many bytes have passed; and what it has counted."""
    counted: list[int] = []
    done: list[bool] = []

    def count(size: int) -> None:
        counted.append(size)
        if not done and sum(counted) > when:
            done.append(True)
            what()

    return count, counted


async def cancelled_after(size: int, begin: Callable[[Callable[[int], None]], asyncio.Task[None]]) -> None:
    arrived = threading.Event()

    def pause() -> None:
        arrived.set()
        threading.Event().wait(0.05)  # the cancel shall find something to stop

    task = begin(once(size, pause)[0])
    await asyncio.to_thread(arrived.wait)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_sessions_that_break_off_go_on_where_they_were(ftps_place: Place, vsftpd: Vsftpd, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(content := os.urandom(LARGE))
    up, sent = once(LARGE // 2, vsftpd.break_off)
    await store(ftps_place.location, tmp_path / "local", "x", up)
    assert ftps_place.get("x") == content
    down, fetched = once(LARGE // 2, vsftpd.break_off)
    await fetch(ftps_place.location, "x", tmp_path / "back", down)
    assert (tmp_path / "back").read_bytes() == content
    assert sum(sent) == sum(fetched) == LARGE
    assert max(sent) > LARGE // 4  # it was told of in one piece: what was there already


async def test_a_server_that_is_killed_and_comes_back_is_used_on(
    lenient_ftps_place: Place, pyftpd: Pyftpd, tmp_path: Path
) -> None:
    def restart() -> None:
        pyftpd.kill()
        pyftpd.start()

    lenient_ftps_place.put("x", content := os.urandom(LARGE))
    count, counted = once(LARGE // 2, restart)
    await fetch(lenient_ftps_place.location, "x", tmp_path / "back", count)
    assert (tmp_path / "back").read_bytes() == content
    assert sum(counted) == LARGE


@both_servers
async def test_an_upload_goes_on_after_the_worker_was_killed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(content := os.urandom(LARGE))
    place.put("x", b"old")

    def begin(count: Callable[[int], None]) -> asyncio.Task[None]:
        return asyncio.create_task(store(place.location, tmp_path / "local", "x", count))

    await cancelled_after(LARGE // 2, begin)
    assert place.get("x") == b"old"
    counted: list[int] = []
    await store(place.location, tmp_path / "local", "x", counted.append)
    assert place.get("x") == content
    assert place.names() == ["x"]
    assert max(counted) > LARGE // 4


async def test_where_uploads_cannot_go_on_they_begin_anew(tmp_path: Path, ftp_certificates: Certificates) -> None:
    (tmp_path / "local").write_bytes(content := os.urandom(LARGE))
    with running(Pyftpd(tmp_path, ftp_certificates, lacks="REST")) as server:

        def begin(count: Callable[[int], None]) -> asyncio.Task[None]:
            return asyncio.create_task(store(at(server), tmp_path / "local", "x", count))

        await cancelled_after(LARGE // 2, begin)
        await store(at(server), tmp_path / "local", "x")
        assert (server.home / "x").read_bytes() == content


@both_servers
async def test_what_another_upload_has_left_is_not_continued(place: Place, tmp_path: Path, vsftpd: Vsftpd) -> None:
    place.put(".x.part", b"of another title")
    for path in vsftpd.account.home.rglob("*"):
        shutil.chown(path, vsftpd.account.name)
    (tmp_path / "local").write_bytes(b"content, and more of it")
    await store(place.location, tmp_path / "local", "x")
    assert place.get("x") == b"content, and more of it"
    assert place.names() == ["x"]


@both_servers
async def test_an_upload_that_comes_late_leaves_what_another_one_has_put_there(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").write_bytes(b"the same film")
    replace = Client.replace
    with closing(storage_of(place.location)) as storage, closing(storage_of(place.location)) as another:
        late, quick = (each.upload(tmp_path / "local", "x", {}) for each in (storage, another))
        for upload in (late, quick):
            [part] = upload.missing()
            upload.send(part, nothing)

        def stand_still(client: Client, source: str, target: str) -> None:
            monkeypatch.setattr(Client, "replace", replace)
            quick.finish()
            client.replace(source, target)

        monkeypatch.setattr(Client, "replace", stand_still)
        with pytest.raises(StorageError, match="renamed already") as caught:
            late.finish()
        assert caught.value.temporary
        assert place.get("x") == b"the same film"
        late.finish()
    assert place.names() == ["x"]


@both_servers
async def test_deleting_takes_what_an_unfinished_upload_left(place: Place) -> None:
    place.put("x", b"1")
    place.put(".x.part", b"2")
    place.put("other", b"3")
    await delete(place.location, "x")
    assert place.names() == ["other"]


@both_servers
async def test_a_part_of_a_file_is_read_and_the_next_one_as_well(place: Place) -> None:
    place.put("x", content := os.urandom(4 << 20))
    with closing(storage_of(place.location)) as storage:
        [entry] = await looked_at(storage, [Entry("x", -1)])
        for span in (Span(5, 2 << 20), Span(2 << 20, 4 << 20), Span(0, 1)):
            got = b"".join(map(bytes, storage.read(entry, span)))
            assert got == content[span.start : span.end]
        next(pieces := storage.read(entry, Span(0, entry.size)))
        pieces.close()  # type: ignore[attr-defined]
        assert storage.look(entry) == entry


@both_servers
async def test_a_file_that_changes_is_not_mixed(place: Place) -> None:
    place.put("x", b"old" * 1_000_000)
    with closing(storage_of(place.location)) as storage:
        [entry] = await looked_at(storage, [Entry("x", -1)])
        pieces = storage.read(entry, Span(0, entry.size))
        next(pieces)
        place.put("x", b"new" * 1_000_001)
        for reading in (pieces, storage.read(entry, Span(0, entry.size))):
            with pytest.raises(StorageError, match=r"changed since it was listed|answers") as caught:
                list(reading)
            assert caught.value.temporary


@both_servers
async def test_names_with_spaces_at_their_ends_travel(place: Place, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"content")
    names = sorted([" before", "after ", " a b /  c -> d "])
    for name in names:
        await store(place.location, tmp_path / "local", name)
    assert place.names() == names
    assert [entry.name for entry in await entries(place.location)] == names
    for number, name in enumerate(names):
        await fetch(place.location, name, tmp_path / str(number))


async def test_names_that_are_not_utf8_are_listed_but_not_used(ftps_place: Place) -> None:
    ftps_place.put(os.fsdecode(b"bad-\xff.mp4"), b"x")
    [entry] = await entries(ftps_place.location)
    assert entry.name == "bad-\ufffd.mp4"
    assert "UTF-8" in entry.unusable


async def test_links_to_files_are_files_and_links_to_folders_are_not_followed(
    ftps_place: Place, vsftpd: Vsftpd
) -> None:
    ftps_place.put("a/real.mp4", b"12345")
    for name, target in {"file.mp4": "a/real.mp4", "folder": "a", "circle": ".", "nowhere": "none"}.items():
        (vsftpd.account.home / "place" / name).symlink_to(target)
    found = {entry.name: entry for entry in await entries(ftps_place.location)}
    assert found["file.mp4"] == Entry("file.mp4", 5)
    assert [name for name, entry in found.items() if entry.unusable] == ["circle", "folder", "nowhere"]
    assert found["a/real.mp4"].size == 5


async def test_a_folder_that_links_to_itself_is_listed_once(lenient_ftps_place: Place, pyftpd: Pyftpd) -> None:
    lenient_ftps_place.put("a/real.mp4", b"12345")
    (pyftpd.home / "place" / "a" / "circle").symlink_to("..")
    found = await entries(lenient_ftps_place.location)
    assert [(entry.name, bool(entry.unusable)) for entry in found] == [("a/circle", True), ("a/real.mp4", False)]


async def test_a_server_that_takes_one_connection_is_served_with_one(
    tmp_path: Path, ftp_certificates: Certificates
) -> None:
    files = [(tmp_path / name, name) for name in "abcdef"]
    for path, name in files:
        path.write_text(name)
    with running(Pyftpd(tmp_path, ftp_certificates, connections=1)) as server:
        with closing(storage_of(at(server))) as storage:
            await stored(storage, files, nothing, Journal(tmp_path / "journal"))
        assert [(server.home / name).read_text() for _, name in files] == [name for _, name in files]
        with closing(storage_of(at(server))) as one, closing(storage_of(at(server))) as two:
            one.check_readable()
            with pytest.raises(StorageError, match="takes no more connections") as caught:
                two.check_readable()
    assert caught.value.temporary


async def test_a_connection_that_broke_while_idle_is_replaced(
    ftps_place: Place, vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.storage.ftps.pool.FRESH_SECONDS", 0.0)
    with closing(storage_of(ftps_place.location)) as storage:
        storage.check_readable()
        vsftpd.break_off()
        storage.check_readable()


async def test_checks_tell_what_is_wrong_with_a_folder(ftps_place: Place, vsftpd: Vsftpd) -> None:
    def folder(name: str) -> FtpsLocation:
        return location(f"{vsftpd.url}/place/{name}", vsftpd.account.name, vsftpd.account.password)

    ftps_place.put("file", b"")
    home = vsftpd.account.home / "place"
    for name, mode, owner in (("barred", 0o700, "root"), ("blind", 0o311, "root"), ("fixed", 0o555, "root")):
        (home / name).mkdir(mode=mode)
        (home / name).chmod(mode)
        shutil.chown(home / name, owner)
    assert "'/place' holds no folder 'none'" in str(await check_fails(folder("none/below")))
    assert "'file' in '/place' is a file" in str(await check_fails(folder("file")))
    assert "'file' in '/place' is a file" in str(await check_fails(folder("file/below"), writable=True))
    assert "no permission to enter 'barred'" in str(await check_fails(folder("barred")))
    assert "no permission to enter 'barred'" in str(await check_fails(folder("barred/below"), writable=True))
    assert "no permission to list" in str(await check_fails(folder("blind")))
    for name in ("fixed", "fixed/new"):
        error = await check_fails(folder(name), writable=True)
        assert "cannot be written" in str(error)
        assert not error.temporary
    await check(folder("new/er"), writable=True)
    assert ftps_place.names() == ["file"]
    assert not (home / "new").exists()


async def test_a_user_who_may_only_read_is_told(tmp_path: Path, ftp_certificates: Certificates) -> None:
    with running(Pyftpd(tmp_path, ftp_certificates, permissions="elr")) as server:
        await check(at(server), writable=False)
        error = await check_fails(at(server), writable=True)
    assert "privileges" in str(error)
    assert not error.temporary


async def test_a_full_disk_is_told_and_leaves_the_old_file(
    ftps_place: Place,
    vsftpd: Vsftpd,
    mounted: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "TRIES", 1)
    mounted(vsftpd.account.home / "place" / "disk", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs")
    ftps_place.put("disk/x", b"old")
    (tmp_path / "local").write_bytes(bytes(1_000_000))
    with pytest.raises(StorageError, match="Failure writing to local file") as caught:
        await store(ftps_place.location, tmp_path / "local", "disk/x")
    assert caught.value.temporary
    assert ftps_place.get("disk/x") == b"old"
    disk = location(f"{vsftpd.url}/place/disk", vsftpd.account.name, vsftpd.account.password)
    assert "Failure writing to local file" in str(await check_fails(disk, writable=True))
    await delete(ftps_place.location, "disk/x")
    assert ftps_place.names() == []


async def test_each_way_to_fail_has_its_words(vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch) -> None:
    user, password = vsftpd.account.name, vsftpd.account.password
    wrong = await check_fails(location(vsftpd.url, user, "wr0ng-s3cret"))
    assert ("user name and password" in str(wrong), wrong.field, wrong.temporary) == (True, "CredentialsName", False)
    unknown = await check_fails(location("ftpes://no-such-host.invalid/", user, password))
    assert "no such host" in str(unknown)
    nobody = await check_fails(location(f"ftpes://127.0.0.1:{free_ports(1)[0]}", user, password))
    assert ("nothing listens" in str(nobody), nobody.temporary) == (True, True)
    plain = await check_fails(location(vsftpd.url.replace("ftpes", "ftp"), user, password))
    assert ("demands TLS" in str(plain), plain.field, plain.temporary) == (True, "UriPath", False)
    implicit = await check_fails(location(vsftpd.url.replace("ftpes", "ftps"), user, password))
    assert ("does not speak TLS in this way" in str(implicit), implicit.temporary) == (True, False)
    monkeypatch.delenv("ENCODING_CA_FILE")
    untrusted = await check_fails(location(vsftpd.url, user, password))
    assert ("ENCODING_CA_FILE" in str(untrusted), untrusted.temporary) == (True, False)


async def test_one_folder_is_one_place_however_it_is_written(vsftpd: Vsftpd, pyftpd: Pyftpd) -> None:
    def place(url: str, user: str, password: str) -> str:
        with closing(storage_of(location(url, user, password))) as storage:
            return storage.place()

    port, user = vsftpd.port, vsftpd.account.name
    for path in ("a%20b/new", "/a b//new/", "%2Fa%20b/%6Eew"):
        found = place(f"ftpes://LOCALHOST:{port}/{path}", user, vsftpd.account.password)
        assert found == f"ftp://{user}@localhost:{port}/a%20b/new/"
    assert place(f"{pyftpd.url}/", pyftpd.user, pyftpd.password) == f"ftp://{pyftpd.user}@127.0.0.1:{pyftpd.port}/"


@pytest.mark.parametrize(
    ("folder", "link"),
    [
        ("ftpes://host/a%20b/", "ftpes://host/a%20b/dash/%E4%B8%96%231.mpd"),
        ("ftps://host:991", "ftps://host:991/dash/%E4%B8%96%231.mpd"),
        ("ftp://host/%2Fa", "ftp://host//a/dash/%E4%B8%96%231.mpd"),
    ],
)
def test_links_are_percent_encoded(folder: str, link: str) -> None:
    with closing(storage_of(location(folder, "me", "s3cret"))) as storage:
        assert storage.link("dash/世#1.mpd") == link
