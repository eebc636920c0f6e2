"""What orchestration costs: workers that wait for chunks, and history that a film fills.

The encoders sleep (see `benchmarks.sleepers`): two cores stand for the machines of a fleet.
"""

import asyncio
import math
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID
from rich.table import Table
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from benchmarks.rig import job, process, server_at, source_of
from tests.servers.ports import free_ports
from workflows import client as jobs
from workflows.lifecycle import Phase

FLEETS = {1: 31, 2: 62, 4: 125, 8: 250, 16: 500}
"""Workers → chunks: as many for each worker, or the small fleets would take all day."""
CHUNK_SECONDS = 1.0
FILM, FILM_CHUNK_SECONDS = 7200, 0.5
RECEIVERS = 5
DEADLINE_SECONDS = 5
"""For a receiver that is down."""
LOOK_SECONDS = 2.0


async def measure(scratch: Path, _: int) -> list[Table]:
    """One round: each takes a minute or more."""
    os.environ["ENCODING_DELIVERY_DEADLINE_SECONDS"] = str(DEADLINE_SECONDS)
    tables = []
    with Progress(disable=not sys.stderr.isatty()) as bars:
        for part in (_fleets, _histories):
            async with server_at(scratch, part.__name__) as server:
                tables.append(await part(await jobs.connect(server.address), scratch, bars))
    return tables


async def _fleets(client: Client, scratch: Path, bars: Progress) -> Table:
    names = ("workers", "chunks", "ideal s", "seconds", "efficiency", "workers have a chunk")
    table = Table(*names, title=f"fleet: chunks that take {CHUNK_SECONDS} s each")
    async with process(scratch, "control"):
        for workers, chunks in FLEETS.items():
            source = await source_of(scratch, f"chunks-{chunks}")
            async with process(scratch, "transcode", workers, 1, CHUNK_SECONDS, 0):
                handle = await jobs.submit(client, job(source, scratch / f"out-{workers}"))
                await _watched(handle, bars, bars.add_task(f"{workers} workers"))
            seconds, busy = await _chunk_phase(handle)
            ideal = math.ceil(chunks / workers) * CHUNK_SECONDS
            taken = busy / (workers * seconds)
            row = (f"{ideal:.1f}", f"{seconds:.1f}", f"{ideal / seconds:.1%}", f"{taken:.1%}")
            table.add_row(str(workers), str(chunks), *row)
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
    source = await source_of(scratch, f"film-{FILM}")
    # Chunks that end at different times are what fills a history: each wakes the workflow.
    async with process(scratch, "control"), process(scratch, "transcode", 4, 1, FILM_CHUNK_SECONDS, 0.5):
        for name, down in {"all take events": 0, "one is down all the time": 1}.items():
            out = scratch / f"film-{down}"
            asked = job(source, out) | {"MessagePublishers": _receivers(out, RECEIVERS - down, down)}
            handle = await jobs.submit(client, asked)
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


async def _watched(handle: jobs.Handle, bars: Progress, bar: TaskID) -> None:
    """Move a bar with the encoding of a job until the job has ended."""
    end = asyncio.create_task(handle.result())
    while not end.done():
        phases = (await jobs.progress(handle))["Phases"]
        done = next(each["Progress"] for each in phases if each["Name"] == Phase.ENCODING)
        bars.update(bar, completed=done)
        await asyncio.wait([end], timeout=LOOK_SECONDS)
    await end


def _receivers(folder: Path, up: int, down: int) -> list[dict[str, Any]]:
    broker = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": "127.0.0.1", "Queue": "events"}
    broker |= {"CredentialsName": "guest", "CredentialsSecret": "guest"}
    files = [{"Type": "Files", "UriPath": str(folder / f"events-{number}")} for number in range(up)]
    return [*files, *({**broker, "Port": port} for port in free_ports(down))]
