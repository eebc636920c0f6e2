"""Reading all packets of a track: how it ends where nothing comes any more."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest

from activities.machine import MachineError
from activities.media import process
from activities.media.pictures import pictures
from tests.activities.media.children import children
from tests.clips import Clips, _run


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_STALL_SECONDS", "1")
    monkeypatch.setattr(process, "STALL_LOOK", 0.05)


async def test_a_source_that_never_answers_is_given_up(tmp_path: Path) -> None:
    source, before = tmp_path / "silent.mkv", children()
    os.mkfifo(source)
    with pytest.raises(MachineError, match=r"ffprobe was stopped: no progress for 0:00:01; check the disk"):
        async with asyncio.timeout(10):
            await pictures(source, 0)
    assert children() == before


async def test_one_that_answers_slowly_is_read_to_its_end(clip: Clips, tmp_path: Path) -> None:
    source, whole = tmp_path / "slow.ts", tmp_path / "movie.ts"
    _run("-i", str(clip(seconds=20, audio=None, size="64x64")), "-c", "copy", str(whole))
    os.mkfifo(source)

    async def send() -> None:
        content = whole.read_bytes()
        head = len(content) // 2  # ffprobe reads some seconds of film before it tells anything
        with await asyncio.to_thread(source.open, "wb") as pipe:
            for start, end in pairwise([0, *range(head, len(content), head // 10), len(content)]):
                await asyncio.to_thread(pipe.write, content[start:end])
                await asyncio.to_thread(pipe.flush)
                await asyncio.sleep(0.2)

    sending = asyncio.create_task(send())
    assert (await pictures(source, 0)).count == 500
    await sending
