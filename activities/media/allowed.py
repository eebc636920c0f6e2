"""What ffmpeg and ffprobe may open: local files and what this worker serves, in formats that open no other file.

A source can be a playlist or a script in disguise; without this it would lead the tools to other files or hosts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROTOCOLS = "file"
FORMATS = (
    "3g2,3gp,aac,ac3,aiff,asf,avi,dv,eac3,flac,flv,gxf,h264,hevc,ivf,m4a,m4v,matroska,mj2,mov,mp3,mp4,mpeg,"
    "mpegts,mpegvideo,mxf,nut,ogg,rm,srt,wav,webm,webvtt,wtv,yuv4mpegpipe,w64"
)


@dataclass(frozen=True)
class Served:
    """A source that lies elsewhere; this worker serves it to its own tools, any part of it."""

    url: str


Input = Path | Served
"""What a tool reads."""


def address(source: Input) -> str:
    """As the tools take it."""
    return source.url if isinstance(source, Served) else f"file:{source}"


def input_options(source: Input) -> dict[str, Any]:
    """The limits of what may be opened from `source`."""
    limits: dict[str, Any] = {"protocol_whitelist": PROTOCOLS, "format_whitelist": FORMATS}
    return limits | {"protocol_whitelist": "http,tcp", "seekable": 1} if isinstance(source, Served) else limits


def input_arguments(source: Input) -> list[str]:
    """The same for ffprobe, with the input itself."""
    options = [part for name, value in input_options(source).items() for part in (f"-{name}", str(value))]
    return [*options, "-i", address(source)]
