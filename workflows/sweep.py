"""What jobs could not do themselves: tell an end that came from outside, and take back what they leave."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from activities.ended import EndedRun, EndRequest, end_runs, read_ended
from activities.leftovers import remove_abandoned, remove_workspace
from activities.notify import PublishRequest
from activities.server import Run
from publishers.events import FINAL, message
from workflows.job import publishers_of, sender_of
from workflows.lifecycle import Phase, ended_outside, reason
from workflows.options import (
    CONTROL_QUEUE,
    END_WORKFLOW,
    HEARTBEAT_TIMEOUT,
    REMOVE_WORKFLOW,
    SWEEP_WORKFLOW,
    WORKFLOW,
)
from workflows.resend import send

MARGIN = timedelta(minutes=5)
"""By which two looks overlap: what has closed may be listed a while later."""
REMOVAL_INTERVAL = timedelta(hours=1)
BUDGET = timedelta(minutes=10)
SETTLING = timedelta(seconds=5)
"""After which the run's activities have noticed that it is over, and neither send nor write any more."""
DELIVERY_BUDGET = timedelta(days=1)
"""For receivers and locations that are down."""
FOREVER = timedelta(days=365)
"""Until the server forgets the run: it then is no job's last one any more."""
READ_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=15))
"""Somebody may have to bring a key, or code that the run's history fits."""


@dataclass(frozen=True)
class Looked:
    """When a sweep has looked last; the next one of the schedule goes on there."""

    for_runs: datetime | None = None
    for_workspaces: datetime | None = None


@workflow.defn(name=SWEEP_WORKFLOW)
class Sweep:
    """Finds them; started by a schedule."""

    @workflow.run
    async def run(self) -> Looked:
        """Look once."""
        last = workflow.get_last_completion_result(Looked) or Looked()
        now = workflow.now()
        since = last.for_runs and last.for_runs - MARGIN
        await workflow.execute_activity(
            end_runs,
            EndRequest(WORKFLOW, END_WORKFLOW, CONTROL_QUEUE, since),
            schedule_to_close_timeout=BUDGET,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            summary="find jobs that were ended from outside",
        )
        if last.for_workspaces and now - last.for_workspaces < REMOVAL_INTERVAL:
            return Looked(now, last.for_workspaces)
        await self._remove_abandoned()
        return Looked(now, now)

    async def _remove_abandoned(self) -> None:
        try:
            removed = await workflow.execute_activity(
                remove_abandoned,
                WORKFLOW,
                schedule_to_close_timeout=BUDGET,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                summary="remove workspaces that nobody needs",
            )
        except ActivityError as error:
            workflow.logger.error("abandoned workspaces could not be removed: %s", reason(error))
            return
        if removed:
            workflow.logger.warning("abandoned workspaces were removed: %s", ", ".join(removed))


@workflow.defn(name=END_WORKFLOW)
class EndJob:
    """Ends one of them: its FinalError behind all that it had told, and no files, neither here nor published."""

    @workflow.run
    async def run(self, run: Run) -> list[str | None]:
        """Returns for each receiver that was owed something why it did not get it, or None."""
        await workflow.sleep(SETTLING)
        ended = await workflow.execute_activity(
            read_ended,
            run,
            schedule_to_close_timeout=FOREVER,
            retry_policy=READ_RETRY,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            summary="read how the job was ended, and what is still to be told",
        )
        if not ended:
            return []
        requests = owed(ended, run, workflow.info().namespace)
        removal = asyncio.create_task(_remove(run))
        failures = await asyncio.gather(*(send(request, DELIVERY_BUDGET) for request in requests))
        await removal
        return list(failures)


@workflow.defn(name=REMOVE_WORKFLOW)
class RemoveJob:
    """Takes back what a job leaves that has told its end, and could not do that itself: its location was away."""

    @workflow.run
    async def run(self, run: Run) -> None:
        """Goes on for a day."""
        await _remove(run)


async def _remove(run: Run) -> None:
    try:
        await workflow.execute_activity(
            remove_workspace,
            run,
            schedule_to_close_timeout=DELIVERY_BUDGET,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            summary="withdraw what is published, and remove the workspace",
        )
    except ActivityError as error:
        workflow.logger.error("what job %s has left could not be removed: %s", run.workflow_id, reason(error))


def owed(ended: EndedRun, run: Run, namespace: str) -> list[PublishRequest]:
    """What each publisher still has to get; a run that was ended while it delivered had decided its end itself."""
    receivers, events = publishers_of(ended.description), list(ended.log)
    confirmed = [len(ended.log) - pending for pending in ended.pending or [0] * len(receivers)]
    if not events or events[-1].event_type not in FINAL:
        phase = Phase(ended.phase) if ended.phase else Phase.PRE_VALIDATION
        sender = sender_of(ended.description, run.workflow_id, ended.original_run_id, namespace)
        events.append(message(sender, len(events) + 1, ended.closed_at, ended_outside(phase, ended.why)))
    pairs = zip(receivers, confirmed, strict=True)
    return [PublishRequest(to, events[count:]) for to, count in pairs if events[count:]]
