"""Progress on its way out, while a phase goes on: read from the heartbeats, never falling, and gone when it is over."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.heartbeat import Progress, last_detail, last_progress
from activities.notify import PROGRESS_SIGNAL, REPORT_INTERVAL, Meter, Milestone, Pending, Watch, pending_in
from activities.secrets import SecretError, revealed
from activities.server import own_run, server_clock
from publishers import publish
from publishers.base import PublishError
from publishers.config import MessagePublisher

BEAT_INTERVAL = 0.05
"""Seconds between two beats of a run's reporters, in turn, when one of them may have to stop: the answer to a beat says
so. The server takes the beats of a run one by one, and the run's own tasks wait behind them."""
HURRY = 1.0
"""Seconds for which a run's reporters beat so often, from when its history tells that one of them has to stop."""
CALM = 3.0
"""Seconds between two beats at other times, or more."""
MISSES = 3
"""Beats that the server expects of a reporter in vain, before it takes it for dead."""
BEATS, LOOKS = 20, 10
"""A second, of all reporters of a worker together, about: with many jobs, each beats and looks less often. Each beat is
a write at the server, as each step of a job is: a thousand jobs would else tell of progress that they do not make."""
PATIENCE = 10
"""Times as long as the server takes to answer, reporters wait before they ask again: a busy one is asked less."""
PLACES = 200
"""Reporters at once on a worker, each run of which has its history followed: a request that the server holds open."""
TURN, REST = 30.0, 30.0
"""Seconds after which a reporter leaves its place to others where none is left; and for how long."""
LEASE = 4
"""Percent that a reporter may tell without a beat: fewer beats, and a gap of so many where it dies."""
FRESH_SECONDS = 5.0
"""After which a percent is told no more: less than the time after which a reporter that stands still is replaced, since
what it told then could stand behind the end of the phase, or behind a larger percent."""
RECONNECT_INTERVAL = 5.0
"""Seconds between two attempts to reach a receiver for progress alone."""
SIGNAL_STEP = 10
"""Percent points between two signals to the workflow: they cost history, events to publishers do not."""


@dataclass(frozen=True)
class ReportRequest:
    """What to watch, and whom to tell."""

    watch: Watch
    publisher: MessagePublisher | None
    """None = the workflow itself, by signal, in coarse steps."""


@dataclass(frozen=True)
class Reported:
    """The last progress event that is known to have arrived."""

    percent: int = 0
    at: float = 0.0
    """Unix time of the server; 0 = none was sent"""


@dataclass
class _Run:
    """A run with reporters on this worker, which share their looks at the server."""

    reporters: int = 0
    pending: Pending = field(default_factory=Pending)
    """At the newest look."""
    looked_at: float = 0.0
    took: float = 0.0
    """Seconds of the newest look."""
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    following: "asyncio.Task[None] | None" = None
    is_followed: bool = False
    hurried_at: float = 0.0
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Let reporters beat often as soon as one of them has to stop; as long as nobody can tell, all the time."""
        while True:
            with suppress(RPCError):
                self.is_followed = True
                async for event in handle.fetch_history_events(wait_new_event=True):
                    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
                        self.hurried_at = time.monotonic()
                        self.hurried.set()
            self.is_followed = False
            await asyncio.sleep(RECONNECT_INTERVAL)

    async def until_next_beat(self, reporting: "asyncio.Task[None]") -> None:
        """Wait, until one of the reporters has to stop at the longest, or this one has ended."""
        if not self.is_followed or time.monotonic() - self.hurried_at < HURRY:
            await asyncio.wait([reporting], timeout=_often_enough(self.hasty_interval))
            return
        self.hurried.clear()
        hurried = asyncio.ensure_future(self.hurried.wait())
        try:
            timeout = _often_enough(max(CALM, self.crowd_interval))
            await asyncio.wait([reporting, hurried], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurried.cancel()

    async def look(self, handle: WorkflowHandle[Any, Any]) -> Pending:
        async with self.looking:
            begun = time.monotonic()
            if begun - self.looked_at > self.look_interval / 2:
                self.pending = await pending_in(await handle.describe())
                self.looked_at = time.monotonic()
                self.took = self.looked_at - begun
        return self.pending

    @property
    def look_interval(self) -> float:
        return max(REPORT_INTERVAL, len(_runs) / LOOKS, PATIENCE * self.took)

    @property
    def crowd_interval(self) -> float:
        return max(_everybody() / BEATS, PATIENCE * self.took)

    @property
    def hasty_interval(self) -> float:
        own = self.reporters * BEAT_INTERVAL
        return max(own, self.took) if self.is_followed else max(own, self.crowd_interval)


_runs: defaultdict[str, _Run] = defaultdict(_Run)


@activity.defn
async def report_progress(request: ReportRequest) -> Reported:
    """Tell the percent of a phase whenever it has changed, until cancelled."""
    handle = own_run()
    with _reporting(handle) as run:
        reporter = _Reporter(request, run, handle)
        task, cancelled = asyncio.create_task(reporter.run()), None
        while not task.done():
            reporter.beat()
            try:
                await run.until_next_beat(task)
            except asyncio.CancelledError as error:
                # A send that has begun is finished: cut off, it could arrive behind the phase's closing event.
                cancelled = error
                reporter.stop.set()
        await task
    if cancelled and activity.is_worker_shutdown():
        raise cancelled
    return reporter.sent


def _rest() -> ApplicationError:
    """Takes the activity back to its queue; its last beat stays."""
    return ApplicationError(
        "others have the place meanwhile",
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=timedelta(seconds=REST),
    )


def _often_enough(interval: float) -> float:
    """At most so long that the server does not take the reporter for dead."""
    allowed = activity.info().heartbeat_timeout
    return min(interval, allowed.total_seconds() / MISSES) if allowed else interval


def _everybody() -> int:
    return sum(run.reporters for run in _runs.values())


@contextmanager
def _reporting(handle: WorkflowHandle[Any, Any]) -> Iterator[_Run]:
    run = _runs[str(handle.run_id)]
    run.reporters += 1
    if not run.following:
        run.following = asyncio.create_task(run.follow(handle))
    try:
        yield run
    finally:
        run.reporters -= 1
        if not run.reporters:
            del _runs[str(handle.run_id)]
            run.following.cancel()


class _Reporter:
    def __init__(self, request: ReportRequest, of: _Run, handle: WorkflowHandle[Any, Any]) -> None:
        self.of = of
        self.handle = handle
        waiting: list[str] = last_detail([])
        self.meter = Meter(request.watch, int(last_progress().done), waiting)
        self.publisher = request.publisher
        self.told = self.leased = self.meter.percent
        self.sent = Reported()
        self.now = server_clock()
        self.began_at = time.monotonic()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        while not self.stop.is_set():
            await self._tell_news()
            if time.monotonic() - self.began_at > TURN and _everybody() >= PLACES:
                raise _rest()
            await self._pause(self.of.look_interval)

    def beat(self) -> None:
        """Tell the server up to where this reporter may have come, should it die: the next one begins behind that."""
        activity.heartbeat(Progress(self.leased, 100), sorted(self.meter.waiting))

    async def _tell_news(self) -> None:
        try:
            pending, info = await self.of.look(self.handle), activity.info()
            if pending.attempts.get(info.activity_id) != info.attempt:
                return  # it has stood still, and another one tells the phase, or the phase is over
            percent = self.meter.take(pending)
            if percent >= self.told + (1 if self.publisher else SIGNAL_STEP):
                await self._tell(percent)
        except (PublishError, SecretError, RPCError):
            # Progress may be dropped: a receiver, or a server, that is away is simply asked again a little later.
            await self._pause(RECONNECT_INTERVAL)

    async def _tell(self, percent: int) -> None:
        if percent > self.leased:
            self.leased = min(percent + LEASE, 100)
            self.beat()
        now = self.now()
        await (self._publish(self.publisher, percent, now) if self.publisher else self._signal(percent, now))
        self.told, self.sent = percent, Reported(percent, now.timestamp())

    async def _publish(self, to: MessagePublisher, percent: int, now: datetime) -> None:
        await publish(revealed(to), self.meter.watch.message(percent, now), within=FRESH_SECONDS)

    async def _signal(self, percent: int, now: datetime) -> None:
        watch = self.meter.watch
        milestone = Milestone(percent, watch.remaining_seconds(percent, now), watch.phase)
        await self.handle.signal(PROGRESS_SIGNAL, milestone)

    async def _pause(self, seconds: float) -> None:
        """Wait, or until it is time to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
