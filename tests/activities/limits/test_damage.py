"""A bit that turns over in the work folder, between the activity that has written it and the one that reads it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.errors import LostError
from activities.workspace import workspace
from tests.activities.limits.work import Work, run
from tests.activities.running import JOB_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILES: dict[str, Callable[[Work], str]] = {
    "picture": lambda work: work.whole.paths["small"],
    "sound": lambda work: work.sound.paths["sound"],
    "segment": lambda work: f"{work.packaged.formats[0].root}/dash/small/1.m4s",
    "manifest": lambda work: f"{work.packaged.formats[0].root}/dash/manifest.mpd",
}


def turn(file: Path) -> None:
    """A bit in the middle of it."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        *(("picture", "package"), ("sound", "package"), ("picture", "thumbnails"), ("manifest", "thumbnails")),
        *(("segment", "deliver"), ("manifest", "deliver")),
    ],
)
async def test_it_is_noticed_before_anything_is_made_of_it(work: Work, name: str, reader: str) -> None:
    activity, request, code = work.requests()[reader]
    path = FILES[name](work)
    turn(workspace(JOB_ID) / path)
    try:
        with pytest.raises(LostError) as caught:
            await run(activity, request, attempt=1)
        assert (caught.value.lost, caught.value.code) == ([path], code)
        assert not [*work.outside.glob("out/*/*")]
    finally:
        turn(workspace(JOB_ID) / path)
    await run(activity, request, attempt=2)
    shutil.rmtree(work.outside / "out", ignore_errors=True)


async def test_what_thumbnails_have_in_common_with_the_title_is_still_known(work: Work) -> None:
    activity, request, _ = work.requests()["thumbnails"]
    [dash, _] = await run(activity, request, attempt=3)
    deliver, plain, _ = work.requests()["deliver"]
    for name in ("dash/small/1.m4s", "dash/manifest.mpd", "dash/thumbnails/1.jpg"):
        turn(workspace(JOB_ID) / dash.root / name)
        with pytest.raises(LostError, match=name):
            await run(deliver, type(plain)(plain.job_id, plain.location, dash), attempt=1)
        turn(workspace(JOB_ID) / dash.root / name)


async def test_a_source_that_is_no_longer_whole_is_lost(work: Work) -> None:
    activity, request, _ = work.requests()["chunk"]
    source = workspace(JOB_ID) / work.video.file.path
    whole = source.read_bytes()
    source.write_bytes(whole[:-1])
    with pytest.raises(LostError, match=work.video.file.path):
        await run(activity, request, attempt=1)
    source.write_bytes(whole)
    await run(activity, request, attempt=1)
