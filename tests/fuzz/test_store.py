"""What workers leave for each other and for themselves: notes, journals, archives, parts of files."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.storage.base import StorageError, inside
from activities.storage.journal import Journal
from activities.storage.tar import Tar
from activities.store.kept import Kept, KeptFile, read, written
from activities.store.ranges import RANGE, _span
from tests.fuzz.trying import JSON, TEXT, inputs, made_of


@given(made_of("bytes=", "0", "5", "-", ",", "9" * 5000, "\u0663"), st.integers(0, 10**12))
@inputs(50)
def test_ranges(header: str, size: int) -> None:
    span = _span(RANGE.fullmatch(header), size)
    assert 0 <= span.start <= span.end <= size


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000))
@inputs(20)
def test_a_range_is_what_was_asked(start: int, length: int, size: int) -> None:
    span = _span(RANGE.fullmatch(f"bytes={start}-{start + length}"), size)
    assert bytes(1000)[span.start : span.end] == bytes(1000)[:size][start : start + length + 1]


FILES = st.dictionaries(
    TEXT, st.builds(KeptFile, TEXT, st.integers(0, 2**60), st.binary(max_size=32).map(bytes.hex), TEXT), max_size=3
)


def is_inside(name: str) -> bool:
    try:
        inside(name)
    except StorageError:
        return False
    return True


@given(FILES, TEXT)
@inputs(30)
def test_a_note_is_read_again_unless_it_leads_out(files: dict[str, KeptFile], source: str) -> None:
    kept = Kept(files, source)
    sound = all(is_inside(path) and is_inside(file.object) for path, file in files.items())
    assert read(written(kept)) == (kept if sound else None)


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()), st.integers(0, 200))
@inputs(30)
def test_a_damaged_note_is_none(junk: bytes, place: int) -> None:
    whole = written(Kept({"video/1.mp4": KeptFile("video/1.mp4", 5, "00" * 32)}))
    for text in (junk, whole[:place] + junk + whole[place + len(junk) :]):
        found = read(text)
        assert found is None or all(is_inside(path) and is_inside(file.object) for path, file in found.files.items())
        assert found is None or all(file.entry for file in found.files.values())


NOTES = st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5)


BROKEN = JSON.filter(lambda value: not isinstance(value, list) or len(value) != 3).map(
    lambda value: json.dumps(value).encode()
)


@given(NOTES, st.binary(max_size=20) | BROKEN, NOTES)
@inputs(40)
def test_a_journal_survives_what_a_dying_process_leaves(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str, str]],
    broken: bytes,
    behind: list[tuple[str, str, str]],
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "journal"
    path.unlink(missing_ok=True)
    for note in before:
        Journal(path).write(*note)
    with path.open("ab") as file:
        file.write(broken)
    known: dict[tuple[str, str], str] = {(name, key): value for name, key, value in before}
    for note in behind:
        Journal(path).write(*note)
        known[note[0], note[1]] = note[2]
    journal = Journal(path)
    for (name, key), value in known.items():
        assert journal.about(name).get(key, "") == value


@given(
    st.dictionaries(
        made_of("folder/", "a", "é", "x" * 90, "漢", size=4).filter(
            lambda name: name and name[-1] != "/" and "\0" not in name
        ),
        st.binary(max_size=1500),
        min_size=1,
        max_size=4,
    )
)
@inputs(20)
def test_an_archive_holds_what_was_put_in(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    members = []
    for number, (name, content) in enumerate(files.items()):
        (folder / f"member-{number}").write_bytes(content)
        members.append((folder / f"member-{number}", name))
    made = Tar("x.tar", members)
    with made.open() as opened:
        data = opened.read()
        opened.seek(len(data) // 3)
        assert opened.read(700) == data[len(data) // 3 :][:700]
    assert len(data) == made.stat().st_size
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [(member.name, (archive.extractfile(member) or io.BytesIO()).read()) for member in archive.getmembers()]
    assert found == [*files.items()]
