"""Subtitles of every format: what is made of them is WebVTT by the letter, and words and times stay what they were."""

import re
import struct
from fractions import Fraction
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.errors import AcquisitionError
from activities.text import TextFile, to_webvtt
from activities.text.cues import Cue, document, escaped
from activities.text.encodings import decoded
from activities.text.pac import HEADER
from activities.text.webvtt import read
from tests.fuzz.trying import LETTERS, TEXT, check_told, inputs, made_of
from tests.fuzz.webvtt_rules import Shown, check_tags, cues_of

FILM = 100_000
"""Milliseconds."""
UNFORESEEN = "it is damaged; replace it"
"""What is told where a reader has failed."""
LANGUAGES = st.sampled_from(["und", "en", "ru", "ja", "he", "zh", "vi", "el", "th", "pt-BR"])
TIMES = ["00:00:01,000 --> 00:00:02,000\n", "00:01.5-->00:02,5", "00:00:09.000 --> 00:00:03.000 line:0 align:middle\n"]
TIMES += [
    "10:00:00.000 --> 10:00:01.000\n",
    "999999:99:99.999 --> 999999:99:99.999\n",
    "0:0:0 --> 9:9:9\n",
    " --> ",
    "-->",
]
SRT = made_of(
    *TIMES, "7\n", "\n\n", "\n", "<i>", "</b>", "<b>", "<br/>", "{\\an8}", "{i}", "{/i}", "&#10;", "&lt;", "&nbsp;"
)
VTT = made_of(
    *TIMES,
    "\n\n",
    "\n",
    "STYLE\n",
    "REGION\n",
    "NOTE\n",
    "STYLE",
    "id:1\n",
    "::cue{}",
    "<v a>",
    " region:--> ",
    "name\n",
).map("WEBVTT{}".format)
NAMES = st.sampled_from(
    ["body", "div", "p", "span", "br", "head", "styling", "style", "layout", "region", "x:p", "metadata"]
)
ATTRIBUTES = ["begin", "end", "dur", "region", "style", "timeContainer", "xml:space", "tts:color", "tts:fontStyle"]
ATTRIBUTES += [
    "tts:origin",
    "tts:extent",
    "tts:displayAlign",
    "tts:textAlign",
    "tts:display",
    "xml:id",
    "tts:textDecoration",
]
ROOT = [
    "ttp:frameRate",
    "ttp:frameRateMultiplier",
    "ttp:tickRate",
    "ttp:timeBase",
    "ttp:dropMode",
    "ttp:cellResolution",
]
TIMED = [
    "1s",
    "00:00:01",
    "00:00:02:12",
    "00:00:03.5",
    "10f",
    "10t",
    "500ms",
    "999999999999999999h",
    "1:2",
    "-1s",
    "0s",
]
VALUES = [
    *TIMED,
    "a",
    "b",
    "a b",
    "seq",
    "par",
    "preserve",
    "default",
    "#ff0000",
    "red",
    "rgb(1, 2, 3)",
    "italic",
    "none",
]
VALUES += [
    "10% 80%",
    "80px 5px",
    "1c 1c",
    "after",
    "center",
    "right",
    "30",
    "1000 1001",
    "0 1",
    "smpte",
    "dropNTSC",
    "1",
]


def attributes(names: list[str]) -> st.SearchStrategy[str]:
    value = st.sampled_from(VALUES) | TEXT.map(lambda text: re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd]", "", text))
    given_ = st.dictionaries(st.sampled_from(names), value, max_size=3)
    return given_.map(lambda found: "".join(f" {name}={quoteattr(text)}" for name, text in found.items()))


ELEMENTS = st.recursive(
    LETTERS.map(lambda text: re.sub(r"[^\t\n -\ud7ff\ue000-\ufffd]", "", escaped(text))),
    lambda inner: st.tuples(NAMES, attributes(ATTRIBUTES), st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}{made[1]}>{''.join(made[2])}</{made[0]}>"
    ),
    max_leaves=12,
)
BODY = st.lists(ELEMENTS, max_size=4).map("".join)
HEAD = "<head><styling><style xml:id='a' style='b'/><style xml:id='b' style='a' tts:color='red'/></styling></head>"
TTML = st.tuples(attributes(ROOT), BODY, attributes(ATTRIBUTES)).map(
    lambda made: (
        f"<tt xmlns:x='x' xmlns:tts='t' xmlns:ttp='p'{made[0]}>{HEAD}<body>"
        f"<p begin='1s' end='2s'>word</p><div{made[2]}>{made[1]}</div></body></tt>"
    )
)
RECORDS = st.tuples(st.lists(st.integers(0, 65535), min_size=4, max_size=4), st.binary(max_size=40), st.booleans())


def record(made: tuple[list[int], bytes, bool]) -> bytes:
    times, text, known = made
    payload = b"\x0b\xfe\x02\x03" + (bytes(byte & 0x7F for byte in text) if known else text)
    return struct.pack("<BHB5H", 0, 1, 0, *times, len(payload)) + payload


PAC = st.tuples(st.lists(RECORDS.map(record), max_size=5), st.binary(max_size=8)).map(
    lambda made: HEADER + b"".join(made[0]) + made[1]
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("text") / "file"


def converted(
    file: Path, kind: str, content: "str | bytes", language: str = "und", length: int | None = FILM
) -> list[Shown]:
    """The cues; none where the file was refused, as it should be: with its name, and not by an accident."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        made = to_webvtt(TextFile(file, "the name", kind, language, length=length))
    except AcquisitionError as error:
        check_told(error, "'the name'", secrets=[UNFORESEEN])
        return []
    assert len(made) < 100 * len(content) + 1000
    cues = cues_of(made)
    assert all(cue.end <= (length or 360_000_000) for cue in cues)
    return cues


@given(SRT, st.sampled_from([FILM, None]))
@inputs(50)
def test_srt(file: Path, text: str, length: int | None) -> None:
    for cue in converted(file, "SRT", text, length=length):
        check_tags(cue.text)


@given(VTT, st.sampled_from([FILM, None]))
@inputs(50)
def test_webvtt(file: Path, text: str, length: int | None) -> None:
    converted(file, "WebVTT", text, length=length)


@given(TTML)
@inputs(60)
def test_ttml(file: Path, text: str) -> None:
    for cue in converted(file, "TTML", text):
        check_tags(cue.text)


@given(PAC, LANGUAGES)
@inputs(30)
def test_pac(file: Path, data: bytes, language: str) -> None:
    for cue in converted(file, "PAC", data, language):
        check_tags(cue.text)


@given(st.sampled_from(["SRT", "WebVTT", "TTML", "PAC"]), st.binary(max_size=60), LANGUAGES, st.data())
@inputs(30)
def test_any_bytes(file: Path, kind: str, junk: bytes, language: str, data: st.DataObject) -> None:
    sound = data.draw({"SRT": SRT, "WebVTT": VTT, "TTML": TTML, "PAC": PAC.map(bytes.hex)}[kind])
    encoding = data.draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1251", "shift_jis"]))
    content = bytes.fromhex(sound) if kind == "PAC" else sound.encode(encoding, errors="replace")
    place = data.draw(st.integers(0, len(content)))
    converted(file, kind, content[:place] + junk + content[place + len(junk) :], language)


LINE = LETTERS.map(lambda text: "".join(char for char in text if char.isprintable()).strip()).filter(bool)
CUES = st.builds(
    Cue,
    start=st.integers(0, 90_000),
    end=st.integers(90_001, FILM),
    text=st.lists(LINE.map(escaped), min_size=1, max_size=3).map("\n".join),
    settings=st.sampled_from(["", "line:0", "align:right line:45%", "position:5%,line-left size:50%"]),
    identifier=st.sampled_from(["", "1", "a name"]),
)


@given(st.lists(CUES, min_size=1, max_size=6))
@inputs(20)
def test_what_is_written_is_read_again(cues: list[Cue]) -> None:
    made = document(cues, FILM)
    again, _ = read(made)
    assert again == sorted(cues, key=lambda cue: (cue.start, cue.end))
    assert [(cue.start, cue.end, cue.text) for cue in cues_of(made)] == [
        (cue.start, cue.end, cue.text) for cue in again
    ]


WORDS = {
    "und": "naïve œuvre",
    "ru": "съешь ещё этих мягких",
    "ja": "日本語の字幕です",
    "el": "ξεσκεπάζω την",
    "he": "דג סקרן שט",
}


@given(st.sampled_from([*WORDS]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]), LINE)
@inputs(20)
def test_every_unicode_encoding_gives_the_same_text(language: str, encoding: str, line: str) -> None:
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{WORDS[language]} {line}\n"
    assert decoded(text.encode(encoding), language) == text


@given(
    st.sampled_from(["UTF-8", "utf-16", "UTF-16LE", "iso-8859-1", "windows-1252", "cp037", "cp65001", "utf-7", "big5"]),
    LINE,
)
@inputs(15)
def test_a_declaration_is_not_believed_against_the_bytes(declared: str, line: str) -> None:
    words = "".join(char for char in line if char.isascii() and char.isalnum())
    text = f'<?xml version="1.0" encoding="{declared}"?><tt>{words}</tt>'
    assert decoded(text.encode()) == text


@given(st.integers(0, 359_999_999), st.sampled_from([Fraction(25), Fraction(24000, 1001), Fraction(30)]))
@inputs(20)
def test_times_stay_what_they_are(file: Path, start: int, rate: Fraction) -> None:
    hours, rest = divmod(start, 3_600_000)
    clock = f"{hours:02}:{rest // 60_000:02}:{rest // 1000 % 60:02}"
    srt = f"{clock},{start % 1000:03} --> 200:00:00,000\nword\n"
    ttml = f"<tt><body><p begin='{clock}.{start % 1000:03}' end='200:00:00.000'>word</p></body></tt>"
    assert [cue.start for cue in converted(file, "SRT", srt, length=None)] == [start]
    assert [cue.start for cue in converted(file, "TTML", ttml, length=None)] == [start]
    frame = int(rest % 1000 * rate / 1000)
    data = HEADER + record(([hours * 100 + rest // 60_000, rest // 1000 % 60 * 100 + frame, 9959, 5900], b"word", True))
    file.write_bytes(data)
    [cue] = cues_of(to_webvtt(TextFile(file, "the name", "PAC", frame_rate=rate)))
    assert abs(cue.start - (start - start % 1000 + frame * 1000 / rate)) <= 1
