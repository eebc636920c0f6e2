"""The encoders: one ffmpeg per chunk makes all video renditions from one decode; sound is encoded in one piece."""

import asyncio
import shutil
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, Field
from temporalio import activity

from activities.cuts import Chunk
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.machine import on_disk
from activities.media import audio
from activities.media.command import video_command
from activities.media.ffmpeg import OnSeconds, run_ffmpeg
from activities.media.loudness import UNMEASURED, Loudness, loudness_in
from activities.media.marks import Mark
from activities.media.probe import AudioStream, ProbeError, VideoStream, probe
from activities.media.video import Span
from activities.plan import Plan
from activities.rates import Measured, Quality
from activities.server import is_paused
from activities.store.work import Work, at_work
from activities.tracks import AudioTrack, VideoTrack, named
from activities.workspace import attempt_folder, checksum, fresh

Stream = TypeVar("Stream", VideoStream, AudioStream)
TOLERANCE = 0.02
"""Share of a duration that may be missing at the end; at least a second: containers round and estimate."""


@dataclass(frozen=True)
class ChunkRequest:
    """One chunk of the video."""

    job_id: str
    video: VideoTrack
    plan: Plan
    chunk: Chunk
    marks: list[Mark] = field(default_factory=list)
    quality: Quality = field(default_factory=dict)
    """Empty = the encoder sees the whole film, and finds the quality that its bitrate allows by itself."""
    is_thrifty: bool = False
    """Whether it has to begin with little: the chunk before it leaves a player's buffer nearly empty."""


@dataclass(frozen=True)
class EncodedChunk:
    """One chunk in every rendition."""

    index: int
    folder: str = ""
    """In the workspace, with a file for each rendition."""
    frames: int = 0
    checksums: dict[str, int] = field(default_factory=dict)
    """Rendition name → CRC-32 of its file."""
    is_put_back: bool = False
    """It has not begun, as the job pauses."""
    told_paths: Annotated[dict[str, str], Field(validation_alias=AliasChoices("told_paths", "paths"))] = field(
        default_factory=dict
    )
    """What workers told once instead of the folder."""

    @property
    def paths(self) -> dict[str, str]:
        """Rendition name → file in the workspace."""
        return self.told_paths or {name: f"{self.folder}/{name}.mp4" for name in self.checksums}


@dataclass(frozen=True)
class SamplesRequest:
    """Some of a film's samples."""

    job_id: str
    video: VideoTrack
    plan: Plan
    part: int
    samples: list[Chunk]
    quality: Quality
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class AudioRequest:
    """All sound of the job."""

    job_id: str
    audio: list[AudioTrack]
    plan: Plan


@dataclass(frozen=True)
class EncodedAudio:
    """Every audio rendition."""

    paths: dict[str, str] = field(default_factory=dict)
    """Rendition name → file in the workspace."""


@activity.defn
async def encode_chunk(request: ChunkRequest) -> EncodedChunk:
    """Encode a span of the video in all renditions, and check that it is whole; nothing while the job pauses.

    Raises:
        EncodingError: the source is damaged, or the encoder failed.
    """
    chunk, folder = request.chunk, attempt_folder(f"encoded/chunk-{request.chunk.index:04}")
    if await is_paused():
        return EncodedChunk(chunk.index, is_put_back=True)
    expected = chunk.duration or max(0.0, request.video.end - chunk.start)
    async with beating(Progress(total=expected)) as progress, _at_work(request) as work:
        files, _ = await _encode(request, work, await on_disk(fresh, work.root / folder), _into(progress))
        frames = await _frames(files, named([request.video]))
        if chunk.frames is None and not _has_all(frames, request.video):
            await _check_end(files, expected, named([request.video]))
        checksums = {name: await asyncio.to_thread(checksum, file) for name, file in files.items()}
        await work.keep(folder)
        progress.done = progress.total  # the encoder's last word may stop short of the end
    return EncodedChunk(chunk.index, folder, frames, checksums)


@activity.defn
async def encode_samples(request: SamplesRequest) -> Measured:
    """Encode short spans as chunks are encoded, only to see how much they take, and whether they are cut exactly.

    Raises:
        EncodingError: as `encode_chunk`.
    """
    measured = Measured(request.quality, {name: [] for name in request.quality}, [])
    async with beating(Progress(total=len(request.samples))) as progress, _at_work(request) as work:
        folder = work.root / attempt_folder(f"encoded/samples-{request.part}")
        for sample in request.samples:
            of = ChunkRequest(request.job_id, request.video, request.plan, sample, request.marks, request.quality)
            files, frames = await _encode(of, work, await on_disk(fresh, folder), lambda _: None, is_sample=True)
            if sample.frames not in (None, frames):
                misfit = f"a sample at {sample.start:.3f} s has {frames} frames instead of {sample.frames}"
                measured = replace(measured, misfit=misfit)
                break
            for name, file in files.items():
                measured.sizes[name].append((await on_disk(file.stat)).st_size)
            measured.seconds.append(sample.duration or request.video.end - sample.start)
            measured.samples.append(sample.index)
            progress.done += 1
        await on_disk(shutil.rmtree, folder)
    return measured


def _at_work(request: ChunkRequest | SamplesRequest) -> AbstractAsyncContextManager[Work]:
    return at_work(request.job_id, needs=[mark.path for mark in request.marks], sources=[request.video.file])


async def _encode(
    request: ChunkRequest, work: Work, folder: Path, on_seconds: OnSeconds, *, is_sample: bool = False
) -> tuple[dict[str, Path], int]:
    """The files of all renditions in `folder`, and their number of frames."""
    video = request.video
    files = {rendition.name: folder / f"{rendition.name}.mp4" for rendition in request.plan.video}
    source = work.input(video.file)
    wanted = Span(source, video, request.plan, request.chunk, request.quality, request.is_thrifty, is_sample)
    marks = [(work.root / mark.path, mark) for mark in request.marks]
    return files, await run_ffmpeg(video_command(wanted, files, marks=marks), named([video]), on_seconds)


@activity.defn
async def encode_audio(request: AudioRequest) -> EncodedAudio:
    """Encode all sound in all renditions.

    Raises:
        EncodingError: a source is damaged, or the encoder failed.
    """
    folder = attempt_folder("encoded/audio")
    paths = {rendition.name: f"{folder}/{rendition.name}.mp4" for rendition in request.plan.audio}
    used = [request.audio[rendition.track] for rendition in request.plan.audio]
    names = named(used)
    seconds = max(request.plan.duration, *(track.duration for track in used))
    passes = 1 + request.plan.normalize
    async with (
        beating(Progress(total=passes * seconds)) as progress,
        at_work(request.job_id, sources={track.file for track in used}) as work,
    ):
        made = await on_disk(fresh, work.root / folder)
        files = {name: work.root / path for name, path in paths.items()}
        sources = {track.file.path: work.input(track.file) for track in used}
        wanted = audio.Request(sources, request.audio, request.plan)
        loudness = await _measured(wanted, made, names, _into(progress)) if request.plan.normalize else {}
        progress.done = (passes - 1) * seconds
        arguments = audio.audio_command(wanted, files, loudness)
        await run_ffmpeg(arguments, f"the sound of {names}", _into(progress, progress.done))
        await _check_sound(files, request)
        await work.keep(folder)
        progress.done = progress.total
    return EncodedAudio(paths)


async def _measured(wanted: audio.Request, folder: Path, names: str, on_seconds: OnSeconds) -> dict[str, Loudness]:
    """The loudness of all that will be encoded, by rendition."""
    stats = {name: folder / f"{name}.json" for name in audio.mixes(wanted)}
    for file in stats.values():
        await on_disk(file.write_text, UNMEASURED)
    await run_ffmpeg(audio.measuring_command(wanted, folder), f"the sound of {names}", on_seconds)
    found = {name: await on_disk(loudness_in, file) for name, file in stats.items()}
    return {name: loudness for name, loudness in found.items() if loudness}


def _into(progress: Progress, before: float = 0.0) -> OnSeconds:
    def set_done(seconds: float) -> None:
        progress.done = before + seconds

    return set_done


async def _check_end(files: dict[str, Path], expected: float, source: str) -> None:
    """All renditions reach the end. Where all frames are there nothing is asked: the last one may last long."""
    streams = [await _encoded(file, VideoStream, f"picture of {source}") for file in files.values()]
    duration = min(stream.duration for stream in streams)
    if not _reaches(duration, expected):
        raise _incomplete(f"video of {source}", duration, expected)


def _has_all(frames: int, video: VideoTrack) -> bool:
    """Whether the container counts its frames, and these are as many."""
    return video.frames is not None and frames - video.copies >= (1 - TOLERANCE) * video.frames


async def _frames(files: dict[str, Path], source: str) -> int:
    """The number of frames, which is that of all renditions."""
    streams = [await _encoded(file, VideoStream, f"picture of {source}") for file in files.values()]
    frames = {stream.frames for stream in streams}
    if len(frames) != 1:
        raise EncodingError(f"the renditions of {source} differ in their number of frames", retryable=True)
    return frames.pop() or 0


async def _check_sound(files: dict[str, Path], request: AudioRequest) -> None:
    """Every rendition reaches its end, where the source says for certain when that is."""
    for rendition in request.plan.audio:
        track = request.audio[rendition.track]
        encoded = await _encoded(files[rendition.name], AudioStream, f"sound of {named([track])}")
        silence = 0.0 if rendition.is_copied else max(0.0, request.plan.picture - track.duration)
        heard = encoded.duration - silence
        if track.exact and not _reaches(heard, track.duration):
            raise _incomplete(f"sound of {named([track])}", heard, track.duration)


def _reaches(duration: float, expected: float) -> bool:
    return duration >= expected - max(1.0, TOLERANCE * expected)


def _incomplete(what: str, duration: float, expected: float) -> EncodingError:
    return EncodingError(
        f"the {what} ends at {duration:.1f} s of {expected:.1f} s: the file is damaged or incomplete; replace it"
    )


async def _encoded(file: Path, kind: type[Stream], what: str) -> Stream:
    try:
        tracks = (await probe(file)).tracks
    except (ProbeError, FileNotFoundError):
        tracks = []
    for track in tracks:
        if isinstance(track, kind):
            return track
    raise EncodingError(f"no {what} can be decoded: it is damaged or incomplete; replace it")
