"""The processes that this one has started: nothing else on the machine is ever looked at."""

import asyncio
import os
from pathlib import Path


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


async def started(before: set[int], tool: bytes = b"") -> int:
    """Wait for a child that was not there before and whose command holds `tool`."""
    while True:
        for pid in children() - before:
            if tool in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        await asyncio.sleep(0.01)
