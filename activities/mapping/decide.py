"""Decides by the rules alone which track plays which part."""

from activities.errors import AcquisitionError
from activities.mapping.candidate import Candidate, kept
from activities.mapping.sound import sound
from activities.mapping.words import wanted, words
from activities.mappings import MediaMappings
from activities.media.probe import VideoStream
from activities.tracks import AudioTrack, Mapped, TextTrack, VideoTrack

CLEARLY_LONGER = 60.0
"""Seconds by which a video track is longer than another to be the film, whatever its bitrate."""
MOST_TRACKS = 100
"""Of sound, and of text, that one job makes: more come from a container that is damaged or made to harm."""
SHOWN = 5
"""Names that a message quotes at most."""
FIELDS = {
    "Video": "VideoStreamExpression",
    "Audio": "AudioStreams, AudioFileLanguageExpression, AudioLanguages",
    "Subtitle": "SubtitleStreams, SubtitleFileLanguageExpression, SubtitleLanguages",
    "Caption": "CaptionStreams, CaptionFileLanguageExpression, CaptionLanguages",
}
"""What finds tracks of a kind."""


def decide(candidates: list[Candidate], mappings: MediaMappings, *, all_videos: bool = False) -> Mapped:
    """Which tracks are used, by the rules alone.

    Args:
        all_videos: keep every video track as a variant, besides the best.

    Raises:
        AcquisitionError: a language is missing, tracks cannot be joined or are too many, or a `FailOn…` rule applies.
    """
    best = _best_video(candidates)
    container = best[0] if best else None
    # Description comes last: players start with the first sound of the language.
    heard = sorted(sound(candidates, container, mappings), key=lambda track: track.descriptive)
    read = words(candidates, container, mappings)
    mapped = Mapped(
        best_video(candidates),
        [track for track in heard if kept(track.language, mappings.audio_languages)],
        [track for track in read if wanted(track, mappings)],
        _variants(candidates) if all_videos else [],
    )
    _check_missing(mapped, mappings, ", ".join(repr(each.file.name) for each in candidates[:SHOWN]))
    _check_number(mapped)
    if mappings.fail_on_ignored_tracks:
        _check_ignored(candidates, [*mapped.variants, *([mapped.video] if mapped.video else [])], heard, read)
    return mapped


def best_video(candidates: list[Candidate]) -> VideoTrack | None:
    """The film; other candidates than those that may be it count for nothing."""
    best = _best_video(candidates)
    return VideoTrack(best[0].file, **vars(best[1])) if best else None


def _videos(candidates: list[Candidate]) -> list[tuple[Candidate, VideoStream]]:
    return [(each, track) for each in candidates if each.claim("video") for track in each.video]


def _variants(candidates: list[Candidate]) -> list[VideoTrack]:
    tracks = [VideoTrack(each.file, **vars(track)) for each, track in _videos(candidates)]
    return sorted(tracks, key=lambda track: (track.width * track.height, track.bitrate))


def _best_video(candidates: list[Candidate]) -> tuple[Candidate, VideoStream] | None:
    """Of those that no other outlasts by a minute, the one with the highest bitrate; the first, if equal."""
    videos = _videos(candidates)
    longest = max((track.duration for _, track in videos), default=0.0)
    rivals = [video for video in videos if longest - video[1].duration < CLEARLY_LONGER]
    return max(rivals, key=lambda video: video[1].bitrate, default=None)


def _check_missing(mapped: Mapped, mappings: MediaMappings, source: str) -> None:
    captions = [track for track in mapped.text if track.caption]
    rules = (
        ("Video", mapped.video, mappings.fail_on_no_video_tracks),
        ("Audio", mapped.audio, mappings.fail_on_no_audio_tracks),
        ("Subtitle", len(mapped.text) > len(captions), mappings.fail_on_no_subtitle_tracks),
        ("Caption", captions, mappings.fail_on_no_caption_tracks),
    )
    for kind, found, fails in rules:
        if fails and not found:
            raise AcquisitionError(
                f"no {kind.lower()} track was found in {source}, and MediaMappings.FailOnNo{kind}Tracks is set; "
                f"add the track, {_remedy(kind, mappings)}, or set it to false"
            )
    if not mapped.video and not mapped.audio:
        raise AcquisitionError(f"{source} hold neither video nor audio; there is nothing to encode")


def _remedy(kind: str, mappings: MediaMappings) -> str:
    if mappings.media_detection == "Convention":
        return "name its file by the convention"
    return f"correct the mappings (see {FIELDS[kind]})"


def _check_number(mapped: Mapped) -> None:
    for kind, tracks in (("audio", mapped.audio), ("text", mapped.text)):
        if len(tracks) > MOST_TRACKS:
            raise AcquisitionError(
                f"{len(tracks)} {kind} tracks would be used, at most {MOST_TRACKS} can; keep the languages that you "
                "need (MediaMappings.AudioLanguages, SubtitleLanguages, CaptionLanguages), or remove tracks"
            )


def _check_ignored(
    candidates: list[Candidate], videos: list[VideoTrack], heard: list[AudioTrack], read: list[TextTrack]
) -> None:
    """A language that is not asked for is not ignored: the job has said so."""
    used: set[tuple[str, int | None]] = {(track.file.name, index) for track in heard for index in track.indices}
    used |= {(track.file.name, track.index) for track in read}
    used |= {(video.file.name, video.index) for video in videos}
    for candidate in candidates:
        name = candidate.file.name
        for track in candidate.tracks.tracks if candidate.tracks and (name, None) not in used else []:
            if (name, track.index) not in used:
                raise AcquisitionError(
                    f"track {track.index} of the file {name!r} plays no part, and "
                    "MediaMappings.FailOnIgnoredTracks is set; remove the track, or set it to false"
                )
