"""Trying again what may pass: a broken connection, a busy service."""

import random
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from activities.storage.base import StorageError
from activities.storage.threads import Stop, stoppable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

TRIES = 6
"""In a row without a single byte; about 15 seconds. Then the activity's own retries take over, for much longer."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
"""seconds"""


class Patience:
    """Counts failures in a row."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._failures = 0

    def success(self) -> None:
        """Something got through: start to count anew."""
        self._failures = 0

    def failure(self, error: StorageError) -> None:
        """Wait before the next try, each time about twice as long; raise `error` where there shall be none."""
        self._stop.check()
        self._failures += 1
        if not error.temporary or self._failures >= TRIES:
            raise error
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**self._failures)
        # Jitter: those that failed together must not come back together.
        self._stop.wait(random.uniform(longest / 2, longest))  # noqa: S311 - no secret


def persistently(request: Callable[[], Result], stop: Stop) -> Result:
    """The answer to one request, tried again after temporary errors."""
    patience = Patience(stop)
    while True:
        try:
            return request()
        except StorageError as error:
            patience.failure(error)


async def asked(request: Callable[Parameters, Result], *args: Parameters.args, **named: Parameters.kwargs) -> Result:
    """The same in a thread that ends when the activity is cancelled."""
    return await stoppable(partial(persistently, partial(request, *args, **named)))
