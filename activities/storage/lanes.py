"""Lanes: the threads of transfers. They are apart from those of short requests, and all transfers share them."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import TypeVar

from activities.storage.threads import Stop, ended, stoppable

Item = TypeVar("Item")

MOST_LANES = 64
"""Of all transfers of a worker together; where there are more transfers, each has one."""
TURN = 1.0
"""Seconds after which a lane is shared anew: by then there may be more transfers, or fewer."""
_threads = ThreadPoolExecutor(sys.maxsize, thread_name_prefix="lane")  # never full: `in_lanes` sets the limit
_transfers = set[object]()


async def in_lanes(step: Callable[[Stop], bool], most: int) -> None:
    """Repeat `step` until it says that nothing is left to begin, and all that was begun has ended.

    Args:
        step: does one piece of the work, which may take long; called by several threads.
        most: how many threads at once are worth it. The more transfers there are, the fewer it gets, but always one.
    """
    transfer, running, is_left = object(), set[asyncio.Task[bool]](), True
    _transfers.add(transfer)
    try:
        while True:
            lanes = min(most, max(1, MOST_LANES // len(_transfers)))
            while is_left and len(running) < lanes:
                running.add(asyncio.create_task(stoppable(partial(_turn, step), _threads)))
            if not running:
                return
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                is_left &= task.result()
                running.remove(task)
    finally:
        _transfers.remove(transfer)
        await ended(running)


async def for_each(items: Iterable[Item], work: Callable[[Item, Stop], None], most: int) -> None:
    """Do `work` with each, begun in their order, as `in_lanes`; an item is asked for when it is its turn."""
    rest, taking = iter(items), threading.Lock()
    first = [*islice(rest, most)]
    waiting = chain(first, rest)

    def step(stop: Stop) -> bool:
        with taking:
            taken = [*islice(waiting, 1)]
        for item in taken:
            work(item, stop)
        return bool(taken)

    await in_lanes(step, len(first))


def _turn(step: Callable[[Stop], bool], stop: Stop) -> bool:
    until = time.monotonic() + TURN
    while step(stop):
        stop.check()
        if time.monotonic() >= until:
            return True
    return False
