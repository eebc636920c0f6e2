"""Real encodes of small clips: what comes out, and what is refused."""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activities.cuts import Chunk
from activities.encode import AudioRequest, ChunkRequest, EncodedAudio, EncodedChunk, encode_audio, encode_chunk
from activities.errors import EncodingError, ErrorCode, LostError
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.tracks import AudioTrack, MonoTrack, VideoTrack
from activities.workspace import workspace
from tests.activities.media.children import children, started
from tests.activities.reading import frames, loud_tenths, pitches, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import Clips, _run, garbage, truncated

pytestmark = pytest.mark.usefixtures("root")
SMALL, LARGE = VideoRendition("small", 160, 90, 100), VideoRendition("large", 320, 180, 300)
PLAN = Plan(video=[SMALL, LARGE], preset="veryfast")
WHOLE = Chunk(0)


async def encoded(
    source: Path, plan: Plan = PLAN, chunk: Chunk = WHOLE, running: Running | None = None, **fields: Any
) -> EncodedChunk:
    track = replace(await video_track(source, in_workspace(source)), **fields)
    return await (running or Running())(encode_chunk, ChunkRequest(JOB_ID, track, plan, chunk))


async def heard(source: Path, *made: AudioRendition, running: Running | None = None) -> EncodedAudio:
    tracks = await audio_tracks(source, in_workspace(source))
    return await (running or Running())(encode_audio, AudioRequest(JOB_ID, tracks, Plan(audio=[*made])))


def file(made: EncodedChunk | EncodedAudio, name: str) -> Path:
    return workspace(JOB_ID) / made.paths[name]


def rendition(sound: str, name: str = "a", track: int = 0, bitrate: int = 64) -> AudioRendition:
    return AudioRendition(name, track, "en", bitrate, sound)


async def test_every_rendition_has_the_same_frames_and_key_frames(clip: Clips) -> None:
    made = await encoded(clip(seconds=5))
    small, large = frames(file(made, "small")), frames(file(made, "large"))
    assert small == large
    assert (made.frames, len(small.times), small.times[0]) == (125, 125, 0)
    assert small.keys == [0, 2, 4]
    (stream,) = streams(file(made, "large"))
    assert (stream["width"], stream["height"], stream["profile"], stream["pix_fmt"]) == (320, 180, "High", "yuv420p")
    assert stream["sample_aspect_ratio"] == "1:1"


def held(folder: Path, clip: Path) -> Path:
    """The last of its 50 pictures lasts ten seconds more."""
    made = folder / "held.mp4"
    lasting = "setts=duration=if(eq(N\\,49)\\,10/TB\\,DURATION)"
    _run("-i", str(clip), "-c", "copy", "-bsf:v", lasting, str(made))
    return made


@pytest.mark.parametrize("codec", ["H264", "H265"])
async def test_a_picture_that_is_held_at_the_end_is_no_damage(codec: str, clip: Clips, tmp_path: Path) -> None:
    source = held(tmp_path, clip(audio=None))
    assert (await video_track(source)).end == pytest.approx(11.96, abs=0.01)
    plan = replace(PLAN, video=[replace(SMALL, codec=codec)], preset="ultrafast")
    assert (await encoded(source, plan)).frames == 50
    with pytest.raises(EncodingError, match=r"ends at .* of 12\.0 s: the file is damaged or incomplete"):
        await encoded(truncated(source), plan)


async def test_frames_of_23_976_stay_where_they_are(clip: Clips) -> None:
    made = await encoded(clip(seconds=5, fps="24000/1001"))
    found = frames(file(made, "small"))
    assert found == frames(file(made, "large"))
    assert found.times == pytest.approx([n * 1001 / 24000 for n in range(120)], abs=0.001)
    assert found.keys == pytest.approx([0, 2.002, 4.004], abs=0.001)


async def test_a_variable_frame_rate_stays_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "vfr.mp4"
    picture = "testsrc2=size=320x180:rate=50:duration=5,select='not(mod(n,3))+lt(mod(n,100),20)'"
    _run("-f", "lavfi", "-i", picture, "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", str(source))
    found = [frames(file(await encoded(source), name)) for name in ("small", "large")]
    assert found[0] == found[1]
    assert found[0].times == pytest.approx(frames(source).times, abs=0.001)
    assert {0, 2, 4} <= set(found[0].keys)


@pytest.mark.parametrize("seconds", [0.72, 8])
async def test_a_late_picture_starts_with_copies_of_its_first_frame(
    seconds: float, clip: Clips, tmp_path: Path
) -> None:
    source = tmp_path / "late.mkv"
    inputs = ["-itsoffset", str(seconds), "-i", str(clip(audio=None)), "-i", str(clip(seconds=10))]
    _run(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", str(source))
    late = (await video_track(source)).start
    made = frames(file(await encoded(source), "small")).times
    assert made == pytest.approx([n / 25 for n in range(len(made))], abs=0.001)
    assert late == pytest.approx(seconds, abs=0.05)
    assert made[-1] == pytest.approx(late + 1.96, abs=0.021)


@pytest.mark.parametrize("size", ["322x182", "180x320", "64x64"])
async def test_odd_shapes(size: str, clip: Clips) -> None:
    width, height = map(int, size.split("x"))
    plan = replace(PLAN, video=[VideoRendition("only", width, height, 100)])
    (stream,) = streams(file(await encoded(clip(seconds=1, size=size), plan), "only"))
    assert (stream["width"], stream["height"]) == (width, height)


async def test_a_turned_picture_is_encoded_upright(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "turned.mp4"
    _run("-display_rotation", "90", "-i", str(clip()), "-c", "copy", str(source))
    plan = replace(PLAN, video=[VideoRendition("only", 180, 320, 100)])
    (stream,) = streams(file(await encoded(source, plan), "only"))
    assert (stream["width"], stream["height"]) == (180, 320)
    assert not any("rotation" in data for data in stream.get("side_data_list", []))


async def test_nothing_but_the_picture_is_taken_over(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "tagged.mp4"
    _run("-i", str(clip()), "-c", "copy", "-metadata", "title=a secret title", str(source))
    made = file(await encoded(source), "small")
    assert [stream["codec_type"] for stream in streams(made)] == ["video"]
    assert b"secret title" not in made.read_bytes()


async def test_a_chunk_is_the_span_that_it_names(clip: Clips) -> None:
    made = await encoded(clip(seconds=5), chunk=Chunk(1, 2.0, 2.0))
    assert (made.index, made.frames) == (1, 50)
    assert frames(file(made, "small")).times[0] == 0


async def test_progress_ends_at_the_whole_film(clip: Clips) -> None:
    running = Running()
    await encoded(clip(seconds=5), running=running)
    done = [beat.done for beat in running.beats]
    assert done == sorted(done)
    assert (running.beats[-1].done, running.beats[-1].total) == (5, 5)


async def test_attempts_write_to_folders_of_their_own(clip: Clips) -> None:
    made = []
    for attempt, scheduled in ((1, 7.0), (1, 7.1), (2, 7.1)):  # whenever the workflow asks, attempts count from one
        running = Running(scheduled)
        running.environment.info = replace(running.environment.info, attempt=attempt)
        made.append(file(await encoded(clip(seconds=1), running=running), "small"))
    assert len({*made}) == 3
    assert all(path.exists() for path in made)


async def test_a_truncated_source_says_where_it_ends(clip: Clips) -> None:
    source = truncated(clip(seconds=6))
    with pytest.raises(EncodingError, match=r"ends at \d\.\d s of 6\.0 s") as caught:
        await encoded(source)
    assert source.name in str(caught.value)
    assert not caught.value.retryable


async def test_noise_is_refused(clip: Clips) -> None:
    source = garbage(clip(seconds=6))
    with pytest.raises(EncodingError, match=source.name) as caught:
        await encoded(source)
    assert not caught.value.retryable


async def test_names_of_clients_reach_messages_as_they_are(clip: Clips) -> None:
    source = truncated(clip(seconds=6))
    name = 'it\'s "odd" %d {0}.mp4'
    file = replace(in_workspace(source), name=name)
    with pytest.raises(EncodingError) as caught:
        await encoded(source, file=file)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("activity", ["video", "sound"])
async def test_cancelled_it_leaves_no_process(activity: str, clip: Clips) -> None:
    source = clip(seconds=20, size="1280x720")
    file = in_workspace(source)
    before, running = children(), Running()
    plan = Plan([VideoRendition("v", 1280, 720, 900)], [rendition("Stereo")], preset="veryslow")
    if activity == "video":
        request = ChunkRequest(JOB_ID, await video_track(source, file), plan, WHOLE)
        await running.cancelled(encode_chunk, request, lambda: bool(children() - before))
    else:
        sound = AudioRequest(JOB_ID, await audio_tracks(source, file), plan)
        await running.cancelled(encode_audio, sound, lambda: bool(children() - before))
    assert children() == before


async def test_a_killed_encoder_is_worth_another_attempt(clip: Clips) -> None:
    before = children()
    plan = replace(PLAN, video=[VideoRendition("v", 1280, 720, 900)], preset="veryslow")
    task = asyncio.create_task(encoded(clip(seconds=20, size="1280x720"), plan))
    os.kill(await started(before, b"libx264"), signal.SIGKILL)
    with pytest.raises(EncodingError) as caught:
        await task
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("source", "sound", "channels"),
    [("stereo", "Stereo", 2), ("5.1", "Stereo", 2), ("5.1", "5.1", 6), ("mono", "Mono", 1)],
)
async def test_sound_gets_the_asked_layout(source: Any, sound: str, channels: int, clip: Clips) -> None:
    made = await heard(clip(audio=source), rendition(sound))
    (stream,) = streams(file(made, "a"))
    assert (stream["codec_name"], stream["channels"], stream["sample_rate"]) == ("aac", channels, "48000")


@pytest.mark.parametrize(("rate", "made"), [(44100, "44100"), (48000, "48000"), (22050, "44100"), (96000, "48000")])
async def test_sample_rates(rate: int, made: str, tmp_path: Path) -> None:
    source = tmp_path / "sound.wav"
    _run("-f", "lavfi", "-i", f"sine=duration=1:sample_rate={rate}", str(source))
    (stream,) = streams(file(await heard(source, rendition("Mono")), "a"))
    assert stream["sample_rate"] == made


async def test_all_sound_of_all_tracks_at_once(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "two.mkv"
    inputs = ["-i", str(clip(audio="5.1")), "-i", str(clip(audio="mono")), "-map", "0", "-map", "1:a"]
    _run(*inputs, "-c", "copy", str(source))
    running = Running()
    wanted = [rendition("Stereo", "a"), rendition("5.1", "b"), rendition("Mono", "c", 1)]
    made = await heard(source, *wanted, running=running)
    assert [streams(file(made, name))[0]["channels"] for name in "abc"] == [2, 6, 1]
    assert running.beats[-1].share == 1


async def test_one_stream_can_serve_two_tracks(clip: Clips) -> None:
    source = clip()
    (track,) = await audio_tracks(source, in_workspace(source))
    tracks: list[AudioTrack] = [track, replace(track, descriptive=True)]
    plan = Plan(audio=[rendition("Stereo", "a"), rendition("Stereo", "b", 1)])
    made = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, plan))
    assert all(file(made, name).exists() for name in "ab")


PITCHES = [300, 400, 500, 60, 700, 800]


def mono_tracks(path: Path, seconds: Sequence[float] = (2,) * 6, rates: Sequence[int] = (48000,) * 6) -> Path:
    """A container of a picture and six tracks, each singing its own pitch."""
    sound = zip(PITCHES, seconds, rates, strict=True)
    tones = [f"sine=frequency={pitch}:duration={long}:sample_rate={rate}" for pitch, long, rate in sound]
    inputs = [word for tone in ["testsrc2=size=64x64:duration=2", *tones] for word in ("-f", "lavfi", "-i", tone)]
    maps = [word for number in range(7) for word in ("-map", f"{number}:0")]
    _run(*inputs, *maps, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le", str(path))
    return path


async def joined(source: Path, indices: list[int], sound: str) -> Path:
    tracks = {track.index: track for track in await audio_tracks(source, in_workspace(source))}
    mono = [MonoTrack(index, tracks[index].duration) for index in indices]
    longest = max(stream.duration for stream in mono)
    track = replace(tracks[indices[0]], channels=len(mono), duration=longest, mono=mono)
    request = AudioRequest(JOB_ID, [track], Plan(audio=[rendition(sound, bitrate=384)]))
    return file(await Running()(encode_audio, request), "a")


async def test_each_mono_track_becomes_its_channel_of_5_1(tmp_path: Path) -> None:
    made = await joined(mono_tracks(tmp_path / "movie.mov"), [1, 2, 3, 4, 5, 6], "5.1")
    assert streams(made)[0]["channel_layout"] == "5.1"
    assert pitches(made) == PITCHES


async def test_the_order_of_the_list_is_that_of_the_channels(tmp_path: Path) -> None:
    made = await joined(mono_tracks(tmp_path / "movie.mkv", rates=[48000, 44100] * 3), [6, 2], "Stereo")
    assert pitches(made) == [800, 400]


async def test_silence_makes_joined_tracks_equally_long(tmp_path: Path) -> None:
    made = await joined(mono_tracks(tmp_path / "movie.mov", seconds=[5, 2, 5, 5, 5, 5]), [1, 2], "Stereo")
    assert float(streams(made)[0]["duration"]) == pytest.approx(5, abs=0.05)
    assert pitches(made) == [300, 400]


async def test_a_joined_track_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    whole, source = mono_tracks(tmp_path / "whole.mov", seconds=[9] * 6), tmp_path / "cut.mov"
    _run("-i", str(whole), "-map", "0", "-c", "copy", "-movflags", "+faststart", str(source))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(EncodingError, match=r"sound of 'cut\.mov' \(tracks 1, 2\) ends at \d\.\d s of 9\.0 s"):
        await joined(source, [1, 2], "Stereo")


async def test_one_stream_can_serve_several_joined_tracks(tmp_path: Path) -> None:
    source = mono_tracks(tmp_path / "movie.mov")
    (first, second, third, *_) = await audio_tracks(source, in_workspace(source))
    pairs = [
        [MonoTrack(a.index, 2), MonoTrack(b.index, 2)] for a, b in ((first, second), (third, first), (first, first))
    ]
    tracks = [first, *(replace(first, channels=2, mono=pair) for pair in pairs)]
    plan = Plan(audio=[rendition("Mono", "0")] + [rendition("Stereo", str(n), n) for n in (1, 2, 3)])
    made = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, plan))
    assert [pitches(file(made, name)) for name in "0123"] == [[300], [300, 400], [500, 300], [300, 300]]


@pytest.mark.parametrize("rate", [44100, 48000])
async def test_silence_fills_a_late_start_and_gaps(rate: int, clip: Clips, tmp_path: Path) -> None:
    source, sound = tmp_path / "late.mkv", tmp_path / "sound.wav"
    _run("-f", "lavfi", "-i", f"sine=duration=3:sample_rate={rate}", str(sound))
    inputs = ["-i", str(clip(seconds=4)), "-itsoffset", "0.5", "-i", str(sound), "-map", "0:v", "-map", "1:a"]
    gap = "noise=drop='gt(pts*tb,1.5)*lt(pts*tb,2.5)'"
    _run(*inputs, "-c:v", "copy", "-c:a", "pcm_s16le", "-bsf:a", gap, str(source))
    assert loud_tenths(source)[:5] != [False] * 5
    made = file(await heard(source, rendition("Mono")), "a")
    assert loud_tenths(made)[:35] == [False] * 5 + [True] * 10 + [False] * 10 + [True] * 10


async def test_truncated_sound_says_where_it_ends(tmp_path: Path) -> None:
    whole, source = tmp_path / "whole.m4a", tmp_path / "cut.m4a"
    _run("-f", "lavfi", "-i", "sine=duration=10", "-c:a", "aac", "-movflags", "+faststart", str(whole))
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(EncodingError, match=r"sound of 'cut\.m4a' \(track 0\) ends at \d\.\d s of 10\.0 s"):
        await heard(source, rendition("Mono"))


async def test_an_estimated_duration_refuses_nothing(tmp_path: Path) -> None:
    source = tmp_path / "bare.aac"
    loud_then_silent = "aevalsrc='if(lt(t,1),0.0001*random(0),random(0))':duration=10:sample_rate=48000"
    _run("-f", "lavfi", "-i", loud_then_silent, "-c:a", "aac", "-b:a", "128k", str(source))
    tracks = [replace(track, duration=30.0) for track in await audio_tracks(source, in_workspace(source))]
    made = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, Plan(audio=[rendition("Mono")], duration=30)))
    assert float(streams(file(made, "a"))[0]["duration"]) == pytest.approx(10, abs=0.1)


async def test_a_lost_workspace_is_worth_another_attempt(clip: Clips) -> None:
    source = clip()
    track: VideoTrack = await video_track(source, in_workspace(source))
    shutil.rmtree(workspace(JOB_ID) / "source")
    with pytest.raises(LostError) as caught:
        await Running()(encode_chunk, ChunkRequest(JOB_ID, track, PLAN, WHOLE))
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.ENCODING, True)
