"""Sending a job's events once more, by a worker: the credentials are readable there alone."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.notify import PublishRequest, publish_events
from workflows.lifecycle import reason
from workflows.markdown import summary
from workflows.options import HEARTBEAT_TIMEOUT, RESEND_WORKFLOW

BUDGET = timedelta(minutes=10)
"""For receivers that are down."""


@workflow.defn(name=RESEND_WORKFLOW)
class ResendEvents:
    """Events with the ids that they had: consumers that keep to the contract notice the repetition."""

    @workflow.run
    async def run(self, requests: list[PublishRequest]) -> list[str | None]:
        """Send all; returns for each request why it failed, or None."""
        return list(await asyncio.gather(*(send(request, BUDGET) for request in requests)))


async def send(request: PublishRequest, budget: timedelta) -> str | None:
    """Hand a batch over, from a workflow; returns why that failed, or None."""
    try:
        await workflow.execute_activity(
            publish_events,
            request,
            schedule_to_close_timeout=budget,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            summary=summary(f"{len(request.messages)} events to {request.publisher.address}"),
        )
    except ActivityError as error:
        return reason(error)
    return None
