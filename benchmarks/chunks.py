"""What cutting a film costs: its chunks beside one piece, and what a crash costs, beside others."""

import asyncio
import os
import statistics
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.progress import Progress
from rich.table import Table

from activities.cuts import Chunk
from activities.encode import ChunkRequest, encode_chunk
from activities.media.pictures import pictures
from activities.plan import Plan, PlanRequest, VideoRendition, plan
from activities.processing import ContentProcessing
from activities.rates import Quality
from activities.tracks import Mapped
from activities.workspace import workspace
from benchmarks import crash
from benchmarks.film import film, lengthened
from benchmarks.overhead import children_seconds
from benchmarks.quality import METRICS, picture
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from workflows.film import Film
from workflows.options import Rank

SECONDS, HEIGHT = 250, 180
"""Long enough to be cut into many chunks, and small: it is encoded a dozen times a round."""
LADDER = [{"Height": 180, "BitrateInKbps": 250}, {"Height": 90, "BitrateInKbps": 80}]
XPSNR = {"XPSNR": METRICS["XPSNR"]}
PHASES = {
    "samples": "encode_samples",
    "chunks": "encode_chunk",
    "joining": "join_chunks",
}

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass
class Steps:
    """Performs the activities of a film one by one, as the workflow would."""

    cpu: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds, by activity."""
    quality: Quality = field(default_factory=dict)
    """What chunks were encoded with."""
    chunks: int = 0
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(
        self, activity: Callable[[Request], Awaitable[Result]], request: Request, _: Rank = Rank.FIRST, **__: str
    ) -> Result:
        async with self._alone:
            before = children_seconds()
            made = await Running()(activity, request)
            self.cpu[activity.__name__] += children_seconds() - before
        if isinstance(request, ChunkRequest):
            self.quality = request.quality
            self.chunks += 1
        return made


@dataclass
class Way:
    """A way to encode the film: what came of it, by rendition, and the steps that it took."""

    files: dict[str, Path]
    steps: Steps


async def measure(scratch: Path, rounds: int) -> list[Table]:
    """First without a server, then as a service."""
    os.environ |= {"ENCODING_WORK_ROOT": str(scratch / "work")}
    with Progress(transient=True) as bars:
        task = bars.add_task("making the film", total=2)
        minute, source = scratch / "minute.mp4", scratch / "film.mp4"
        await asyncio.to_thread(film, minute)
        bars.advance(task)
        await asyncio.to_thread(lengthened, minute, source, SECONDS, HEIGHT)
        bars.advance(task)
        tables = await _pieces(source, rounds, bars)
        return [*tables, *await crash.measure(scratch, source, LADDER, rounds, bars)]


async def _pieces(source: Path, rounds: int, bars: Progress) -> list[Table]:
    video = await video_track(source, in_workspace(source))
    asked = ContentProcessing.model_validate({"OutputFormat": ["Dash"], "VideoRepresentations": LADDER})
    planned = await Running()(plan, PlanRequest(JOB_ID, Mapped(video, []), asked))
    task = bars.add_task("in chunks, and in one piece", total=2 * rounds + len(planned.video))
    cut, whole = list[Way](), list[Way]()
    for _ in range(rounds):
        steps = Steps()
        joined = await Film(JOB_ID, video, planned, [], steps).encoded()
        cut.append(Way(_kept(joined.paths, source.parent / "cut"), steps))
        bars.advance(task)
        alone = Steps()
        request = ChunkRequest(JOB_ID, video, planned.without_chunks(), Chunk(0), [], steps.quality)
        whole.append(Way(_kept((await alone(encode_chunk, request)).paths, source.parent / "whole"), alone))
        bars.advance(task)
    table = Table("rendition", "way", "kbit/s", "of asked", "of one piece", "XPSNR", "frames")
    table.title = f"chunks: {SECONDS} s of {HEIGHT}p, preset {planned.preset}, {cut[-1].steps.chunks} chunks"
    for rendition in planned.video:
        await _compare(table, source, rendition, cut[-1], whole[-1])
        bars.advance(task)
    bars.remove_task(task)
    return [table, _processors(planned, cut, whole)]


def _kept(paths: dict[str, str], folder: Path) -> dict[str, Path]:
    """Out of the workspace, where the next encoder would replace them."""
    folder.mkdir(exist_ok=True)
    return {name: (workspace(JOB_ID) / path).replace(folder / f"{name}.mp4") for name, path in paths.items()}


async def _compare(table: Table, source: Path, rendition: VideoRendition, cut: Way, whole: Way) -> None:
    asked, alone = f"{rendition.height}p, {rendition.bitrate} kbit/s, crf {cut.steps.quality[rendition.name]}", 0.0
    for name, way in (("one piece", whole), ("chunks", cut)):
        file = way.files[rendition.name]
        seen, frames = await picture(source, file, rendition, XPSNR), (await pictures(file, 0)).count
        rate = seen["kbit/s"]
        alone = alone or rate
        shares = (f"{rate / rendition.bitrate:.3f}", f"{rate / alone:.3f}")
        table.add_row(asked, name, f"{rate:.1f}", *shares, f"{seen['XPSNR']:.2f}", str(frames))


def _processors(planned: Plan, cut: list[Way], whole: list[Way]) -> Table:
    alone = statistics.median(way.steps.cpu["encode_chunk"] for way in whole)
    every = statistics.median(sum(way.steps.cpu.values()) for way in cut)
    table = Table("what", "CPU s", "of one piece", "share", title=f"chunks: CPU seconds, medians of {len(cut)}")
    table.add_row("one piece, at the quality that samples found", f"{alone:.1f}", "1.000", "")
    for name, activity in PHASES.items():
        seconds = statistics.median(way.steps.cpu[activity] for way in cut)
        table.add_row(name, f"{seconds:.1f}", f"{seconds / alone:.3f}", f"{seconds / every:.3f}")
    table.add_row(f"all, with {len(planned.samples)} samples a time", f"{every:.1f}", f"{every / alone:.3f}", "1.000")
    return table
