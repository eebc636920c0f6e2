"""Marks that lie over the picture: an image, its place, and when it is to be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from activities.media.color import in_hdr

PIXELS = "rgba"
"""Of the files: nothing but pixels, so that ffmpeg needs no decoder of a client's image."""


@dataclass(frozen=True)
class Mark:
    """One image, ready to be laid over the picture as shown; lengths are in its pixels, times in seconds of film."""

    path: str
    """File of raw pixels in the workspace."""
    width: int
    height: int
    x: int
    y: int
    start: float = 0.0
    end: float | None = None
    """None = to the end of the film."""
    fade_in: float = 0.0
    fade_out: float = 0.0


@dataclass(frozen=True)
class Film:
    """The picture below."""

    frame_rate: str
    since: float = 0.0
    """Seconds of film at which it begins; its own time is 0 there."""
    ten_bit: bool = False
    hdr: bool = False


def marked(picture: Any, marks: Sequence[tuple[Path, Mark]], film: Film) -> Any:
    """`picture` with all marks on it, in their order."""
    for file, mark in marks:
        picture = ffmpeg.overlay(
            picture,
            _shown(mark, file, film),
            x=mark.x,
            y=mark.y,
            format="yuv420p10" if film.ten_bit else "yuv420",
            shortest=1,  # the mark never ends
            enable=_window(mark, film.since),
        )
    return picture


def _shown(mark: Mark, file: Path, film: Film) -> Any:
    """The one image as an endless film, so that it can fade; its times are those of the whole film while it does."""
    size = (mark.width, mark.height)
    raw = {"format": "rawvideo", "pixel_format": PIXELS, "video_size": size, "framerate": film.frame_rate}
    image = ffmpeg.input(f"file:{file}", **raw)["v"]
    image = in_hdr(image) if film.hdr else image
    image = image.filter("format", "yuva420p").filter("loop", loop=-1, size=1)
    image = image.filter("setpts", f"({film.since:.6f}+N/({film.frame_rate}))/TB")
    if mark.fade_in:
        image = image.filter("fade", type="in", start_time=mark.start, duration=mark.fade_in, alpha=1)
    if mark.fade_out and mark.end is not None:
        begin = max(0.0, mark.end - mark.fade_out)
        image = image.filter("fade", type="out", start_time=begin, duration=mark.fade_out, alpha=1)
    return image.filter("setpts", f"PTS-{film.since:.6f}/TB")


def _window(mark: Mark, since: float) -> str:
    begin = f"gte(t,{mark.start - since:.3f})"
    return begin if mark.end is None else f"{begin}*lt(t,{mark.end - since:.3f})"
