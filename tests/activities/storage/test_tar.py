import io
import os
import tarfile
from pathlib import Path

import pytest

from activities.storage.tar import Tar

SIZES = {"empty": 0, "short": 1, "block": 512, "odd": 100_001, "n" * 150: 700}


@pytest.fixture
def members(tmp_path: Path) -> list[tuple[Path, str]]:
    for name, size in SIZES.items():
        (tmp_path / name).write_bytes(os.urandom(size))
    return [(tmp_path / name, f"folder/{name}") for name in SIZES]


def test_what_is_read_is_an_archive_of_the_files(members: list[tuple[Path, str]]) -> None:
    tar = Tar("x.tar", members)
    content = tar.open().readall()
    assert len(content) == tar.stat().st_size
    assert len(content) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == [name for _, name in members]
        for path, name in members:
            member = archive.extractfile(name)
            assert member
            assert member.read() == path.read_bytes()


def test_every_span_is_the_same_bytes_at_each_time(members: list[tuple[Path, str]]) -> None:
    whole = Tar("x.tar", members).open().readall()
    for path, _ in members:
        os.utime(path, (1, 1))
    with Tar("x.tar", members).open() as reader:
        for size in (1, 511, 4096, len(whole)):
            for start in range(0, len(whole) + size, max(size, 1021)):
                reader.seek(start)
                assert reader.read(size) == whole[start : start + size]


def test_a_file_that_has_become_shorter_is_not_filled_up(members: list[tuple[Path, str]]) -> None:
    tar = Tar("x.tar", members)
    os.truncate(members[3][0], 50_000)
    with tar.open() as reader, pytest.raises(OSError, match="odd has become shorter"):
        reader.readall()
