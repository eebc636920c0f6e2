"""What the tools say: progress, tracks, loudness, packets; and the percent that is made of it."""

import json
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.media.color import bits
from activities.media.ffmpeg import _Progress
from activities.media.loudness import loudness_in
from activities.media.pictures import _Packets
from activities.media.probe import (
    FASTEST,
    LONGEST,
    LONGEST_SIDE,
    MOST_PIXELS,
    AudioStream,
    ProbeError,
    VideoStream,
    parse,
)
from tests.fuzz.trying import TEXT, Way, inputs, leaves, made_of, replaced

RECORDS = made_of(
    "out_time_us=", "out_time_us=N/A", "-", "12", "1" * 320, "9" * 5000, "frame=1", "progress=end", "=", size=4
)


@given(st.lists(RECORDS | st.integers().map("out_time_us={}".format), max_size=8))
@inputs(50)
def test_progress_never_falls(lines: list[str]) -> None:
    seen: list[float] = []
    progress = _Progress(seen.append)
    for line in lines:
        progress.read(line)
    assert seen == sorted(seen)
    assert all(value >= 0 for value in seen)


PROBED: dict[str, Any] = {
    "format": {"format_name": "mov,mp4", "duration": "10.0", "start_time": "0.0", "bit_rate": "800000"},
    "packets": [{"stream_index": 0, "side_data_list": [{"side_data_type": "Skip Samples"}]}],
    "streams": [
        {
            "index": 0,
            "codec_type": "video",
            "codec_name": "h264",
            "width": 720,
            "height": 576,
            "sample_aspect_ratio": "16:11",
            "avg_frame_rate": "25/1",
            "r_frame_rate": "25/1",
            "start_time": "0.0",
            "duration": "10.0",
            "bit_rate": "700000",
            "nb_frames": "250",
            "pix_fmt": "yuv420p10le",
            "field_order": "tt",
            "side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}],
            "disposition": {"attached_pic": 0},
            "tags": {"language": "eng", "DURATION": "00:00:10.000"},
        },
        {
            "index": 1,
            "codec_type": "audio",
            "codec_name": "aac",
            "channels": 2,
            "sample_rate": "48000",
            "duration": "10.0",
            "tags": {"language": "deu"},
        },
        {"index": 2, "codec_type": "subtitle", "codec_name": "subrip", "tags": {"DURATION": "00:00:01.0"}},
    ],
}
NUMBERS = st.sampled_from(
    ["0/0", "1/0", "0:1", "N/A", "0", "-1", "-5.5", "nan", "inf", "1e400", "9" * 5000, "25", "1:2:3"]
)
SAID = NUMBERS | st.integers(-(2**40), 2**40).map(str) | TEXT | st.floats().map(str)
"""ffprobe gives most numbers as text, from fields that a file can fill as it likes."""
TEXTS = st.lists(
    st.sampled_from([way for way, value in leaves(PROBED) if isinstance(value, str)]), min_size=1, max_size=2
)
COUNTS = st.sampled_from([way for way, value in leaves(PROBED) if isinstance(value, int)])


@given(TEXTS, st.lists(SAID, min_size=2, max_size=2), COUNTS, st.none() | st.integers(-(2**31), 2**31 - 1))
@inputs(40)
def test_tracks_are_sane_or_refused(texts: list[Way], said: list[str], counted: Way, count: int | None) -> None:
    document = PROBED
    for way, value in zip(texts, said, strict=False):
        document = replaced(document, way, value)
    document = document if count is None else replaced(document, counted, count)
    try:
        tracks = parse(document).tracks
    except (ProbeError, ValueError, KeyError, ArithmeticError):
        return  # as `probe` takes them
    for track in tracks:
        if isinstance(track, VideoStream | AudioStream):
            assert 0 <= track.duration <= LONGEST
        if isinstance(track, VideoStream):
            assert 0 <= track.start <= LONGEST
            assert 0 < track.width * track.height <= MOST_PIXELS
            assert max(track.width, track.height) <= LONGEST_SIDE
            assert track.frames is None or track.frames > 0
            assert 0 < Fraction(track.frame_rate) <= FASTEST
            assert Fraction(track.pixel_aspect) > 0


@given(st.sampled_from(["input_i", "input_tp"]), SAID, SAID)
@inputs(30)
def test_loudness(tmp_path_factory: pytest.TempPathFactory, name: str, value: str, other: str) -> None:
    stats: Path = tmp_path_factory.getbasetemp() / "stats.json"
    stats.write_text(json.dumps({"input_i": other, "input_tp": "-1.0"} | {name: value}))
    try:
        found = loudness_in(stats)
    except ValueError:
        return
    assert found
    assert isfinite(found.gain)
    assert found.overshoots in (True, False)


PAIRS = made_of(
    "pts_time=", "size=", "flags=", "duration_time=", "N/A", "K__", "_D_", "|", "1.5", "-3", "0.04", size=10
)


@given(
    st.lists(
        PAIRS | st.floats(0, 100).map(lambda at: f"pts_time={at:.6f}|duration_time=0.04|size=9|flags=K__"), max_size=6
    )
)
@inputs(30)
def test_packets(lines: list[str]) -> None:
    packets = _Packets()
    for line in lines:
        try:
            packets.read(line)
        except (ValueError, ArithmeticError):
            return
    if packets.times:
        found = packets.found()
        assert list(found.times) == sorted(found.times)
        assert found.times[0] == 0
        assert found.count == len(found.times)


@given(TEXT | made_of("yuv420p", "p0", "10", "le", "be", "gray"))
@inputs(20)
def test_bits_of_a_pixel_format(name: str) -> None:
    assert bits(name) >= 0
