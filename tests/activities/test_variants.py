"""`DoNotEncode`: variants are packaged as they are, or refused with the file and the reason."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activities.encode import AudioRequest, encode_audio
from activities.errors import EncodingError
from activities.join import Joined
from activities.package import PackageRequest, package
from activities.plan import Plan, PlanRequest, plan
from activities.processing import ContentProcessing, channels_of
from activities.tracks import Mapped, VideoTrack
from activities.variants import CopyRequest, copy_video
from activities.workspace import workspace
from tests.activities.reading import decoded, frames, streams
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import audio_tracks, in_workspace, video_track
from tests.clips import Clips, _run
from tests.integration.players import decoded_tracks

SECTION = ContentProcessing.model_validate({"VideoFormat": "DoNotEncode", "Naming": {"VideoChunksPattern": "movie"}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("variants")


def variant(folder: Path, name: str, *, size: str = "160x90", key: float = 1, seconds: float = 2, **more: str) -> Path:
    target = folder / name
    if not target.exists():
        codec = more.get("codec", "libx264")
        source = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}"]
        keys = ["-g", "999", "-force_key_frames", f"expr:gte(t,n_forced*{key})"]
        _run(*source, "-c:v", codec, "-preset", "ultrafast", "-pix_fmt", "yuv420p", *keys, str(target))
    return target


async def made(*clips: Path) -> tuple[Plan, list[VideoTrack]]:
    variants = [await video_track(clip, in_workspace(clip, number)) for number, clip in enumerate(clips, 1)]
    return await Running()(plan, PlanRequest(JOB_ID, Mapped(variants[0], [], [], variants), SECTION)), variants


async def copied(*clips: Path) -> tuple[Plan, Joined]:
    drawn, variants = await made(*clips)
    return drawn, await Running()(copy_video, CopyRequest(JOB_ID, variants, drawn))


async def test_variants_are_named_by_what_they_are_and_not_changed(root: Path, folder: Path) -> None:
    assert root.is_dir()
    low = variant(folder, "low.mkv")
    high = variant(folder, "high.mp4", size="320x180", codec="libx265")
    drawn, result = await copied(low, high)
    names = [rendition.name for rendition in drawn.video]
    assert names == [f"movie-{r.codec}-{r.height}-{r.bitrate}k" for r in drawn.video]
    assert [(r.codec, r.height) for r in drawn.video] == [("H264", 90), ("H265", 180)]
    assert drawn.chunks == []
    assert result.frames == 50
    for clip, name in ((low, names[0]), (high, names[1])):
        copy = workspace(JOB_ID) / result.paths[name]
        assert decoded(copy, "-f", "rawvideo") == decoded(clip, "-f", "rawvideo")
        assert frames(copy).keys == [0, 1]
    assert streams(copy)[0]["codec_tag_string"] == "hvc1"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            {"name": "odd.mp4", "key": 0.8},
            r"'odd\.mp4' \(track 0\) has a key frame at 0\.80 s where 'low\.mkv' .* has one at 1\.00 s",
        ),
        ({"name": "few.mp4", "key": 9}, r"'few\.mp4' \(track 0\) has 1 key frames, and 'low\.mkv' .* 2"),
        ({"name": "short.mp4", "seconds": 1}, r"'short\.mp4' \(track 0\) lasts 1\.00 s, and 'low\.mkv' .* 2\.00 s"),
        (
            {"name": "old.mp4", "codec": "mpeg4"},
            r"'old\.mp4' \(track 0\) is mpeg4, and only H\.264 and H\.265 can be packaged",
        ),
        (
            {"name": "sparse.mp4", "key": 9, "seconds": 6},
            r"'sparse\.mp4' \(track 0\) has no key frame between 0\.00 s and 6\.00 s",
        ),
    ],
)
async def test_what_does_not_go_together_names_file_and_reason(
    second: dict[str, str], message: str, root: Path, folder: Path
) -> None:
    assert root.is_dir()
    with pytest.raises(EncodingError, match=message) as caught:
        await copied(variant(folder, "low.mkv"), variant(folder, **second))  # type: ignore[arg-type]
    assert not caught.value.retryable


async def test_an_encrypted_variant_is_refused(root: Path, folder: Path) -> None:
    assert root.is_dir()
    clear, locked, secret = variant(folder, "low.mkv"), folder / "locked.mp4", "0123456789abcdef" * 2
    keys = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", secret, "-encryption_kid", secret]
    _run("-i", str(clear), "-c", "copy", *keys, str(locked))
    # As one whose first pictures are in clear: nothing shows before it is read.
    drawn, variants = await made(clear)
    with pytest.raises(EncodingError, match=r"'locked\.mp4' \(track 0\) is encrypted"):
        await Running()(copy_video, CopyRequest(JOB_ID, [replace(variants[0], file=in_workspace(locked))], drawn))


def grouped(folder: Path, codec: str, *, is_open: bool) -> Path:
    """A variant whose groups of pictures are open or closed."""
    target = folder / f"{codec}-{'open' if is_open else 'closed'}.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=3", "-pix_fmt", "yuv420p"]
    settings = f"keyint=25:min-keyint=25:scenecut=0:open-gop={int(is_open)}"
    _run(*picture, "-c:v", f"lib{codec}", f"-{codec}-params", settings, str(target))
    return target


@pytest.mark.parametrize("codec", ["x264", "x265"])
async def test_players_do_not_change_variants_in_an_open_gop(codec: str, root: Path, tmp_path: Path) -> None:
    assert root.is_dir()
    closed, opened = grouped(tmp_path, codec, is_open=False), grouped(tmp_path, codec, is_open=True)
    await copied(closed, closed)
    await copied(opened)  # nothing to change to
    with pytest.raises(EncodingError, match=rf"'{codec}-open\.mp4' \(track 0\) has an open GOP at \d\.00 s"):
        await copied(closed, opened)


async def test_sound_that_players_take_is_copied_and_other_is_encoded(root: Path, clip: Clips, folder: Path) -> None:
    assert root.is_dir()
    source, raw = clip(audio="5.1"), folder / "raw.mkv"
    _run("-i", str(clip()), "-map", "0:a", "-c:a", "pcm_s16le", str(raw))
    tracks = [track for n, c in enumerate((source, raw), 3) for track in await audio_tracks(c, in_workspace(c, n))]
    drawn = await Running()(plan, PlanRequest(JOB_ID, Mapped(None, tracks), SECTION))
    assert [(r.is_copied, r.sound, r.format) for r in drawn.audio] == [(True, "5.1", "AAC"), (False, "Stereo", "AAC")]
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, drawn))
    first = workspace(JOB_ID) / heard.paths[drawn.audio[0].name]
    assert decoded(first, "-map", "0:a", "-f", "s16le") == decoded(source, "-map", "0:a", "-f", "s16le")


async def test_copied_sound_may_end_before_the_picture(root: Path, clip: Clips, folder: Path) -> None:
    assert root.is_dir()
    film = await video_track(variant(folder, "long.mp4", seconds=4))
    tracks = await audio_tracks(clip(), in_workspace(clip(), 2))
    drawn = await Running()(plan, PlanRequest(JOB_ID, Mapped(film, tracks, [], [film]), SECTION))
    assert drawn.picture - tracks[0].duration > 1
    assert drawn.audio[0].is_copied
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, drawn))
    copy = workspace(JOB_ID) / heard.paths["audio-en"]
    assert float(streams(copy)[0]["duration"]) == pytest.approx(tracks[0].duration, abs=0.1)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(("layout", "channels"), [("7.1", 8), ("5.0", 5)])
async def test_copied_sound_of_any_layout_is_packaged(
    layout: str, channels: int, clip: Clips, folder: Path, serve_folder: Callable[[Path], str]
) -> None:
    source = folder / f"{layout}.mp4"
    sound = ["-map", "0:v", "-c:v", "copy", "-map", "0:a", "-af", f"aformat=channel_layouts={layout}"]
    _run("-i", str(clip()), *sound, str(source))
    film, tracks = await video_track(source, in_workspace(source)), await audio_tracks(source, in_workspace(source))
    drawn = await Running()(plan, PlanRequest(JOB_ID, Mapped(film, tracks, [], [film]), SECTION))
    assert [(r.sound, channels_of(r.sound)) for r in drawn.audio] == [(f"{channels} channels", channels)]
    copy = await Running()(copy_video, CopyRequest(JOB_ID, [film], drawn))
    heard = await Running()(encode_audio, AudioRequest(JOB_ID, tracks, drawn))
    made = await Running()(package, PackageRequest(JOB_ID, drawn, ["Dash", "Hls"], copy.paths, heard.paths))
    for form in made.formats:
        output = workspace(JOB_ID) / form.root
        address = serve_folder(output)
        for link in form.links.values():
            assert [t.kind for t in decoded_tracks(f"{address}/{link}")] == ["video", "audio"]
    whole = b"".join((output / "hls/audio-en" / part).read_bytes() for part in ("init.mp4", "1.m4s"))
    (folder / "whole.mp4").write_bytes(whole)
    assert streams(folder / "whole.mp4")[0]["channels"] == channels
