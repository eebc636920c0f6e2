"""What a tool cannot do, whatever the file that it reads has made of it."""

import socket
import sys
from pathlib import Path

import pytest

from activities.errors import EncodingError
from activities.media import confine
from activities.media.ffmpeg import run_ffmpeg
from activities.media.process import run
from tests.servers.ports import port_of

CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"


async def script(text: str, *arguments: object) -> tuple[int, list[str], str]:
    """Status, output and errors of a tool."""
    lines: list[str] = []
    ended = await run([sys.executable, "-c", text, *map(str, arguments)], lines.append)
    return ended.status, lines, ended.errors


async def connects(server: socket.socket, *more: object) -> tuple[bool, str]:
    """Whether a tool reaches the server, and what it says otherwise."""
    status, _, errors = await script(CONNECT, port_of(server), *more)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        assert status == 1
        return False, errors
    return True, errors


async def test_it_has_no_network(listener: socket.socket) -> None:
    assert not (await connects(listener))[0]


async def test_a_namespace_alone_leaves_it_no_network(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "_rules_networks", lambda: False)
    reached, why = await connects(listener)
    assert not reached
    assert "unreachable" in why


async def test_where_there_can_be_no_namespace_it_has_no_tcp(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confine, "CLONE_NEWNET", 0)
    monkeypatch.setattr(confine, "CLONE_NEWUSER", 0)
    reached, why = await connects(listener)
    assert not reached
    assert "Permission denied" in why


async def test_what_this_worker_serves_is_all_that_it_reaches(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        address = f"http://127.0.0.1:{port_of(listener)}/film"
        assert (await connects(listener, address))[0]
        assert not (await connects(other, address))[0]


async def test_it_gains_no_privileges() -> None:
    lines: list[str] = []
    await run(["/bin/grep", "NoNewPrivs", "/proc/self/status"], lines.append)
    assert lines == ["NoNewPrivs:\t1"]


async def test_it_stops_at_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_TOOL_FILE_GB", "1")
    with pytest.raises(EncodingError, match=r"'a\.mp4' .*ENCODING_TOOL_FILE_GB") as caught:
        await run_ffmpeg(["/usr/bin/truncate", "-s", "1100MB", str(tmp_path / "large")], "'a.mp4'")
    assert not caught.value.retryable
    assert (await run(["/usr/bin/truncate", "-s", "900MB", str(tmp_path / "large")])).status == 0


async def test_it_takes_no_more_of_the_processors_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_TOOL_CPU_HOURS", "1")
    monkeypatch.setattr(confine, "HOUR", 1)
    ended = await run([sys.executable, "-c", "while True: pass"])
    assert ended.was_killed


async def test_it_starts_no_more_processes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_TOOL_PROCESSES", "3")
    # Root is not bound; of this user there is nobody else.
    stay = "os.close(wait[1]), os.read(wait[0], 1), os._exit(0)"  # until the tool has ended
    text = f"import os\nos.setuid(54321)\nwait = os.pipe()\nwhile True:\n    os.fork() or ({stay})\n    print('made')"
    status, made, errors = await script(text)
    assert status == 1
    assert len(made) < 3
    assert "temporarily unavailable" in errors


async def test_its_folder_holds_nothing_and_takes_nothing() -> None:
    status, lines, errors = await script("import os; print(os.listdir('.')); open('made', 'w')")
    assert (status, lines) == (1, ["[]"])
    assert "No such file" in errors
