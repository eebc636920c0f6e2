"""The picture of one film: sampled, cut, encoded by many workers at once, and joined; lost chunks are made anew."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from temporalio import workflow

from activities.cuts import Chunk, NotCutError
from activities.encode import ChunkRequest, EncodedChunk, SamplesRequest, encode_chunk, encode_samples
from activities.join import Joined, JoinRequest, join_chunks
from activities.media.marks import Mark
from activities.plan import Plan
from activities.rates import Measured, Quality, added, corrected, first_guess, is_near
from activities.tracks import VideoTrack
from workflows.options import Rank, chunk_activity_id, samples_activity_id

WINDOW = 64
"""Chunks of one film that are on their way at once: more than workers take, fewer than the server minds."""
SHARE = 1
"""Of them is as urgent as those of any other film; so a long film delays a short one by no more than a chunk."""
SAMPLE_ROUNDS = 2
REPAIRS = 3
"""How often lost chunks are made anew."""

Step = Callable[..., Coroutine[Any, Any, Any]]


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
        self._in_share = 0
        self._window = asyncio.Semaphore(WINDOW)

    async def encoded(self) -> Joined:
        """All renditions, whole.

        Raises:
            NotCutError: the film does not come out of its chunks as it should.
        """
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

    async def encoded_in_one_piece(self, reason: str) -> Joined:
        """All renditions, by one process after all."""
        self._chunks, self._sample_groups, self._one_piece = [Chunk(0)], [], reason
        return await self.encoded()

    async def _found_quality(self) -> Quality:
        """The constant quality that meets the asked bitrates."""
        quality, rounds = first_guess(self._plan, self._video.frame_rate), list[Measured]()
        while len(rounds) < SAMPLE_ROUNDS and not (rounds and is_near(self._plan, rounds[-1])):
            rounds.append(await self._measured(quality))
            quality = corrected(self._plan, rounds)
        return quality

    async def _measured(self, quality: Quality) -> Measured:
        groups = self._sample_groups
        return added(
            await together(
                *(
                    self._step(
                        encode_samples,
                        SamplesRequest(self._id, self._video, self._plan, part, group, quality, self._marks),
                        Rank.USUAL,
                        activity_id=samples_activity_id(part),
                        detail=f"part {part + 1} of {len(groups)}",
                    )
                    for part, group in enumerate(groups)
                )
            )
        )

    async def _encode(self, chunks: list[Chunk]) -> dict[int, EncodedChunk]:
        made: list[EncodedChunk] = await together(*(self._encode_chunk(chunk) for chunk in chunks))
        return {chunk.index: chunk for chunk in made}

    async def _encode_chunk(self, chunk: Chunk) -> EncodedChunk:
        request = ChunkRequest(
            self._id, self._video, self._plan, chunk, self._marks, self._quality, chunk.index in self._thrifty
        )
        why = f" (in one piece, as {self._one_piece})" if self._one_piece else ""
        detail = f"chunk {chunk.index + 1} of {len(self._chunks)} in {len(self._plan.video)} renditions{why}"
        made = EncodedChunk(chunk.index, is_put_back=True)
        async with self._window:
            with self._ranked() as rank:
                while made.is_put_back:  # the job paused before a worker began the chunk
                    made = await self._step(
                        encode_chunk, request, rank, activity_id=chunk_activity_id(chunk.index), detail=detail
                    )
        if chunk.frames not in (None, made.frames):
            raise NotCutError(f"chunk {chunk.index} has {made.frames} frames instead of {chunk.frames}")
        return made

    @contextmanager
    def _ranked(self) -> Iterator[Rank]:
        """The rank of a chunk that is on its way inside the block."""
        rank = Rank.USUAL if self._in_share < SHARE else Rank.LATER
        self._in_share += rank is Rank.USUAL
        try:
            yield rank
        finally:
            self._in_share -= rank is Rank.USUAL


async def together(*work: Coroutine[Any, Any, Any]) -> Any:
    """Run all at once; the first failure stops the others and is raised when they have ended."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        for task in tasks:
            task.cancel()
        while not all(task.done() for task in tasks):
            with suppress(asyncio.CancelledError):
                await workflow.wait(tasks)
        raise
