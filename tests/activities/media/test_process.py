"""Tools as processes: what they print, how they end, and that nothing of them stays."""

import asyncio
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from activities.media.process import TAIL_LINES, StalledError, run
from tests.activities.media.children import children, started

SLEEP = ["/bin/sleep", "60"]


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_lines_arrive_whole_and_in_order() -> None:
    lines: list[str] = []
    ended = await run(script("print('one'); print('zwei ü'); print('no end', end='')"), lines.append)
    assert (ended.status, lines) == (0, ["one", "zwei ü", "no end"])


async def test_it_reads_what_it_is_given() -> None:
    lines: list[str] = []
    await run(["/bin/cat"], lines.append, stdin=b"key=value\n")
    assert lines == ["key=value"]


async def test_without_input_it_reads_nothing() -> None:
    lines: list[str] = []
    await run(["/bin/cat"], lines.append)
    assert lines == []


async def test_a_tool_that_does_not_read_its_input_still_ends() -> None:
    assert (await run(["/bin/true"], stdin=b"x" * 1_000_000)).status == 0


async def test_secrets_of_the_worker_are_not_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_SECRET", "hunter2")
    lines: list[str] = []
    await run(["/usr/bin/env"], lines.append)
    assert lines
    assert not any("hunter2" in line for line in lines)


async def test_the_last_errors_are_kept_without_the_work_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path))
    text = f"import sys; [print(n, '{tmp_path}/job/a.mp4', file=sys.stderr) for n in range(1000)]; sys.exit(3)"
    ended = await run(script(text))
    assert ended.status == 3
    assert not ended.was_killed
    assert ended.errors.splitlines() == [f"{n} job/a.mp4" for n in range(1000 - TAIL_LINES, 1000)]


async def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    lines: list[str] = []
    await run(script("print('x' * 10_000_000, end='')"), lines.append)
    assert sum(map(len, lines)) < 1_000_000


async def test_a_line_that_cannot_be_read_ends_the_tool() -> None:
    before = children()

    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="first"):
        await run(script("print('first', flush=True)\nwhile True: print('more' * 1000)"), refuse)
    assert children() == before


async def test_no_tool_takes_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", "200")
    ended = await run(script("held = bytearray(100 << 20)\nmore = bytearray(200 << 20)"))
    assert ended.status == 1
    assert ended.errors.endswith("MemoryError")


async def test_a_signal_is_told_apart_from_an_exit() -> None:
    ended = await run(script("import os; os.kill(os.getpid(), 9)"))
    assert (ended.status, ended.was_killed) == (-signal.SIGKILL, True)


async def test_when_cancelled_it_is_dead_before_the_caller_goes_on() -> None:
    before = children()
    task = asyncio.create_task(run(SLEEP))
    pid = await started(before, b"sleep")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pid}").exists()


async def test_what_the_tool_has_started_dies_with_it() -> None:
    lines: list[str] = []
    text = "import subprocess, time; print(subprocess.Popen(['/bin/sleep', '60']).pid, flush=True); time.sleep(60)"
    task = asyncio.create_task(run(script(text), lines.append))
    while not lines:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    grandchild = Path(f"/proc/{lines[0]}/stat")
    while grandchild.exists() and grandchild.read_text().split()[2] != "Z":
        await asyncio.sleep(0.01)


async def test_it_dies_with_a_worker_that_is_killed() -> None:
    worker = (
        "import asyncio\nfrom activities.media.process import run\n"
        "asyncio.run(run(['/bin/sh', '-c', 'echo $$; exec sleep 60'], lambda pid: print(pid, flush=True)))"
    )
    killed = await asyncio.create_subprocess_exec(*script(worker), stdout=asyncio.subprocess.PIPE)
    assert killed.stdout
    tool = Path(f"/proc/{int(await killed.stdout.readline())}/stat")
    assert tool.exists()
    killed.kill()
    await killed.wait()
    while tool.exists() and tool.read_text().split()[2] != "Z":
        await asyncio.sleep(0.01)


async def test_a_tool_that_stands_still_is_killed() -> None:
    before = children()
    with pytest.raises(StalledError):
        await run(SLEEP, stalled=lambda: 7, stall_timeout=timedelta(seconds=1))
    assert children() == before


async def test_a_tool_that_gets_on_is_left_alone() -> None:
    beats: list[str] = []
    text = "import time\nfor _ in range(6): print('.', flush=True); time.sleep(0.5)"
    ended = await run(script(text), beats.append, stalled=lambda: len(beats), stall_timeout=timedelta(seconds=2))
    assert (ended.status, len(beats)) == (0, 6)


async def test_one_whose_progress_cannot_be_looked_at_is_killed_and_nothing_waits_for_the_look() -> None:
    before, answered = children(), threading.Event()
    try:
        with pytest.raises(StalledError):
            await run(SLEEP, stalled=answered.wait, stall_timeout=timedelta(seconds=1))
        assert children() == before
    finally:
        answered.set()
