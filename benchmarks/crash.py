"""A film as a job, undisturbed and with a worker that is killed at half time, beside the commands of others."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table
from temporalio.client import WorkflowHandle

from activities.plan import GOP, PRESETS, Plan, video_renditions
from activities.processing import ContentProcessing
from benchmarks.commands import peers
from benchmarks.overhead import picture_of
from tests.integration.service import Service, running
from workflows.embedded import embedded_server
from workflows.options import HEARTBEAT_TIMEOUT

GOAL = "Quality"
"""Its preset is Shaka Streamer's, who has no other."""
CHUNK = "encode_chunk"
BESIDE = ("publish_events", "report_progress")
"""Tell of the work."""

Run = Callable[[Path, float | None], Awaitable[float]]


@dataclass(frozen=True)
class Step:
    """An activity, as the history of a run tells it; of several attempts the last."""

    kind: str
    scheduled: float
    """As `time.time()`, like the other two."""
    started: float
    ended: float
    attempt: int


@dataclass
class Contender:
    """Who encodes the film, and the seconds of each round."""

    name: str
    run: Run
    whole: list[float] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)


class Ours:
    """The service, whose worker is a process of its own; the server goes on."""

    name = "the service"

    def __init__(self, service: Service, source: Path, processing: dict[str, Any]) -> None:
        self._service = service
        self._processing = processing
        self._source = service.source(source)
        self.steps: list[Step] = []
        """Of the last run that nobody disturbed."""
        self.ended = 0.0
        self.idle: list[float] = []
        """Seconds in which nothing was left to do but to wait for a heartbeat that did not come."""

    async def run(self, _: Path, kill_after: float | None) -> float:
        """As a `Peer`."""
        begun, killed = time.perf_counter(), 0.0
        handle = await self._service.submit(self._job())
        if kill_after is not None:
            await asyncio.sleep(kill_after)
            killed = time.time()
            self._service.kill()
            await asyncio.to_thread(self._service.start)
        await handle.result()
        seconds = time.perf_counter() - begun
        steps, ended = await _told(handle)
        if kill_after is None:
            self.steps, self.ended = steps, ended
        else:
            self.idle.append(_idle(steps, killed))
        return seconds

    def _job(self) -> dict[str, Any]:
        sections = {"MediaMappings": {"FailOnNoAudioTracks": False}, "ContentProcessing": self._processing}
        return self._service.job(self._source, **sections)


async def measure(
    scratch: Path, source: Path, ladder: list[dict[str, int]], rounds: int, bars: Progress
) -> list[Table]:
    """Wall time of each, alternating; each is killed when half of its own time is over."""
    processing = {"OutputFormat": ["Dash"], "OptimizeFor": GOAL, "VideoRepresentations": ladder}
    video, asked = await picture_of(source), ContentProcessing.model_validate(processing)
    planned = Plan(video_renditions(video, asked), gop_seconds=GOP, preset=PRESETS["H264"][GOAL])
    async with embedded_server(scratch / "temporal") as server:
        (scratch / "service").mkdir()
        with running(scratch / "service", server.address) as service:
            ours = Ours(service, source, processing)
            others = [Contender(peer.name, peer.run) for peer in peers(source, planned)]
            contenders = [Contender(ours.name, ours.run), *others]
            task = bars.add_task("undisturbed, and killed", total=2 * rounds * len(contenders))
            for number in range(rounds):
                for place, each in enumerate(contenders):
                    folder = scratch / f"crash-{number}-{place}"
                    each.whole.append(await each.run(folder, None))
                    bars.advance(task)
                    each.killed.append(await each.run(folder.with_name(f"{folder.name}-killed"), each.whole[-1] / 2))
                    bars.advance(task)
    title = f"crash: {video.duration:.0f} s of {video.height}p in {len(ladder)} renditions, {GOAL}, medians of {rounds}"
    return [_compared(contenders, ours, title), _phases(ours)]


async def _told(handle: WorkflowHandle[Any, Any]) -> tuple[list[Step], float]:
    """The activities of a run that has ended, and when that was."""
    kinds: dict[int, tuple[str, float]] = {}
    began: dict[int, tuple[float, int]] = {}
    steps, moment = list[Step](), 0.0
    async for event in handle.fetch_history_events():
        moment = event.event_time.ToMilliseconds() / 1000
        scheduled = event.activity_task_scheduled_event_attributes
        started = event.activity_task_started_event_attributes
        completed = event.activity_task_completed_event_attributes
        if scheduled.activity_id:
            kinds[event.event_id] = scheduled.activity_type.name, moment
        elif started.scheduled_event_id:
            began[started.scheduled_event_id] = moment, started.attempt
        elif completed.scheduled_event_id:
            number = completed.scheduled_event_id
            steps.append(Step(*kinds[number], began[number][0], moment, began[number][1]))
    return steps, moment


def _idle(steps: list[Step], killed: float) -> float:
    """From the last chunk that ended before the first repeated one began, unless one was still being encoded."""
    chunks = [step for step in steps if step.kind == CHUNK]
    again = min((step.started for step in chunks if step.attempt > 1), default=killed)
    others = [step for step in chunks if step.attempt == 1 and step.started < again]
    before = max((step.ended for step in others), default=killed)
    return max(0.0, again - max(before, killed))


def _compared(contenders: list[Contender], ours: Ours, title: str) -> Table:
    table = Table("who", "undisturbed s", "of ours", "killed at half time s", "of undisturbed", title=title)
    own = statistics.median(contenders[0].whole)
    for each in contenders:
        whole, killed = statistics.median(each.whole), statistics.median(each.killed)
        table.add_row(each.name, f"{whole:.1f}", f"{whole / own:.2f}", f"{killed:.1f}", f"{killed / whole:.2f}")
    killed = statistics.median(seconds - idle for seconds, idle in zip(contenders[0].killed, ours.idle, strict=True))
    waited = f"without {statistics.median(ours.idle):.1f} s of waiting for the heartbeat timeout"
    table.add_row(f"… {waited} ({HEARTBEAT_TIMEOUT.seconds} s)", "", "", f"{killed:.1f}", f"{killed / own:.2f}")
    return table


def _phases(ours: Ours) -> Table:
    """Of the last undisturbed run."""
    last = max(step.ended for step in ours.steps if step.kind == CHUNK)
    behind = [step for step in ours.steps if step.ended > last and step.kind not in BESIDE]
    table = Table("phase", "s", title="crash: from the end of the last chunk to the end of the job, behind JobSuccess")
    for step in sorted(behind, key=lambda step: step.ended):
        table.add_row(step.kind, f"{step.ended - max(step.scheduled, last):.2f}")
    total = ours.ended - last
    table.add_row("between them: decisions and events", f"{total - _busy(behind, last):.2f}")
    table.add_row("all", f"{total:.2f}")
    return table


def _busy(steps: list[Step], since: float) -> float:
    """Seconds since then in which one of them was under way: several may be at once."""
    seconds, until = 0.0, since
    for step in sorted(steps, key=lambda step: step.scheduled):
        seconds += max(0.0, step.ended - max(step.scheduled, until))
        until = max(until, step.ended)
    return seconds
