"""What is done to pictures, and how they are encoded: filters and options for `command`."""

import math
from fractions import Fraction
from typing import Any

from activities.media.color import PQ, tone_mapped
from activities.plan import Plan, VideoRendition
from activities.tracks import VideoTrack

NARROW = 64
"""Pixels."""
LEAST_FIELDS = 3
"""Pixels of a side: of less, no full frames can be made of fields."""


def prepared(picture: Any, track: VideoTrack, plan: Plan) -> Any:
    """What is done once for all renditions: full frames, and the range of brightness that they have."""
    picture = deinterlaced(picture, track)
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


def fitted(picture: Any, rendition: VideoRendition) -> Any:
    """The picture of one rendition."""
    width, height = rendition.width, rendition.height
    picture = picture.filter("scale", *(rendition.inner or (width, height)), flags="bicubic")
    if rendition.inner:
        picture = picture.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2")
    return picture.filter("setsar", rendition.pixel_aspect).filter(
        "format", "yuv420p10le" if rendition.ten_bit else "yuv420p"
    )


def encoder(rendition: VideoRendition, track: VideoTrack, plan: Plan) -> dict[str, Any]:
    """Key frames by time and not by count: so they coincide in all renditions at any frame rate."""
    return {
        "preset": plan.preset,
        "b:v": f"{rendition.bitrate}k",
        "maxrate": f"{rendition.bitrate * 3 // 2}k",
        "bufsize": f"{rendition.bitrate * 2}k",
        "force_key_frames": f"expr:gte(t,n_forced*{plan.gop_seconds:g})",
        "g": math.ceil(Fraction(track.frame_rate) * Fraction(plan.gop_seconds)),
        "flags": "+cgop",
        # Frames keep their times: a variable rate stays as it is; only a second frame of the same time is dropped.
        "fps_mode": "vfr",
        "enc_time_base": "filter",
        **(_x265(rendition, plan) if rendition.codec == "H265" else _x264()),
    }


def _x264() -> dict[str, Any]:
    return {"c:v": "libx264", "profile:v": "high", "sc_threshold": 0}


def _x265(rendition: VideoRendition, plan: Plan) -> dict[str, Any]:
    # What the display of the mastering was like travels with the frames; this has it written for each key frame.
    hdr = ":hdr10=1" * (plan.hdr == PQ)
    # Its assembly crashes now and then on pictures narrower than a block of 64; without, these are coded fast enough.
    plain = ":asm=0" * (rendition.width < NARROW)
    settings = f"log-level=error:open-gop=0:scenecut=0{hdr}{plain}"
    # `hvc1`: Apple's players take no other. Dolby Vision would need a profile that the manifests name.
    return {"c:v": "libx265", "dolbyvision": 0, "forced-idr": 1, "x265-params": settings, "tag:v": "hvc1"}
