"""What a film asks for when chunks are lost, too large, put back, or do not make up the film."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, is_cancelled_exception

from activities.ahead import Looked
from activities.cuts import Chunk
from activities.encode import ChunkRequest, EncodedChunk
from activities.join import Joined, JoinRequest
from activities.notify import Meter, Watch
from activities.plan import Plan, PlanRequest
from activities.tracks import Mapped
from publishers.events import Sender
from tests.servers.temporal import TemporalServer
from tests.workflows.films import FRAMES, JOB, Handle, Studio, joined, plan_of, studio, whole
from workflows.client import connect
from workflows.film import REPAIRS
from workflows.job import Job
from workflows.lifecycle import STEPS, Outcome, WatchPlan
from workflows.options import WHOLE_ACTIVITY_ID
from workflows.picture import Ahead, Picture

LONG = 30.0
"""Seconds, after which a test waits in vain."""


@pytest.fixture
async def made(temporal_server: TemporalServer) -> AsyncIterator[Studio]:
    async with studio(await connect(temporal_server.address), slots=4) as place:
        yield place


def asked(made: Studio, film: str) -> list[tuple[int, bool]]:
    return sorted((request.chunk.index, request.is_thrifty) for request in made.makers.chunks[film])


def short(request: ChunkRequest) -> EncodedChunk:
    return replace(whole(request), frames=FRAMES - 1)


async def test_a_chunk_that_takes_too_much_is_encoded_once_more_and_begins_with_less(made: Studio) -> None:
    made.makers.join = lambda request: replace(joined(request), greedy=[2])
    film, result = await made.made(plan_of(4))
    assert asked(made, film) == [(0, False), (1, False), (2, False), (2, True), (3, False)]
    assert len(made.makers.joins[film]) == 2
    assert result.paths


async def test_chunks_that_get_lost_again_and_again_fail_the_film(made: Studio) -> None:
    def join(request: JoinRequest) -> Joined:
        if request.is_last:
            raise ApplicationError("gone again", non_retryable=True)
        return Joined(lost=[1])

    made.makers.join = join
    handle = await made.start(plan_of(3))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert asked(made, handle.id) == [(0, False), *[(1, False)] * (1 + REPAIRS), (2, False)]
    assert [request.is_last for request in made.makers.joins[handle.id]] == [False] * REPAIRS + [True]


async def test_a_chunk_that_is_put_back_is_asked_for_again(made: Studio) -> None:
    back = [1, 1, 2]

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        if (index := request.chunk.index) not in back:
            return whole(request)
        back.remove(index)
        return EncodedChunk(index, is_put_back=True)

    made.makers.chunk = chunk
    film, result = await made.made(plan_of(3))
    assert [index for index, _ in asked(made, film)] == [0, 1, 1, 1, 2, 2]
    assert result.frames == 3 * FRAMES


async def test_half_of_the_samples_tells_where_to_look_and_all_tell_the_quality(made: Studio) -> None:
    made.makers.factor = 1.0
    film, _ = await made.made(plan_of(3, samples=8))
    asked_for = [(request.part, [each.index for each in request.samples]) for request in made.makers.samples[film]]
    assert sorted(asked_for[:2]) == [(0, [1, 3, 5]), (1, [7])]
    assert sorted(asked_for[2:]) == [(0, [0, 1, 2, 3, 4, 5]), (1, [6, 7])]
    assert len({request.quality["only"] for request in made.makers.chunks[film]}) == 1


@pytest.mark.parametrize("found", ["in a chunk", "in a sample", "at a joint"])
async def test_a_film_that_cannot_be_cut_exactly_is_encoded_in_one_piece(made: Studio, found: str) -> None:
    async def chunk(request: ChunkRequest) -> EncodedChunk:
        return short(request) if request.chunk.index == 1 else whole(request)

    if found == "in a chunk":
        made.makers.chunk = chunk
    elif found == "in a sample":
        made.makers.misfit = "a sample lacks a frame"
    else:
        made.makers.join = lambda request: joined(request) if len(request.chunks) == 1 else Joined(misfit="misfit")
    film, result = await made.made(plan_of(3, samples=1))
    last = made.makers.chunks[film].pop()
    assert (last.chunk, last.quality, result.frames) == (Chunk(0), {}, FRAMES)
    assert [request.chunks for request in made.makers.joins[film]][-1] == [Chunk(0)]
    if found == "in a sample":
        assert made.makers.chunks[film] == []


async def test_a_cancel_wins_over_a_film_that_is_to_be_encoded_in_one_piece(made: Studio) -> None:
    """Also when the job pauses: then nothing would come that looks at it."""
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        if request.chunk.index == 1:
            return short(request)
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            ending.set()
            await may_end.wait()
            raise
        return whole(request)

    made.makers.chunk = chunk
    handle = await made.start(plan_of(2))
    await asyncio.wait_for(ending.wait(), LONG)
    await handle.signal("pause")
    await handle.cancel()
    await asyncio.sleep(0.3)  # until the workflow has heard of both
    may_end.set()
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(handle.result(), LONG)
    assert is_cancelled_exception(caught.value.cause)
    assert isinstance(caught.value.cause, CancelledError)


def watched(planned: Plan) -> WatchPlan:
    job = Job.parse(JOB)
    request = PlanRequest("job", Mapped(None), job.content_processing)
    plan = STEPS["plan"].watch(Outcome(job, request, planned))
    assert plan
    return plan


async def meter(handle: Handle, planned: Plan) -> Meter:
    plan, begun = watched(planned), (await handle.describe()).start_time
    return Meter(Watch(plan.phase, plan.event, Sender(handle.id, "a"), 1, begun, plan.shares, whole=plan.whole))


def test_all_chunks_weigh_as_much_as_the_film_in_one_piece() -> None:
    plan = watched(plan_of(5, samples=7))
    weights = {share.activity_id: share.weight for share in plan.shares}
    assert plan.whole
    assert sum(weight for name, weight in weights.items() if name.startswith("encode-video-")) == plan.whole.weight


async def test_progress_of_one_piece_after_all_is_not_that_of_the_chunks_before(made: Studio) -> None:
    told, go_on = asyncio.Event(), asyncio.Event()

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        if request.chunk.duration is None:
            told.set()
            await go_on.wait()
        return whole(request)

    made.makers.chunk = chunk
    made.makers.join = lambda request: joined(request) if len(request.chunks) == 1 else Joined(misfit="misfit")
    handle = await made.start(plan_of(3))
    await asyncio.wait_for(told.wait(), LONG)
    progress = await meter(handle, plan_of(3))
    while not await progress.read(handle):
        await asyncio.sleep(0.1)
    assert 40 < progress.percent < 50
    pending = (await handle.describe()).raw_description.pending_activities
    assert [each.activity_id for each in pending] == [WHOLE_ACTIVITY_ID]
    go_on.set()
    await handle.result()


async def test_a_chunk_that_is_put_back_is_not_counted_as_done(temporal_server: TemporalServer) -> None:
    held, hold, back = asyncio.Event(), asyncio.Event(), [1]

    async def chunk(request: ChunkRequest) -> EncodedChunk:
        index = request.chunk.index
        if index in back:
            back.remove(index)
            return EncodedChunk(index, is_put_back=True)
        if index == 2:
            held.set()
            await hold.wait()
        return whole(request)

    async with studio(await connect(temporal_server.address), slots=1) as made:
        begin = asyncio.Event()

        async def first(request: ChunkRequest) -> EncodedChunk:
            if request.chunk.index == 0:
                await begin.wait()
            return await chunk(request)

        made.makers.chunk = first
        handle = await made.start(plan_of(3))
        progress = await meter(handle, plan_of(3))
        while len((await handle.describe()).raw_description.pending_activities) < 3:
            await asyncio.sleep(0.05)
        await progress.read(handle)
        await handle.signal("pause")
        begin.set()
        await asyncio.wait_for(held.wait(), LONG)
        assert await progress.read(handle) < 55  # one, and half of another
        hold.set()
        await handle.signal("resume")
        await handle.result()


async def test_a_title_without_a_picture_is_planned_when_its_sound_is_there() -> None:
    async def step(*_: object, **__: str) -> Looked:
        return Looked(None, Plan())

    ahead = Ahead(Picture(str(uuid.UUID(int=1)), Job.parse(JOB), step), [])
    assert not await ahead.is_of(None)
    await ahead.stop()
