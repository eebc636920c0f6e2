"""The ways to the receivers, shared by all jobs of this process.

An endpoint (a broker and its user, not a queue) has at most `CONNECTIONS` connections. Each lives in a thread of its
own, as blocking libraries like it: opened when there is something to send, used for one event at a time, and closed
when there was nothing for a while, before any receiver misses a sign of life.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from publishers.base import Connection, Unavailable

CONNECTIONS = 4
"""To one endpoint at once, at most."""
IDLE_SECONDS = 10.0
"""Without work, after which a connection is closed."""
CLOSING_SECONDS = 5.0

Errand = Callable[[Connection], None]


@dataclass(frozen=True)
class _Task:
    errand: Errand
    ended: Future[None] = field(default_factory=Future)


class Endpoint:
    """One receiver: what is to be done there, and the threads that do it."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._waiting = 0
        self._closed = False

    def submit(self, errand: Errand) -> Future[None]:
        """Have a connection do it; the result is what it raises, or None."""
        task = _Task(errand)
        with self._changed:
            self._closed = False
            self._tasks.append(task)
            self._changed.notify()
            if len(self._tasks) > self._waiting and len(self._threads) < CONNECTIONS:
                thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
                self._threads.add(thread)
                thread.start()
        return task.ended

    @property
    def in_use(self) -> bool:
        """Whether it has connections."""
        return bool(self._threads)

    def close(self) -> None:
        """Close the connections when what was submitted is done; waits for that, but not for ever."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join(CLOSING_SECONDS)

    def _serve(self) -> None:
        line = _Line(self._connect)
        self._rest()
        while task := self._next():
            tell = line.run(task)
            self._rest()  # before the caller knows of the end: what it does next needs no further connection
            tell()
        line.drop()

    def _rest(self) -> None:
        with self._changed:
            self._waiting += 1

    def _next(self) -> _Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._closed, IDLE_SECONDS)
            self._waiting -= 1
            if self._tasks:
                return self._tasks.popleft()
            self._threads.discard(threading.current_thread())
            return None


class _Line:
    """The connection of one thread."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def run(self, task: _Task) -> Callable[[], None]:
        """Do it, unless nobody waits for it any more; returns what tells whoever waits."""
        if not task.ended.set_running_or_notify_cancel():
            return lambda: None
        try:
            self._do(task.errand)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            return partial(task.ended.set_exception, error)
        return partial(task.ended.set_result, None)

    def drop(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _do(self, errand: Errand) -> None:
        used_before = self._connection is not None
        try:
            self._attempt(errand)
        except Unavailable:
            if not used_before:
                raise
            self._attempt(errand)  # it may have broken while there was nothing to send

    def _attempt(self, errand: Errand) -> None:
        self._connection = self._connection or self._connect()
        try:
            errand(self._connection)
        except BaseException:
            self.drop()  # nobody knows what state it is in
            raise


_endpoints: dict[Hashable, Endpoint] = {}


async def use(key: Hashable, connect: Callable[[], Connection], errand: Errand) -> None:
    """Do `errand` with a connection to the endpoint `key`.

    When the caller is cancelled, an errand that has begun still ends, but nobody waits for it.

    Raises:
        PublishError: as `connect` and `errand` do.
    """
    if key not in _endpoints:
        for idle in [other for other, endpoint in _endpoints.items() if not endpoint.in_use]:
            del _endpoints[idle]
    endpoint = _endpoints.setdefault(key, Endpoint(connect))
    await asyncio.wrap_future(endpoint.submit(errand))


def close_connections() -> None:
    """Close all that are open; the next event opens its own again."""
    while _endpoints:
        _, endpoint = _endpoints.popitem()
        endpoint.close()
