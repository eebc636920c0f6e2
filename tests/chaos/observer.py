"""Looks on while jobs run: what stands in the arguments of processes, and what readers find at the targets."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.chaos.looking import Looking
from tests.chaos.world import World

INTERVAL = 0.1
"""Seconds between two looks."""


class Observer(Looking):
    """Looks inside the block."""

    def __init__(self, world: World) -> None:
        super().__init__(INTERVAL)
        self._world = world
        self._tools: dict[int, str] = {}
        self.arguments: set[str] = set()
        """Of all processes of the workers that were ever seen."""

    def running(self, tool: str) -> list[int]:
        """Pids of a tool's processes at the last look."""
        return [pid for pid, name in self._tools.items() if tool in name]

    def _look(self) -> None:
        tools = {}
        for pid in self._pids():
            arguments = _read(Path(f"/proc/{pid}/cmdline"))
            tools[pid] = Path(arguments.partition("\0")[0]).name
            self.arguments.add(arguments)
        self._tools = tools

    def _pids(self) -> Iterator[int]:
        for worker in self._world.workers:
            with suppress(RuntimeError):  # it does not run now
                yield from _descendants(worker.pid)


def left_behind(folder: Path) -> list[str]:
    """Processes that work on files in `folder`."""
    lines = {entry.name: _read(entry / "cmdline") for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    return [line.replace("\0", " ")[:200] for line in lines.values() if str(folder) in line]


def _descendants(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError):  # it has ended meanwhile
        for thread in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, _read(thread).split()):
                yield child
                yield from _descendants(child)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it was quicker
        return ""
