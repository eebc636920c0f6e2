"""Which renditions a source gets: pure arithmetic; never upscaled, never upmixed, sides even."""

import math
from dataclasses import replace
from fractions import Fraction

from activities.processing import CHANNELS, AudioRepresentation, ContentProcessing, VideoRepresentation, bitrates
from activities.tracks import AudioTrack, VideoTrack

Size = tuple[int, int]
DEFAULT_VIDEO = {
    "H264": ((234, 320), (360, 860), (432, 1130), (540, 1590), (720, 2450), (1080, 4500)),
    "H265": ((360, 320), (432, 860), (540, 1200), (720, 1850), (1080, 3400), (1440, 5230), (2160, 9610)),
}
"""`BitrateLadder: V2`, by codec: length of the shorter side, kbit/s."""
DEFAULT_AUDIO = (
    AudioRepresentation(bitrate_in_kbps=128, sound="Stereo"),
    AudioRepresentation(bitrate_in_kbps=64, sound="Mono", creation_rule="OnMatchingSound"),
)
STANDARD = (Fraction(16, 9), Fraction(4, 3), Fraction(3, 4), Fraction(9, 16))
"""Shapes that `ForceAspectRatioToStandard` chooses from."""
BLOCK = 8
"""Pixels that encoders work on at once; sides in whole blocks waste nothing."""
NEARBY = 0.1
"""By how much a side may differ from the asked one, to be in whole blocks."""
NEARLY_SQUARE = Fraction(1, 100)
"""Pixels that differ from squares by no more than this come from sides made even."""
LEAST_H265 = 16
"""Its encoder takes no shorter side."""
HIGHEST = 200_000
"""kbit/s"""


def video_rungs(source: VideoTrack, settings: ContentProcessing) -> list[tuple[Size, int]]:
    """Size and kbit/s of each rendition, smallest first; at least one, and none twice."""
    asked, source = settings.video_representations, stored(canvas(source, settings), settings)
    rungs = _asked(source, asked) if asked else _default(source, DEFAULT_VIDEO[settings.video_format])
    if settings.search_for_optimal_nearby_resolutions:
        whole = {_size(source, rung) for rung in asked or [] if rung.width and rung.height}
        rungs = [(size if size in whole else nearby(size, source), kbps) for size, kbps in rungs]
    if settings.video_format == "H265":
        rungs = [((max(width, LEAST_H265), max(height, LEAST_H265)), kbps) for (width, height), kbps in rungs]
    rungs = sorted(set(rungs), key=lambda rung: (rung[0][0] * rung[0][1], rung[1]))
    if settings.use_highest_possible_bitrate:
        size, kbps = rungs.pop()
        rungs.append((size, max(kbps, min(source.bitrate, HIGHEST))))
    return rungs


def canvas(source: VideoTrack, settings: ContentProcessing) -> VideoTrack:
    """The source with bars up to the nearest standard shape, where that is asked."""
    if not settings.force_aspect_ratio_to_standard:
        return source
    shape = Fraction(source.width, source.height)
    nearest = min(STANDARD, key=lambda standard: max(standard / shape, shape / standard))
    width, height = math.ceil(source.height * nearest), math.ceil(source.width / nearest)
    return replace(source, width=max(width, source.width), height=max(height, source.height))


def stored(source: VideoTrack, settings: ContentProcessing) -> VideoTrack:
    """The source in its own pixels, where these need not be square."""
    if settings.force_pixel_aspect_ratio_to_1 is not False:
        return source
    return replace(source, width=max(1, round(source.width / Fraction(source.pixel_aspect))))


def pixel_aspect(source: VideoTrack, size: Size, settings: ContentProcessing) -> str:
    """Of a rendition's pixels, so that its shape is that of the source; square where that is asked."""
    shown = canvas(source, settings)
    ratio = Fraction(shown.width, shown.height) / Fraction(*size)
    if settings.force_pixel_aspect_ratio_to_1 is not False or abs(ratio - 1) <= NEARLY_SQUARE:
        return "1"
    ratio = ratio.limit_denominator(1000)
    return f"{ratio.numerator}/{ratio.denominator}"


def nearby(size: Size, source: VideoTrack) -> Size:
    """The size in whole blocks nearby that keeps the source's shape best; `size` itself where there is none."""
    shape, height = source.width / source.height, size[1]
    first = math.ceil(height * (1 - NEARBY) / BLOCK)
    last = min(math.floor(height * (1 + NEARBY)), source.height) // BLOCK
    heights = [BLOCK * number for number in range(first, last + 1) if number]
    offered = [(BLOCK * round(high * shape / BLOCK), high) for high in heights]
    fitting = [(wide, high) for wide, high in offered if 0 < wide <= source.width]
    return min(fitting, key=lambda s: (round(abs(s[0] / s[1] / shape - 1), 6), abs(s[1] - height)), default=size)


def _default(source: VideoTrack, ladder: tuple[tuple[int, int], ...]) -> list[tuple[Size, int]]:
    short = min(source.width, source.height)
    fitting = [(side, kbps) for side, kbps in ladder if side <= short] or [(short, ladder[0][1])]
    return [(scaled(source, Fraction(side, short)), kbps) for side, kbps in fitting]


def _asked(source: VideoTrack, asked: list[VideoRepresentation]) -> list[tuple[Size, int]]:
    sizes = [(_size(source, rung), rung.bitrate_in_kbps) for rung in asked]
    fitting = [(size, kbps) for size, kbps in sizes if size[0] <= source.width and size[1] <= source.height]
    # Where all are larger than the source, its own size takes the place of the smallest.
    return fitting or [(scaled(source, Fraction(1)), min(kbps for _, kbps in sizes))]


def _size(source: VideoTrack, rung: VideoRepresentation) -> Size:
    if rung.width and rung.height:
        return even(rung.width), even(rung.height)
    if rung.height:
        return even(Fraction(source.width * rung.height, source.height)), even(rung.height)
    if rung.width:
        return even(rung.width), even(Fraction(source.height * rung.width, source.width))
    return scaled(source, Fraction(1))


def scaled(source: VideoTrack, factor: Fraction) -> Size:
    """The source's size times `factor`."""
    return even(source.width * factor), even(source.height * factor)


def even(length: Fraction | int) -> int:
    """The nearest even number, the lower one of two, at least 2: encoders take no other sides."""
    return 2 * max(1, math.ceil((Fraction(length) - 1) / 2))


def audio_rungs(track: AudioTrack, asked: list[AudioRepresentation] | None) -> list[AudioRepresentation]:
    """The representations that are made of a track: those it has channels for, and the plainest where it has none.

    A mono track is not blown up to stereo: it takes the mono rung, or the asked bitrate in mono. None is made twice.
    """
    offered = list(dict.fromkeys(asked or DEFAULT_AUDIO))
    chosen = [rung for rung in offered if _suits(rung, track.channels)]
    if chosen:
        return chosen
    plainest = min(offered, key=lambda rung: CHANNELS[rung.sound])
    most = min(track.channels, CHANNELS[plainest.sound])
    sound = max((name for name in CHANNELS if CHANNELS[name] <= most), key=CHANNELS.__getitem__)
    most_kbps = bitrates(plainest.audio_format, sound)[-1]
    kbps = min(plainest.bitrate_in_kbps, most_kbps)
    return [plainest.model_copy(update={"sound": sound, "bitrate_in_kbps": kbps})]


def _suits(rung: AudioRepresentation, channels: int) -> bool:
    wanted = CHANNELS[rung.sound]
    return wanted == channels if rung.creation_rule == "OnMatchingSound" else wanted <= channels
