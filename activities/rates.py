"""Which constant quality gives a film the average bitrate that is asked for: pure arithmetic on samples of it.

One value for each rendition, the same in all its chunks: so joints are not seen, and each scene takes what it needs.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from activities.plan import Plan, VideoRendition

Quality = dict[str, float]
"""Rendition name → constant rate factor; lower is better."""

BEST, WORST = 10.0, 45.0
"""What is asked of the encoders at most: better would not be seen."""
NEAR = 0.02
"""Share by which an average may miss what is asked."""
STEP = 0.005
"""Of the factor, that makes no difference."""
USUAL_DOUBLING = 6.0
"""Steps of the factor that halve or double the size, where nothing is known yet."""
DOUBLINGS = (3.0, 12.0)
"""Between which it lies."""
USUAL = {"H264": (22.0, 0.09), "H265": (24.0, 0.05)}
"""By codec: a usual factor, and the bits for each pixel that it takes."""


@dataclass(frozen=True)
class Measured:
    """What samples have taken, each at the same quality and without a limit of peaks."""

    quality: Quality
    sizes: dict[str, list[int]]
    """Rendition name → bytes of each sample."""
    seconds: list[float]
    """How long each is."""
    samples: list[int] = field(default_factory=list)
    """Their numbers."""
    misfit: str = ""
    """Why samples are not cut as they should; the others were not made."""


def first_guess(plan: Plan, frame_rate: str) -> Quality:
    """From the size of the picture alone."""
    return {rendition.name: _usual(rendition, float(Fraction(frame_rate))) for rendition in plan.video}


def _usual(rendition: VideoRendition, frames: float) -> float:
    factor, bits = USUAL[rendition.codec]
    given = rendition.bitrate * 1000 / (rendition.width * rendition.height * frames)
    return _bounded(factor - 4 * math.log2(given / bits))


def added(parts: list[Measured]) -> Measured:
    """What several workers have measured at one quality."""
    names = parts[0].sizes
    sizes = {name: [size for part in parts for size in part.sizes[name]] for name in names}
    seconds = [each for part in parts for each in part.seconds]
    return Measured(parts[0].quality, sizes, seconds, [sample for part in parts for sample in part.samples])


def corrected(plan: Plan, rounds: list[Measured]) -> Quality:
    """A better quality than that of the last of `rounds`."""
    return {rendition.name: _corrected(rendition, rounds) for rendition in plan.video}


def is_near(plan: Plan, measured: Measured) -> bool:
    """Whether all renditions have about what is asked for, or as good a picture as can be seen."""
    return all(
        abs(_bitrate(r, measured, USUAL_DOUBLING, measured.quality[r.name]) / r.bitrate - 1) <= NEAR
        or measured.quality[r.name] in (BEST, WORST)
        for r in plan.video
    )


def _corrected(rendition: VideoRendition, rounds: list[Measured]) -> float:
    """Halve the range until the bitrate is met."""
    doubling, better, worse = _doubling(rendition, rounds), BEST, WORST
    while worse - better > STEP:
        factor = (better + worse) / 2
        if _bitrate(rendition, rounds[-1], doubling, factor) > rendition.bitrate:
            better = factor
        else:
            worse = factor
    return _bounded(worse if worse < WORST else better)


def _bitrate(rendition: VideoRendition, measured: Measured, doubling: float, factor: float) -> float:
    """kbit/s that the film would have at `factor`, scenes at the peak rate included."""
    change = 2 ** ((measured.quality[rendition.name] - factor) / doubling)
    spans = zip(measured.sizes[rendition.name], measured.seconds, strict=True)
    kilobits = sum(min(size * change * 8 / 1000, rendition.peak * seconds) for size, seconds in spans)
    return kilobits / sum(measured.seconds)


def _doubling(rendition: VideoRendition, rounds: list[Measured]) -> float:
    """Steps that halve the size, as the samples have it that are in both of the last two rounds."""
    if len(rounds) > 1:
        one, other = rounds[-2:]
        steps = other.quality[rendition.name] - one.quality[rendition.name]
        both = {*one.samples} & {*other.samples}
        change = math.log2(_size(one, rendition, both) / _size(other, rendition, both)) if both else 0.0
        if steps and change:
            least, most = DOUBLINGS
            return min(max(steps / change, least), most)
    return USUAL_DOUBLING


def _size(measured: Measured, rendition: VideoRendition, samples: set[int]) -> int:
    sizes = zip(measured.samples, measured.sizes[rendition.name], strict=True)
    return sum(size for sample, size in sizes if sample in samples)


def _bounded(factor: float) -> float:
    return round(min(max(factor, BEST), WORST), 2)
