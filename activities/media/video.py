"""What is done to pictures, and how they are encoded: filters and options for `command`."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from activities.cuts import Chunk
from activities.media.allowed import Input
from activities.media.color import PQ, tone_mapped
from activities.plan import Plan, VideoRendition
from activities.rates import Quality
from activities.tracks import VideoTrack

NARROW = 64
"""Pixels."""
LEAST_FIELDS = 3
"""Pixels of a side: of less, no full frames can be made of fields."""
X264: dict[str, dict[str, int | str]] = {
    "medium": {"b_strategy": 2, "bf": 4, "mixed-refs": 0, "partitions": "i4x4+i8x8+p8x8"},
    "slow": {"b_strategy": 2, "bf": 5},
}
"""By preset, what differs from it. A full search for the places of B-frames is worth its time, unlike, in `medium`, a
reference for each part of a block and parts of blocks in B-frames."""
AT_JOINTS = 0.5
"""Share of a player's buffer that is full at the start of a later chunk: what encoders at the cap leave there."""
THRIFTY = 0.2
"""At the start of a chunk that has to begin with less."""


@dataclass(frozen=True)
class Span:
    """What one process encodes: a chunk in all renditions."""

    source: Input
    track: VideoTrack
    plan: Plan
    chunk: Chunk
    quality: Quality = field(default_factory=dict)
    is_thrifty: bool = False
    is_sample: bool = False
    """What it takes is measured; its peaks are not limited."""


def prepared(picture: Any, track: VideoTrack, plan: Plan) -> Any:
    """What is done once for all renditions: the range of brightness that they have."""
    if not track.color.is_hdr or plan.hdr:
        return picture
    # No pixel is mapped that no rendition shows.
    width, height = (max(sides) for sides in zip(*((r.width, r.height) for r in plan.video), strict=True))
    return tone_mapped(picture.filter("scale", width, height, flags="bicubic"), track.color.transfer)


def deinterlaced(picture: Any, track: VideoTrack) -> Any:
    """Full frames of those that are told to hold two fields; others stay as they are."""
    if not track.interlaced or min(track.width, track.height) < LEAST_FIELDS:
        return picture
    return picture.filter("bwdif", mode="send_frame", deint="interlaced")


def delayed(picture: Any, track: VideoTrack) -> Any:
    """Copies of the first picture as long as it is late."""
    copies, lead = track.copies, track.lead
    copy, real = f"N*{lead / copies:.9f}/TB", f"PTS-if(eq(N,{copies}),st(0,PTS),ld(0))+{lead:.6f}/TB"
    # The filter spaces them by a rate that it guesses, which a variable one is not.
    picture = picture.filter("tpad", start=copies, start_mode="clone")
    return picture.filter("setpts", f"if(lt(N,{copies}),{copy},{real})")


def fitted(picture: Any, rendition: VideoRendition) -> Any:
    """The picture of one rendition."""
    width, height = rendition.width, rendition.height
    picture = picture.filter("scale", *(rendition.inner or (width, height)), flags="bicubic")
    if rendition.inner:
        picture = picture.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2")
    return picture.filter("setsar", rendition.pixel_aspect).filter(
        "format", "yuv420p10le" if rendition.ten_bit else "yuv420p"
    )


def encoder(rendition: VideoRendition, span: Span) -> dict[str, Any]:
    """Key frames by time and not by count: so they coincide in all renditions at any frame rate."""
    plan, lag = span.plan, span.chunk.lag
    factor = span.quality.get(rendition.name, rendition.factor)
    return {
        "preset": plan.preset,
        **({"b:v": f"{rendition.bitrate}k"} if factor is None else {"crf": factor}),
        **({} if span.is_sample else _limits(rendition, span)),
        "force_key_frames": f"expr:gte(t{f'+{lag:.6f}' * (lag > 0)},n_forced*{plan.gop_seconds:g})",
        "g": math.ceil(Fraction(span.track.frame_rate) * Fraction(plan.gop_seconds)),
        "flags": "+cgop",
        # Frames keep their times: a variable rate stays as it is; only a second frame of the same time is dropped.
        "fps_mode": "vfr",
        "enc_time_base": "filter",
        **(_x265(rendition, plan) if rendition.codec == "H265" else _x264(plan)),
    }


def _limits(rendition: VideoRendition, span: Span) -> dict[str, Any]:
    limits = {"maxrate": f"{rendition.peak}k", "bufsize": f"{rendition.buffer}k"}
    if span.chunk.start:
        limits["rc_init_occupancy"] = f"{round(rendition.buffer * (THRIFTY if span.is_thrifty else AT_JOINTS))}k"
    return limits


def _x264(plan: Plan) -> dict[str, Any]:
    return {"c:v": "libx264", "profile:v": "high", "sc_threshold": 0, **X264.get(plan.preset, {})}


def _x265(rendition: VideoRendition, plan: Plan) -> dict[str, Any]:
    # What the display of the mastering was like travels with the frames; this has it written for each key frame.
    hdr = ":hdr10=1" * (plan.hdr == PQ)
    # Its assembly crashes now and then on pictures narrower than a block of 64; without, these are coded fast enough.
    plain = ":asm=0" * (rendition.width < NARROW)
    settings = f"log-level=error:open-gop=0:scenecut=0{hdr}{plain}"
    # `hvc1`: Apple's players take no other. Dolby Vision would need a profile that the manifests name.
    return {"c:v": "libx265", "dolbyvision": 0, "forced-idr": 1, "x265-params": settings, "tag:v": "hvc1"}
