"""The schedule that sweeps: made by the first worker, and from then on in the hands of whoever runs the server."""

import logging
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError

from workflows.options import CONTROL_QUEUE, SWEEP_WORKFLOW

SCHEDULE = "encoding-sweep"
CATCH_UP = timedelta(minutes=1)
"""A sweep looks at all that has happened since the last one: those that were missed are not needed."""
LONGEST = timedelta(hours=1)

logger = logging.getLogger(__name__)


async def sweep_regularly(client: Client, interval: timedelta) -> None:
    """Make the schedule where there is none; a server that has no schedules only goes unswept."""
    action = ScheduleActionStartWorkflow(
        SWEEP_WORKFLOW, id=SCHEDULE, task_queue=CONTROL_QUEUE, execution_timeout=LONGEST
    )
    schedule = Schedule(
        action,
        ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
    try:
        await client.create_schedule(SCHEDULE, schedule)
    except ScheduleAlreadyRunningError:
        return
    except RPCError as error:
        logger.warning("jobs that are ended from outside will not tell it: no schedule can be made (%s)", error)
