"""The picture of one film: sampled, cut, encoded by many workers at once, and joined; lost chunks are made anew."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

from activities.cuts import Chunk, NotCutError
from activities.encode import ChunkRequest, EncodedChunk, SamplesRequest, encode_chunk, encode_samples
from activities.join import Joined, JoinRequest, join_chunks
from activities.media.marks import Mark
from activities.plan import Plan
from activities.rates import Measured, Quality, added, corrected, first_guess, is_near
from activities.tracks import VideoTrack
from workflows.options import WHOLE_ACTIVITY_ID, chunk_activity_id, samples_activity_id
from workflows.tasks import stopped
from workflows.turns import Step, Turns

SAMPLE_ROUNDS = 2
"""The first, of half the samples, tells about where the quality is, and what a step of it does."""
REPAIRS = 3
"""How often lost chunks are made anew."""


class Film:
    """Encodes a film; `step` performs one activity."""

    def __init__(self, job_id: str, video: VideoTrack, plan: Plan, marks: list[Mark], step: Step) -> None:
        self._id = job_id
        self._video = video
        self._chunks = plan.chunks
        self._sample_groups = plan.sample_groups
        self._one_piece = plan.in_one_piece
        self._plan = plan.of_picture()
        self._marks = marks
        self._step = step
        self._quality: Quality = {}
        self._thrifty: set[int] = set()
        self._whole_id = ""

    async def encoded(self) -> Joined:
        """All renditions, whole; by one process after all, if the film does not come out of its chunks as it should."""
        try:
            return await self._joined()
        except NotCutError as error:
            workflow.logger.warning("job %s encodes its film once more, in one piece: %s", self._id, error)
            self._chunks, self._sample_groups, self._one_piece = [Chunk(0)], [], str(error)
            self._whole_id = WHOLE_ACTIVITY_ID
            return await self._joined()

    async def _joined(self) -> Joined:
        self._quality = await self._found_quality() if self._sample_groups else {}
        made = await self._encode(self._chunks)
        for repair in range(REPAIRS + 1):
            is_last = repair == REPAIRS
            joined: Joined = await self._step(
                join_chunks,
                JoinRequest(self._id, self._video, self._plan, self._chunks, [*made.values()], is_last=is_last),
            )
            if joined.misfit:
                raise NotCutError(joined.misfit)
            again = [*joined.lost, *({*joined.greedy} - self._thrifty)]
            if is_last or not again:
                break
            workflow.logger.warning("job %s: chunks %s are lost, %s too large", self._id, joined.lost, joined.greedy)
            self._thrifty |= {*joined.greedy}
            made |= await self._encode([self._chunks[index] for index in sorted(again)])
        return joined

    async def _found_quality(self) -> Quality:
        """The constant quality that meets the asked bitrates."""
        quality, rounds = first_guess(self._plan, self._video.frame_rate), list[Measured]()
        while len(rounds) < SAMPLE_ROUNDS and not (rounds and self._is_enough(rounds[-1])):
            groups = self._sample_groups if rounds else [_half(group) for group in self._sample_groups]
            rounds.append(await self._measured(quality, groups))
            quality = corrected(self._plan, rounds)
        return quality

    def _is_enough(self, measured: Measured) -> bool:
        is_all = len(measured.seconds) == sum(len(group) for group in self._sample_groups)
        return is_all and is_near(self._plan, measured)

    async def _measured(self, quality: Quality, groups: list[list[Chunk]]) -> Measured:
        turns, parts = Turns(self._step), enumerate(groups)
        requests = [
            SamplesRequest(self._id, self._video, self._plan, part, group, quality, self._marks)
            for part, group in parts
        ]
        return added(await together(*(self._measure(turns, request, len(groups)) for request in requests)))

    async def _measure(self, turns: Turns, request: SamplesRequest, parts: int) -> Measured:
        name, detail = samples_activity_id(request.part), f"part {request.part + 1} of {parts}"
        measured: Measured = await turns.take(request.part, encode_samples, request, activity_id=name, detail=detail)
        if measured.misfit:
            raise NotCutError(measured.misfit)
        return measured

    async def _encode(self, chunks: list[Chunk]) -> dict[int, EncodedChunk]:
        turns = Turns(self._step)
        made: list[EncodedChunk] = await together(*(self._encode_chunk(turns, chunk) for chunk in chunks))
        return {chunk.index: chunk for chunk in made}

    async def _encode_chunk(self, turns: Turns, chunk: Chunk) -> EncodedChunk:
        is_thrifty = chunk.index in self._thrifty
        request = ChunkRequest(self._id, self._video, self._plan, chunk, self._marks, self._quality, is_thrifty)
        why = f" (in one piece, as {self._one_piece})" if self._one_piece else ""
        detail = f"chunk {chunk.index + 1} of {len(self._chunks)} in {len(self._plan.video)} renditions{why}"
        name = self._whole_id or chunk_activity_id(chunk.index)
        made = EncodedChunk(chunk.index, is_put_back=True)
        while made.is_put_back:  # the job paused before a worker began the chunk
            made = await turns.take(chunk.index, encode_chunk, request, activity_id=name, detail=detail)
        if chunk.frames not in (None, made.frames):
            raise NotCutError(f"chunk {chunk.index} has {made.frames} frames instead of {chunk.frames}")
        return made


def _half(samples: list[Chunk]) -> list[Chunk]:
    """Every other, at least one."""
    return samples[min(1, len(samples) - 1) :: 2]


async def together(*work: Coroutine[Any, Any, Any]) -> Any:
    """Run all at once; the first failure stops the others and is raised when they have ended.

    A cancel of the job that comes meanwhile goes before any failure.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        await stopped(*tasks)
        stop_if_cancelled()
        raise


def is_cancelled() -> bool:
    """Whether somebody has asked to cancel the job."""
    return workflow.cancellation_reason() is not None


def stop_if_cancelled() -> None:
    """An activity that succeeds at the last moment, or work that is being ended, swallows the request: look for it."""
    if is_cancelled():
        raise asyncio.CancelledError
