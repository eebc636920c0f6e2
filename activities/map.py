"""Media Mapping: decide which file and which track inside it plays which part."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio import activity

from activities.errors import AcquisitionError
from activities.heartbeat import Progress, beating
from activities.languages import canonical
from activities.mappings import TEXT_FORMATS, Claim, MediaMappings, suffix
from activities.media.probe import AudioStream, Probe, ProbeError, VideoStream, probe
from activities.workspace import workspace

CLEARLY_LONGER = 60.0
"""Seconds by which a video track is longer than another to be the film, whatever its bitrate."""
SHOWN = 5
"""Names that a message quotes at most."""


@dataclass(frozen=True)
class SourceFile:
    """A file that was copied to the workspace."""

    name: str
    """As the client knows it, relative to the location."""
    path: str
    """Relative to the workspace."""
    size: int
    """bytes"""
    version: str = ""
    """Of the content at its location; empty where that has none."""


@dataclass(frozen=True)
class VideoTrack:
    """The one video track that is encoded."""

    file: SourceFile
    index: int
    """Stream index inside the container, from 0, as ffmpeg counts."""
    codec: str
    width: int
    """Of the picture as shown: rotation and sample aspect ratio applied."""
    height: int
    frame_rate: str
    """Average, as a fraction: `25/1`, `24000/1001`."""
    duration: float
    """seconds"""
    frames: int | None
    """Where the container says so."""
    bitrate: int
    """kbit/s"""
    start: float = 0.0
    """Seconds from the start of the container to the first picture."""


@dataclass(frozen=True)
class AudioTrack:
    """One audio track that is encoded."""

    file: SourceFile
    index: int
    language: str
    codec: str
    channels: int
    duration: float
    """seconds"""
    descriptive: bool = False


@dataclass(frozen=True)
class TextTrack:
    """One subtitle or caption file."""

    file: SourceFile
    language: str
    format: str
    """`WebVTT` or `SRT`"""
    caption: bool = False


@dataclass(frozen=True)
class Mapped:
    """The decision."""

    video: VideoTrack | None
    audio: list[AudioTrack] = field(default_factory=list)
    text: list[TextTrack] = field(default_factory=list)


@dataclass(frozen=True)
class MapRequest:
    """The acquired files and the rules."""

    job_id: str
    files: list[SourceFile]
    mappings: MediaMappings


@dataclass(frozen=True)
class Candidate:
    """A file, the parts that its name claims, and what is inside."""

    file: SourceFile
    claims: list[Claim]
    tracks: Probe | None = None
    """None for a text file."""

    def claim(self, *parts: str) -> Claim | None:
        """Its claim to one of `parts`."""
        return next((claim for claim in self.claims if claim.part in parts), None)

    @property
    def video(self) -> list[VideoStream]:
        return [track for track in self.tracks.tracks if isinstance(track, VideoStream)] if self.tracks else []

    @property
    def audio(self) -> list[AudioStream]:
        return [track for track in self.tracks.tracks if isinstance(track, AudioStream)] if self.tracks else []


@activity.defn
async def map_media(request: MapRequest) -> Mapped:
    """Look into every file, then decide.

    Raises:
        AcquisitionError: a file is empty or no media, a language is missing, or a `FailOn…` rule applies.
    """
    candidates = []
    async with beating(Progress(total=len(request.files))) as progress:
        for file in request.files:
            candidates.append(await _candidate(request, file))
            progress.done += 1
    return decide(candidates, request.mappings)


async def _candidate(request: MapRequest, file: SourceFile) -> Candidate:
    if file.size == 0:
        raise AcquisitionError(f"the file {file.name!r} is empty; upload it again, or remove it")
    claims = await asyncio.to_thread(request.mappings.claims, file.name)
    if not any(claim.part in {"video", "audio"} for claim in claims):
        return Candidate(file, claims)
    try:
        return Candidate(file, claims, await probe(workspace(request.job_id) / file.path))
    except ProbeError as error:
        raise AcquisitionError(f"the file {file.name!r} {error}; replace it, or let no expression find it") from None


def decide(candidates: list[Candidate], mappings: MediaMappings) -> Mapped:
    """Which tracks are used, by the rules alone.

    Raises:
        AcquisitionError: a language is missing, or a `FailOn…` rule applies.
    """
    best = _best_video(candidates)
    container = best[0] if best else None
    found = [*_audio(candidates, container, mappings)]
    audio = [track for track in found if _kept(track.language, mappings.audio_languages)]
    text = [*_text(candidates, mappings)]
    mapped = Mapped(best and VideoTrack(best[0].file, **vars(best[1])), audio, text)
    _check_missing(mapped, mappings, ", ".join(repr(each.file.name) for each in candidates[:SHOWN]))
    if mappings.fail_on_ignored_tracks:
        _check_ignored(candidates, mapped.video, found)
    return mapped


def _best_video(candidates: list[Candidate]) -> tuple[Candidate, VideoStream] | None:
    """Of those that no other outlasts by a minute, the one with the highest bitrate; the first, if equal."""
    videos = [(each, track) for each in candidates if each.claim("video") for track in each.video]
    longest = max((track.duration for _, track in videos), default=0.0)
    rivals = [video for video in videos if longest - video[1].duration < CLEARLY_LONGER]
    return max(rivals, key=lambda video: video[1].bitrate, default=None)


def _audio(candidates: list[Candidate], container: Candidate | None, mappings: MediaMappings) -> Iterator[AudioTrack]:
    """All sound beside the video, then that of files of their own."""
    beside = [container] if container else [each for each in candidates if each.claim("video")]
    others = [each for each in candidates if each not in beside and each.claim("audio")]
    for candidate in (*beside, *others):
        claim = candidate.claim("audio") or Claim("audio")
        for track in candidate.audio:
            yield AudioTrack(
                candidate.file,
                track.index,
                _audio_language(candidate, track, claim, mappings),
                track.codec,
                track.channels,
                track.duration,
                claim.descriptive,
            )


def _audio_language(candidate: Candidate, track: AudioStream, claim: Claim, mappings: MediaMappings) -> str:
    """The file's name speaks for its only track; of several, each speaks for itself first."""
    tagged = canonical(track.language or "")
    named = claim.language
    either = named or tagged if len(candidate.audio) == 1 else tagged or named
    return either or _fallback(f"track {track.index} of the file {candidate.file.name!r}", mappings)


def _text(candidates: list[Candidate], mappings: MediaMappings) -> Iterator[TextTrack]:
    for candidate in candidates:
        if claim := candidate.claim("subtitle", "caption"):
            caption, name = claim.part == "caption", candidate.file.name
            language = claim.language or _fallback(f"the file {name!r}", mappings)
            keep = mappings.caption_languages if caption else mappings.subtitle_languages
            if _kept(language, keep):
                yield TextTrack(candidate.file, language, TEXT_FORMATS[suffix(name)], caption)


def _kept(language: str, wanted: list[str]) -> bool:
    return not wanted or language in wanted


def _fallback(what: str, mappings: MediaMappings) -> str:
    if mappings.fallback_language_code:
        return mappings.fallback_language_code
    raise AcquisitionError(
        f"{what} has no language; let an expression of MediaMappings capture one, or set FallbackLanguageCode"
    )


def _check_missing(mapped: Mapped, mappings: MediaMappings, source: str) -> None:
    captions = [track for track in mapped.text if track.caption]
    rules = (
        ("Video", mapped.video, mappings.fail_on_no_video_tracks, "see VideoStreamExpression"),
        (
            "Audio",
            mapped.audio,
            mappings.fail_on_no_audio_tracks,
            "see AudioStreams, AudioFileLanguageExpression, AudioLanguages",
        ),
        (
            "Subtitle",
            len(mapped.text) > len(captions),
            mappings.fail_on_no_subtitle_tracks,
            "see SubtitleStreams, SubtitleFileLanguageExpression, SubtitleLanguages",
        ),
        (
            "Caption",
            captions,
            mappings.fail_on_no_caption_tracks,
            "see CaptionStreams, CaptionFileLanguageExpression, CaptionLanguages",
        ),
    )
    for kind, found, fails, fields in rules:
        if fails and not found:
            raise AcquisitionError(
                f"no {kind.lower()} track was found in {source}, and MediaMappings.FailOnNo{kind}Tracks is set; "
                f"add the track, correct the mappings ({fields}), or set it to false"
            )
    if not mapped.video and not mapped.audio:
        raise AcquisitionError(f"{source} hold neither video nor audio; there is nothing to encode")


def _check_ignored(candidates: list[Candidate], video: VideoTrack | None, audio: list[AudioTrack]) -> None:
    used = {(track.file.name, track.index) for track in audio}
    if video:
        used.add((video.file.name, video.index))
    for candidate in candidates:
        for track in candidate.tracks.tracks if candidate.tracks else []:
            if (candidate.file.name, track.index) not in used:
                raise AcquisitionError(
                    f"track {track.index} of the file {candidate.file.name!r} plays no part, and "
                    "MediaMappings.FailOnIgnoredTracks is set; remove the track, or set it to false"
                )
