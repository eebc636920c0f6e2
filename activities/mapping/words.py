"""Which subtitles and captions are used: text files, and text tracks beside the video."""

from collections.abc import Iterator

from activities.languages import canonical
from activities.mapping.candidate import Candidate, fallback, kept
from activities.mappings import TEXT_FORMATS, MediaMappings, suffix
from activities.tracks import TextTrack

TRACK_FORMATS = {
    "ass": "ASS",
    "mov_text": "MovText",
    "ssa": "SSA",
    "subrip": "SRT",
    "text": "Text",
    "webvtt": "WebVTT",
}
"""Codecs of tracks that ffmpeg turns into WebVTT, as clients call them. Pictures of text are none."""


def words(candidates: list[Candidate], container: Candidate | None, mappings: MediaMappings) -> list[TextTrack]:
    """Text files first; they take the place of tracks of the same kind and language.

    Args:
        container: the file of the video; None = there is none: then every file that was to hold it counts.

    Raises:
        AcquisitionError: a language is missing.
    """
    files = [*_files(candidates, mappings)]
    replaced = {(track.language, track.caption) for track in files}
    beside = [container] if container else [each for each in candidates if each.claim("video")]
    tracks = [track for each in beside if not each.claim("subtitle", "caption") for track in _tracks(each, mappings)]
    return files + [track for track in tracks if (track.language, track.caption) not in replaced]


def wanted(track: TextTrack, mappings: MediaMappings) -> bool:
    """Whether its language is asked for."""
    return kept(track.language, mappings.caption_languages if track.caption else mappings.subtitle_languages)


def _files(candidates: list[Candidate], mappings: MediaMappings) -> Iterator[TextTrack]:
    for candidate in candidates:
        if claim := candidate.claim("subtitle", "caption"):
            name = candidate.file.name
            language = claim.language or fallback(f"the file {name!r}", mappings)
            yield TextTrack(candidate.file, language, TEXT_FORMATS[suffix(name)], claim.part == "caption")


def _tracks(candidate: Candidate, mappings: MediaMappings) -> Iterator[TextTrack]:
    for track in candidate.text:
        if made := TRACK_FORMATS.get(track.codec):
            tagged = canonical(track.language or "")
            language = tagged or fallback(f"track {track.index} of the file {candidate.file.name!r}", mappings)
            yield TextTrack(candidate.file, language, made, track.hearing_impaired, track.index)
