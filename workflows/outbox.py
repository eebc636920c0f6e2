"""The job's events on their way out: one first-in-first-out lane per publisher, inside the workflow.

The workflow's history is the outbox: an event exists once the workflow has decided it, and its lane keeps it until the
publisher has confirmed it. A lane whose receiver is down holds nobody else's. Progress travels in the lane as well, as
a `Watching` between the event that opens its phase and the one that closes it: it can leave at no other time.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from activities.notify import REPORT_INTERVAL, PublishRequest, Watch, check_receivers, publish_events
from activities.report import Reported, ReportRequest, report_progress
from publishers.config import MessagePublisher
from publishers.events import Body, FinalError, Message, Sender, message
from workflows.lifecycle import WatchPlan, reason
from workflows.markdown import summary
from workflows.options import HEARTBEAT_TIMEOUT, PROGRESS_QUEUE

BATCH_EVENTS = 50
# The server keeps trying as long as the run is open; the drain at its end has the deadline.
FOREVER = timedelta(days=365)
PUBLISH_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
CHECK_TIMEOUT = timedelta(minutes=2)
LATE_REPORTERS = "reporters-begin-late"
"""Runs from before start a reporter for every phase, however short."""


@dataclass
class Watching:
    """A phase's progress in the lanes."""

    watch: Watch
    lasts: bool = False
    """The phase has gone on for so long that its progress is worth telling."""
    over_at: datetime | None = None
    completed: bool = False
    """The phase is over because it succeeded."""

    async def age(self) -> None:
        """Wait until the phase lasts, or is over."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.over_at is not None, timeout=REPORT_INTERVAL)
        self.lasts = True


class Lane:
    """Everything that one publisher still has to get, in order.

    Args:
        publisher: None is the workflow's own lane: it gets progress for the UI and nothing else.
    """

    def __init__(self, publisher: MessagePublisher | None) -> None:
        self.publisher = publisher
        self.items: list[Message | Watching] = []
        self.failure: str | None = None
        self.pump = asyncio.create_task(self._pump())

    @property
    def address(self) -> str:
        """For people: where it leads."""
        return self.publisher.address if self.publisher else "Temporal UI"

    @property
    def pending(self) -> int:
        """Lifecycle events that are not confirmed yet."""
        return sum(isinstance(item, Message) and item.progress is None for item in self.items)

    @property
    def state(self) -> str:
        """`Failed`, `Sending` or `Idle`."""
        if self.failure:
            return "Failed"
        return "Sending" if self.pending else "Idle"

    def put(self, item: Message | Watching) -> None:
        """Queue an event or a watch, where this lane carries such."""
        if self.publisher is None:
            wanted = isinstance(item, Watching)
        else:
            wanted = isinstance(item, Message) or item.watch.event is not None
        if wanted and not (self.failure and isinstance(item, Watching)):
            self.items.append(item)

    async def _pump(self) -> None:
        try:
            await self._carry()
        except Exception as error:  # noqa: BLE001 - nobody awaits a pump: without this, the drain would wait for it
            self.give_up(f"unexpected error ({type(error).__name__})", error)

    async def _carry(self) -> None:
        while not self.failure:
            await workflow.wait_condition(lambda: bool(self.items))
            head = self.items[0]
            if isinstance(head, Watching):
                self.items[0:1] = await self._report(head)
            elif self.publisher:
                await self._publish(self.publisher, self._batch())

    def _batch(self) -> list[Message]:
        batch: list[Message] = []
        for item in self.items:
            if isinstance(item, Watching) or len(batch) == BATCH_EVENTS:
                break
            batch.append(item)
        return batch

    async def _publish(self, publisher: MessagePublisher, batch: list[Message]) -> None:
        names = ", ".join(event.event_type for event in batch)
        try:
            await workflow.execute_activity(
                publish_events,
                PublishRequest(publisher, batch),
                start_to_close_timeout=FOREVER,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                retry_policy=PUBLISH_RETRY,
                summary=summary(f"{names} to {self.address}"),
            )
        except ActivityError as error:
            self.give_up(reason(error))
        else:
            del self.items[: len(batch)]

    def give_up(self, why: str, error: Exception | None = None) -> None:
        """Deliver nothing more; `why` is for people."""
        self.failure = why
        workflow.logger.error("gave up %s: %s", self.address, why, exc_info=error)

    async def _report(self, watching: Watching) -> list[Message]:
        """Let progress flow until the phase is over; returns the last progress event where it is still due."""
        reported = Reported()
        if not watching.lasts:
            await workflow.wait_condition(lambda: watching.lasts)
        if watching.over_at is None:
            reporter = workflow.start_activity(
                report_progress,
                ReportRequest(watching.watch, self.publisher),
                task_queue=PROGRESS_QUEUE,
                start_to_close_timeout=FOREVER,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=summary(f"progress of {watching.watch.phase} to {self.address}"),
            )
            await workflow.wait_condition(lambda: watching.over_at is not None)
            reporter.cancel()
            try:
                reported = await reporter
            except ActivityError as error:
                workflow.logger.warning("progress to %s ended early: %s", self.address, reason(error))
        return self._last_progress(watching, reported)

    def _last_progress(self, watching: Watching, reported: Reported) -> list[Message]:
        """100 percent, once, unless something was reported less than a second before the end."""
        over_at = watching.over_at or workflow.now()
        recent = over_at.timestamp() - reported.at < REPORT_INTERVAL
        if not self.publisher or not watching.completed or recent or reported.percent == 100:  # noqa: PLR2004
            return []
        return [watching.watch.message(100, over_at)]


class Outbox:
    """All lanes of a job, and the log of its events."""

    def __init__(self, sender: Sender, publishers: list[MessagePublisher]) -> None:
        self.sender = sender
        self.log: list[Message] = []
        """Every lifecycle event, and the 100 percent of every phase that has come to it."""
        self._count = 0
        self.lanes = [Lane(publisher) for publisher in publishers]
        self.watching: Watching | None = None
        self._own_lane = Lane(None)

    async def check(self) -> list[str]:
        """What would keep events from arriving, found before the first one leaves; it holds nothing up."""
        try:
            return await workflow.execute_activity(
                check_receivers,
                [lane.publisher for lane in self.lanes if lane.publisher],
                schedule_to_close_timeout=CHECK_TIMEOUT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary="see whether events can be delivered",
            )
        except ActivityError as error:
            return [f"the receivers of events could not be checked: {reason(error)}"]

    def emit(self, body: Body, then: WatchPlan | None = None) -> None:
        """Decide an event: it ends the progress of the phase before it, and starts that of the phase `then`."""
        self._end_watch(completed=not isinstance(body, FinalError))
        self._count += 1
        event = message(self.sender, self._count, workflow.now(), body)
        self.log.append(event)
        self._put(event)
        if then:
            self.watch(then)

    def watch(self, plan: WatchPlan) -> None:
        """Start the progress of a phase, where no event stands before it."""
        watch = Watch(
            phase=plan.phase,
            event=plan.event,
            sender=self.sender,
            sequence_number=self._count,
            started=plan.started or workflow.now(),
            shares=plan.shares,
            film_seconds=plan.film_seconds,
            whole=plan.whole,
        )
        self.watching = Watching(watch, lasts=not workflow.patched(LATE_REPORTERS))
        if not self.watching.lasts:
            self._aging = asyncio.create_task(self.watching.age())
        self._put(self.watching)

    def _end_watch(self, *, completed: bool) -> None:
        if self.watching:
            self.watching.completed = completed
            self.watching.over_at = workflow.now()
            if completed and self.watching.watch.event:
                self.log.append(self.watching.watch.message(100, workflow.now()))
            self.watching = None

    def _put(self, item: Message | Watching) -> None:
        for lane in [*self.lanes, self._own_lane]:
            lane.put(item)

    async def drain(self, deadline: timedelta) -> None:
        """Wait until every lane is empty or has failed, at most for `deadline`."""
        lanes = [*self.lanes, self._own_lane]
        try:
            await workflow.wait_condition(
                lambda: all(lane.failure or not lane.items for lane in lanes), timeout=deadline
            )
        except TimeoutError:
            for lane in lanes:
                if lane.items and not lane.failure:
                    lane.give_up(f"not reached within {deadline}")
