"""Time and picture for each `OptimizeFor`, beside Shaka Streamer: the same film, ladder and bitrates."""

import asyncio
import os
import re
import statistics
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import imageio_ffmpeg
from rich.table import Table
from temporalio.client import Client

from activities.cuts import Chunk
from activities.media.probe import VideoStream, probe
from activities.media.process import run
from activities.media.video import Span
from activities.plan import GOP, PRESETS, Plan, VideoRendition, video_renditions
from activities.processing import ContentProcessing
from activities.settings import Settings
from benchmarks.film import film
from benchmarks.overhead import as_job, picture_of, timed
from benchmarks.streamer import streamed
from workflows import client as jobs
from workflows.embedded import embedded_server
from workflows.plugin import workers

PEER = "Shaka Streamer"
SAME = "Balance"
"""Whose settings of the encoder it gets, too."""
SETTLED = f"{PEER}, settings of {SAME}"
OURS = {
    "Speed": {"OptimizeFor": "Speed"},
    "Balance": {"OptimizeFor": "Balance"},
    "Quality": {"OptimizeFor": "Quality"},
    "Balance, PerScene": {"OptimizeFor": "Balance", "EncodingMode": "PerScene"},
}
METRICS = {
    "XPSNR": ("xpsnr", r"XPSNR\s+y: ([\d.]+)"),
    "SSIM": ("ssim", r"SSIM Y:([\d.]+)"),
    "VMAF": ("libvmaf=n_threads=2:n_subsample=5", r"VMAF score: ([\d.]+)"),
}
"""Of brightness: the filter, and where it tells the mean over all frames (of VMAF, every fifth)."""


@dataclass
class Contender:
    """Who encodes, and what came of it."""

    name: str
    encode: Callable[[Path], Coroutine[None, None, object]]
    seconds: list[tuple[float, float]] = field(default_factory=list)
    """Of the wall and of the processors, by round."""


async def measure(scratch: Path, rounds: int) -> list[Table]:
    """Alternating. Encoders repeat themselves to the bit: pictures are compared in the last round alone."""
    source = scratch / "source" / "film.mp4"
    source.parent.mkdir()
    await asyncio.to_thread(film, source)
    video = await picture_of(source)
    ladder = video_renditions(video, ContentProcessing())
    settings = Span(source, video, Plan(ladder, gop_seconds=GOP, preset=PRESETS["H264"][SAME]), Chunk(0))
    os.environ |= {"ENCODING_FILES_ROOT": str(scratch), "ENCODING_WORK_ROOT": str(scratch / "work")}
    async with embedded_server(scratch / "temporal") as server:
        client = await jobs.connect(server.address)
        async with workers(client, Settings.from_environment()):
            contenders = [
                Contender(PEER, lambda folder: asyncio.to_thread(streamed, source, ladder, folder)),
                Contender(SETTLED, lambda folder: asyncio.to_thread(streamed, source, ladder, folder, settings)),
                *(Contender(name, partial(_by_job, client, source.parent, asked)) for name, asked in OURS.items()),
            ]
            for number in range(rounds):
                for place, each in enumerate(contenders):
                    each.seconds.append(await timed(each.encode(scratch / f"{place}-{number}")))
    last = [await _renditions(scratch / f"{place}-{rounds - 1}") for place in range(len(contenders))]
    made = {each.name: renditions for each, renditions in zip(contenders, last, strict=True)}
    pictures = {name: await _pictures(source, files, ladder) for name, files in made.items()}
    title = f"quality: {video.duration:.0f} s of {video.height}p in {len(ladder)} renditions, medians of {rounds}"
    means = {name: _means(pictured, ladder) for name, pictured in pictures.items()}
    return [_summary(contenders, means, title), _by_rendition(pictures, ladder)]


async def _by_job(client: Client, source: Path, asked: dict[str, str], output: Path) -> None:
    await as_job(
        client,
        {
            "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
            "MediaMappings": {"FailOnNoAudioTracks": False},
            "ContentProcessing": {"OutputFormat": ["DashOnDemand"], **asked},
            "ContentPublishing": {"Provider": "Files", "UriPath": str(output)},
        },
    )


async def _renditions(folder: Path) -> dict[int, Path]:
    """Height → file."""
    return {
        stream.height: file
        for file in folder.rglob("*.mp4")
        if "trickplay" not in file.name
        for stream in (await probe(file)).tracks
        if isinstance(stream, VideoStream)
    }


Picture = dict[str, float]
"""Metric → value, and `kbit/s`."""


async def _pictures(source: Path, files: dict[int, Path], ladder: list[VideoRendition]) -> list[Picture]:
    return [await picture(source, files[rendition.height], rendition) for rendition in ladder]


async def picture(
    source: Path, file: Path, rendition: VideoRendition, metrics: dict[str, tuple[str, str]] = METRICS
) -> Picture:
    """Frame by frame in the size of the rendition, against the source made as small."""
    count, names = len(metrics), "abc"[: len(metrics)]
    copies = "split={}{}".format(count, "".join("[{side}{name}]".replace("{name}", name) for name in names))
    frames = "settb=1/25,setpts=N"
    graph = [
        f"[0:v]{frames},{copies.format(side='d')}",
        f"[1:v]scale={rendition.width}:{rendition.height}:flags=bicubic,{frames},{copies.format(side='r')}",
        *(f"[d{n}][r{n}]{metric}" for n, (metric, _) in zip(names, metrics.values(), strict=True)),
    ]
    inputs = ["-i", str(file), "-i", str(source)]
    program = imageio_ffmpeg.get_ffmpeg_exe()
    ended = await run([program, "-nostdin", "-nostats", *inputs, "-lavfi", ";".join(graph), "-f", "null", "-"])
    if ended.status:
        raise RuntimeError(f"{file} cannot be compared: {ended.errors}")
    values = {name: float(re.findall(told, ended.errors)[-1]) for name, (_, told) in metrics.items()}
    return {**values, "kbit/s": file.stat().st_size * 8 / 1000 / (await picture_of(file)).duration}


def _summary(contenders: list[Contender], means: dict[str, Picture], title: str) -> Table:
    table = Table("encoder", "wall s", "CPU s", "speed by CPU", "kbit/s", *METRICS, "XPSNR ±", title=title)
    cpu = {each.name: statistics.median(s for _, s in each.seconds) for each in contenders}
    for each in contenders:
        mean, wall = means[each.name], statistics.median(s for s, _ in each.seconds)
        row = [f"{wall:.1f}", f"{cpu[each.name]:.1f}", f"{cpu[PEER] / cpu[each.name]:.2f}", f"{mean['kbit/s']:.0f}"]
        row += [f"{mean['XPSNR']:.2f}", f"{mean['SSIM']:.4f}", f"{mean['VMAF']:.1f}"]
        table.add_row(each.name, *row, f"{mean['XPSNR'] - means[PEER]['XPSNR']:+.2f}")
    return table


def _means(pictured: list[Picture], ladder: list[VideoRendition]) -> Picture:
    """Over renditions, which weigh by their asked bitrate; and the real bitrate of all together."""
    weights = [rendition.bitrate for rendition in ladder]
    means = {name: statistics.fmean([picture[name] for picture in pictured], weights) for name in METRICS}
    return {**means, "kbit/s": sum(picture["kbit/s"] for picture in pictured)}


def _by_rendition(pictures: dict[str, list[Picture]], ladder: list[VideoRendition]) -> Table:
    table = Table("rendition", *pictures, title="quality: XPSNR at kbit/s, by rendition")
    for place, rendition in enumerate(ladder):
        shown = [f"{p[place]['XPSNR']:.2f} at {p[place]['kbit/s']:.0f}" for p in pictures.values()]
        table.add_row(f"{rendition.height}p, {rendition.bitrate} kbit/s", *shown)
    return table
