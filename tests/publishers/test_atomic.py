"""Several writers of one file."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from publishers.atomic import remove_parts, replacing, temporary_name

KILLED = """
import os, pathlib, signal, sys
from publishers.atomic import replacing
with replacing(pathlib.Path(sys.argv[1])) as file:
    file.write(b"ha")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "x.mp4"


def around(target: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(target.parent)): path.read_bytes() for path in target.parent.rglob("*") if path.is_file()
    }


def write(target: Path, text: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
    with replacing(target) as file:
        file.write(text[:2])
        meanwhile()
        file.write(text[2:])


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_who_fails_or_is_stopped_takes_nothing_from_another(target: Path) -> None:
    def stopped() -> None:
        with pytest.raises(KeyboardInterrupt):
            write(target, b"early", stop)

    write(target, b"late", stopped)
    assert around(target) == {"x.mp4": b"late"}


def test_who_ends_while_another_writes_shows_its_own_file_and_the_other_tries_again(target: Path) -> None:
    def overtake() -> None:
        write(target, b"early")
        assert around(target) == {"x.mp4": b"early"}

    with pytest.raises(BlockingIOError):
        write(target, b"late", overtake)
    assert around(target) == {"x.mp4": b"early"}
    write(target, b"late")
    assert around(target) == {"x.mp4": b"late"}
    assert [*target.parent.iterdir()] == [target]


def test_who_begins_removes_only_what_killed_writers_have_left(target: Path) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(around(target)))
        stop()

    def others() -> None:
        killed = subprocess.run([sys.executable, "-c", KILLED, target], check=False)
        assert killed.returncode == -signal.SIGKILL
        seen.append(len(around(target)))
        with pytest.raises(KeyboardInterrupt):
            write(target, b"other", look)
        seen.append(len(around(target)))

    write(target, b"living", others)
    assert seen == [2, 2, 1]
    assert around(target) == {"x.mp4": b"living"}


def test_what_is_removed_under_a_writer_is_not_missed(target: Path) -> None:
    with pytest.raises(BlockingIOError):
        write(target, b"whole", lambda: remove_parts(temporary_name(target)))
    assert [*target.parent.iterdir()] == []


def test_a_folder_that_another_removes_at_that_moment_is_no_file_in_the_way(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary_name(target).mkdir()
    monkeypatch.setattr(Path, "is_dir", lambda _: False)  # what is looked at when it was there
    with pytest.raises(BlockingIOError):
        write(target, b"whole")


def test_a_missing_folder_is_told_as_one(target: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(target / "below", b"whole")


def test_a_link_where_the_file_grows_leads_nowhere(target: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "theirs").touch()
    temporary_name(target).symlink_to("elsewhere")
    write(target, b"whole")
    temporary_name(target).symlink_to("elsewhere")
    remove_parts(temporary_name(target))
    assert around(target) == {"x.mp4": b"whole", "elsewhere/theirs": b""}


def test_a_link_that_is_put_where_the_file_grows_meanwhile_leads_nowhere(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "theirs").touch()
    monkeypatch.setattr(Path, "mkdir", lambda path, **_: path.symlink_to("elsewhere"))
    with pytest.raises(NotADirectoryError):
        write(target, b"whole")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["theirs"]
