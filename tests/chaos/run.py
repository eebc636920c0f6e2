"""One run: jobs without faults, to know what they make; the same with faults; and a look at all that is left."""

import asyncio
import itertools
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.store.notes import FOLDER as STORE_NOTES
from tests.activities.drm.test_encryption import KEY
from tests.chaos.checks import Story, Told, differences, digests, leaks
from tests.chaos.faults import Faults, Injection, injections
from tests.chaos.jobs import Jobs, Kind, Submitted
from tests.chaos.observer import Observer, left_behind
from tests.chaos.readers import Readers
from tests.chaos.world import QUEUE, World
from tests.integration.test_delivery import history_of
from tests.servers.s3 import S3

Handle = WorkflowHandle[Any, Any]
ANSWER = timedelta(seconds=5)
LOOK = 0.5
TELL = 10.0
"""Seconds between two lines for whoever waits."""
SETTLE = 15.0
"""Seconds in which processes that nobody needs any more have to be gone."""


@dataclass(frozen=True)
class Storm:
    """What a run consists of."""

    kinds: Sequence[Kind]
    jobs: int
    at_once: int
    pause: float
    """Seconds between two faults, on average."""
    frozen: float
    """Seconds that a worker stands still, at most."""
    seed: int
    first: Sequence[Injection] = ()
    """Faults before those that follow from the seed."""
    faults: int = sys.maxsize
    """In all, at most."""
    seconds: float = math.inf
    """After which no further job begins, and nothing is hurt any more."""


@dataclass
class Report:
    """How it went."""

    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    """By kind."""
    repeats: Counter[str] = field(default_factory=Counter)
    """Events that came more than once, by transport."""
    events: int = 0
    """Over all transports, once each."""
    attempts: int = 0
    """The most that one activity has taken."""
    looks: int = 0
    """Times at which a reader found a manifest."""
    unknown_uploads: int = 0
    """Of S3, without any part: whoever began one was killed or cut off before it was told the upload's id."""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.jobs.total()} jobs in {self.seconds:.0f} s, {self.events} events; {len(self.problems)} problems",
            f"{self.faults.total()} faults: {_counts(self.faults)}",
            f"repeated events: {_counts(self.repeats)}; manifests looked at: {self.looks}",
            f"uploads that S3 has begun and nobody was told of: {self.unknown_uploads}",
            *self.problems,
        ]
        return "\n".join(lines)


class Run:
    """A storm over a world; `tell` gets a line now and then."""

    def __init__(self, world: World, jobs: Jobs, storm: Storm, tell: Callable[[str], object]) -> None:
        self._world, self._jobs, self._storm, self._tell = world, jobs, storm, tell
        self._report = Report()
        self._expected: dict[str, dict[str, str]] = {}
        self._ended: list[tuple[Submitted, Handle]] = []
        self._open: dict[str, Submitted] = {}

    async def survived(self) -> Report:
        """All of it."""
        self._client = await Client.connect(self._world.temporal.address)
        with Observer(self._world) as observer, Readers() as self._readers:
            await self._learn()
            begun = time.monotonic()
            telling = asyncio.create_task(self._keep_telling(begun))
            await self._rage(Faults(self._world, observer, self._storm.frozen))
            telling.cancel()
            self._report.seconds = time.monotonic() - begun
            await self._check(observer)
        return self._report

    async def _learn(self) -> None:
        """What each kind of job makes when nothing is in its way."""
        undisturbed = [self._jobs.new(kind) for kind in self._storm.kinds]
        for job in undisturbed:
            await self._submit(job)
        for job in undisturbed:
            await self._end(job)
            self._expected[job.kind.name] = digests(self._files(job), job.kind.cenc)
        self._tell(f"{len(undisturbed)} jobs without faults have told what each kind makes")

    async def _rage(self, faults: Faults) -> None:
        self._report.faults = faults.done
        series = injections(
            self._storm.seed,
            len(self._world.workers),
            [*self._world.victims],
            [*self._world.proxies],
            self._storm.pause,
        )
        chosen = itertools.islice(itertools.chain(self._storm.first, series), self._storm.faults)
        raging = asyncio.create_task(faults.rage(chosen))
        kinds, room = random.Random(self._storm.seed), asyncio.Semaphore(self._storm.at_once)
        order = [*self._storm.kinds, *kinds.choices(self._storm.kinds, k=self._storm.jobs)][: self._storm.jobs]
        until = time.monotonic() + self._storm.seconds
        lasting = asyncio.gather(*(self._last(kind, room, until) for kind in order))
        while not (lasting.done() or raging.done()) and time.monotonic() < until:
            await asyncio.sleep(LOOK)
        raging.cancel()
        with suppress(asyncio.CancelledError):
            await raging
        await lasting
        self._report.problems += [f"{faults.ended} workers have ended by themselves"] * bool(faults.ended)

    async def _last(self, kind: Kind, room: asyncio.Semaphore, until: float) -> None:
        async with room:
            if time.monotonic() > until:
                return
            job = self._jobs.new(kind)
            self._open[job.id] = job
            if local := self._world.storages[job.kind.target].local:
                self._readers.watch(local / job.folder, self._expected[job.kind.name])
            await self._submit(job)
            await self._end(job)
            del self._open[job.id]

    async def _submit(self, job: Submitted) -> None:
        while True:
            with suppress(RPCError):
                await self._client.start_workflow(
                    "EncodingJob", job.description, id=job.id, task_queue="encoding", rpc_timeout=ANSWER
                )
                return
            with suppress(RPCError, WorkflowAlreadyStartedError):
                await self._client.get_workflow_handle(job.id).describe(rpc_timeout=ANSWER)
                return
            await asyncio.sleep(LOOK)

    async def _end(self, job: Submitted) -> None:
        """Wait until the run has closed, also where the server is away meanwhile."""
        handle = self._client.get_workflow_handle(job.id)
        while True:
            with suppress(RPCError):
                status = (await handle.describe(rpc_timeout=ANSWER)).status
                if status is not WorkflowExecutionStatus.RUNNING:
                    break
            await asyncio.sleep(LOOK)
        self._report.jobs[job.kind.name] += 1
        self._ended.append((job, handle))

    def _files(self, job: Submitted) -> dict[str, bytes]:
        return self._world.storages[job.kind.target].files(job.folder)

    async def _keep_telling(self, begun: float) -> None:
        while True:
            await asyncio.sleep(TELL)
            self._tell(
                f"{time.monotonic() - begun:4.0f} s: {len(self._ended) - len(self._storm.kinds)} of {self._storm.jobs} "
                f"jobs ended, {len(self._open)} open; {self._report.faults.total()} faults"
            )

    async def _check(self, observer: Observer) -> None:
        report, world = self._report, self._world
        told = await asyncio.to_thread(self._stories)
        for job, handle in self._ended:
            found = [*await _outcome(handle), *told[job.id].problems()]
            found += differences(digests(self._files(job), job.kind.cenc), self._expected[job.kind.name])
            report.problems += [f"{job.kind.name} {job.id}: {text}" for text in found]
            report.repeats += told[job.id].repeats
            report.events += sum(len(story) for story in told[job.id].stories.values()) - told[job.id].repeats.total()
        report.problems += await self._left()
        report.looks = self._readers.looks
        report.problems += sorted(self._readers.problems)
        histories = "".join([await history_of(handle) for _, handle in self._ended])
        seen = {
            "a history": histories,
            "the events": json.dumps([each.stories for each in told.values()]),
            "the arguments of a process": "\n".join(observer.arguments),
            **{f"the log of worker {number}": worker.log for number, worker in enumerate(world.workers)},
        }
        report.problems += leaks(seen, [*world.secrets, KEY])
        report.problems += _unforeseen(worker.log for worker in world.workers)

    def _stories(self) -> dict[str, Told]:
        """Of all jobs, by JobId, as far as the transports keep the order in which events came."""
        told = {job.id: Told({name: [] for name in job.kind.publishers}) for job, _ in self._ended}
        world = self._world
        arrived = {
            "RabbitMQ": [body for _, body in world.rabbitmq.drain(QUEUE)],
            "AmazonSqs": [json.loads(message["Body"]) for message in world.sqs.drain(world.queue_url)],
            "AzureServiceBusQueue": [json.loads(each.body) for each in world.bus.drain(QUEUE, world.bus.kept())],
            "Files": _in_files(world.storages["files"].files("events")),
            "Ftps": _in_files(world.storages["ftp"].files("events")),
        }
        for transport, events in arrived.items():
            for event in events:
                told[event["JobId"]].stories[transport].append(event)
        return told

    async def _left(self) -> list[str]:
        """Processes and files of jobs, of which none runs any more."""
        until = time.monotonic() + SETTLE
        while (left := self._leftovers()) and time.monotonic() < until:
            await asyncio.sleep(LOOK)
        return left

    def _leftovers(self) -> list[str]:
        world = self._world
        uploads = _unfinished(world.s3)
        self._report.unknown_uploads = sum(not parts for parts in uploads.values())
        return [
            *(f"still running: {line}" for line in left_behind(world.work)),
            *(
                f"still there: {path} with {[inside.name for inside in path.rglob('*')][:5]}"
                for path in world.work.iterdir()
                if path.name != STORE_NOTES
            ),
            *(f"unfinished upload: {name}, {parts} parts" for name, parts in uploads.items() if parts),
        ]


def _unfinished(s3: S3) -> dict[str, int]:
    """Uploads in parts: how many parts each has, by name."""
    begun = s3.client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])
    ids = {upload["Key"]: upload["UploadId"] for upload in begun}
    asked = {name: s3.client.list_parts(Bucket=s3.bucket, Key=name, UploadId=id_) for name, id_ in ids.items()}
    return {name: len(answer.get("Parts", [])) for name, answer in asked.items()}


async def _outcome(handle: Handle) -> list[str]:
    status = (await handle.describe()).status
    if status is not WorkflowExecutionStatus.COMPLETED:
        return [f"ended as {status.name if status else '?'}"]
    result = await handle.result()
    return [f"undelivered: {result['Undelivered']}"] if result["Undelivered"] else []


def _in_files(files: dict[str, bytes]) -> Story:
    """By name, as consumers sort them; progress behind the event that it follows."""
    events = [json.loads(content) for name, content in files.items() if name.endswith(".json")]
    return sorted(events, key=lambda event: (event["SequenceNumber"], event.get("Progress", -1)))


def _unforeseen(logs: Any) -> list[str]:
    """Errors that no code of ours expects."""
    told = [line.partition("unexpected error") for log in logs for line in log.splitlines()]
    errors = Counter(f"{sign}{rest[:300]}" for _, sign, rest in told if sign)
    return [f"{count} x {error}" for error, count in errors.items()]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"
