"""A thousand jobs at once, on one server and two workers for control: what each costs, and how long its events take."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table
from temporalio.client import Client

from benchmarks.delivery import delays_of
from benchmarks.rig import at_share, job, memory, process, server_at, source_of
from workflows import client as jobs
from workflows.options import WORKFLOW

JOBS = 1000
JOB_SLOTS = 200
CHUNK_SECONDS = 1.0
SAMPLED_JOBS = 100
SUBMITTERS = 50
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Seen:
    """How many jobs are open, and resident memory, in kB."""

    open: int
    workers: int
    server: int

    def at_least(self, other: "Seen") -> "Seen":
        return Seen(max(self.open, other.open), max(self.workers, other.workers), max(self.server, other.server))


async def measure(scratch: Path, _: int) -> list[Table]:
    """All are submitted at once."""
    source, events = await source_of(scratch, "title"), scratch / "events"
    async with AsyncExitStack() as stack:
        bars = stack.enter_context(Progress(disable=not sys.stderr.isatty()))
        server = await stack.enter_async_context(server_at(scratch))
        client = await jobs.connect(server.address)
        pids = [await stack.enter_async_context(process(scratch, "control")) for _ in range(2)]
        await stack.enter_async_context(process(scratch, "transcode", 1, JOB_SLOTS, CHUNK_SECONDS, 0))
        before, begun = Seen(0, memory(pids), memory([server.pid])), time.perf_counter()
        watch = asyncio.create_task(_watched(client, pids, server.pid, bars))
        handles = await _submitted(client, [job(source, scratch / "out" / str(n), events) for n in range(JOBS)])
        most = await watch
        seconds = time.perf_counter() - begun
        late = [delay for handle in handles[:: JOBS // SAMPLED_JOBS] for delay in await _late(handle, events)]
        took = [await _took(handle) for handle in handles]
    table = Table("what", "value", title=f"crowd: {JOBS} jobs at once, two workers for control")
    table.add_row("jobs open at once, at most", str(most.open))
    table.add_row("memory of both workers for each, kB", f"{(most.workers - before.workers) / most.open:.0f}")
    table.add_row("memory of the server for each, kB", f"{(most.server - before.server) / most.open:.0f}")
    table.add_row("jobs a minute", f"{60 * JOBS / seconds:.0f}")
    table.add_row("seconds of a job: least, median, most", _spread(took, 0, 0.5, 1))
    name = f"ms from the end of an activity to its event, {len(late)}: median, p99, most"
    table.add_row(name, _spread([1000 * each for each in late], 0.5, 0.99, 1))
    return [table]


async def _submitted(client: Client, descriptions: list[dict[str, Any]]) -> list[jobs.Handle]:
    free = asyncio.Semaphore(SUBMITTERS)

    async def one(description: dict[str, Any]) -> jobs.Handle:
        async with free:
            return await jobs.submit(client, description)

    return await asyncio.gather(*(one(each) for each in descriptions))


async def _watched(client: Client, workers: list[int], server: int, bars: Progress) -> Seen:
    """The most of each, until all jobs have succeeded."""
    bar, most, succeeded = bars.add_task(f"{JOBS} jobs", total=JOBS), Seen(0, 0, 0), 0
    while succeeded < JOBS:
        await asyncio.sleep(LOOK_SECONDS)
        running, succeeded, failed = [await _count(client, each) for each in ("Running", "Completed", "Failed")]
        if failed:
            raise RuntimeError(f"{failed} jobs have failed")
        most = most.at_least(Seen(running, memory(workers), memory([server])))
        bars.update(bar, completed=succeeded)
    return most


async def _count(client: Client, status: str) -> int:
    return (await client.count_workflows(f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = '{status}'")).count


def _spread(values: list[float], *shares: float) -> str:
    return ", ".join(f"{at_share(values, share):.0f}" for share in shares)


async def _took(handle: jobs.Handle) -> float:
    run = await handle.describe()
    return (run.close_time - run.start_time).total_seconds() if run.close_time else float("inf")


async def _late(handle: jobs.Handle, events: Path) -> list[float]:
    files = {int(file.name[:6]): file.stat().st_ctime for file in (events / handle.id).glob("*.json")}
    log = [event for event in await jobs.events(handle) if event.progress is None]
    return await delays_of(handle, {event.event_id: files[event.sequence_number] for event in log})
