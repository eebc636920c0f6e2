"""Films alone: the real workflow code, server and workers, without the rest of a job.

The encoders only say what real ones would, at once or when a test lets them: what is looked at is who is asked for
what, and when. That real ones encode, cut and join is shown in `tests/activities` and `tests/integration`.
"""

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.cuts import Chunk
from activities.encode import ChunkRequest, EncodedChunk, SamplesRequest
from activities.heartbeat import Progress, beating
from activities.join import Joined, JoinRequest
from activities.plan import Plan, VideoRendition
from activities.rates import Measured
from activities.tracks import SourceFile, VideoTrack
from workflows.encoding import EncodingJob
from workflows.film import Film
from workflows.job import Job
from workflows.options import MEDIA_QUEUE, TRANSCODE_QUEUE
from workflows.plugin import HEARTBEATS

QUEUE = "films"
SECONDS, FRAMES = 20.0, 500
"""Of a chunk."""
RENDITION = VideoRendition("only", 320, 180, 300)
JOB = {
    "ContentAcquisition": {"Provider": "Files", "UriPath": "/in"},
    "MediaMappings": {},
    "ContentProcessing": {},
    "ContentPublishing": {"Provider": "Files", "UriPath": "/out"},
}
Handle = WorkflowHandle[Any, Joined]


@workflow.defn(failure_exception_types=[Exception])
class FilmAlone(EncodingJob):
    """Takes signals as a job does."""

    @workflow.run
    async def run(self, planned: Plan, tenant: str | None = None) -> Joined:  # type: ignore[override]
        self._job = Job.parse(JOB | {"TenantId": tenant})
        video = VideoTrack(SourceFile("film", "source/0001.mp4", 1), 0, "h264", 320, 180, "25/1", 20.0, None, 100)
        return await Film(str(uuid.UUID(int=1)), video, planned, [], self._step).encoded()


def plan_of(chunks: int, samples: int = 0) -> Plan:
    def cut(number: int) -> list[Chunk]:
        return [Chunk(i, SECONDS * i, SECONDS, FRAMES) for i in range(number)]

    return Plan([RENDITION], chunks=cut(chunks), samples=cut(samples), duration=SECONDS * chunks)


def whole(request: ChunkRequest) -> EncodedChunk:
    return EncodedChunk(request.chunk.index, "encoded", request.chunk.frames or FRAMES, {"only": 1})


def joined(request: JoinRequest) -> Joined:
    return Joined({"only": "joined.mp4"}, sum(chunk.frames for chunk in request.encoded))


@dataclass
class Makers:
    """The encoders; what they answer can be changed."""

    chunk: Callable[[ChunkRequest], Awaitable[EncodedChunk]] | None = None
    join: Callable[[JoinRequest], Joined] = joined
    misfit: str = ""
    """Of samples."""
    factor: float = 2.0
    """How much more than asked for they take."""
    chunks: defaultdict[str, list[ChunkRequest]] = field(default_factory=lambda: defaultdict(list))
    """What each film has asked for, by its id; so for the following."""
    samples: defaultdict[str, list[SamplesRequest]] = field(default_factory=lambda: defaultdict(list))
    joins: defaultdict[str, list[JoinRequest]] = field(default_factory=lambda: defaultdict(list))

    @activity.defn
    async def encode_chunk(self, request: ChunkRequest) -> EncodedChunk:
        self.chunks[_film()].append(request)
        async with beating(Progress(0.5, 1)):
            return await self.chunk(request) if self.chunk else whole(request)

    @activity.defn
    async def encode_samples(self, request: SamplesRequest) -> Measured:
        self.samples[_film()].append(request)
        seconds = [sample.duration or SECONDS for sample in request.samples]
        sizes = {r.name: [round(self.factor * r.bitrate * 125 * each) for each in seconds] for r in request.plan.video}
        return Measured(request.quality, sizes, seconds, [each.index for each in request.samples], self.misfit)

    @activity.defn
    async def join_chunks(self, request: JoinRequest) -> Joined:
        self.joins[_film()].append(request)
        return self.join(request)


def _film() -> str:
    return str(activity.info().workflow_id)


@dataclass
class Studio:
    """Where films are made."""

    client: Client
    makers: Makers

    async def start(self, planned: Plan, tenant: str | None = None) -> Handle:
        return await self.client.start_workflow(
            FilmAlone.run, args=[planned, tenant], id=str(uuid.uuid4()), task_queue=QUEUE
        )

    async def made(self, planned: Plan) -> tuple[str, Joined]:
        """The id of a film that is made, and what came of it."""
        handle = await self.start(planned)
        return handle.id, await handle.result()


@asynccontextmanager
async def studio(client: Client, slots: int) -> AsyncIterator[Studio]:
    """One that encodes as many chunks at once as it has slots."""
    makers = Makers()
    activities: list[Callable[..., Any]] = [makers.encode_chunk, makers.encode_samples, makers.join_chunks]
    films = Worker(client, task_queue=QUEUE, workflows=[FilmAlone], workflow_runner=UnsandboxedWorkflowRunner())
    video, rest = [
        Worker(
            client,
            task_queue=queue,
            activities=activities,
            max_concurrent_activities=at_once,
            max_heartbeat_throttle_interval=HEARTBEATS,
        )
        for queue, at_once in ((TRANSCODE_QUEUE, slots), (MEDIA_QUEUE, 10))
    ]
    async with films, video, rest:
        yield Studio(client, makers)
