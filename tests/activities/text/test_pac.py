import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.errors import AcquisitionError
from activities.text import USUAL_FRAME_RATE
from activities.text.cues import UnreadableError
from activities.text.pac import read
from tests.activities.text.reading import Reader

HEADER = bytes([1, *bytes(19)])


@pytest.fixture
def pac(tmp_path: Path) -> Reader:
    return Reader(tmp_path, "PAC", length=3_600_000)


def record(text: bytes, number: int = 1, *, row: int = 11, alignment: int = 2, filled: bytes = b"") -> bytes:
    lines = b"".join(bytes([0xFE, alignment, 3]) + line for line in text.split(b"\n"))
    payload = bytes([row]) + filled + lines
    return struct.pack("<BHB5H", 0, number, 0x60, 1000, 4006, 1000, 4201, len(payload)) + payload


def test_a_cue_has_its_time_place_and_letters(pac: Reader) -> None:
    text = b"Gr\xe5u\x81e, \xe2E\xe6c\xe1a \x7c\x7d\n<all italic\nand <a> word"
    title = record(b"STORY:4711", 0) + record(b"STORY:4711", 1)
    assert pac.cues(HEADER + title + record(text, 2, row=2, alignment=1) + b"\xff") == [
        (
            "00:00:40.240",
            "00:00:42.040",
            "line:0 align:left",
            "Grüße, Éçå æø\n<i>all italic</i>\nand <i>a</i> word",
        )
    ]


def test_utf8_is_read_in_any_script(pac: Reader) -> None:
    text = b"\x1f\xef\xbb\xbf" + "Всё\ufffe".removesuffix("\ufffe").encode() + b"\xff.\x20end"
    assert pac.texts(HEADER + record(text, filled=b"\x80\x80\x80"), "ru") == ["Всё. end"]


@pytest.mark.parametrize(
    ("content", "language", "reason"),
    [
        (b"RIFF", "en", "does not start as PAC does"),
        (HEADER + record(b"abc")[:-1], "en", "damaged at byte 20"),
        (HEADER + record(b"abc"), "he", "Hebr.*Latin and UTF-8"),
        (HEADER + record(b"\x1fW16.\x4e\x00"), "en", "two-byte"),
        (HEADER + record(b"\xf1\xf2\xf3"), "en", "code page"),
        (HEADER + b"\xff", "en", "no cue"),
    ],
)
def test_what_cannot_be_read_is_named(pac: Reader, content: bytes, language: str, reason: str) -> None:
    with pytest.raises(AcquisitionError, match=f"'the name' cannot be read as PAC: .*{reason}"):
        pac(content, language)


@given(st.binary(), st.binary())
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_cues_or_refused(text: bytes, rest: bytes) -> None:
    with suppress(UnreadableError):
        assert read(HEADER + record(text) + rest, USUAL_FRAME_RATE, "en")
