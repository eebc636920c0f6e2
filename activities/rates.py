"""Which constant quality gives a film the average bitrate that is asked for: pure arithmetic on samples of it.

One value for each rendition, the same in all its chunks: so joints are not seen, and each scene takes what it needs.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from activities.plan import Plan, VideoRendition

Quality = dict[str, float]
"""Rendition name → constant rate factor; lower is better."""

BEST, WORST = 10.0, 45.0
"""What is asked of the encoders at most: better would not be seen."""
NEAR = 0.02
"""Share by which an average may miss what is asked."""
USUAL_DOUBLING = 6.0
"""Steps of the factor that halve or double the size, where nothing is known yet."""
DOUBLINGS = (3.0, 12.0)
"""Between which it lies."""
USUAL = {"H264": (22.0, 0.09), "H265": (24.0, 0.05)}
"""By codec: a usual factor, and the bits for each pixel that it takes."""


@dataclass(frozen=True)
class Measured:
    """What samples have taken, all together."""

    quality: Quality
    sizes: dict[str, int]
    """Rendition name → bytes; none more than its cap allows."""
    seconds: float

    def excess(self, rendition: VideoRendition) -> float:
        """How often the asked bitrate must be doubled to get the measured one."""
        bitrate = max(1, self.sizes[rendition.name]) * 8 / 1000 / self.seconds
        return math.log2(bitrate / rendition.bitrate)


def first_guess(plan: Plan, frame_rate: str) -> Quality:
    """From the size of the picture alone."""
    return {rendition.name: _usual(rendition, float(Fraction(frame_rate))) for rendition in plan.video}


def _usual(rendition: VideoRendition, frames: float) -> float:
    factor, bits = USUAL[rendition.codec]
    given = rendition.bitrate * 1000 / (rendition.width * rendition.height * frames)
    return _bounded(factor - 4 * math.log2(given / bits))


def added(parts: Iterable[Measured]) -> Measured:
    """What several workers have measured at one quality."""
    first, *others = parts
    sizes = {name: size + sum(other.sizes[name] for other in others) for name, size in first.sizes.items()}
    return Measured(first.quality, sizes, first.seconds + sum(other.seconds for other in others))


def corrected(plan: Plan, rounds: list[Measured]) -> Quality:
    """A better quality than that of the last of `rounds`."""
    return {rendition.name: _corrected(rendition, rounds) for rendition in plan.video}


def is_near(plan: Plan, measured: Measured) -> bool:
    """Whether all renditions have about what is asked for, or as good a picture as can be seen."""
    return all(
        abs(measured.excess(r)) <= math.log2(1 + NEAR) or measured.quality[r.name] in (BEST, WORST) for r in plan.video
    )


def _corrected(rendition: VideoRendition, rounds: list[Measured]) -> float:
    last = rounds[-1]
    factor = last.quality[rendition.name]
    return _bounded(factor + last.excess(rendition) * _doubling(rendition, rounds))


def _doubling(rendition: VideoRendition, rounds: list[Measured]) -> float:
    """Steps that halve the size, as the last two rounds have it."""
    if len(rounds) > 1:
        one, other = rounds[-2:]
        steps = other.quality[rendition.name] - one.quality[rendition.name]
        change = one.excess(rendition) - other.excess(rendition)
        if steps and change:
            least, most = DOUBLINGS
            return min(max(steps / change, least), most)
    return USUAL_DOUBLING


def _bounded(factor: float) -> float:
    return round(min(max(factor, BEST), WORST), 2)
