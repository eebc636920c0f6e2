"""Put the chunks of each video rendition together and check that nothing is missing."""

from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.encode import EncodedChunk
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.map import VideoTrack
from activities.media.command import join_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.probe import VideoStream, probe
from activities.plan import Plan
from activities.workspace import fresh, workspace

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
    root = workspace(request.job_id)
    folder = fresh(root / FOLDER)
    async with beating(Progress(total=len(request.plan.video))) as progress:
        for rendition in request.plan.video:
            parts = [root / chunk.paths[rendition.name] for chunk in chunks]
            await _join(parts, folder / f"{rendition.name}.mp4", frames, request.video.file.name)
            progress.done += 1
    return Joined({r.name: f"{FOLDER}/{r.name}.mp4" for r in request.plan.video}, frames)


async def _join(parts: list[Path], output: Path, frames: int, source: str) -> None:
    listing = output.with_suffix(".txt")
    listing.write_text("".join(f"file 'file:{part}'\n" for part in parts))
    await run_ffmpeg(join_command(listing, output), repr(source))
    joined = next(track for track in (await probe(output)).tracks if isinstance(track, VideoStream))
    if joined.frames != frames:
        raise EncodingError(
            f"the chunks of {source!r} have {frames} frames, joined they have {joined.frames}", retryable=True
        )
