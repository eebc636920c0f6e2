"""Media Mapping: decide which file and which track inside it plays which part."""

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


@dataclass(frozen=True)
class SourceFile:
    """A file that was copied to the workspace."""

    name: str
    """As the client knows it, relative to the location."""
    path: str
    """Relative to the workspace."""
    size: int
    """bytes"""


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
    _check_missing(mapped, mappings)
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


def _check_missing(mapped: Mapped, mappings: MediaMappings) -> None:
    captions = [track for track in mapped.text if track.caption]
    rules = (
        ("Video", mapped.video, mappings.fail_on_no_video_tracks, "VideoStreamExpression"),
        ("Audio", mapped.audio, mappings.fail_on_no_audio_tracks, "AudioFileLanguageExpression"),
        ("Subtitle", len(mapped.text) > len(captions), mappings.fail_on_no_subtitle_tracks, "SubtitleStreams"),
        ("Caption", captions, mappings.fail_on_no_caption_tracks, "CaptionStreams"),
    )
    for kind, found, fails, expression in rules:
        if fails and not found:
            raise AcquisitionError(
                f"no {kind.lower()} track was found in the source, and MediaMappings.FailOnNo{kind}Tracks is set; "
                f"correct the expressions ({expression}), add the track, or set it to false"
            )
    if not mapped.video and not mapped.audio:
        raise AcquisitionError("the source holds neither a video nor an audio track; there is nothing to encode")


def _check_ignored(candidates: list[Candidate], video: VideoTrack | None, audio: list[AudioTrack]) -> None:
    used = {(track.file.name, track.index) for track in (*audio, *([video] if video else []))}
    for candidate in candidates:
        for track in candidate.tracks.tracks if candidate.tracks else []:
            if (candidate.file.name, track.index) not in used:
                raise AcquisitionError(
                    f"track {track.index} of the file {candidate.file.name!r} plays no part, and "
                    "MediaMappings.FailOnIgnoredTracks is set; remove the track, or set it to false"
                )


@dataclass(frozen=True)
class MapRequest:
    """The acquired files and the job's rules."""

    job_id: str
    files: list[SourceFile]
    mappings: MediaMappings


@activity.defn
async def map_media(request: MapRequest) -> Mapped:
    """Probe the files and decide.

    Raises:
        AcquisitionError: a file cannot be read, or a `FailOn…` rule is not met.
    """
    root = workspace(request.job_id)
    probes: dict[str, Probe] = {}
    async with beating(Progress(total=len(request.files))) as progress:
        for file in request.files:
            if suffix(file.name) not in TEXT_FORMATS:
                try:
                    probes[file.name] = await probe(root / file.path)
                except ProbeError as error:
                    raise AcquisitionError(f"the file {file.name!r} {error}; replace it, or leave it out") from None
            progress.done += 1
    return decide(request.files, probes, request.mappings)


def decide(files: list[SourceFile], probes: dict[str, Probe], mappings: MediaMappings) -> Mapped:
    """Give every track its part.

    Args:
        probes: file name → tracks, of all files but text.

    Raises:
        AcquisitionError: a rule of the job is not met.
    """
    claims = [(file, claim) for file in files for claim in mappings.claims(file.name)]
    videos = [track for file, claim in claims if claim.part == "video" for track in _videos(file, probes[file.name])]
    video = _best(videos)
    audio = list(_audio(claims, probes, video, mappings))
    text = list(_text(claims, mappings))
    mapped = Mapped(
        video,
        [track for track in audio if _is_kept(track.language, mappings.audio_languages)],
        [track for track in text if _is_kept(track.language, _text_languages(mappings, track))],
    )
    _check(mappings, video, mapped.audio, mapped.text)
    if mappings.fail_on_ignored_tracks:
        _check_ignored(mapped, probes)
    return mapped


def _videos(file: SourceFile, found: Probe) -> Iterator[VideoTrack]:
    for track in found.tracks:
        if isinstance(track, VideoStream):
            yield VideoTrack(
                file,
                track.index,
                track.codec,
                track.width,
                track.height,
                track.frame_rate,
                track.duration,
                track.frames,
                track.bitrate,
            )


def _best(videos: list[VideoTrack]) -> VideoTrack | None:
    """Longer by a minute or more wins, else the higher bitrate."""
    best = None
    for track in videos:
        if best is None or abs(track.duration - best.duration) >= CLEARLY_LONGER:
            best = max(filter(None, (best, track)), key=lambda each: each.duration)
        elif track.bitrate > best.bitrate:
            best = track
    return best


def _audio(
    claims: list[tuple[SourceFile, Claim]], probes: dict[str, Probe], video: VideoTrack | None, mappings: MediaMappings
) -> Iterator[AudioTrack]:
    """Sound of the video's own file, then that of files of its own."""
    for file, claim in claims:
        own_sound = claim.part == "video" and (video is None or file == video.file)
        if claim.part != "audio" and not own_sound:
            continue
        for track in probes[file.name].tracks:
            if isinstance(track, AudioStream):
                tagged = canonical(track.language) if track.language else None
                language = _language(mappings, file, claim.language or tagged)
                yield AudioTrack(
                    file, track.index, language, track.codec, track.channels, track.duration, claim.descriptive
                )


def _text(claims: list[tuple[SourceFile, Claim]], mappings: MediaMappings) -> Iterator[TextTrack]:
    for file, claim in claims:
        if claim.part in ("subtitle", "caption"):
            language = _language(mappings, file, claim.language)
            yield TextTrack(file, language, TEXT_FORMATS[suffix(file.name)], claim.part == "caption")


def _language(mappings: MediaMappings, file: SourceFile, found: str | None) -> str:
    if language := found or mappings.fallback_language_code:
        return language
    raise AcquisitionError(
        f"the language of {file.name!r} is not known; name it in an expression, or set MediaMappings.FallbackLanguageCode"
    )


def _is_kept(language: str, wanted: list[str]) -> bool:
    return not wanted or language in wanted


def _text_languages(mappings: MediaMappings, track: TextTrack) -> list[str]:
    return mappings.caption_languages if track.caption else mappings.subtitle_languages


def _check(mappings: MediaMappings, video: VideoTrack | None, audio: list[AudioTrack], text: list[TextTrack]) -> None:
    """The `FailOnNo…` rules, and that there is anything at all."""
    rules = (
        ("FailOnNoVideoTracks", mappings.fail_on_no_video_tracks, video, "video"),
        ("FailOnNoAudioTracks", mappings.fail_on_no_audio_tracks, audio, "audio"),
        ("FailOnNoSubtitleTracks", mappings.fail_on_no_subtitle_tracks, [t for t in text if not t.caption], "subtitle"),
        ("FailOnNoCaptionTracks", mappings.fail_on_no_caption_tracks, [t for t in text if t.caption], "caption"),
    )
    for name, is_set, found, kind in rules:
        if is_set and not found:
            raise AcquisitionError(
                f"there is no {kind} track, and MediaMappings.{name} is set; correct the expressions, or set it to false"
            )
    if not video and not audio:
        raise AcquisitionError("there is neither a video nor an audio track to encode; correct the expressions")


def _check_ignored(mapped: Mapped, probes: dict[str, Probe]) -> None:
    used = {(track.file.name, track.index) for track in [*filter(None, [mapped.video]), *mapped.audio]}
    for name, found in probes.items():
        for track in found.tracks:
            if (name, track.index) not in used:
                raise AcquisitionError(
                    f"track {track.index} of {name!r} is not used, and MediaMappings.FailOnIgnoredTracks is set; "
                    "correct the expressions, or set it to false"
                )
