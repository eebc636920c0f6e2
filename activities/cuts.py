"""Where a film is cut, so that many workers encode it at once: pure arithmetic on the times of its pictures.

A chunk begins where a key frame would stand in one piece, too, so segments come out the same.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from activities.media.pictures import Pictures
from activities.tracks import VideoTrack

SHORTEST_FILM = 120.0
"""Seconds; a shorter one is encoded in one piece: samples and seams would cost more than its parts gain."""
SHORTEST_CHUNK = 20.0
"""Seconds; encoders spend more in shorter ones for the same quality (ADR 12)."""
PIECES = 160
"""Of equal length that a long film would have."""
TAIL = 0.2
"""Share of the film, at its end, that is cut three times as short: so all workers are busy to the end."""
SAMPLED = 0.04
"""Share of the film that is encoded to find its rates."""
SAMPLES = (5, 45)
"""How many samples there are at least and at most."""
AT_ONCE = 2e-4
"""Seconds; pictures that are no further apart would be shown at one time."""
ROUNDED = 1e-6
"""Seconds to which ffprobe rounds times."""
PRELUDE = 0.2
"""Seconds that are decoded in front of a chunk: filters look at its neighbours."""
LATE = 0.5
"""Seconds, at most, that a reader without an index lands behind the time that it was sent to."""
INDEXED = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
"""Endings of files that know where their key frames lie."""


@dataclass(frozen=True)
class Chunk:
    """A span of the film that one ffmpeg process encodes to all video renditions. Times are in seconds."""

    index: int
    start: float = 0.0
    """In what is made of the film."""
    duration: float | None = None
    """None = to the end"""
    frames: int | None = None
    """That it must have; None = as many as there are."""
    seek: float = 0.0
    """From where on the source is read, since the start of its container."""
    read: float | None = None
    """How much of it is read; None = all."""
    clock: float = 0.0
    """What the clock of the source shows at the film's start."""
    lag: float = 0.0
    """By which it begins behind a multiple of the distance of key frames."""

    @property
    def is_part(self) -> bool:
        """Whether there is film before or behind it."""
        return self.start > 0 or self.duration is not None


class NotCutError(Exception):
    """The film has to be encoded in one piece. The text says why, behind "as"."""


@dataclass(frozen=True)
class Cutter:
    """Cuts one film."""

    track: VideoTrack
    seen: Pictures
    gop: float
    """Seconds from key frame to key frame."""

    def chunks(self) -> list[Chunk]:
        """All of the film, in order.

        Raises:
            NotCutError: it cannot be cut where it should.
        """
        self._check()
        marks = sorted({self._first(time) for time in self._times()} - {0, self.seen.count})
        starts = [0, *marks]
        return [
            self._chunk(index, first, last) for index, (first, last) in enumerate(pairwise([*starts, self.seen.count]))
        ]

    def samples(self) -> list[Chunk]:
        """One group of pictures each, spread evenly; fewer where pictures are sparse."""
        least, most = SAMPLES
        number = min(max(round(SAMPLED * self.track.end / self.gop), least), most)
        times = [self.gop * math.floor((place + 0.5) * self.track.end / number / self.gop) for place in range(number)]
        spans = [(self._first(time), self._first(time + self.gop)) for time in times]
        return [self._chunk(place, *span) for place, span in enumerate(spans) if span[0] < span[1]]

    def _check(self) -> None:
        times = self.seen.times
        if not self.seen.is_timed:
            raise NotCutError("some of its pictures have no times")
        if any(after - before < AT_ONCE for before, after in pairwise(times)):
            raise NotCutError("some of its pictures are shown at one time")
        if self.track.start + self.seen.duration < self.track.end - 1:
            raise NotCutError("it ends before its container says")

    def _times(self) -> Iterator[float]:
        """When chunks should begin, without the first."""
        end, at = self.track.end, 0.0
        long = self._whole(max(SHORTEST_CHUNK, end / PIECES))
        short = self._whole(max(SHORTEST_CHUNK, end / PIECES / 3))
        while True:
            at += long if at < end * (1 - TAIL) else short
            if end - at < SHORTEST_CHUNK / 2:
                return
            yield at

    def _whole(self, seconds: float) -> float:
        return self.gop * math.ceil(seconds / self.gop)

    def _first(self, time: float) -> int:
        """The picture that is shown at `time` or next."""
        return bisect_left(self.seen.times, time - self.track.lead - ROUNDED)

    def _chunk(self, index: int, first: int, last: int) -> Chunk:
        """Of the pictures from `first` up to, but without, `last`."""
        begin = self._shown(first) if first else 0.0
        duration = self._shown(last) - begin if last < self.seen.count else None
        behind = self.track.start - self.track.lead  # of the start of the container
        seek = max(0.0, self._seek(first) + behind) if first else 0.0
        return Chunk(
            index,
            begin,
            duration,
            last - first + (0 if first else self.track.copies),
            seek,
            None if duration is None else round(begin + duration + behind - seek + PRELUDE, 6),
            self.seen.origin - self.track.lead,
            max(0.0, begin - self.gop * math.floor((begin + ROUNDED) / self.gop)),
        )

    def _shown(self, picture: int) -> float:
        return self.track.lead + self.seen.times[picture]

    def _seek(self, picture: int) -> float:
        wanted = self._shown(picture) - PRELUDE
        if PurePosixPath(self.track.file.path).suffix in INDEXED:
            return wanted
        # It may land anywhere, and pictures are seen from the next key frame on.
        return max((key for key in self.seen.keys if self.track.lead + key <= wanted), default=0.0) - LATE
