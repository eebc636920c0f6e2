"""Which audio tracks are used, and which are joined to one."""

from collections.abc import Iterator

from activities.errors import AcquisitionError
from activities.languages import canonical
from activities.mapping.candidate import Candidate, fallback
from activities.mappings import Claim, JoinedTracks, MediaMappings
from activities.media.probe import AudioStream
from activities.tracks import AudioTrack, MonoTrack


def sound(candidates: list[Candidate], container: Candidate | None, mappings: MediaMappings) -> Iterator[AudioTrack]:
    """Sound beside the video, all or as `AudioMappings` says, then that of files of their own.

    Args:
        container: the file of the video; None = there is none: then every file that was to hold it counts.

    Raises:
        AcquisitionError: a language is missing, or tracks cannot be joined.
    """
    beside = [container] if container else [each for each in candidates if each.claim("video")]
    joined = mappings.audio_mappings.video_stream_audio_tracks if mappings.audio_mappings else []
    for candidate in beside:
        yield from (_joined(candidate, joined) if joined else _own(candidate, mappings))
    for candidate in candidates:
        if candidate not in beside and _is_audio_file(candidate, mappings):
            yield from _own(candidate, mappings)


def _is_audio_file(candidate: Candidate, mappings: MediaMappings) -> bool:
    """By convention, a file that ends like a video and holds sound alone is one, too."""
    by_convention = mappings.media_detection == "Convention"
    return bool(candidate.claim("audio") or (by_convention and candidate.claim("video") and not candidate.video))


def _own(candidate: Candidate, mappings: MediaMappings) -> Iterator[AudioTrack]:
    """Every track of a file."""
    claim = candidate.claim("audio") or candidate.claim("video") or Claim("audio")
    # An expression means the file that it finds; by convention `ad` may be a word in the title of a film.
    described = claim.descriptive and (claim.part == "audio" or not candidate.video)
    for track in candidate.audio:
        yield AudioTrack(
            candidate.file,
            track.index,
            _language(candidate, track, claim.language, mappings),
            track.codec,
            track.channels,
            track.duration,
            described or track.descriptive,
            exact=track.exact,
            bitrate=track.bitrate,
        )


def _language(candidate: Candidate, track: AudioStream, named: str | None, mappings: MediaMappings) -> str:
    """The file's name speaks for its only track; of several, each speaks for itself first."""
    tagged = canonical(track.language or "")
    either = named or tagged if len(candidate.audio) == 1 else tagged or named
    return either or fallback(f"track {track.index} of the file {candidate.file.name!r}", mappings)


def _joined(candidate: Candidate, mappings: list[JoinedTracks]) -> Iterator[AudioTrack]:
    for place, mapping in enumerate(mappings):
        field = f"MediaMappings.AudioMappings.VideoStreamAudioTracks[{place}].TrackIndices"
        streams = [_mono(candidate, number, field) for number in mapping.track_indices]
        yield AudioTrack(
            candidate.file,
            streams[0].index,
            mapping.language,
            streams[0].codec,
            len(streams),
            max(stream.duration for stream in streams),
            mono=[MonoTrack(stream.index, stream.duration) for stream in streams],
            exact=all(stream.exact for stream in streams),
        )


def _mono(candidate: Candidate, number: int, field: str) -> AudioStream:
    """The audio track `number` of a file, counted from 1."""
    name, tracks = candidate.file.name, candidate.audio
    if number > len(tracks):
        raise AcquisitionError(
            f"{field} names audio track {number}, and the file {name!r} has {len(tracks)}; correct the list"
        )
    if (track := tracks[number - 1]).channels != 1:
        raise AcquisitionError(
            f"{field} names audio track {number} of the file {name!r}, which has {track.channels} channels: only "
            "mono tracks can be joined; correct the list, or leave it out to use the tracks as they are"
        )
    return track
