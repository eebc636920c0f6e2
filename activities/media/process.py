"""Runs one external tool: it takes and reaches no more than it may, and nothing of it outlives the activity."""

import asyncio
import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from activities.media.confine import confined
from activities.settings import Settings

TAIL_LINES = 20
STALL_LOOK = 1.0
DYING = 10.0
"""Seconds that a killed tool is waited for."""


@dataclass(frozen=True)
class Exit:
    """How a tool ended."""

    status: int
    """Exit status; negative: the signal that killed it."""
    errors: str
    """The last lines of its error output, without the path of the work folder."""

    @property
    def was_killed(self) -> bool:
        """By a signal, from outside."""
        return self.status < 0

    @property
    def is_too_large(self) -> bool:
        """It has written more into one file than it may."""
        return self.status == -signal.SIGXFSZ


class StalledError(Exception):
    """The tool made no progress for too long."""


async def run(
    command: list[str],
    on_line: Callable[[str], None] = lambda _: None,
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    stalled: Callable[[], object] | None = None,
    stall_timeout: timedelta = timedelta(minutes=5),
) -> Exit:
    """Run a tool to its end; lines of its standard output go to `on_line`.

    Args:
        cwd: None = a folder of its own, which holds nothing and takes nothing.
        stalled: a value that changes as long as the tool gets on; None = the tool is not watched.

    Raises:
        StalledError: the value stood still for `stall_timeout`.
    """
    settings = Settings.from_environment()
    process = await _started(command, cwd, settings, has_input=stdin is not None)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    work = [
        asyncio.create_task(process.wait()),
        asyncio.create_task(_read(process.stdout, on_line)),
        asyncio.create_task(_read(process.stderr, tail.append)),
        asyncio.create_task(_feed(process, stdin)),
    ]
    together: asyncio.Future[Any] = asyncio.gather(*work)
    watchdog: asyncio.Future[Any] = asyncio.ensure_future(_standstill(stalled, stall_timeout) if stalled else together)
    try:
        # Together: a tool whose lines nobody takes, since one could not be read, would wait for ever.
        await asyncio.wait([together, watchdog], return_when=asyncio.FIRST_COMPLETED)
        (together if together.done() else watchdog).result()
    except BaseException:
        _kill(process)
        await _dead(process, work)
        if together.done() and not together.cancelled():
            together.exception()  # asked for, it is not logged as one that nobody has seen
        raise
    finally:
        watchdog.cancel()
    return Exit(process.returncode or 0, "\n".join(tail).replace(f"{settings.work_root}/", ""))


async def _started(
    command: list[str], cwd: Path | None, settings: Settings, *, has_input: bool
) -> asyncio.subprocess.Process:
    # Gone when the tool has started: in a folder that is no more, no file can be made or found.
    with tempfile.TemporaryDirectory(prefix="encoding-tool-") as empty, confined(command, settings) as confine:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if has_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd or empty,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            preexec_fn=confine,
        )


def _kill(process: asyncio.subprocess.Process) -> None:
    # Once it is reaped, its number may belong to another process.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def _dead(process: asyncio.subprocess.Process, work: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for the end of a killed tool: asyncio tells it only when all that the tool has written was taken.

    One that hangs inside the system, as for a disk that does not answer, cannot do anything any more, and dies later.
    """
    for task in work:
        task.cancel()
    await asyncio.wait(work)
    dying = asyncio.gather(process.wait(), *(_read(pipe, lambda _: None) for pipe in (process.stdout, process.stderr)))
    await asyncio.wait([dying], timeout=DYING)


async def _read(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    rest = b""
    while stream and (piece := await stream.read(1 << 16)):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[-(1 << 16) :]  # a line without an end must not fill the memory
        for line in lines:
            on_line(line.decode(errors="replace").rstrip("\r"))
    if rest:
        on_line(rest.decode(errors="replace"))


async def _feed(process: asyncio.subprocess.Process, data: bytes | None) -> None:
    if process.stdin and data is not None:
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()


async def _standstill(progress: Callable[[], object], patience: timedelta) -> None:
    """Raise `StalledError` when `progress` stands still, or does not answer: it may look at a disk, in a thread."""
    loop = asyncio.get_running_loop()
    value, since = object(), loop.time()
    while (left := patience.total_seconds() - (loop.time() - since)) > 0:
        with suppress(TimeoutError):
            if (now := await asyncio.wait_for(asyncio.to_thread(progress), left)) != value:
                value, since = now, loop.time()
        await asyncio.sleep(STALL_LOOK)
    raise StalledError(f"no progress for {patience}")
