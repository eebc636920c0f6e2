from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from tests.activities.text.reading import Reader
from tests.fuzz.trying import within


@pytest.fixture
def webvtt(tmp_path: Path) -> Reader:
    return Reader(tmp_path, "WebVTT")


def test_what_is_sound_stays_and_the_rest_is_repaired(webvtt: Reader) -> None:
    content = (
        "\ufeffWEBVTT - title\nKind: captions\n\nSTYLE\n::cue(.y) { color: yellow }\n\nREGION\nid:fred\nwidth:40%\n\n"
        "NOTE\nnobody reads this\n\nintro\n1:02.000 --> 1:03.500 line:10%,start odd:1 align:middle region:fred\n"
        "<v Bob><c.y>Hi &amp; bye</c>\n00:01:04.000 --> 00:01:05.000\nno empty line above\n"
    )
    assert webvtt(content.replace("\n", "\r\n")) == (
        "WEBVTT\n\nSTYLE\n::cue(.y) { color: yellow }\n\nREGION\nid:fred\nwidth:40%\n\n"
        "intro\n00:01:02.000 --> 00:01:03.500 line:10%,start align:center region:fred\n<v Bob><c.y>Hi &amp; bye</c>\n\n"
        "00:01:04.000 --> 00:01:05.000\nno empty line above\n"
    )


@pytest.mark.parametrize("content", ["", "WEBVTTX\n\n00:01.000 --> 00:02.000\na\n", "WEBVTT\n\nNOTE nothing\n"])
def test_what_is_none_is_named(webvtt: Reader, content: str) -> None:
    with pytest.raises(AcquisitionError, match=r"'the name' cannot be read as WebVTT.*replace it"):
        webvtt(content)


def test_no_block_of_a_file_takes_a_cue_away(webvtt: Reader) -> None:
    content = (
        "WEBVTT\n\nSTYLE\n::cue(a --> b) { color: red }\n\nSTYLE\n00:01.000 --> 00:02.000 region:--> align:left\na\n\n"
        "na\0me\n00:02.000 --> 00:03.000 region:\0 size:9%\nb\n"
    )
    assert webvtt(content) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 align:left\na\n\n00:00:02.000 --> 00:00:03.000 size:9%\nb\n"
    )


@pytest.mark.parametrize("name", ["NOTE1", "NOTES of a sound", "NOTE-", "note", "STYLES"])
def test_a_name_that_only_begins_like_a_comment_is_one(name: str, webvtt: Reader) -> None:
    cue = "00:00:01.000 --> 00:00:02.000\nhi\n"
    assert webvtt(f"WEBVTT\n\n{name}\n{cue}") == f"WEBVTT\n\n{name.strip()}\n{cue}"


@pytest.mark.parametrize("name", [" NOTE", "\tNOTE 1", "\N{NO-BREAK SPACE}STYLE"])
def test_a_name_that_would_become_another_block_is_left_out(name: str, webvtt: Reader) -> None:
    cue = "00:00:01.000 --> 00:00:02.000\nhi\n"
    assert webvtt(f"WEBVTT\n\n{name}\n{cue}") == f"WEBVTT\n\n{cue}"


@pytest.mark.parametrize("first", ["NOTE", "NOTE ", "NOTE\tof the author", "NOTE 1"])
def test_a_comment_is_left_out(first: str, webvtt: Reader) -> None:
    cue = "00:00:01.000 --> 00:00:02.000\nhi\n"
    assert webvtt(f"WEBVTT\n\n{first}\n{cue}\n{cue}") == f"WEBVTT\n\n{cue}"


def test_blanks_around_a_time_cost_nothing(webvtt: Reader) -> None:
    blanks = " \t" * 50_000
    late = f"00:00.000 --> 00:01.000{blanks}{'x' * 501}\nhi\n\n"
    sound = f"{blanks}00:01.000{blanks}-->{blanks}00:02.000 \t line:0{blanks}\nyou\n"
    with within(1):
        assert webvtt(f"WEBVTT\n\n{late}{sound}") == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 line:0\nyou\n"
