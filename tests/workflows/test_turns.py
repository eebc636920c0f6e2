"""Who gets a worker when there are too few."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from temporalio import activity

from activities.encode import ChunkRequest, EncodedChunk
from tests.servers.process import started
from tests.servers.temporal import EXACT, TemporalServer
from tests.workflows.films import Handle, Studio, plan_of, studio, whole
from workflows import turns
from workflows.client import connect

STREAM = 3
"""Other jobs that wait for a worker at any time."""
CHUNKS = 5
SLOTS = 8
LONG = 60.0


@pytest.fixture
def settings() -> tuple[str, ...]:
    return EXACT


@pytest.fixture
async def busy(tmp_path: Path, settings: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Studio]:
    """One slot."""
    monkeypatch.setattr(turns, "PATIENCE", timedelta(seconds=1))
    with started(server := TemporalServer(tmp_path, settings=settings)):
        async with studio(await connect(server.address), slots=1) as place:
            yield place


@dataclass
class Turn:
    """When a chunk was handed out, and taken by a worker."""

    asked: datetime
    taken: datetime


async def turns_of(handle: Handle) -> list[Turn]:
    asked, found = dict[int, datetime](), list[Turn]()
    async for event in handle.fetch_history_events():
        if event.activity_task_scheduled_event_attributes.activity_type.name == "encode_chunk":
            asked[event.event_id] = event.event_time.ToDatetime()
        if (number := event.activity_task_started_event_attributes.scheduled_event_id) in asked:
            found.append(Turn(asked[number], event.event_time.ToDatetime()))
    return found


async def test_a_long_film_goes_on_among_short_ones_and_holds_none_up(busy: Studio) -> None:
    """Its chunks come later than those of short films, of which one waits at any time."""
    short, queued = list[Handle](), set[str]()

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        queued.discard(str(activity.info().workflow_id))
        while not queued:
            await asyncio.sleep(0.01)
        return whole(request)

    async def stream() -> None:
        while True:
            short.append(handle := await busy.start(plan_of(1)))
            await asked(busy, handle)
            if handle.id not in busy.makers.chunks:
                queued.add(handle.id)
            await handle.result()

    busy.makers.chunk = chunk
    streams = [asyncio.create_task(stream()) for _ in range(STREAM)]
    long = await busy.start(plan_of(CHUNKS))
    try:
        await asyncio.wait_for(long.result(), LONG)
    finally:
        for each in streams:
            each.cancel()
        await asyncio.wait(streams)
    begun = [turn.taken for turn in await turns_of(long)]
    assert len(begun) == CHUNKS
    for handle in short:
        for turn in await turns_of(handle):
            # One that is as urgent, and one that was given out between the asking and the queueing.
            assert sum(turn.asked < taken < turn.taken for taken in begun) <= 2


@pytest.mark.parametrize("settings", [(*EXACT, "matching.enableFairness=true")])
async def test_a_server_that_knows_fairness_shares_among_tenants(busy: Studio) -> None:
    go_on = asyncio.Event()

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        await go_on.wait()
        return whole(request)

    busy.makers.chunk = chunk
    first = [await busy.start(plan_of(1), "a") for _ in range(CHUNKS)]
    await asyncio.gather(*(asked(busy, film) for film in first))
    late = await busy.start(plan_of(1), "b")
    await asked(busy, late)
    go_on.set()
    await asyncio.gather(late.result(), *(film.result() for film in first))
    assert [*busy.makers.chunks].index(late.id) <= 2


async def asked(busy: Studio, film: Handle) -> None:
    """Wait until its chunk is at the server, or at work."""
    while film.id not in busy.makers.chunks and not (await film.describe()).raw_description.pending_activities:
        await asyncio.sleep(0.05)


async def test_a_long_film_that_nobody_disturbs_fills_all_workers(temporal_server: TemporalServer) -> None:
    at_work, all_work = set[int](), asyncio.Event()

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        at_work.add(request.chunk.index)
        if len(at_work) == SLOTS:
            all_work.set()
        await asyncio.wait_for(all_work.wait(), LONG)
        return whole(request)

    async with studio(await connect(temporal_server.address), slots=SLOTS) as place:
        place.makers.chunk = chunk
        await place.made(plan_of(3 * SLOTS))
