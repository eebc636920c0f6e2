import os
from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from activities.text import LARGEST, TextFile, to_webvtt
from activities.text.cues import LONGEST, LONGEST_TEXT, MOST_CUES, Cue, UnreadableError, document


def times(*cues: Cue, length: int | None = None) -> list[str]:
    return [line for line in document(cues, length).split("\n") if "-->" in line]


def test_cues_are_in_order_and_may_overlap() -> None:
    assert times(Cue(2000, 3000, "b"), Cue(1000, 2500, "a")) == [
        "00:00:01.000 --> 00:00:02.500",
        "00:00:02.000 --> 00:00:03.000",
    ]


def test_a_reversed_end_is_repaired_until_the_next_cue() -> None:
    assert times(Cue(1000, 500, "a"), Cue(1500, 1500, "b"), Cue(9000, 9500, "c"))[:2] == [
        "00:00:01.000 --> 00:00:01.500",
        "00:00:01.500 --> 00:00:04.500",
    ]


def test_nothing_is_shown_behind_the_film() -> None:
    assert times(Cue(1000, 10**15, "a"), Cue(5000, 6000, "b"), length=5000) == ["00:00:01.000 --> 00:00:05.000"]


def test_the_hour_at_which_a_tape_starts_is_taken_off() -> None:
    assert times(Cue(36_001_000, 36_002_000, "a"), length=60_000) == ["00:00:01.000 --> 00:00:02.000"]


def test_no_text_ends_its_cue() -> None:
    assert document([Cue(0, 1, " a\n\n\x85 \nb --> c\x08")], None).endswith("\na\nb --&gt; c\n")


@pytest.mark.parametrize(
    ("cues", "reason"),
    [
        ([Cue(0, 1, "a")] * (MOST_CUES + 1), "more than 50000 cues"),
        ([Cue(0, 1, "a" * (LONGEST_TEXT + 1))], "5001 characters"),
        ([Cue(0, LONGEST, "a" * LONGEST_TEXT)], "at the same time"),
        ([Cue(0, LONGEST, "a", identifier="a" * LONGEST_TEXT)], "at the same time"),
        ([Cue(0, 1, " ")], "no cue"),
    ],
    ids=["many", "long", "repeated", "named", "none"],
)
def test_what_cannot_be_packaged_is_named(cues: list[Cue], reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        document(cues, None)


def test_styles_are_in_every_segment_and_count_as_often() -> None:
    style = f"STYLE\n::cue({'a' * LONGEST_TEXT}) {{}}"
    assert style in document([Cue(0, 3_600_000, "a")], None, [style])
    with pytest.raises(UnreadableError, match="at the same time"):
        document([Cue(0, 1, "a"), Cue(LONGEST - 1, LONGEST, "a")], None, [style])


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.truncate(tmp_path / "file", LARGEST + 1)
    with pytest.raises(AcquisitionError, match="'the name' cannot be read as SRT: it has 8 MiB"):
        to_webvtt(TextFile(tmp_path / "file", "the name", "SRT"))
