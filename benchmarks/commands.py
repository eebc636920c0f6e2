"""A film by the commands of others, each one that can be killed and typed again."""

import asyncio
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from activities.media import packager
from activities.plan import Plan, VideoRendition
from benchmarks.ladder import FRAMES, by_an_expert
from benchmarks.streamer import PEERS, linked, streaming

AV1AN = PEERS / "bin/av1an"
CHUNK_FRAMES = 500
"""Of Av1an, as long as ours."""


@dataclass(frozen=True)
class Peer:
    """A program that encodes a film."""

    name: str
    command: Callable[[Path], str]
    """What a shell has to run, in a folder that is there and empty."""
    goes_on: bool = False
    """Whether the command, typed again in the same folder, takes up what it finds there."""

    async def run(self, folder: Path, kill_after: float | None) -> float:
        """Seconds until all is done; the command is killed once, after `kill_after` seconds, and typed again at once.

        Raises:
            CalledProcessError: it failed.
        """
        begun = time.perf_counter()
        await self._once(folder, kill_after)
        if kill_after is not None:
            await self._once(folder if self.goes_on else folder.with_name(f"{folder.name}-again"), None)
        return time.perf_counter() - begun

    async def _once(self, folder: Path, kill_after: float | None) -> None:
        folder.mkdir(exist_ok=True)
        linked(folder / "bin")
        command, environment = self.command(folder), {**os.environ, "PATH": f"{folder}/bin:/usr/bin:/bin"}
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_shell(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group, which is killed as a whole
            )
        try:
            async with asyncio.timeout(kill_after):
                status = await process.wait()
        except TimeoutError:
            return
        finally:
            if process.returncode is None:
                _kill(process.pid)
                await process.wait()
        if status:
            raise subprocess.CalledProcessError(status, command, (folder / "log").read_bytes()[-2000:])


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def peers(source: Path, plan: Plan) -> list[Peer]:
    """All with the ladder, the bitrates and the preset of `plan`."""
    return [
        Peer("Shaka Streamer", lambda folder: shlex.join(streaming(source, plan.video, folder / "bin"))),
        Peer("ffmpeg + packager", lambda folder: _by_hand(source, plan, folder)),
        Peer("Av1an 6.1.5 (no packaging)", lambda _: _by_av1an(source, plan), goes_on=True),
    ]


def _by_hand(source: Path, plan: Plan, folder: Path) -> str:
    out = packager.Output("out/", dash=True, hls=False)
    files = {rendition.name: f"expert-{rendition.name}.mp4" for rendition in plan.video}
    descriptors = [packager.video(files[name], name, out) for name in files]
    commands = by_an_expert(source, plan, folder), packager.arguments(descriptors, out, "en")
    return " && ".join(shlex.join(command) for command in commands)


def _by_av1an(source: Path, plan: Plan) -> str:
    """One run for each rendition: it makes no ladders. It asks whether a result that is there may be replaced."""
    return " && ".join(f"echo y | {shlex.join(_one_by_av1an(source, each, plan))}" for each in plan.video)


def _one_by_av1an(source: Path, rendition: VideoRendition, plan: Plan) -> list[str]:
    kbps, group = rendition.bitrate, round(plan.gop_seconds * FRAMES)
    encoder = f"--preset {plan.preset} --bitrate {kbps} --vbv-maxrate {kbps * 3 // 2} --vbv-bufsize {kbps * 2}"
    cutting = ["--split_method", "none", "--extra_split", str(CHUNK_FRAMES), "--chunk_method", "select"]
    return [
        *(str(AV1AN), "--input", str(source), "--temp", f"work-{rendition.name}", "--resume", "--keep"),
        *("--output_file", f"{rendition.name}.mkv", "--workers", "2", *cutting),
        *("--encoder", "x264", "--video_params", f"{encoder} --keyint {group} --min-keyint {group} --no-scenecut"),
        f"--ffmpeg=-vf scale={rendition.width}:{rendition.height}:flags=bicubic",
    ]
