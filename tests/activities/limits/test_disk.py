"""A work folder that is full or turns read-only, and no file that may be opened, in each phase: told, and it passes."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from activities.errors import JobError
from tests.activities.limits.work import Work, run

pytestmark = pytest.mark.asyncio(loop_scope="module")
ACTIVITIES = (
    *("acquire", "watermarks", "text", "samples", "chunk", "sound", "join", "variants", "package"),
    *("variants' package", "thumbnails", "stills", "deliver"),
)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing goes on the disk any more."""
    filler = disk / "filler"
    try:
        subprocess.run(
            ["dd", "if=/dev/zero", f"of={filler}", "bs=4096", "status=none"], check=False, stderr=subprocess.DEVNULL
        )
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def opened() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


@contextmanager
def no_descriptors(disk: Path) -> Iterator[None]:
    """This process, which is the worker here, may open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(opened()) + 1, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(disk, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ACTIVITIES)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (full, "space"),
        pytest.param(read_only, "read-only", marks=pytest.mark.slow),
        pytest.param(no_descriptors, "too many files are open", marks=pytest.mark.slow),
    ],
)
async def test_it_has_the_code_of_the_phase_and_passes(
    work: Work, disk: Path, name: str, fault: Callable[[Path], AbstractContextManager[None]], told: str
) -> None:
    activity, request, code = work.requests()[name]
    before = len(opened())
    with fault(disk), pytest.raises(JobError, match=told) as caught:
        await run(activity, request, attempt=1)
    assert (caught.value.code, caught.value.retryable) == (code, True)
    assert not [*work.outside.glob("out/*/manifest.*")]
    await run(activity, request, attempt=2)
    assert len(opened()) == before, "no file stays open"
    shutil.rmtree(work.outside / "out", ignore_errors=True)
