"""What Media Mapping decides on, and what all later phases work with: files and their tracks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from activities.media.color import Color


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
    linked: bool = False
    """It is the very file at its location, which can still be changed there; else a copy."""


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
    color: Color = field(default_factory=Color)
    interlaced: bool = False
    """Its container or its stream says that frames hold two fields."""
    pixel_aspect: str = "1/1"
    """Of the picture as shown, width to height."""

    @property
    def indices(self) -> list[int]:
        """All its streams: one."""
        return [self.index]

    @property
    def end(self) -> float:
        """Seconds from the start of the container."""
        return self.start + self.duration

    @property
    def copies(self) -> int:
        """Of the first picture, that fill a late start: players wait at a gap, and without them sound would be late."""
        return round(Fraction(self.frame_rate) * Fraction(max(0.0, self.start)))

    @property
    def lead(self) -> float:
        """Seconds that the copies last."""
        return float(self.copies / Fraction(self.frame_rate)) if self.copies else 0.0


@dataclass(frozen=True)
class MonoTrack:
    """One channel of a track that is joined from several."""

    index: int
    """Stream index inside the container."""
    duration: float
    """Seconds from the start of the container to the end."""


@dataclass(frozen=True)
class AudioTrack:
    """One audio track that is encoded."""

    file: SourceFile
    index: int
    """Of a joined track, its first stream's."""
    language: str
    codec: str
    channels: int
    duration: float
    """Seconds from the start of the container to the end; of a joined track, of the longest stream's."""
    descriptive: bool = False
    mono: list[MonoTrack] = field(default_factory=list)
    """The streams that are joined, L R or L R C LFE Ls Rs; empty = the track is one stream."""
    exact: bool = True
    """Whether the duration is certain."""
    bitrate: int = 0
    """kbit/s; 0 = unknown"""

    @property
    def indices(self) -> list[int]:
        """All its streams."""
        return [stream.index for stream in self.mono] or [self.index]


@dataclass(frozen=True)
class TextTrack:
    """Subtitles or captions."""

    file: SourceFile
    language: str
    format: str
    """As clients call it: `WebVTT`, `SRT`, …"""
    caption: bool = False
    index: int | None = None
    """Stream index inside the video's container; None = the file is nothing but this text."""


@dataclass(frozen=True)
class Mapped:
    """The decision."""

    video: VideoTrack | None
    audio: list[AudioTrack] = field(default_factory=list)
    text: list[TextTrack] = field(default_factory=list)
    variants: list[VideoTrack] = field(default_factory=list)
    """All video tracks, smallest first, where they are only packaged; else empty."""


def named(tracks: Iterable[VideoTrack | AudioTrack]) -> str:
    """As messages tell of them: `'movie.mkv' (track 0)`, `'movie.mkv' (tracks 1, 2), 'de.m4a' (track 0)`."""
    found: dict[str, dict[int, None]] = {}
    for track in tracks:
        found.setdefault(track.file.name, {}).update(dict.fromkeys(track.indices))
    return ", ".join(
        f"{name!r} (track{'s' * (len(own) > 1)} {', '.join(map(str, own))})" for name, own in found.items()
    )
