"""What FTP servers can say, truly or not."""

from collections.abc import Iterator
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest

from activities.storage import patience, storage_of
from activities.storage.base import StorageError
from activities.storage.config import FtpsLocation
from activities.storage.ftps import listing as ftp_listing
from activities.storage.ftps import storage as ftps
from activities.storage.ftps.listing import Kind, machine_listing, unix_listing
from tests.activities.storage.doing import check_fails, entries, fetch
from tests.places import ftps as location
from tests.servers.ftp_script import Script

pytestmark = pytest.mark.usefixtures("trusting")


def scripted(server: Script) -> FtpsLocation:
    return location(f"ftp://127.0.0.1:{server.port}/in", "me", "s3cret-Pass")


@pytest.mark.parametrize("answer", ["530 Please login with USER and PASS.", "500 What?", "234 Go on."])
async def test_without_tls_a_server_hears_no_password(answer: str) -> None:
    with Script({"AUTH": answer}) as server:
        error = await check_fails(location(f"ftpes://127.0.0.1:{server.port}/in", "me", "s3cret-Pass"))
    assert "TLS" in str(error) or answer.startswith("234")
    assert [line for line in server.heard if line.isprintable()][:1] == ["AUTH TLS"]
    assert not [line for line in server.heard if line.startswith(("USER", "PASS"))]


@pytest.mark.parametrize(
    ("answers", "text", "temporary"),
    [
        ({"USER": "332 Account?", "PASS": "332 Account?", "ACCT": "532 Account!"}, "account", False),
        ({"USER": "530 Sorry, the maximum number of clients (10) are connected"}, "no more connections", True),
        ({"USER": "421 Too many connections"}, "no more connections", True),
        ({"PASS": "530 s3cret-Pass is wrong"}, "user name and password", False),
        ({"PASS": "501 PASS s3cret-Pass?"}, "501 PASS …?", False),
        ({"PASS": "230-Hello.\r\n" * 10_000}, "broken the connection off", True),
        ({"MLSD": "450 Busy."}, "450 Busy", True),
        ({"PASV": "425 No."}, "425 No", True),
    ],
)
async def test_answers_are_explained(answers: dict[str, str], text: str, temporary: bool) -> None:  # noqa: FBT001
    with Script(answers) as server:
        error = await check_fails(scripted(server))
    assert text in str(error)
    assert error.temporary == temporary


@pytest.mark.parametrize(
    "listing",
    [
        repeat(b"x" * (1 << 20), 10),
        repeat(b"type=dir; .\r\n" * 10_000),
        repeat(b"type=file;size=1; a\r\n" * 10_000),
        [b"type=dir; again\r\n"],
        [b"type=dir; again\r\ntype=dir; and again\r\n"],
    ],
    ids=["a long line", "nothing without end", "files without end", "depth without end", "folders without end"],
)
async def test_a_listing_ends_whatever_the_server_does(
    listing: "Iterator[bytes] | list[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ftp_listing, "LISTING_BYTES", 1 << 21)
    monkeypatch.setattr(ftps, "MOST_FOLDERS", 60)
    with Script(listing=listing) as server, pytest.raises(StorageError, match=r"no end|deep|more than") as caught:
        await entries(scripted(server))
    assert not caught.value.temporary


async def test_a_file_that_always_ends_too_early_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TRIES", 2)
    answers = {"SIZE": "213 1000", "MDTM": "213 20260101000000"}
    with Script(answers, listing=[]) as server, pytest.raises(StorageError, match="ends too early"):
        await fetch(scripted(server), "x", tmp_path / "x")


async def test_names_and_sizes_that_cannot_be_are_not_used() -> None:
    lines = ["size=-1; minus", f"size={10**30}; much", "size=x; what", "size=5; ..", "size=5; ../up", "size=5; /etc/x"]
    lines += ["size=5; nul\0.mp4", "size=5; re\rturn", "size=5; ", "size=5; fine"]
    with Script(listing=[f"type=file;{line}\r\n".encode() for line in lines]) as server:
        found = {entry.name: entry for entry in await entries(scripted(server))}
    usable = {name: entry.size for name, entry in found.items() if not entry.unusable}
    assert usable == {"minus": -1, "much": -1, "what": -1, "fine": 5}
    assert sorted(found.keys() - usable.keys()) == ["../up", "/etc/x", "nul\0.mp4", "re\rturn"]


def test_no_answer_makes_a_place_that_of_another_host() -> None:
    with Script({"PWD": '257 ".example.com/out"'}) as server, closing(storage_of(scripted(server))) as storage:
        assert storage.place().startswith(f"ftp://127.0.0.1:{server.port}/.example.com/")


def test_unix_listings_are_understood() -> None:
    lines = [
        "total 12",
        "-rw-r--r--    1 1001     1001    123456789 Nov 24 23:00 film.mp4",
        "-rw-r--r--+   1 user     Domain Users    5 Jan  1  2024  leading",
        "drwxr-xr-x    2 ftp      ftp          4096 Feb 29  2024 folder 1 Jan 01 10:00 x",
        "lrwxrwxrwx    1 0        0               4 Nov 24 23:00 link -> film.mp4",
        "crw-rw-rw-    1 0        0          1,   3 Nov 24 23:00 null",
        "drwxr-xr-x    2 ftp      ftp          4096 Feb 29  2024 ..",
    ]
    assert [(item.name, item.kind, item.size) for item in unix_listing(lines)] == [
        ("film.mp4", Kind.FILE, 123456789),
        (" leading", Kind.FILE, 5),
        ("folder 1 Jan 01 10:00 x", Kind.FOLDER, -1),
        ("link", Kind.LINK, -1),
        ("null", Kind.OTHER, -1),
    ]


def test_other_listings_are_refused() -> None:
    with pytest.raises(StorageError, match="form that is not known"):
        list(unix_listing(["11-24-26  11:00PM       <DIR>          folder"]))


def test_machine_listings_are_understood() -> None:
    lines = [
        "type=cdir;unique=1; .",
        "Type=File;Size=5;Unique=2; a b",
        "type=dir;unique=3; d",
        "type=OS.unix=slink:/x; l",
    ]
    assert [(item.name, item.kind, item.size, item.unique) for item in machine_listing(lines)] == [
        ("a b", Kind.FILE, 5, "2"),
        ("d", Kind.FOLDER, -1, "3"),
        ("l", Kind.LINK, -1, ""),
    ]
