"""The way out for events: lifecycle events in order and confirmed, progress read from the heartbeats.

A `Watch` says which activities make up a phase. Their progress stays in their heartbeats at the server; whoever wants
to know it (a publisher's lane, the workflow itself, the command line) describes the run and lets a `Meter` add it up.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowExecutionDescription, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.heartbeat import Progress, beating, last_progress
from activities.secrets import SecretError, revealed
from publishers import check, publish
from publishers.base import PublishError, Unavailable
from publishers.config import MessagePublisher
from publishers.events import AcquisitionProgress, Body, EncodingProgress, Message, Sender, message

REPORT_INTERVAL = 1.0
"""Seconds between two progress events of a job, at least."""
BEAT_INTERVAL = 0.05
"""Seconds between two beats of a run's reporters, in turn: each learns after as many that its phase is over. The server
takes the beats of a run one by one, and the run's own tasks wait behind them."""
BEATS = 200
"""Beats a second of all reporters of a worker together, about: with many jobs, each beats less often."""
RECONNECT_INTERVAL = 5.0
"""Seconds between two attempts to reach a receiver for progress alone."""
REFUSALS = 5
"""Attempts after which a receiver that says no is given up."""
PROGRESS_SIGNAL = "progress_reported"
SIGNAL_STEP = 10
"""Percent points between two signals to the workflow: they cost history, events to publishers do not."""

PROGRESS_EVENTS: dict[str, type[AcquisitionProgress] | type[EncodingProgress]] = {
    "AcquisitionProgress": AcquisitionProgress,
    "EncodingProgress": EncodingProgress,
}


@dataclass(frozen=True)
class PublishRequest:
    """A batch for one publisher, in order."""

    publisher: MessagePublisher
    messages: list[Message]


@activity.defn
async def publish_events(request: PublishRequest) -> None:
    """Hand over each event in turn; a retry goes on behind the last one that was confirmed."""
    confirmed = Progress(last_progress().done, len(request.messages))
    meter = activity.metric_meter().with_additional_attributes({"transport": request.publisher.type})
    delivered = meter.create_counter("encoding_events_delivered", "Events that a receiver has confirmed.")
    failed = meter.create_counter("encoding_events_failed", "Attempts to deliver that failed, by kind of error.")
    try:
        to = revealed(request.publisher)
        async with beating(confirmed):
            for event in request.messages[int(confirmed.done) :]:
                await publish(to, event)
                confirmed.done += 1
                delivered.add(1)
    except (PublishError, SecretError) as error:
        failed.add(1, {"error": type(error).__name__})
        activity.logger.warning("%s: %s", request.publisher.address, error)
        given_up = not isinstance(error, Unavailable) and activity.info().attempt >= REFUSALS
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=given_up) from None


@activity.defn
async def check_receivers(publishers: list[MessagePublisher]) -> list[str]:
    """What would keep events from arriving, as far as it shows without sending one; a line per receiver."""
    errors = await asyncio.gather(*(_checked(publisher) for publisher in publishers))
    return [error for error in errors if error]


async def _checked(publisher: MessagePublisher) -> str | None:
    try:
        await check(revealed(publisher))
    except (PublishError, SecretError) as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Share:
    """One activity's part in a phase."""

    activity_id: str
    weight: float


@dataclass(frozen=True)
class Watch:
    """A phase whose progress can be read from heartbeats, in the order in which its activities are scheduled."""

    phase: str
    event: str | None
    """The progress event it is told by; None = it shows in the UI alone."""
    sender: Sender
    sequence_number: int
    started: datetime
    shares: list[Share]
    film_seconds: float = 0.0
    whole: Share | None = None
    """Does anew what its parts have done, if it has to be."""

    def body(self, percent: int, now: datetime) -> Body:
        """The progress event for `percent`."""
        if self.event != EncodingProgress.__name__:
            return AcquisitionProgress(progress=percent)
        elapsed = (now - self.started).total_seconds()
        return EncodingProgress(
            progress=percent,
            speed_factor=round(self.film_seconds * percent / 100 / elapsed, 2) if elapsed > 0 else None,
            remaining_seconds=self.remaining_seconds(percent, now),
        )

    def remaining_seconds(self, percent: int, now: datetime) -> int | None:
        """Time left if the rest goes like the part that is done; None before anything is done."""
        elapsed = (now - self.started).total_seconds()
        return round(elapsed * (100 - percent) / percent) if percent else None

    def message(self, percent: int, now: datetime) -> Message:
        """The progress event, ready to be sent."""
        return message(self.sender, self.sequence_number, now, self.body(percent, now))


class Meter:
    """Adds up a phase's heartbeats to one percent that never falls."""

    def __init__(self, watch: Watch, percent: int = 0) -> None:
        self.watch = watch
        self.percent = percent
        self._waiting: set[str] = set()
        """Activities that no worker had begun when they were seen last."""

    async def read(self, handle: WorkflowHandle[Any, Any]) -> int:
        """Ask the server, and return the percent (0-100)."""
        description = await handle.describe()
        pending = await _pending(description)
        self._waiting = (self._waiting - pending.keys()) | _waiting(description)
        total = sum(share.weight for share in self.watch.shares)
        self.percent = max(self.percent, int(100 * self._done(pending) / total))
        return self.percent

    def _done(self, pending: dict[str, float]) -> float:
        """Of the weight of all."""
        whole = self.watch.whole
        if whole and whole.activity_id in pending:
            return whole.weight * pending[whole.activity_id]
        order = [share.activity_id for share in self.watch.shares]
        # Only pending activities are described: one that is scheduled before a pending one and is not there is done,
        # unless it has come back undone, as pieces of a film do that no worker has begun.
        reached = max((order.index(id_) for id_ in pending if id_ in order), default=0)
        back = {id_ for id_ in self._waiting if _kind(id_) == _kind(order[reached])}
        gone = [float(place < reached and id_ not in back) for place, id_ in enumerate(order)]
        return sum(share.weight * pending.get(share.activity_id, gone[n]) for n, share in enumerate(self.watch.shares))


def _kind(activity_id: str) -> str:
    return activity_id.rpartition("-")[0]


def _waiting(description: WorkflowExecutionDescription) -> set[str]:
    pending = description.raw_description.pending_activities
    return {info.activity_id for info in pending if info.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED}


async def _pending(description: WorkflowExecutionDescription) -> dict[str, float]:
    """By activity, the share that is done."""
    converter = description.data_converter
    return {
        info.activity_id: (await converter.decode(info.heartbeat_details.payloads, [Progress]))[0].share
        if info.heartbeat_details.payloads
        else 0.0
        for info in description.raw_description.pending_activities
    }


@dataclass(frozen=True)
class ReportRequest:
    """What to watch, and whom to tell."""

    watch: Watch
    publisher: MessagePublisher | None
    """None = the workflow itself, by signal, in coarse steps."""


@dataclass(frozen=True)
class Reported:
    """The last progress event that was sent."""

    percent: int = 0
    at: float = 0.0
    """Unix time; 0 = none was sent"""


@dataclass(frozen=True)
class EventLog:
    """What a run answers to the query `events`."""

    events: list[Message]
    watch: Watch | None
    """The phase whose progress can be read now."""


@dataclass(frozen=True)
class Milestone:
    """What the workflow is told about a phase in progress."""

    percent: int
    remaining_seconds: int | None


_reporting: Counter[str] = Counter()
"""How many reporters each run has on this worker."""


@activity.defn
async def report_progress(request: ReportRequest) -> Reported:
    """Tell the percent of a phase whenever it has changed, until cancelled."""
    reporter = _Reporter(request)
    task, cancelled = asyncio.create_task(reporter.run()), None
    run = str(activity.info().workflow_run_id)
    _reporting[run] += 1
    task.add_done_callback(lambda _: _ended(run))
    while not task.done():
        activity.heartbeat(Progress(reporter.meter.percent, 100))
        try:
            await asyncio.wait([task], timeout=max(_reporting[run] * BEAT_INTERVAL, _reporting.total() / BEATS))
        except asyncio.CancelledError as error:
            # A send that has begun is finished: cut off, it could arrive behind the phase's closing event.
            cancelled = error
            reporter.stop.set()
    await task
    if cancelled and activity.is_worker_shutdown():
        raise cancelled
    return Reported(reporter.told, reporter.sent_at)


def _ended(run: str) -> None:
    _reporting[run] -= 1
    if not _reporting[run]:
        del _reporting[run]


class _Reporter:
    def __init__(self, request: ReportRequest) -> None:
        info = activity.info()
        self.handle = activity.client().get_workflow_handle(str(info.workflow_id), run_id=info.workflow_run_id)
        self.meter = Meter(request.watch, int(last_progress().done))
        self.publisher = request.publisher
        self.told = self.meter.percent
        self.sent_at = 0.0
        self.stop = asyncio.Event()

    async def run(self) -> None:
        while not await self._pause(REPORT_INTERVAL):
            if not await self._risen(1 if self.publisher else SIGNAL_STEP):
                continue
            try:
                await (self._publish(self.publisher) if self.publisher else self._signal())
            except (PublishError, SecretError):
                # Progress may be dropped: a receiver that is down is simply asked again a little later.
                await self._pause(RECONNECT_INTERVAL)

    async def _publish(self, to: MessagePublisher) -> None:
        self.sent_at = time.time()
        await publish(revealed(to), self.meter.watch.message(self.told, datetime.now(UTC)))

    async def _signal(self) -> None:
        remaining = self.meter.watch.remaining_seconds(self.told, datetime.now(UTC))
        await self.handle.signal(PROGRESS_SIGNAL, Milestone(self.told, remaining))

    async def _risen(self, step: int) -> bool:
        percent = await self.meter.read(self.handle)
        if percent < self.told + step:
            return False
        self.told = percent
        return True

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether it is time to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)
        return self.stop.is_set()
