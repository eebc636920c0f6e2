"""Put the chunks of each video rendition together and check that nothing is missing."""

import asyncio
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from temporalio import activity

from activities.cuts import Chunk
from activities.encode import EncodedChunk
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media.command import join_command
from activities.media.ffmpeg import run_ffmpeg
from activities.media.pictures import Pictures, pictures
from activities.media.probe import ProbeError
from activities.plan import Plan, VideoRendition
from activities.store.work import at_work
from activities.tracks import VideoTrack, named
from activities.workspace import attempt_folder, checksum, fresh

FOLDER = "joined"
NEAR = 0.002
"""Seconds; containers round times."""
ALLOWED = 0.05
"""Share of the buffer by which encoders overdraw it in one piece, too."""


@dataclass(frozen=True)
class JoinRequest:
    """All chunks of a film."""

    job_id: str
    video: VideoTrack
    plan: Plan
    chunks: list[Chunk]
    encoded: list[EncodedChunk] = field(default_factory=list)
    """In any order."""
    is_last: bool = False
    """Whether a lost chunk fails the job."""


@dataclass(frozen=True)
class Joined:
    """Every video rendition in one piece."""

    paths: dict[str, str] = field(default_factory=dict)
    """Rendition name → file in the workspace."""
    frames: int = 0
    lost: list[int] = field(default_factory=list)
    """Chunks whose files are gone or damaged: they have to be encoded again, and there are no paths."""
    greedy: list[int] = field(default_factory=list)
    """Chunks that begin with more than a player's buffer holds there."""
    misfit: str = ""
    """Why the chunks do not make up the film; there are no paths."""


@activity.defn
async def join_chunks(request: JoinRequest) -> Joined:
    """Join without encoding, and check the joints; a single chunk is used as it is.

    Raises:
        EncodingError: chunks are lost again and again.
    """
    encoded = sorted(request.encoded, key=lambda chunk: chunk.index)
    frames, folder = sum(chunk.frames for chunk in encoded), attempt_folder(FOLDER)
    names = [rendition.name for rendition in request.plan.video]
    files = [path for chunk in encoded for path in chunk.paths.values()]
    async with (
        beating(Progress(total=1 + 2 * len(names))) as progress,
        at_work(request.job_id, wishes=files) as work,
    ):
        if lost := await asyncio.to_thread(_lost, work.root, request):
            if request.is_last:
                raise _failed(request, f"{', '.join(map(str, lost))} are gone from the work folder, or damaged in it")
            return Joined(lost=lost)
        if len(encoded) == 1:
            return Joined(encoded[0].paths, frames)
        progress.done += 1
        await on_disk(fresh, work.root / folder)
        greedy: set[int] = set()
        for rendition in request.plan.video:
            file = work.root / folder / f"{rendition.name}.mp4"
            await _join(work.root / f"{folder}-{rendition.name}.txt", file, encoded, request)
            progress.done += 1
            seen = await _seen(file, request)
            if misfit := _misfit(seen, frames, request.chunks):
                return Joined(misfit=misfit)
            greedy |= greedy_chunks(seen, rendition, request.chunks)
            progress.done += 1
        await work.keep(folder)
    return Joined({name: f"{folder}/{name}.mp4" for name in names}, frames, greedy=sorted(greedy))


def _lost(root: Path, request: JoinRequest) -> list[int]:
    intact = {chunk.index for chunk in request.encoded if all(_is_intact(root, chunk, name) for name in chunk.paths)}
    return [chunk.index for chunk in request.chunks if chunk.index not in intact]


def _is_intact(root: Path, chunk: EncodedChunk, name: str) -> bool:
    file = root / chunk.paths[name]
    return file.exists() and chunk.checksums.get(name) in (None, checksum(file))


async def _join(listing: Path, file: Path, encoded: list[EncodedChunk], request: JoinRequest) -> None:
    """By a list for ffmpeg's concat: names relative to it, each with the time that the next one starts behind it."""
    name, starts = file.stem, [round(chunk.start, 6) for chunk in request.chunks]  # rounded here, errors do not add up
    lines = [f"file {encoded[0].paths[name]}"]
    for chunk, (start, following) in zip(encoded[1:], pairwise(starts), strict=True):
        lines += [f"duration {following - start:.6f}", f"file {chunk.paths[name]}"]
    await on_disk(listing.write_text, "\n".join(lines))
    await run_ffmpeg(join_command(listing, file), named([request.video]))


async def _seen(file: Path, request: JoinRequest) -> Pictures:
    try:
        return await pictures(file, 0)
    except ProbeError as error:
        raise _failed(request, str(error)) from None


def _misfit(seen: Pictures, frames: int, chunks: list[Chunk]) -> str:
    """What is wrong, if anything: all frames are there, and a decoder can start at each joint."""
    if seen.count != frames:
        return f"its chunks have {frames} frames, and {seen.count} when they are joined"
    for chunk in chunks:
        place = bisect_left(seen.keys, chunk.start - NEAR)
        if place == len(seen.keys) or seen.keys[place] > chunk.start + NEAR:
            return f"its chunks have no key frame at {chunk.start:.3f} s when they are joined"
    return ""


def greedy_chunks(seen: Pictures, rendition: VideoRendition, chunks: list[Chunk]) -> set[int]:
    """Which chunks run a player's buffer dry: it is filled at the peak rate, and each picture takes its bits out."""
    room = filled = rendition.buffer * 1000.0
    greedy, before = set(), 0.0
    starts = [chunk.start for chunk in chunks]
    for time, size in zip(seen.times, seen.sizes, strict=True):
        filled = min(room, filled + (time - before) * rendition.peak * 1000) - size * 8
        before = time
        if filled < -ALLOWED * room:
            greedy.add(bisect_right(starts, time + NEAR) - 1)
            filled = 0.0
    return {index for index in greedy if index > 0}


def _failed(request: JoinRequest, what: str) -> EncodingError:
    return EncodingError(f"the chunks of {named([request.video])} {what}", retryable=True)
