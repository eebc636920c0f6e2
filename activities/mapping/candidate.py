"""A file that may be used: what its name claims, and what is inside."""

from dataclasses import dataclass

from activities.errors import AcquisitionError
from activities.mappings import Claim, MediaMappings
from activities.media.probe import AudioStream, Probe, SubtitleStream, VideoStream
from activities.tracks import SourceFile


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

    @property
    def text(self) -> list[SubtitleStream]:
        return [track for track in self.tracks.tracks if isinstance(track, SubtitleStream)] if self.tracks else []


def fallback(what: str, mappings: MediaMappings) -> str:
    """The language of `what`, which tells none itself.

    Raises:
        AcquisitionError: there is no `FallbackLanguageCode`.
    """
    if mappings.fallback_language_code:
        return mappings.fallback_language_code
    raise AcquisitionError(
        f"{what} has no language; let its name or its track tell one, or set MediaMappings.FallbackLanguageCode"
    )


def kept(language: str, wanted: list[str]) -> bool:
    """Whether a list like `AudioLanguages` keeps a language; an empty one keeps all."""
    return not wanted or language in wanted
