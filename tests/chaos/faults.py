"""Injects faults: which, where and for how long follows from a seed alone, what they hit does not."""

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.observer import Observer
from tests.chaos.world import World
from tests.integration.service import Service

TOOLS = ("ffmpeg", "packager")
DEAD, FROZEN, HURT = 3.0, 40.0, 4.0
"""Seconds that a process stays away, a worker stands still, and a connection stays slow, at most."""
SLOWEST = 0.5
"""Seconds by which a slow connection is late."""
LOOK = 0.05
PATIENCE = 5.0
"""Seconds to wait for a tool that can be killed."""


@dataclass(frozen=True)
class Injection:
    """One fault."""

    after: float
    """Seconds behind the one before."""
    kind: str
    target: str
    strength: float
    """Between 0 and 1, of what the kind allows."""


WEIGHTS = {
    "kill worker": 3,
    "stop worker": 2,
    "freeze worker": 2,
    "kill tool": 6,
    "kill server": 4,
    "cut": 4,
    "reset": 4,
    "slow": 3,
    "lose answers": 3,
}


def injections(seed: int, workers: int, servers: list[str], proxies: list[str], pause: float) -> Iterator[Injection]:
    """Without an end, `pause` seconds apart on average."""
    chance = random.Random(seed)
    targets = {"worker": [*map(str, range(workers))], "tool": [*TOOLS], "server": servers}
    while True:
        [kind] = chance.choices([*WEIGHTS], [*WEIGHTS.values()])
        yield Injection(
            chance.uniform(0, 2 * pause),
            kind,
            chance.choice(targets.get(kind.rpartition(" ")[2], proxies)),
            chance.random(),
        )


class Faults:
    """Hurts a world; whatever it ends or stops, it brings back.

    Args:
        frozen: seconds that a worker stands still, at most.
    """

    def __init__(self, world: World, observer: Observer, frozen: float = FROZEN) -> None:
        self._world, self._observer, self._frozen = world, observer, frozen
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.done: Counter[str] = Counter()
        """By kind and target."""
        self.ended = 0
        """Workers that were found to have ended by themselves."""
        self._ways: dict[str, Callable[[str, float], Awaitable[None]]] = {
            "kill worker": self._kill_worker,
            "stop worker": self._stop_worker,
            "freeze worker": self._freeze_worker,
            "kill tool": self._kill_tool,
            "kill server": self._kill_server,
            "cut": self._cut,
            "reset": self._reset,
            "slow": self._slow,
            "lose answers": self._lose_answers,
        }

    async def rage(self, faults: Iterator[Injection]) -> None:
        """Inject until cancelled, several at once but one at a time for each target; then all is whole again."""
        running = set[asyncio.Task[None]]()
        try:
            for fault in faults:
                await asyncio.sleep(fault.after)
                running = {task for task in running if not task.done() or task.result()}
                running.add(asyncio.create_task(self.inject(fault)))
        finally:
            await asyncio.gather(*running)

    async def inject(self, fault: Injection) -> None:
        """One; returns when its target is whole again."""
        group = "worker" if fault.kind.endswith("worker") else "tool" if fault.kind.endswith("tool") else "server"
        async with self._locks[f"{group} {fault.target}"]:
            await self._ways[fault.kind](fault.target, fault.strength)

    def _worker(self, target: str) -> Service:
        worker = self._world.workers[int(target)]
        self.ended += not worker.is_running
        return worker

    async def _kill_worker(self, target: str, strength: float) -> None:
        worker = self._worker(target)
        self.done["worker: SIGKILL"] += 1
        await asyncio.to_thread(worker.kill)
        await asyncio.sleep(strength * DEAD)
        await _started(worker.start)

    async def _stop_worker(self, target: str, strength: float) -> None:
        worker = self._worker(target)
        self.done["worker: SIGTERM"] += 1
        await asyncio.to_thread(worker.stop)
        await asyncio.sleep(strength * DEAD)
        await _started(worker.start)

    async def _freeze_worker(self, target: str, strength: float) -> None:
        worker = self._worker(target)
        self.done["worker: SIGSTOP, SIGCONT"] += 1
        os.kill(worker.pid, signal.SIGSTOP)
        await asyncio.sleep(strength * self._frozen)
        os.kill(worker.pid, signal.SIGCONT)

    async def _kill_tool(self, target: str, strength: float) -> None:
        for _ in range(int(PATIENCE / LOOK)):
            if found := self._observer.running(target):
                with suppress(ProcessLookupError):
                    os.kill(found[int(strength * len(found))], signal.SIGKILL)
                    self.done[f"{target}: SIGKILL"] += 1
                    return
            await asyncio.sleep(LOOK)

    async def _kill_server(self, target: str, strength: float) -> None:
        victim = self._world.victims[target]
        self.done[f"{target}: killed"] += 1
        await asyncio.to_thread(victim.end)
        await asyncio.sleep(strength * DEAD)
        await _started(victim.start)

    async def _cut(self, target: str, _: float) -> None:
        self.done[f"{target}: connections cut"] += 1
        self._world.proxies[target].cut()

    async def _reset(self, target: str, _: float) -> None:
        self.done[f"{target}: connections reset"] += 1
        self._world.proxies[target].reset()

    async def _slow(self, target: str, strength: float) -> None:
        proxy = self._world.proxies[target]
        self.done[f"{target}: connections slow"] += 1
        proxy.delay = strength * SLOWEST
        await asyncio.sleep(HURT)
        proxy.delay = 0.0

    async def _lose_answers(self, target: str, strength: float) -> None:
        proxy = self._world.proxies[target]
        self.done[f"{target}: answers lost"] += 1
        proxy.cut_at_answer = True
        await asyncio.sleep(strength * HURT)
        proxy.cut_at_answer = False


async def _started(start: Callable[[], None]) -> None:
    """As who supervises services does: again and again, since what it needs may be down as well."""
    while True:
        with suppress(RuntimeError, TimeoutError):
            return await asyncio.to_thread(start)
        await asyncio.sleep(1)
