"""What arrives as sound: any usual format, length and layout, and what is wrong with it."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from activities.encode import AudioRequest, encode_audio
from activities.errors import EncodingError
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.workspace import workspace
from tests.activities.reading import decoded, loud_tenths, pitches, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace
from tests.clips import Clips, _run

pytestmark = pytest.mark.usefixtures("root")
TONES = "aevalsrc=0.2*sin(300*2*PI*t)|0.2*sin(400*2*PI*t):channel_layout=stereo:duration=2"
STEEPEST = 1000
"""Between two samples of `TONES` lie at most 373 of 32768, and 256 more with eight bits; a click is far more."""


async def heard(source: Path, sound: str = "Stereo", *, picture: float = 0.0) -> Path:
    """The only track of a source, encoded for a picture of so many seconds."""
    tracks = await audio_tracks(source, in_workspace(source))
    video = [VideoRendition("v", 64, 64, 100)] if picture else []
    plan = Plan(video, [AudioRendition("a", 0, "en", 192, sound)], duration=picture)
    made = await Running()(encode_audio, AudioRequest(JOB_ID, tracks[:1], plan))
    return workspace(JOB_ID) / made.paths["a"]


def samples(file: Path) -> memoryview:
    """All samples of its channels, one behind the other."""
    return memoryview(decoded(file, "-map", "0:a:0", "-f", "s16le")).cast("h")


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_u8", 48000),
        ("a.wav", "pcm_f32le", 44100),
        ("a.mov", "pcm_s24le", 96000),
        ("a.mp3", "libmp3lame", 48000),
        ("a.mkv", "eac3", 48000),
        ("a.mkv", "libopus", 48000),
        ("a.flac", "flac", 44100),
    ],
)
async def test_formats_lose_and_repeat_no_sample(name: str, codec: str, rate: int, tmp_path: Path) -> None:
    source = tmp_path / name
    _run("-f", "lavfi", "-i", f"{TONES}:sample_rate={rate}", "-c:a", codec, str(source))
    made = await heard(source)
    assert float(streams(made)[0]["duration"]) == pytest.approx(2, abs=0.02)
    assert pitches(made) == [300, 400]
    for channel in (0, 1):
        wave = samples(made)[channel::2].tolist()[4800:-4800]  # the codec itself clicks a little at the ends
        assert max(abs(after - before) for before, after in pairwise(wave)) < STEEPEST


async def test_material_exchange_format(tmp_path: Path) -> None:
    source = tmp_path / "a.mxf"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:duration=2", "-c:v", "mpeg2video"]
    _run(*picture, "-f", "lavfi", "-i", f"{TONES}:sample_rate=48000", "-c:a", "pcm_s24le", str(source))
    assert pitches(await heard(source)) == [300, 400]


async def test_full_channels_do_not_clip_where_they_are_mixed(tmp_path: Path) -> None:
    source = tmp_path / "loud.wav"
    tones = "|".join(["0.98*sin(440*2*PI*t)"] * 6)
    _run("-f", "lavfi", "-i", f"aevalsrc={tones}:channel_layout=5.1:duration=1", "-c:a", "pcm_f32le", str(source))
    peak = max(map(abs, samples(await heard(source)).tolist()))
    assert 0.9 < peak / 32768 < 0.999


async def test_eight_channels_fold_to_fewer(tmp_path: Path) -> None:
    source = tmp_path / "7.1.wav"
    tones = "|".join(f"0.2*sin({220 * n}*2*PI*t)" for n in range(1, 9))
    _run("-f", "lavfi", "-i", f"aevalsrc={tones}:channel_layout=7.1:duration=1", str(source))
    assert streams(await heard(source, "5.1"))[0]["channel_layout"] == "5.1"


async def test_channels_without_places_are_named(tmp_path: Path) -> None:
    source = tmp_path / "many.wav"
    _run("-f", "lavfi", "-i", f"aevalsrc={'|'.join('0' * 64)}:duration=0.2", str(source))
    with pytest.raises(EncodingError, match=r"'many\.wav' \(track 0\) has channels that stand for no known places"):
        await heard(source)


@pytest.mark.parametrize(("seconds", "length"), [(1, 3), (5, 5)])
async def test_short_sound_is_filled_up_to_the_picture_and_long_sound_is_kept(
    seconds: int, length: int, tmp_path: Path
) -> None:
    source = tmp_path / "a.wav"
    _run("-f", "lavfi", "-i", f"sine=duration={seconds}:sample_rate=48000", str(source))
    made = await heard(source, "Mono", picture=3)
    assert float(streams(made)[0]["duration"]) == pytest.approx(length, abs=0.001)
    assert loud_tenths(made)[: length * 10] == [True] * seconds * 10 + [False] * (length - seconds) * 10


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
async def test_sound_that_starts_late_stays_with_the_picture(name: str, clip: Clips, tmp_path: Path) -> None:
    source, sound = tmp_path / name, tmp_path / "sound.m4a"
    _run("-f", "lavfi", "-i", "sine=duration=1:sample_rate=48000", "-c:a", "aac", str(sound))
    inputs = ["-i", str(clip(audio=None, seconds=3)), "-itsoffset", "0.5", "-i", str(sound)]
    _run(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", str(source))
    made = await heard(source, "Mono", picture=3)
    assert loud_tenths(made)[:29] == [False] * 5 + [True] * 10 + [False] * 14
    assert float(streams(made)[0]["duration"]) == pytest.approx(3, abs=0.1)


async def test_what_silence_fills_up_hides_no_sound_that_breaks_off(tmp_path: Path) -> None:
    whole, source = tmp_path / "whole.m4a", tmp_path / "cut.m4a"
    _run("-f", "lavfi", "-i", "sine=duration=10", "-c:a", "aac", "-movflags", "+faststart", str(whole))
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(EncodingError, match=r"sound of 'cut\.m4a' \(track 0\) ends at \d\.\d s of 10\.0 s"):
        await heard(source, "Mono", picture=20)


async def test_a_damaged_place_is_concealed_and_the_rest_stays_where_it_is(tmp_path: Path) -> None:
    source = tmp_path / "damaged.m4a"
    _run("-f", "lavfi", "-i", "sine=duration=6:sample_rate=48000", "-c:a", "aac", "-b:a", "64k", str(source))
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 800] = random.Random(1).randbytes(800)
    source.write_bytes(content)
    made = await heard(source, "Mono")
    assert float(streams(made)[0]["duration"]) == pytest.approx(6, abs=0.02)
    assert all(loud_tenths(made)[:25] + loud_tenths(made)[35:59])
