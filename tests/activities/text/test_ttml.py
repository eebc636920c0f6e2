import time
import tracemalloc
from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from tests.activities.text.reading import Reader
from tests.fuzz.trying import within

NAMESPACES = ["http://www.w3.org/ns/ttml", "http://www.w3.org/2006/10/ttaf1", "http://www.w3.org/2006/04/ttaf1"]
HEAD = (
    '<head><styling><style xml:id="y" tts:color="yellow" tts:fontStyle="italic"/><style xml:id="o" style="y" '
    'tts:color="#ff8000ff"/></styling><layout><region xml:id="top" tts:origin="10% 5%" tts:extent="80% 10%" '
    'tts:textAlign="center"/><region xml:id="low" tts:origin="20% 80%" tts:extent="60% 10%" '
    'tts:displayAlign="after"><style tts:textAlign="left"/></region></layout></head>'
)


@pytest.fixture
def ttml(tmp_path: Path) -> Reader:
    return Reader(tmp_path, "TTML")


def tt(content: str, attributes: str = "", namespace: str = NAMESPACES[0]) -> str:
    names = f'xmlns="{namespace}" xmlns:tts="{namespace}#styling" xmlns:ttp="{namespace}#parameter"'
    return f"<tt {names} {attributes}>{HEAD}<body><div>{content}</div></body></tt>"


def start(ttml: Reader, time: str, attributes: str = "") -> str:
    return ttml.cues(tt(f'<p begin="{time}" dur="1s">a</p>', attributes))[0][0]


FILM = 'ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"'
NTSC = 'ttp:timeBase="smpte" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"'


@pytest.mark.parametrize(
    ("time", "attributes", "expected"),
    [
        ("1.5s", "", "00:00:01.500"),
        ("00:01:00.25", "", "00:01:00.250"),
        ("0.5m", "", "00:00:30.000"),
        ("00:00:01:05", "", "00:00:01.200"),
        ("00:00:01:12", 'ttp:frameRate="24"', "00:00:01.500"),
        ("00:01:00:12", FILM, "00:01:00.500"),
        ("48f", FILM, "00:00:02.002"),
        ("00:01:00:12", f'ttp:timeBase="smpte" {FILM}', "00:01:00.560"),
        ("00:10:00;00", f'{NTSC} ttp:dropMode="dropNTSC"', "00:09:59.999"),
        ("00:01:00:02", f'{NTSC} ttp:dropMode="dropNTSC"', "00:01:00.060"),
        ("15000000t", 'ttp:tickRate="10000000"', "00:00:01.500"),
        ("24t", 'ttp:frameRate="24"', "00:00:01.000"),
    ],
)
def test_times_of_every_kind(ttml: Reader, time: str, attributes: str, expected: str) -> None:
    assert start(ttml, time, attributes) == expected


def test_times_nest(ttml: Reader) -> None:
    content = tt(
        '</div><div begin="10s" end="15s"><p begin="1s" dur="20s">a</p></div>'
        '<div begin="20s" timeContainer="seq"><p dur="1s">b</p><p begin="1s" dur="1s">c</p></div>'
        '<div><p begin="30s" end="34s"><span end="2s">d</span> <span begin="2s">e</span></p><p begin="40s">f</p>'
    )
    assert [(begin[6:8], end[6:8], text) for begin, end, _, text in ttml.cues(content)] == [
        ("11", "15", "a"), ("20", "21", "b"), ("22", "23", "c"),
        ("30", "32", "d"), ("32", "34", "e"), ("40", "43", "f"),
    ]  # fmt: skip


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_styles_become_tags_in_every_namespace(ttml: Reader, namespace: str) -> None:
    content = (
        '<p begin="0s" end="1s">\n a <span style="y">b<br/>\n c</span> &amp; '
        '<span style="o" tts:fontWeight="bold">d</span></p>'
    )
    made = ttml(tt(content, namespace=namespace))
    assert "\na <c.yellow><i>b\nc</i></c> &amp; <c.cff8000><b><i>d</i></b></c>\n" in made
    assert made.startswith("WEBVTT\n\nSTYLE\n::cue(.cff8000) { color: #ff8000 }\n\n")


def test_regions_become_settings(ttml: Reader) -> None:
    content = tt('<p region="top" begin="0s" end="1s">a</p><p region="low" begin="1s" end="2s">b</p>')
    assert [cue[2] for cue in ttml.cues(content)] == ["line:5%", "align:left position:20%"]


@pytest.mark.parametrize(
    "content",
    [
        "<tt><body><div>",
        "<html/>",
        '<!DOCTYPE tt [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + tt("<p end='1s'>&b;</p>"),
        '<!DOCTYPE tt [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + tt("<p end='1s'>&a;</p>"),
        '<!DOCTYPE tt [<!ATTLIST p z CDATA "A">]>' + tt('<p begin="0s" end="1s">a</p>'),
        "<tt><body>" + "<div>" * 100_000,
        "<tt><body><div>" + "<p>" * 50 + "</p>" * 50 + "</div></body></tt>",
        tt('<p begin="0s" end="1s">a</p>', 'ttp:frameRate="0"'),
        *(tt(f'<p begin="{time}" end="2s">a</p>') for time in ("inf", "1e308s", "-1s", "9" * 400 + "s", "x")),
    ],
    ids=range(13),
)
def test_what_cannot_be_read_is_named(ttml: Reader, content: str) -> None:
    with pytest.raises(AcquisitionError, match="'the name' cannot be read as TTML"):
        ttml(content)


def test_a_long_value_that_every_cue_inherits_costs_nothing(ttml: Reader) -> None:
    long = "1" * 500_000
    region = f'<region xml:id="r" tts:origin="{long}" tts:color="{long}"/>'
    cues = "".join(f'<p region="r" begin="{second}s" end="{second + 1}s">a</p>' for second in range(2000))
    begin = time.thread_time()
    assert len(ttml.cues(f"<tt><head><layout>{region}</layout></head><body><div>{cues}</div></body></tt>")) == 2000
    assert time.thread_time() - begin < 5


def test_a_definition_elsewhere_is_not_asked_for(ttml: Reader) -> None:
    content = '<!DOCTYPE tt PUBLIC "-//X//DTD TT//EN" "http://127.0.0.1:9/tt.dtd">' + tt('<p end="1s">a</p>')
    assert ttml.texts(content) == ["a"]


@pytest.mark.parametrize("text", [" " * 1_000_000, " \n" * 500_000], ids=["line", "lines"])
def test_blanks_that_are_kept_cost_nothing(ttml: Reader, text: str) -> None:
    with within(1), pytest.raises(AcquisitionError, match="more than 5000"):
        ttml(tt(f'<p xml:space="preserve" end="1s">{text}</p>'))


def test_text_that_is_too_long_is_not_written_out_for_each_of_its_times(ttml: Reader) -> None:
    spans = "".join(f'<span begin="{second}s">a</span>' for second in range(18))
    content = tt(f'<p end="99s">{spans}<![CDATA[{"<" * 1_000_000}]]></p>')
    tracemalloc.start()
    with pytest.raises(AcquisitionError, match="more than 5000"):
        ttml(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 15 * len(content)
