"""What grows while jobs come and go for long: memory of worker and server, and lateness of the worker's event loop.

`SOAK_MINUTES` (30) says for how long. The encoders sleep, see `benchmarks.sleepers`; all else of a job is real.
"""

import asyncio
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress
from rich.table import Table
from temporalio.client import Client

from benchmarks.rig import at_share, job, memory, process, server_at, source_of
from benchmarks.sleepers import LAGS
from workflows import client as jobs

OPEN = 20
"""Jobs at once, all the time."""
CHUNK_SECONDS = 2.0
SLOTS = 20
LOOK_SECONDS = 5.0
WARMING = 0.25
"""Share of the time, at its start, in which caches fill: slopes are of the rest."""


@dataclass
class Seen:
    """By time: minutes since the start."""

    minutes: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)
    """Resident kB."""
    server: list[float] = field(default_factory=list)
    """Resident kB."""


async def measure(scratch: Path, _: int) -> list[Table]:
    """One worker for control, another for the rest."""
    minutes, lags, seen = float(os.environ.get("SOAK_MINUTES", "30")), scratch / "lags", Seen()
    os.environ[LAGS] = str(lags)
    source = await source_of(scratch, "title")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(server_at(scratch))
        worker = await stack.enter_async_context(process(scratch, "control"))
        del os.environ[LAGS]
        await stack.enter_async_context(process(scratch, "transcode", 1, SLOTS, CHUNK_SECONDS, 0.5))
        watch = asyncio.create_task(_watch(seen, worker, server.pid, minutes))
        done = await _keep_busy(await jobs.connect(server.address), source, scratch, minutes)
        await watch
    return [_table(minutes, done, seen, [float(line) for line in lags.read_text().split()])]


async def _keep_busy(client: Client, source: Path, scratch: Path, minutes: float) -> int:
    """Keep as many jobs open as there shall be; returns how many have ended, all of them well."""
    end, done = time.monotonic() + 60 * minutes, 0

    async def one_after_another(place: int) -> None:
        nonlocal done
        while time.monotonic() < end:
            out = scratch / "out" / str(place)
            handle = await jobs.submit(client, job(source, out))
            await handle.result()
            shutil.rmtree(out)
            done += 1

    await asyncio.gather(*(one_after_another(place) for place in range(OPEN)))
    return done


async def _watch(seen: Seen, worker: int, server: int, minutes: float) -> None:
    begun = time.monotonic()
    with Progress(disable=not sys.stderr.isatty()) as bars, suppress(FileNotFoundError):
        bar = bars.add_task("soak", total=minutes)
        while (passed := (time.monotonic() - begun) / 60) < minutes:
            seen.minutes.append(passed)
            seen.worker.append(memory([worker]))
            seen.server.append(memory([server]))
            bars.update(bar, completed=passed)
            await asyncio.sleep(LOOK_SECONDS)


def _table(minutes: float, done: int, seen: Seen, lags: list[float]) -> Table:
    table = Table("what", "first third", "last third", "slope", title=f"soak: {minutes:g} minutes, {OPEN} jobs open")
    table.add_row("jobs that have ended", "", str(done), f"{done / minutes:.0f} a minute")
    for name, sizes in {"memory of the worker, MB": seen.worker, "memory of the server, MB": seen.server}.items():
        kept = round(WARMING * len(sizes))
        slope = statistics.linear_regression(seen.minutes[kept:], sizes[kept:]).slope
        first, last = (statistics.mean(third) / 1000 for third in _outer_thirds(sizes))
        table.add_row(name, f"{first:.1f}", f"{last:.1f}", f"{slope:+.0f} kB a minute")
    for name, share in {"median": 0.5, "p99": 0.99, "most": 1.0}.items():
        first, last = (at_share(third, share) for third in _outer_thirds(lags))
        table.add_row(f"event loop comes late by ms: {name}", f"{first:.1f}", f"{last:.1f}", "")
    return table


def _outer_thirds(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    third = max(1, len(values) // 3)
    return values[:third], values[-third:]
