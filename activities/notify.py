"""The way out for events: lifecycle events in order and confirmed, progress read from the heartbeats.

A `Watch` says which activities make up a phase. Their progress stays in their heartbeats at the server; whoever wants
to know it (a publisher's lane, the workflow itself, the command line) describes the run and lets a `Meter` add it up.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowExecutionDescription, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.heartbeat import Progress, beating, last_detail, last_progress
from activities.secrets import SecretError, revealed
from activities.settings import Settings
from publishers import check, publish
from publishers.base import PublishError, Unavailable, Unwanted
from publishers.config import MessagePublisher
from publishers.events import AcquisitionProgress, Body, EncodingProgress, Message, Sender, message

REPORT_INTERVAL = 1.0
"""Seconds between two progress events of a job, at least."""
PROGRESS_SIGNAL = "progress_reported"

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
                try:
                    await publish(to, event)
                    delivered.add(1)
                except Unwanted as error:
                    activity.logger.warning("%s is left out: %s", event.event_type, error)
                confirmed.done += 1
    except (PublishError, SecretError) as error:
        failed.add(1, {"error": type(error).__name__})
        activity.logger.warning("%s: %s", request.publisher.address, error)
        # Not by the number of the attempt: a broker that comes up again after many of them may say no at first, and one
        # of a cluster while its others are away.
        refusals = 0 if isinstance(error, Unavailable) else 1 + _refusals(confirmed)
        activity.heartbeat(confirmed, refusals)
        final = refusals >= Settings.from_environment().fault_attempts
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=final) from None


def _refusals(confirmed: Progress) -> int:
    """How often the receiver had said no when this attempt began, since it last took an event or was away."""
    return last_detail(0) if confirmed.done == last_progress().done else 0


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
    is_done: bool = False
    """Before the phase begins."""


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
        elapsed = self._elapsed(now)
        return EncodingProgress(
            progress=percent,
            speed_factor=round(self.film_seconds * percent / 100 / elapsed, 2) if elapsed else None,
            remaining_seconds=self.remaining_seconds(percent, now),
        )

    def remaining_seconds(self, percent: int, now: datetime) -> int | None:
        """Time left if the rest goes like the part that is done; None before anything is done."""
        elapsed, left = self._elapsed(now), 100 - percent
        return round(elapsed * left / percent) if percent and (elapsed or not left) else None

    def message(self, percent: int, now: datetime) -> Message:
        """The progress event, ready to be sent."""
        return message(self.sender, self.sequence_number, now, self.body(percent, now))

    def _elapsed(self, now: datetime) -> float:
        """Seconds; 0 where the clock of whoever asks is behind."""
        return max(0.0, (now - self.started).total_seconds())


@dataclass(frozen=True)
class Pending:
    """The activities of a run that have not ended."""

    shares: Mapping[str, float] = field(default_factory=dict)
    """Id → what it has done, 0-1."""
    waiting: frozenset[str] = frozenset()
    """Ids of those that no worker has begun."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Id → the attempt that the server waits for, of those that shall not stop."""


class Meter:
    """Adds up a phase's heartbeats to one percent that never falls."""

    def __init__(self, watch: Watch, percent: int = 0, waiting: Iterable[str] = ()) -> None:
        self.watch = watch
        self.percent = percent
        self.waiting = {*waiting}
        """Activities that no worker had begun when they were seen last, by whomever."""

    async def read(self, handle: WorkflowHandle[Any, Any]) -> int:
        """Ask the server, and return the percent (0-100)."""
        return self.take(await pending_in(await handle.describe()))

    def take(self, pending: Pending) -> int:
        """Add up what is done, and return the percent (0-100)."""
        self.waiting = (self.waiting - pending.shares.keys()) | pending.waiting
        # Of a film whose length nobody knows, no part has any weight.
        total = sum(share.weight for share in self.watch.shares) or 1.0
        self.percent = max(self.percent, int(100 * self._done(pending.shares) / total))
        return self.percent

    def _done(self, pending: Mapping[str, float]) -> float:
        """Of the weight of all."""
        whole = self.watch.whole
        if whole and whole.activity_id in pending:
            return whole.weight * pending[whole.activity_id]
        order = [share.activity_id for share in self.watch.shares]
        # Only pending activities are described: one that is scheduled before a pending one and is not there is done,
        # unless it has come back undone, as pieces of a film do that no worker has begun.
        reached = max((order.index(id_) for id_ in pending if id_ in order), default=0)
        back = {id_ for id_ in self.waiting if _kind(id_) == _kind(order[reached])}
        gone = [
            float(share.is_done or (place < reached and share.activity_id not in back))
            for place, share in enumerate(self.watch.shares)
        ]
        return sum(share.weight * pending.get(share.activity_id, gone[n]) for n, share in enumerate(self.watch.shares))


def _kind(activity_id: str) -> str:
    return activity_id.rpartition("-")[0]


async def pending_in(description: WorkflowExecutionDescription) -> Pending:
    """What the server tells of a run's activities."""
    converter, infos = description.data_converter, description.raw_description.pending_activities
    shares = {
        info.activity_id: (await converter.decode(info.heartbeat_details.payloads, [Progress]))[0].share
        if info.heartbeat_details.payloads
        else 0.0
        for info in infos
    }
    waiting = {
        info.activity_id for info in infos if info.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    }
    stopping = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    attempts = {info.activity_id: info.attempt for info in infos if info.state != stopping}
    return Pending(shares, frozenset(waiting), attempts)


@dataclass(frozen=True)
class EventLog:
    """What a run answers to the query `events`."""

    events: list[Message]
    watch: Watch | None
    """The phase whose progress can be read now."""
    undone: list[str] = field(default_factory=list)
    """Ids of activities that were handed out and are not done; they need not be so now."""


@dataclass(frozen=True)
class Milestone:
    """What the workflow is told about a phase in progress."""

    percent: int
    remaining_seconds: int | None
    phase: str = ""
    """Empty in those of earlier versions."""
