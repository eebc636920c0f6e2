"""Which renditions a source gets: pure arithmetic; never upscaled, never upmixed, sides even."""

import math
from fractions import Fraction

from activities.processing import AudioRepresentation, ContentProcessing, VideoRepresentation
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
CHANNELS = {"Mono": 1, "Stereo": 2, "5.1": 6}


def video_rungs(source: VideoTrack, settings: ContentProcessing) -> list[tuple[Size, int]]:
    """Size and kbit/s of each rendition, smallest first; at least one, and none twice."""
    asked = settings.video_representations
    rungs = _asked(source, asked) if asked else _default(source, DEFAULT_VIDEO[settings.video_format])
    return sorted(set(rungs), key=lambda rung: (rung[0][0] * rung[0][1], rung[1]))


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

    A mono track is not blown up to stereo: it takes the mono rung, or the asked bitrate in mono.
    """
    offered = list(asked or DEFAULT_AUDIO)
    chosen = [rung for rung in offered if _suits(rung, track.channels)]
    if chosen:
        return chosen
    plainest = min(offered, key=lambda rung: CHANNELS[rung.sound])
    most = min(track.channels, CHANNELS[plainest.sound])
    sound = max((name for name in CHANNELS if CHANNELS[name] <= most), key=CHANNELS.__getitem__)
    return [plainest.model_copy(update={"sound": sound})]


def _suits(rung: AudioRepresentation, channels: int) -> bool:
    wanted = CHANNELS[rung.sound]
    return wanted == channels if rung.creation_rule == "OnMatchingSound" else wanted <= channels
