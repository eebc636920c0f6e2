from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.errors import AcquisitionError
from tests.activities.text.reading import CUE, Reader

PIECES = ["<i>", "</b>", "{\\an8}", "-->", "00:00:01,000 --> 00:00:02,000", "\n", "\n\n", "&amp;", "<", "7", "\0", "\r"]


@pytest.fixture
def srt(tmp_path: Path) -> Reader:
    return Reader(tmp_path, "SRT")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<i>it</i> <B>bo</B> <u>un</u>", "<i>it</i> <b>bo</b> <u>un</u>"),
        ('<font color="red">red</font><br/>next', "red\nnext"),
        ("<b>one <i>two</b> three</i>", "<b>one <i>two</i></b><i> three</i>"),
        ("<i>open", "<i>open</i>"),
        ("a < b & c &amp; <3 <sighs>", "a &lt; b &amp; c &amp; &lt;3 &lt;sighs&gt;"),
        ("above\n\nbelow a gap", "above\nbelow a gap"),
        ("12 monkeys\n42", "12 monkeys\n42"),
    ],
)
def test_markup_and_text_are_told_apart(srt: Reader, text: str, shown: str) -> None:
    assert srt.texts(CUE.format(text)) == [shown]


def test_a_place_becomes_settings(srt: Reader) -> None:
    assert [cue[2:] for cue in srt.cues(CUE.format(r"{\an9\b1}top"))] == [("line:0 align:right", "top")]


def test_counters_may_be_missing_and_lines_stray(srt: Reader) -> None:
    content = (
        "stray\n1\n00:01.5-->00:02,5\na\n2\n00:00:03.250 --> 00:00:04,000 X1:1 Y1:2\nb\n\n\n9\n0:0:5 --> 0:0:6\nc\n"
    )
    assert srt.cues(content) == [
        ("00:00:01.500", "00:00:02.500", "", "a"),
        ("00:00:03.250", "00:00:04.000", "", "b"),
        ("00:00:05.000", "00:00:06.000", "", "c"),
    ]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8))).map("".join))
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_cue_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    srt = Reader(tmp_path_factory.getbasetemp(), "SRT")
    try:
        content = srt(CUE.format("first") + text)
    except AcquisitionError:
        return
    assert content.count("-->") == len(srt.cues(CUE.format("first") + text)) > 0


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1))
@settings(max_examples=40, deadline=None)
def test_words_stay_what_they_are(tmp_path_factory: pytest.TempPathFactory, word: str) -> None:
    word = word.translate(dict.fromkeys(map(ord, "&<>{}")))
    assert Reader(tmp_path_factory.getbasetemp(), "SRT").texts(CUE.format(f"a{word}")) == [f"a{word}"]
