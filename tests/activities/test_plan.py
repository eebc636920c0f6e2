"""The ladder and what becomes of it: arithmetic, and its laws for any source."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities import plan as module
from activities.cuts import Cutter
from activities.errors import EncodingError
from activities.ladder import even
from activities.media.color import Color
from activities.media.pictures import _Packets
from activities.plan import (
    Plan,
    PlanRequest,
    VideoRendition,
    audio_renditions,
    plan,
    unique_names,
    video_renditions,
)
from activities.processing import AudioRepresentation, ContentProcessing
from activities.tracks import AudioTrack, Mapped, SourceFile, VideoTrack
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips

FILE = SourceFile("movie.mp4", "source/0001.mp4", 1)
HDR10 = Color("bt2020", "smpte2084", "bt2020nc", 10)


def source(width: int, height: int) -> VideoTrack:
    return VideoTrack(FILE, 0, "h264", width, height, "25/1", 10.0, 250, 3000)


def sound(channels: int, language: str = "en", *, descriptive: bool = False) -> AudioTrack:
    return AudioTrack(FILE, 1, language, "aac", channels, 9.0, descriptive)


def video(width: int, height: int, *asked: dict[str, int]) -> list[tuple[int, int, int]]:
    return [(r.width, r.height, r.bitrate) for r in renditions(source(width, height), *asked)]


def renditions(track: VideoTrack, *asked: dict[str, int], **fields: Any) -> list[VideoRendition]:
    section = {"VideoRepresentations": [*asked] or None, **fields}
    return video_renditions(track, ContentProcessing.model_validate(section))


def audio(*tracks: AudioTrack, asked: list[dict[str, Any]] | None = None) -> list[tuple[str, str, int]]:
    rungs = [AudioRepresentation.model_validate(rung) for rung in asked] if asked else None
    return [(r.name, r.sound, r.bitrate) for r in audio_renditions(Mapped(None, [*tracks]), rungs)]


def test_the_documented_ladder() -> None:
    assert video(1920, 1080) == [
        (416, 234, 320),
        (640, 360, 860),
        (768, 432, 1130),
        (960, 540, 1590),
        (1280, 720, 2450),
        (1920, 1080, 4500),
    ]


def test_the_documented_ladder_of_h265() -> None:
    made = renditions(source(3840, 2160), VideoFormat="H265", BitrateLadder="V2")
    assert [(rung.height, rung.bitrate) for rung in made] == [
        (360, 320),
        (432, 860),
        (540, 1200),
        (720, 1850),
        (1080, 3400),
        (1440, 5230),
        (2160, 9610),
    ]
    assert made[0].name == "video-H265-360-320k"


@pytest.mark.parametrize(
    ("size", "heights"),
    [
        ((3840, 2160), [234, 360, 432, 540, 720, 1080]),
        ((1280, 720), [234, 360, 432, 540, 720]),
        ((1278, 718), [234, 360, 432, 540]),
        ((320, 180), [180]),
        ((321, 181), [180]),
        ((1080, 1920), [416, 640, 768, 960, 1280, 1920]),
    ],
)
def test_rungs_above_the_source_are_left_out(size: tuple[int, int], heights: list[int]) -> None:
    assert [height for _, height, _ in video(*size)] == heights


def test_a_missing_side_follows_the_source() -> None:
    assert video(1920, 800, {"Height": 400, "BitrateInKbps": 900}) == [(960, 400, 900)]
    assert video(1920, 800, {"Width": 640, "BitrateInKbps": 900}) == [(640, 266, 900)]
    assert video(1920, 800, {"BitrateInKbps": 900}) == [(1920, 800, 900)]


def test_asked_rungs_larger_than_the_source_are_left_out() -> None:
    rungs = [{"Height": 1080, "BitrateInKbps": 5000}, {"Height": 360, "BitrateInKbps": 800}]
    assert video(1280, 720, *rungs) == [(640, 360, 800)]


def test_at_least_one_rung_remains() -> None:
    rungs = [{"Height": 1080, "BitrateInKbps": 5000}, {"Height": 720, "BitrateInKbps": 2000}]
    assert video(640, 360, *rungs) == [(640, 360, 2000)]


def test_equal_rungs_are_made_once_and_names_differ() -> None:
    rung = {"Height": 360, "BitrateInKbps": 800}
    other = {"Width": 480, "Height": 360, "BitrateInKbps": 800}
    names = [rendition.name for rendition in renditions(source(1280, 720), rung, rung, other)]
    assert names == ["video-H264-360-800k", "video-H264-360-800k-2"]


def anamorphic(width: int = 1024, height: int = 576, pixels: str = "64/45") -> VideoTrack:
    return replace(source(width, height), pixel_aspect=pixels)


def shapes(track: VideoTrack, *asked: dict[str, int], **fields: Any) -> list[tuple[int, int, str]]:
    return [(r.width, r.height, r.pixel_aspect) for r in renditions(track, *asked, **fields)]


def test_pixels_are_square_unless_the_job_lets_them_be() -> None:
    rungs = [{"Height": 288, "BitrateInKbps": 500}, {"Height": 576, "BitrateInKbps": 900}]
    assert shapes(anamorphic(), *rungs) == [(512, 288, "1"), (1024, 576, "1")]
    made = shapes(anamorphic(), *rungs, ForcePixelAspectRatioTo1=False)
    assert made == [(360, 288, "64/45"), (720, 576, "64/45")]
    both = {"Width": 640, "Height": 576, "BitrateInKbps": 900}
    assert shapes(anamorphic(), both, ForcePixelAspectRatioTo1=False) == [(640, 576, "8/5")]


@pytest.mark.parametrize(
    ("size", "made", "inner"),
    [
        ((1920, 800), (1920, 1080), (1920, 800)),
        ((1440, 1080), (1440, 1080), None),
        ((1500, 1080), (1500, 1124), (1500, 1080)),
        ((1000, 1000), (1334, 1000), (1000, 1000)),
        ((800, 1920), (1080, 1920), (800, 1920)),
    ],
)
def test_bars_make_a_standard_shape(size: tuple[int, int], made: tuple[int, int], inner: tuple[int, int]) -> None:
    (only,) = renditions(source(*size), {"BitrateInKbps": 900}, ForceAspectRatioToStandard=True)
    assert ((only.width, only.height), only.inner) == (made, inner)


def test_nearby_sizes_are_in_whole_blocks_and_keep_the_shape() -> None:
    made = shapes(source(1920, 1080), SearchForOptimalNearbyResolutions=True)
    assert [(width, height) for width, height, _ in made] == [
        (384, 216),
        (640, 360),
        (768, 432),
        (896, 504),
        (1280, 720),
        (1920, 1080),
    ]
    both = {"Width": 852, "Height": 480, "BitrateInKbps": 800}
    assert shapes(source(1920, 1080), both, SearchForOptimalNearbyResolutions=True) == [(852, 480, "1")]


def test_the_highest_bitrate_is_that_of_the_source() -> None:
    rungs = [{"Height": 360, "BitrateInKbps": 800}, {"Height": 720, "BitrateInKbps": 2000}]
    made = renditions(source(1280, 720), *rungs, UseHighestPossibleBitrate=True)
    assert [rung.bitrate for rung in made] == [800, 3000]
    assert made[-1].name == "video-H264-720-3000k"


sides = st.integers(2, 8192)
asked_rungs = st.lists(
    st.fixed_dictionaries(
        {"BitrateInKbps": st.integers(10, 20_000)},
        optional={"Width": st.integers(16, 8192), "Height": st.integers(16, 8192)},
    ),
    max_size=5,
)


@given(sides, sides, asked_rungs, st.booleans())
def test_laws_of_every_ladder(width: int, height: int, asked: list[dict[str, int]], search: bool) -> None:  # noqa: FBT001
    made = [
        (r.width, r.height, r.bitrate)
        for r in renditions(source(width, height), *asked, SearchForOptimalNearbyResolutions=search)
    ]
    assert made
    assert len(set(made)) == len(made)
    for rung_width, rung_height, _ in made:
        assert rung_width % 2 == rung_height % 2 == 0
        assert 2 <= rung_width <= width
        assert 2 <= rung_height <= height


@given(st.fractions(0, 10_000))
def test_even_is_the_nearest(length: Any) -> None:
    assert even(length) % 2 == 0
    assert abs(even(length) - length) <= 1 or even(length) == 2


@pytest.mark.parametrize(
    ("channels", "made"),
    [
        (1, [("audio-en", "Mono", 64)]),
        (2, [("audio-en", "Stereo", 128)]),
        (3, [("audio-en", "Stereo", 128)]),
        (6, [("audio-en", "Stereo", 128)]),
        (8, [("audio-en", "Stereo", 128)]),
    ],
)
def test_the_documented_sound(channels: int, made: list[tuple[str, str, int]]) -> None:
    assert audio(sound(channels)) == made


@pytest.mark.parametrize(
    ("channels", "rule", "made"),
    [
        (6, "Always", ["Stereo", "5.1"]),
        (2, "Always", ["Stereo"]),
        (1, "Always", ["Mono"]),
        (6, "OnMatchingSound", ["5.1"]),
        (2, "OnMatchingSound", ["Stereo"]),
        (8, "OnMatchingSound", ["Stereo"]),
    ],
)
def test_rules_of_creation(channels: int, rule: str, made: list[str]) -> None:
    asked = [{"BitrateInKbps": 128, "Sound": name, "CreationRule": rule} for name in ("Stereo", "5.1")]
    assert [name for _, name, _ in audio(sound(channels), asked=asked)] == made


def test_equal_representations_are_made_once_and_a_bitrate_fits_the_layout_that_is_left() -> None:
    rung = {"BitrateInKbps": 576, "Sound": "Stereo"}
    assert audio(sound(2), asked=[rung, rung]) == [("audio-en", "Stereo", 576)]
    assert audio(sound(1), asked=[rung]) == [("audio-en", "Mono", 288)]


def test_both_formats_of_a_track() -> None:
    asked = [
        {"BitrateInKbps": 128},
        {"BitrateInKbps": 384, "Sound": "5.1", "AudioFormat": "AC3", "CreationRule": "OnMatchingSound"},
    ]
    rungs = [AudioRepresentation.model_validate(rung) for rung in asked]
    made = audio_renditions(Mapped(None, [sound(6), sound(2, "de")]), rungs)
    assert [(r.name, r.format) for r in made] == [("audio-en", "AAC"), ("audio-en-2", "AC3"), ("audio-de", "AAC")]


def test_there_is_an_end_to_sound_and_it_says_what_to_do() -> None:
    tracks = [sound(2, language) for language in ("de", "en")] * 32
    rungs = [AudioRepresentation(bitrate_in_kbps=kbps) for kbps in (64, 128, 192)]
    assert len(audio_renditions(Mapped(None, tracks), rungs[:2])) == 128
    with pytest.raises(
        EncodingError, match=r"192 audio renditions of 64 tracks, and 128 .* MediaMappings.AudioLanguages"
    ):
        audio_renditions(Mapped(None, tracks), rungs)


def test_every_track_is_heard_and_names_differ() -> None:
    tracks = [sound(2), sound(2, "de"), sound(2, descriptive=True), sound(1, "de")]
    assert [name for name, _, _ in audio(*tracks)] == ["audio-en", "audio-de", "audio-en-2", "audio-de-2"]
    made = audio_renditions(Mapped(None, tracks), None)
    assert [(r.track, r.language, r.descriptive) for r in made] == [
        (0, "en", False),
        (1, "de", False),
        (2, "en", True),
        (3, "de", False),
    ]


@given(st.lists(st.sampled_from(["audio-en", "audio-en-2", "audio-de", "audio-de-2-2"])))
def test_names_are_unique(names: list[str]) -> None:
    made = unique_names(names)
    assert len(set(made)) == len(made) == len(names)
    assert unique_names(["text-en", "text-en-2", "text-en", "text-en"]) == [
        "text-en",
        "text-en-2",
        "text-en-3",
        "text-en-4",
    ]


async def planned(mapped: Mapped, **fields: Any) -> Plan:
    return await Running()(plan, PlanRequest(JOB_ID, mapped, ContentProcessing.model_validate(fields)))


@pytest.mark.parametrize(
    ("codec", "presets"), [("H264", ["veryfast", "medium", "slow"]), ("H265", ["superfast", "fast", "slow"])]
)
async def test_the_goal_chooses_the_preset(codec: str, presets: list[str]) -> None:
    for goal, preset in zip(("Speed", "Balance", "Quality"), presets, strict=True):
        assert (await planned(Mapped(source(320, 180)), OptimizeFor=goal, VideoFormat=codec)).preset == preset


@pytest.mark.parametrize(
    ("codec", "fields", "color", "ten_bit", "hdr"),
    [
        ("H264", {"ExtractAndApplyHDR": True}, HDR10, False, ""),
        ("H265", {"ExtractAndApplyHDR": True}, HDR10, True, "smpte2084"),
        ("H265", {}, HDR10, True, ""),
        ("H265", {"ExtractAndApplyHDR": True}, Color(bits=10), True, ""),
        ("H265", {}, Color(), False, ""),
    ],
)
async def test_bits_and_range_that_are_kept(
    codec: str, fields: dict[str, Any], color: Color, ten_bit: Any, hdr: str
) -> None:
    made = await planned(Mapped(replace(source(320, 180), color=color)), VideoFormat=codec, **fields)
    assert (made.video[0].ten_bit, made.hdr) == (ten_bit, hdr)


async def test_a_worker_without_the_encoder_keeps_no_range_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ten_bit_ffmpeg", lambda: None)
    mapped = Mapped(replace(source(320, 180), color=HDR10))
    assert not (await planned(mapped, VideoFormat="H265")).video[0].ten_bit
    with pytest.raises(EncodingError, match=r"ExtractAndApplyHDR needs .* install encoding-service\[hdr\]"):
        await planned(mapped, VideoFormat="H265", ExtractAndApplyHDR=True)


async def test_the_film_is_as_long_as_its_picture() -> None:
    made = await planned(Mapped(source(320, 180), [sound(2)]))
    assert (made.duration, len(made.chunks), made.chunks[0].start, made.chunks[0].duration) == (10.0, 1, 0.0, None)


async def test_the_film_is_as_long_as_a_late_picture_reaches() -> None:
    assert (await planned(Mapped(replace(source(320, 180), start=0.5)))).duration == 10.5


async def test_a_picture_that_was_planned_before_only_gets_its_sound() -> None:
    settings = ContentProcessing.model_validate({"NormalizeAudio": True})
    film = source(1280, 720)
    picture = await Running()(plan, PlanRequest(JOB_ID, Mapped(film), settings))
    mapped = Mapped(film, [sound(2), sound(6, "de")])
    both = await Running()(plan, PlanRequest(JOB_ID, mapped, settings, replace(picture, in_one_piece="it was seen")))
    assert both == replace(await Running()(plan, PlanRequest(JOB_ID, mapped, settings)), in_one_piece="it was seen")
    assert [rendition.language for rendition in both.audio] == ["en", "de"]


async def test_sound_is_normalized_where_it_is_encoded() -> None:
    mapped = Mapped(source(320, 180), [sound(2)], [], [source(320, 180)])
    section: dict[str, Any] = {"VideoFormat": "DoNotEncode", "NormalizeAudio": True}
    asked = [{"BitrateInKbps": 64}]
    made = await planned(mapped, **section, AudioRepresentations=asked)
    assert (made.normalize, [r.is_copied for r in made.audio]) == (True, [False])
    with pytest.raises(ValidationError, match=r"NormalizeAudio: .* remove NormalizeAudio, or ask for AudioRepresent"):
        await planned(mapped, **section)


async def test_sound_alone_has_no_chunks() -> None:
    made = await planned(Mapped(None, [sound(2)]))
    assert (made.duration, made.chunks, made.video, len(made.audio)) == (9.0, [], [], 1)


@pytest.mark.usefixtures("root")
async def test_what_takes_long_for_a_long_film_holds_no_other_job_up(
    clip: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop also serves all that beats."""
    threads: list[int] = []

    def noted(method: Any) -> Any:
        def call(*arguments: Any) -> Any:
            threads.append(threading.get_ident())
            return method(*arguments)

        return call

    for place, name in ((_Packets, "found"), (Cutter, "chunks"), (Cutter, "samples")):
        monkeypatch.setattr(place, name, noted(getattr(place, name)))
    monkeypatch.setattr(module, "SHORTEST_FILM", 1.0)
    film = clip()
    request = PlanRequest(JOB_ID, Mapped(await video_track(film, in_workspace(film))), ContentProcessing())
    assert (await Running()(plan, request)).samples
    assert len(threads) == 3
    assert threading.get_ident() not in threads
