"""Workers of the service whose encoders sleep: what is measured with them is the service alone, as of many machines.

`python -m benchmarks.sleepers control`, or `… transcode WORKERS SLOTS SECONDS SPREAD`: that many workers of so many
slots, whose chunks take SECONDS, give or take the share SPREAD. A title of `chunks-500.mp4` is planned as a film of 500
chunks, `film-7200.mp4` as one of 7200 s; anything else as what it is. All else of a job is real.
"""

import asyncio
import os
import random
import re
import signal
import sys
import zlib
from array import array
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker

from activities import plan as planning
from activities.cuts import Chunk, Cutter
from activities.encode import AudioRequest, ChunkRequest, EncodedAudio, EncodedChunk, SamplesRequest
from activities.heartbeat import Progress, beating
from activities.join import Joined, JoinRequest
from activities.media.pictures import Pictures
from activities.package import Measured as MeasuredRendition
from activities.package import Packaged, PackagedFormat, PackageRequest
from activities.plan import AudioRendition, Plan, PlanRequest, VideoRendition
from activities.rates import Measured
from activities.server import is_paused
from activities.settings import Settings
from activities.store.work import at_work
from activities.tracks import VideoTrack
from activities.workspace import attempt_folder, fresh
from workflows.client import connect
from workflows.options import MEDIA_QUEUE, TRANSCODE_QUEUE
from workflows.plugin import HEARTBEATS, activity_plugin, control_workers

READY = "ready"
FRAMES = 25
"""A second."""
TITLE = re.compile(r"(chunks|film)-(\d+)\.mp4")
MEDIA_SLOTS = 50
LAGS = "SLEEPERS_LAGS"
"""Names the variable with the file that gets the lags of the event loop."""

Fakes = dict[str, Callable[..., Any]]


@activity.defn(name="plan")
async def planned(request: PlanRequest) -> Plan:
    """The real plan, of the film that the title stands for."""
    made, video = await planning.plan(request), request.mapped.video
    title = TITLE.fullmatch(video.file.name) if video else None
    if not video or not title:
        return made
    number = int(title[2])
    if title[1] == "chunks":
        chunks = [Chunk(i, 20.0 * i, 20.0, 20 * FRAMES, 20.0 * i, 20.2) for i in range(number)]
        return replace(made, chunks=chunks, duration=20.0 * number, in_one_piece="")
    cutter = _cutter(video, number)
    return replace(
        made, chunks=cutter.chunks(), samples=cutter.samples(), duration=cutter.track.duration, in_one_piece=""
    )


def _cutter(video: VideoTrack, seconds: int) -> Cutter:
    count = seconds * FRAMES
    times = array("d", (n / FRAMES for n in range(count)))
    seen = Pictures(times[::50].tolist(), [], times, array("L", [1]) * count, float(seconds))
    return Cutter(replace(video, duration=float(seconds), start=0.0), seen, planning.GOP)


class Sleepers:
    """Activities of the transcode queues that take their time and make nothing, with results as large as real ones."""

    def __init__(self, seconds: float, spread: float) -> None:
        self._seconds = seconds
        self._spread = spread

    @activity.defn(name="encode_chunk")
    async def chunk(self, request: ChunkRequest) -> EncodedChunk:
        """As the real one asks first whether the job pauses."""
        await is_paused()
        await self._slept()
        folder = attempt_folder(f"encoded/chunk-{request.chunk.index:04}")
        sums = {each.name: zlib.crc32(f"{folder}/{each.name}".encode()) for each in request.plan.video}
        return EncodedChunk(request.chunk.index, folder, request.chunk.frames or FRAMES, sums)

    @activity.defn(name="encode_samples")
    async def samples(self, request: SamplesRequest) -> Measured:
        """They take twice what is asked for, whatever the quality: so there are as many rounds as there can be."""
        await self._slept()
        seconds = [2.0] * len(request.samples)
        sizes = {each.name: [2 * 2 * each.bitrate * 125] * len(seconds) for each in request.plan.video}
        return Measured(request.quality, sizes, seconds, [sample.index for sample in request.samples])

    async def _slept(self) -> None:
        seconds = self._seconds * random.uniform(1 - self._spread, 1 + self._spread)  # noqa: S311 - no secret
        begun, now = asyncio.get_running_loop().time(), asyncio.get_running_loop().time
        async with beating(Progress(total=seconds)) as progress:
            while progress.done < seconds:
                await asyncio.sleep(min(0.5, seconds - progress.done))
                progress.done = min(seconds, now() - begun)


@activity.defn(name="encode_audio")
async def audio(request: AudioRequest) -> EncodedAudio:
    """Nothing."""
    return EncodedAudio({each.name: f"encoded/audio-1/{each.name}.mp4" for each in request.plan.audio})


@activity.defn(name="join_chunks")
async def join(request: JoinRequest) -> Joined:
    """Nothing."""
    frames = sum(chunk.frames for chunk in request.encoded)
    return Joined({each.name: f"joined-1/{each.name}.mp4" for each in request.plan.video}, frames)


@activity.defn(name="package")
async def package(request: PackageRequest) -> Packaged:
    """A manifest without media: so there is something to deliver."""
    async with at_work(request.job_id) as work:
        wanted = [request.only] if request.only else request.formats
        folder, name = attempt_folder("-".join(["output", *wanted])), "manifest.mpd"
        (fresh(work.root / folder) / name).write_text("<MPD/>")
    formats = [PackagedFormat(each, folder, [], [name], {each.lower(): name}) for each in wanted]
    made: list[VideoRendition | AudioRendition] = [*request.plan.video, *request.plan.audio]
    return Packaged(formats, [MeasuredRendition(each.name, each.bitrate, "none") for each in made])


def _instead(fakes: Fakes) -> SimplePlugin:
    """Replaces activities of plugins before it, by name."""
    return SimplePlugin(
        "sleepers",
        activities=lambda real: [
            *(each for each in real or [] if each.__name__ not in fakes),
            *fakes.values(),
        ],
    )


async def transcode(settings: Settings, count: int, slots: int, sleepers: Sleepers) -> list[Worker]:
    """`count` for video, and one for all that follows; a client serves one worker of a queue."""
    video: Fakes = {"encode_chunk": sleepers.chunk, "encode_samples": sleepers.samples}
    media: Fakes = {"plan": planned, "encode_audio": audio, "join_chunks": join, "package": package}
    queues = [(TRANSCODE_QUEUE, slots, _instead(video))] * count + [(MEDIA_QUEUE, MEDIA_SLOTS, _instead(media))]
    return [
        Worker(
            await connect(),
            task_queue=queue,
            identity=f"{queue}-{number}",
            plugins=[activity_plugin(settings, queue), fakes],
            max_concurrent_activities=at_once,
            max_heartbeat_throttle_interval=HEARTBEATS,
        )
        for number, (queue, at_once, fakes) in enumerate(queues)
    ]


async def main(role: str, *numbers: str) -> None:
    """Work until SIGTERM."""
    settings, stop = Settings.from_environment(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if role == "control":
        workers = control_workers(await connect(), settings, _instead({"plan": planned}))
    else:
        count, slots, seconds, spread = numbers
        workers = await transcode(settings, int(count), int(slots), Sleepers(float(seconds), float(spread)))
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        watching = asyncio.create_task(_lags(Path(os.environ[LAGS]))) if LAGS in os.environ else None
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        await stop.wait()
        if watching:
            watching.cancel()


async def _lags(file: Path) -> None:
    """Append how many milliseconds the event loop comes late, ten times a second: what holds it up holds up all."""
    now = asyncio.get_running_loop().time
    with file.open("a", buffering=1) as lines:
        while True:
            due = now() + 0.1
            await asyncio.sleep(0.1)
            lines.write(f"{1000 * (now() - due):.1f}\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    os._exit(0)  # see workflows/cli.py
