"""`encoding preview` without a browser; `tests/integration/test_players.py` plays on its page."""

import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from typer.testing import CliRunner
from yarl import URL

from tests.integration.browser import previewed
from workflows.cli import app

ENCODING = str(Path(sys.executable).with_name("encoding"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    published = tmp_path / "published"
    (published / "a").mkdir(parents=True)
    (published / "empty/named.m3u8").mkdir(parents=True)
    (published / "a/manifest.mpd").write_text("<MPD/>")
    (published / "manifest.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo.m3u8\n")
    (published / "video.m3u8").write_text("#EXTM3U\n")
    (published / "1.m4s").write_bytes(bytes(range(100)))
    (tmp_path / "secret.txt").write_text("secret")
    (published / "link.txt").symlink_to(tmp_path / "secret.txt")
    return published


@pytest.fixture
async def address(folder: Path) -> AsyncIterator[str]:
    async with previewed(folder, None) as address:
        yield address


async def test_parts_of_files_have_their_types(address: str) -> None:
    async with ClientSession() as session:
        async with session.get(f"{address}/media/1.m4s", headers={"Range": "bytes=10-19"}) as answer:
            assert (answer.status, answer.content_type) == (206, "video/iso.segment")
            assert await answer.read() == bytes(range(10, 20))
        async with session.get(f"{address}/media/a/manifest.mpd") as answer:
            assert answer.content_type == "application/dash+xml"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "a/../../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "link.txt",
        "a",
        "%00",
        "//etc/passwd",
        "a" * 300,
    ],
)
async def test_nothing_outside_of_the_folder_is_served(path: str, address: str) -> None:
    async with (
        ClientSession() as session,
        session.get(URL(f"{address}/media/{path}", encoded=True)) as answer,
    ):
        assert answer.status == 404
        assert "secret" not in await answer.text()


async def test_a_page_of_another_host_reads_nothing(address: str) -> None:
    async with ClientSession() as session, session.get(address, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


def test_the_command_serves_what_a_player_starts_with_until_it_is_interrupted(folder: Path) -> None:
    process = subprocess.Popen([ENCODING, "preview", str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[:2] == ["a/manifest.mpd\n", "manifest.m3u8\n"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+ plays them; Ctrl-C ends\n", lines[2])
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{folder}/none"], "is not a folder"),
        (["{folder}/empty"], "holds no .mpd"),
        (["{folder}", "--player", "{folder}/none.js"], "is not a file; name Shaka Player's"),
    ],
)
def test_what_cannot_be_played_is_told(arguments: list[str], reason: str, folder: Path) -> None:
    result = CliRunner().invoke(app, ["preview", *(text.format(folder=folder) for text in arguments)])
    assert result.exit_code == 2
    assert reason in result.stderr
