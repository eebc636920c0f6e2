"""Tasks beside the job's own."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow


async def stopped(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks, and wait until their activities have ended; what they have come to is of no interest.

    One whose activity succeeds at the last moment would go on: it is cancelled again.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):  # a second cancel: nothing may be left behind all the same
            await workflow.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # asked for, it is not logged as one that nobody has seen
