"""Put the chunks of each video rendition together and check that nothing is missing."""

from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.encode import EncodedChunk
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.media.command import join_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.probe import VideoStream, probe
from activities.plan import Plan
from activities.store.work import at_work
from activities.tracks import VideoTrack
from activities.workspace import attempt_folder, fresh

FOLDER = "joined"


@dataclass(frozen=True)
class JoinRequest:
    """All chunks, in any order."""

    job_id: str
    video: VideoTrack
    plan: Plan
    chunks: list[EncodedChunk]


@dataclass(frozen=True)
class Joined:
    """Every video rendition in one piece."""

    paths: dict[str, str] = field(default_factory=dict)
    """Rendition name → file in the workspace."""
    frames: int = 0


@activity.defn
async def join_chunks(request: JoinRequest) -> Joined:
    """Join without encoding; a single chunk is used as it is.

    Raises:
        EncodingError: the joined file has not the frames of its chunks.
    """
    chunks = sorted(request.chunks, key=lambda chunk: chunk.index)
    frames = sum(chunk.frames for chunk in chunks)
    if len(chunks) == 1:
        return Joined(chunks[0].paths, frames)
    folder, needs = attempt_folder(FOLDER), [path for chunk in chunks for path in chunk.paths.values()]
    async with (
        beating(Progress(total=len(request.plan.video))) as progress,
        at_work(request.job_id, needs=needs) as work,
    ):
        fresh(work.root / folder)
        for rendition in request.plan.video:
            listing = work.root / f"{folder}-{rendition.name}.txt"
            listing.write_text(_listed(rendition.name, chunks, request.plan))
            await _join(listing, work.root / folder / f"{rendition.name}.mp4", frames, request.video.file.name)
            progress.done += 1
        await work.keep(folder)
    return Joined({r.name: f"{folder}/{r.name}.mp4" for r in request.plan.video}, frames)


def _listed(name: str, chunks: list[EncodedChunk], plan: Plan) -> str:
    """A list for ffmpeg's concat: names relative to the list, each with the time that the next one starts behind it."""
    durations = {chunk.index: chunk.duration for chunk in plan.chunks}
    lines = []
    for chunk in chunks:
        lines.append(f"file {chunk.paths[name]}")
        if duration := durations.get(chunk.index):
            lines.append(f"duration {duration}")
    return "\n".join(lines)


async def _join(listing: Path, output: Path, frames: int, source: str) -> None:
    await run_ffmpeg(join_command(listing, output), repr(source))
    joined = next(track for track in (await probe(output)).tracks if isinstance(track, VideoStream))
    if joined.frames != frames:
        raise EncodingError(
            f"the chunks of {source!r} have {frames} frames, joined they have {joined.frames}", retryable=True
        )
