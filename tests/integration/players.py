"""Plays a published manifest over HTTP with an ffmpeg that is not the one that made it."""

import re
import subprocess
from dataclasses import dataclass

import imageio_ffmpeg


@dataclass
class Track:
    """One rendition, decoded from its first to its last frame."""

    kind: str
    frames: int
    seconds: float
    height: int | None = None


def decoded_tracks(url: str) -> list[Track]:
    """Decode every video and audio rendition of a DASH or HLS manifest; any complaint of the decoder is an error.

    Trick play is left out: to this player it is a rendition of its own, with less than a picture a second.
    """
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-i", url]
    command += ["-map", "0:v?", "-map", "0:a?", "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    kinds = dict(re.findall(r"^#media_type (\d+): (\w+)$", done.stdout, re.MULTILINE))
    heights = dict(re.findall(r"^#dimensions (\d+): \d+x(\d+)$", done.stdout, re.MULTILINE))
    bases = {n: int(a) / int(b) for n, a, b in re.findall(r"^#tb (\d+): (\d+)/(\d+)$", done.stdout, re.MULTILINE)}
    packets: dict[str, list[tuple[int, int]]] = {number: [] for number in kinds}
    for number, pts, duration in re.findall(r"^(\d+), +-?\d+, +(-?\d+), +(\d+),", done.stdout, re.MULTILINE):
        packets[number].append((int(pts), int(duration)))
    tracks = [
        Track(kind, len(packets[number]), _span(packets[number]) * bases[number], _height(heights.get(number)))
        for number, kind in kinds.items()
    ]
    return [track for track in tracks if track.kind != "video" or track.frames > track.seconds]


def _span(packets: list[tuple[int, int]]) -> int:
    return max(pts + duration for pts, duration in packets) - min(pts for pts, _ in packets)


def _height(text: str | None) -> int | None:
    return int(text) if text else None
