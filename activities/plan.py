"""The first step of Encoding: decide renditions and chunks."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from temporalio import activity

from activities.cuts import SHORTEST_FILM, Chunk, Cutter, NotCutError
from activities.errors import EncodingError
from activities.heartbeat import Progress, beating
from activities.ladder import Size, audio_rungs, canvas, even, pixel_aspect, video_rungs
from activities.media.encoders import ten_bit_ffmpeg
from activities.media.pictures import pictures
from activities.media.probe import ProbeError
from activities.naming import AUDIO, VIDEO, Naming
from activities.processing import AudioFormat, AudioRepresentation, ContentProcessing, sound_of
from activities.store.work import at_work
from activities.tracks import AudioTrack, Mapped, VideoTrack, named

PRESETS = {
    "H264": {"Speed": "veryfast", "Balance": "medium", "Quality": "slow"},
    "H265": {"Speed": "superfast", "Balance": "fast", "Quality": "slow"},
}
"""`OptimizeFor` as a preset of the codec's encoder."""
GOOD = {
    "H264": {"Speed": 24.0, "Balance": 23.0, "Quality": 21.0},
    "H265": {"Speed": 26.0, "Balance": 25.0, "Quality": 23.0},
}
"""`OptimizeFor` as a constant rate factor, at which few see more in more bits: `EncodingMode: PerScene`."""
EIGHT_BIT = 8
PACKAGED_CODECS = {"h264": "H264", "hevc": "H265"}
"""Of video that is not encoded: ffmpeg's name → ours."""
PACKAGED_SOUND: dict[str, AudioFormat] = {"aac": "AAC", "ac3": "AC3"}
"""Of sound that is not encoded."""
MOST_SOUND = 128
"""Audio renditions of a title: one process encodes them all, and one packages them."""
SAMPLES_TOGETHER = 6
"""That one worker encodes, of a film's."""
GOP = 4.0
"""Seconds from one key frame to the next in video that is encoded (ADR 18)."""
LONGEST_GOP = 5
"""Seconds from one key frame to the next in video that is not encoded."""


@dataclass(frozen=True)
class PlanRequest:
    """What there is, and what is asked for."""

    job_id: str
    mapped: Mapped
    processing: ContentProcessing
    picture: "Plan | None" = None
    """What was planned for the same film without sound; None = nothing was."""


@dataclass(frozen=True)
class VideoRendition:
    """One rung of the ladder."""

    name: str
    """Stem of its files: `video-H264-540-1590k`."""
    width: int
    height: int
    bitrate: int
    """kbit/s, as asked"""
    codec: str = "H264"
    ten_bit: bool = False
    """Instead of 8 bit, by the encoder that not every worker has."""
    pixel_aspect: str = "1"
    """Width to height."""
    inner: tuple[int, int] | None = None
    """Size of the picture between bars; None = it fills all."""
    factor: float | None = None
    """Constant quality of all scenes, as far as the bitrate allows; None = scenes share the bitrate."""
    source: str = ""
    """File and track for messages, where it is not encoded."""

    @property
    def peak(self) -> int:
        """kbit/s at most, apart from what `buffer` evens out."""
        return self.bitrate * 3 // 2 if self.factor is None else self.bitrate

    @property
    def buffer(self) -> int:
        """What a player has to hold, in kbit."""
        return self.bitrate * 2


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
    """`Mono`, `Stereo` or `5.1`; where it is not encoded, also `8 channels`."""
    descriptive: bool = False
    format: AudioFormat = "AAC"
    is_copied: bool = False
    """Not encoded."""
    source: str = ""
    """File and track for messages, where it is not encoded."""


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
    hdr: str = ""
    """Transfer function of the high dynamic range that all renditions keep; empty = they have the standard range."""
    normalize: bool = False
    """Whether all sound is brought to one loudness."""
    samples: list[Chunk] = field(default_factory=list)
    """Short spans that are encoded first, to find the rates of many chunks; none for one chunk."""
    in_one_piece: str = ""
    """Why there is only one chunk, behind "as"."""

    @property
    def sample_groups(self) -> list[list[Chunk]]:
        """What one worker encodes of the samples, each."""
        return [
            self.samples[start : start + SAMPLES_TOGETHER] for start in range(0, len(self.samples), SAMPLES_TOGETHER)
        ]

    def without_chunks(self) -> "Plan":
        """What each request carries: all of it, hundreds of times, would be too much."""
        return replace(self, chunks=[], samples=[])

    def of_picture(self) -> "Plan":
        """The same for requests that each chunk makes: a title in ten languages would fill its history with them."""
        return replace(self.without_chunks(), audio=[])

    @property
    def picture(self) -> float:
        """Seconds that the picture lasts; 0 without one."""
        return self.duration if self.video else 0.0


@activity.defn
async def plan(request: PlanRequest) -> Plan:
    """Choose what is made, and where the film is cut. Without any chunk, no picture is encoded.

    Raises:
        EncodingError: too much sound is asked for; or high dynamic range is to be kept, and this worker cannot.
    """
    async with beating(Progress()):
        if request.picture:
            return replace(request.picture, audio=_sound(request))
        planned = _planned(request)
        video = request.mapped.video
        return await _cut(request.job_id, planned, video) if video and planned.chunks else planned


async def _cut(job_id: str, planned: Plan, video: VideoTrack) -> Plan:
    if video.end < SHORTEST_FILM:
        return replace(planned, in_one_piece="it is short" if video.end else "its container does not tell its length")
    try:
        async with at_work(job_id, sources=[video.file]) as work:
            seen = await pictures(work.input(video.file), video.index)
        return await asyncio.to_thread(_pieces, planned, Cutter(video, seen, planned.gop_seconds))
    except ProbeError as error:
        return replace(planned, in_one_piece=f"it {error}")
    except NotCutError as error:
        return replace(planned, in_one_piece=str(error))


def _pieces(planned: Plan, cutter: Cutter) -> Plan:
    unknown = [rendition for rendition in planned.video if rendition.factor is None]
    return replace(planned, chunks=cutter.chunks(), samples=cutter.samples() if unknown else [])


def _planned(request: PlanRequest) -> Plan:
    mapped, settings = request.mapped, request.processing
    naming = settings.naming or Naming()
    if settings.video_format == "DoNotEncode":
        return _of_variants(mapped, settings)
    durations = [mapped.video.end] if mapped.video else [track.duration for track in mapped.audio]
    return Plan(
        video=video_renditions(mapped.video, settings, naming.video) if mapped.video else [],
        audio=_sound(request),
        chunks=[Chunk(0)] if mapped.video else [],
        gop_seconds=GOP,
        preset=PRESETS[settings.video_format][settings.optimize_for],
        duration=max(durations, default=0.0),
        normalize=settings.normalize_audio,
        hdr=_hdr(mapped.video, settings) if mapped.video else "",
    )


def _sound(request: PlanRequest) -> list[AudioRendition]:
    settings = request.processing
    naming = settings.naming or Naming()
    return audio_renditions(request.mapped, settings.audio_representations, naming.audio)


def _of_variants(mapped: Mapped, settings: ContentProcessing) -> Plan:
    """Everything as it is; sound that players do not take, or that is asked for otherwise, is encoded."""
    asked, naming = settings.audio_representations, settings.naming or Naming()
    codecs = [PACKAGED_CODECS.get(track.codec, track.codec) for track in mapped.variants]
    described = list(zip(mapped.variants, codecs, strict=True))
    names = unique_names(f"{naming.video}-{codec}-{track.height}-{track.bitrate}k" for track, codec in described)
    durations = [track.duration for track in mapped.variants or mapped.audio]
    return Plan(
        video=[
            VideoRendition(name, track.width, track.height, track.bitrate, codec, source=named([track]))
            for name, (track, codec) in zip(names, described, strict=True)
        ],
        audio=[_copied(r, mapped.audio[r.track], asked) for r in audio_renditions(mapped, asked, naming.audio)],
        gop_seconds=LONGEST_GOP,
        duration=max(durations, default=0.0),
        normalize=settings.normalize_audio,
    )


def _copied(rendition: AudioRendition, track: AudioTrack, asked: list[AudioRepresentation] | None) -> AudioRendition:
    """`rendition` as it is in the source, where that can be packaged."""
    if asked or track.mono or track.codec not in PACKAGED_SOUND:
        return rendition
    bitrate = track.bitrate or rendition.bitrate
    made = PACKAGED_SOUND[track.codec]
    sound, source = sound_of(track.channels), named([track])
    return replace(rendition, bitrate=bitrate, sound=sound, format=made, is_copied=True, source=source)


def video_renditions(source: VideoTrack, settings: ContentProcessing, start: str = VIDEO) -> list[VideoRendition]:
    """The rungs with their names, which begin with `start`."""
    codec = settings.video_format
    rungs = video_rungs(source, settings)
    names = unique_names(f"{start}-{codec}-{height}-{kbps}k" for (_, height), kbps in rungs)
    around = canvas(source, settings)
    deep = source.color.bits > EIGHT_BIT or source.color.is_hdr
    ten_bit = codec == "H265" and deep and ten_bit_ffmpeg() is not None
    factor = GOOD[codec][settings.optimize_for] if settings.encoding_mode == "PerScene" else None
    return [
        VideoRendition(
            name,
            *size,
            kbps,
            codec,
            ten_bit,
            pixel_aspect(source, size, settings),
            _inner(source, around, size),
            factor,
        )
        for name, (size, kbps) in zip(names, rungs, strict=True)
    ]


def _inner(source: VideoTrack, around: VideoTrack, size: Size) -> Size | None:
    if around == source:
        return None
    width = even(Fraction(size[0] * source.width, around.width))
    return width, even(Fraction(size[1] * source.height, around.height))


def _hdr(source: VideoTrack, settings: ContentProcessing) -> str:
    wanted = settings.extract_and_apply_hdr and settings.video_format == "H265" and source.color.is_hdr
    if wanted and not ten_bit_ffmpeg():
        raise EncodingError(
            "ContentProcessing.ExtractAndApplyHDR needs an encoder for 10 bit, which this worker has not; install "
            "encoding-service[hdr] on all workers, or leave it out: the picture then is made for the standard range"
        )
    return source.color.transfer if wanted else ""


def audio_renditions(
    mapped: Mapped, asked: list[AudioRepresentation] | None, start: str = AUDIO
) -> list[AudioRendition]:
    """Every track in each representation that suits it; their names begin with `start`.

    Raises:
        EncodingError: there are too many.
    """
    wanted = [(index, track, r) for index, track in enumerate(mapped.audio) for r in audio_rungs(track, asked)]
    if len(wanted) > MOST_SOUND:
        raise EncodingError(
            f"ContentProcessing.AudioRepresentations would give {len(wanted)} audio renditions of {len(mapped.audio)} "
            f"tracks, and {MOST_SOUND} are the most; ask for fewer representations, or keep fewer tracks with "
            "MediaMappings.AudioLanguages"
        )
    names = unique_names(f"{start}-{track.language}" for _, track, _ in wanted)
    return [
        AudioRendition(name, index, track.language, r.bitrate_in_kbps, r.sound, track.descriptive, r.audio_format)
        for name, (index, track, r) in zip(names, wanted, strict=True)
    ]


def unique_names(names: Iterable[str], again: str = "{}-{}") -> list[str]:
    """The same names, with `-2`, `-3`, … behind those that are given already, or as `again` forms it."""
    numbers: dict[str, int] = {}
    unique: dict[str, None] = {}
    for name in names:
        free = name
        while free in unique:
            numbers[name] = numbers.get(name, 1) + 1
            free = again.format(name, numbers[name])
        unique[free] = None
    return [*unique]
