"""The first step of Encoding: decide renditions and chunks."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from temporalio import activity

from activities.ladder import audio_rungs, video_rungs
from activities.naming import AUDIO, VIDEO, Naming
from activities.processing import AudioRepresentation, ContentProcessing, VideoRepresentation
from activities.tracks import Mapped, VideoTrack

PRESETS = {"Speed": "veryfast", "Balance": "medium", "Quality": "slow"}
"""`OptimizeFor` as an x264 preset."""


@dataclass(frozen=True)
class PlanRequest:
    """What there is, and what is asked for."""

    job_id: str
    mapped: Mapped
    processing: ContentProcessing


@dataclass(frozen=True)
class VideoRendition:
    """One rung of the ladder."""

    name: str
    """Stem of its files: `video-H264-540-1590k`."""
    width: int
    height: int
    bitrate: int
    """kbit/s, as asked"""


@dataclass(frozen=True)
class AudioRendition:
    """One audio output: a source track in one layout and bitrate."""

    name: str
    """Stem of its files: `audio-en`; a second one of the language is `audio-en-2`."""
    track: int
    """Index into `Mapped.audio`."""
    language: str
    bitrate: int
    """kbit/s"""
    sound: str
    """`Mono`, `Stereo` or `5.1`"""
    descriptive: bool = False


@dataclass(frozen=True)
class Chunk:
    """A span of the source that one ffmpeg process encodes to all video renditions."""

    index: int
    start: float = 0.0
    """seconds"""
    duration: float | None = None
    """seconds; None = to the end"""


@dataclass(frozen=True)
class Plan:
    """All that the encoders need to know; the same for every chunk."""

    video: list[VideoRendition] = field(default_factory=list)
    audio: list[AudioRendition] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    gop_seconds: float = 2.0
    """A closed GOP starts at each multiple, in every rendition."""
    preset: str = "medium"
    duration: float = 0.0
    """seconds of film"""


@activity.defn
async def plan(request: PlanRequest) -> Plan:
    """One chunk for now: cutting needs no more than a longer list here."""
    mapped, settings = request.mapped, request.processing
    naming = settings.naming or Naming()
    durations = [mapped.video.duration] if mapped.video else [track.duration for track in mapped.audio]
    return Plan(
        video=video_renditions(mapped.video, settings.video_representations, naming.video) if mapped.video else [],
        audio=audio_renditions(mapped, settings.audio_representations, naming.audio),
        chunks=[Chunk(0)] if mapped.video else [],
        preset=PRESETS[settings.optimize_for],
        duration=max(durations, default=0.0),
    )


def video_renditions(
    source: VideoTrack, asked: list[VideoRepresentation] | None, start: str = VIDEO
) -> list[VideoRendition]:
    """The rungs with their names, which begin with `start`."""
    rungs = video_rungs(source, asked)
    names = unique_names(f"{start}-H264-{height}-{kbps}k" for (_, height), kbps in rungs)
    return [VideoRendition(name, *size, kbps) for name, (size, kbps) in zip(names, rungs, strict=True)]


def audio_renditions(
    mapped: Mapped, asked: list[AudioRepresentation] | None, start: str = AUDIO
) -> list[AudioRendition]:
    """Every track in each representation that suits it; their names begin with `start`."""
    wanted = [(index, track, r) for index, track in enumerate(mapped.audio) for r in audio_rungs(track, asked)]
    names = unique_names(f"{start}-{track.language}" for _, track, _ in wanted)
    return [
        AudioRendition(name, index, track.language, r.bitrate_in_kbps, r.sound, track.descriptive)
        for name, (index, track, r) in zip(names, wanted, strict=True)
    ]


def unique_names(names: Iterable[str], again: str = "{}-{}") -> list[str]:
    """The same names, with `-2`, `-3`, … behind those that stand there already, or as `again` forms it."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else again.format(name, seen[name]))
    return unique
