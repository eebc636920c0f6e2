"""The encoders: one ffmpeg per chunk makes all video renditions from one decode; sound is encoded in one piece."""

from dataclasses import dataclass, field
from pathlib import Path

from temporalio import activity

from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.map import AudioTrack, VideoTrack
from activities.media import command
from activities.media.ffmpeg import OnSeconds, run_ffmpeg
from activities.media.probe import ProbeError, VideoStream, probe
from activities.plan import Chunk, Plan
from activities.workspace import fresh, workspace

TOLERANCE = 0.02
"""Share of a duration that may be missing at the end; at least a second: containers round and estimate."""


@dataclass(frozen=True)
class ChunkRequest:
    """One chunk of the video."""

    job_id: str
    video: VideoTrack
    plan: Plan
    chunk: Chunk


@dataclass(frozen=True)
class EncodedChunk:
    """One chunk in every rendition."""

    index: int
    paths: dict[str, str] = field(default_factory=dict)
    """Rendition name → file in the workspace."""
    frames: int = 0


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
    """Encode a span of the video in all renditions, and check that it is whole.

    Raises:
        EncodingError: the source is damaged, or the encoder failed.
    """
    video, chunk = request.video, request.chunk
    root, folder = workspace(request.job_id), _attempt_folder(f"chunk-{chunk.index:04}")
    fresh(root / folder)
    paths = {rendition.name: f"{folder}/{rendition.name}.mp4" for rendition in request.plan.video}
    files = {name: root / path for name, path in paths.items()}
    expected = chunk.duration or video.duration - chunk.start
    async with beating(Progress(total=expected)) as progress:
        arguments = command.video_command(root / video.file.path, video, request.plan, chunk, files)
        await run_ffmpeg(arguments, repr(video.file.name), _into(progress))
        frames = await _checked(files, expected, video.file.name)
    return EncodedChunk(chunk.index, paths, frames)


@activity.defn
async def encode_audio(request: AudioRequest) -> EncodedAudio:
    """Encode all sound in all renditions.

    Raises:
        EncodingError: a source is damaged, or the encoder failed.
    """
    root, folder = workspace(request.job_id), _attempt_folder("audio")
    fresh(root / folder)
    paths = {rendition.name: f"{folder}/{rendition.name}.mp4" for rendition in request.plan.audio}
    used = [request.audio[rendition.track] for rendition in request.plan.audio]
    sources = {track.file.path: root / track.file.path for track in used}
    names = ", ".join(dict.fromkeys(repr(track.file.name) for track in used))
    async with beating(Progress(total=max(track.duration for track in used))) as progress:
        arguments = command.audio_command(
            sources, request.audio, request.plan, {name: root / path for name, path in paths.items()}
        )
        await run_ffmpeg(arguments, f"the sound of {names}", _into(progress))
    return EncodedAudio(paths)


def _attempt_folder(name: str) -> str:
    """A late write of a dying attempt must not meet the next one's file."""
    return f"encoded/{name}-{activity.info().attempt}"


def _into(progress: Progress) -> OnSeconds:
    def set_done(seconds: float) -> None:
        progress.done = seconds

    return set_done


async def _checked(files: dict[str, Path], expected: float, source: str) -> int:
    """All renditions have the same frames and reach the end; returns the number of frames."""
    streams = [await _video_stream(file, source) for file in files.values()]
    duration = min(stream.duration for stream in streams)
    if duration < expected - max(1.0, TOLERANCE * expected):
        raise EncodingError(
            f"the video of {source!r} ends at {duration:.1f} s of {expected:.1f} s: "
            "the file is damaged or incomplete; replace it"
        )
    frames = {stream.frames for stream in streams}
    if len(frames) != 1:
        raise EncodingError(f"the renditions of {source!r} differ in their number of frames", retryable=True)
    return frames.pop() or 0


async def _video_stream(file: Path, source: str) -> VideoStream:
    try:
        tracks = (await probe(file)).tracks
    except (ProbeError, FileNotFoundError):
        tracks = []
    for track in tracks:
        if isinstance(track, VideoStream):
            return track
    raise EncodingError(f"no picture of {source!r} can be decoded: it is damaged or incomplete; replace it")
