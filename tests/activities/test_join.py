from dataclasses import replace
from pathlib import Path

import pytest

from activities.encode import ChunkRequest, EncodedChunk, encode_chunk
from activities.errors import EncodingError
from activities.join import Joined, JoinRequest, join_chunks
from activities.plan import Chunk, Plan, VideoRendition
from activities.tracks import VideoTrack
from activities.workspace import workspace
from tests.activities.reading import decoded, frames
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips

pytestmark = pytest.mark.usefixtures("root")
PLAN = Plan(
    video=[VideoRendition("small", 160, 90, 100), VideoRendition("large", 320, 180, 300)],
    chunks=[Chunk(0, 0.0, 2.0), Chunk(1, 2.0, 2.0), Chunk(2, 4.0)],
    preset="veryfast",
)


async def chunks_of(track: VideoTrack) -> list[EncodedChunk]:
    return [await Running()(encode_chunk, ChunkRequest(JOB_ID, track, PLAN, chunk)) for chunk in PLAN.chunks]


async def joined(track: VideoTrack, chunks: list[EncodedChunk]) -> Joined:
    return await Running()(join_chunks, JoinRequest(JOB_ID, track, PLAN, chunks))


@pytest.mark.parametrize("fps", ["25", "24000/1001"])
async def test_chunks_in_any_order_become_the_whole_film(fps: str, clip: Clips) -> None:
    source = clip(seconds=5, fps=fps)
    track = await video_track(source, in_workspace(source))
    chunks = await chunks_of(track)
    made = await joined(track, [chunks[2], chunks[0], chunks[1]])
    assert made.frames == track.frames == sum(chunk.frames for chunk in chunks)
    for path in made.paths.values():
        found = frames(workspace(JOB_ID) / path)
        assert found.times == pytest.approx(frames(source).times, abs=0.042)
        assert found.times == sorted(set(found.times))
        assert found.keys[0] == 0
        assert found.keys[1:] == pytest.approx([2, 4], abs=0.042)
        decoded(workspace(JOB_ID) / path, "-xerror", "-f", "null")


async def test_a_single_chunk_is_used_as_it_is(clip: Clips) -> None:
    source = clip()
    track = await video_track(source, in_workspace(source))
    chunk = await Running()(encode_chunk, ChunkRequest(JOB_ID, track, PLAN, Chunk(0)))
    assert await joined(track, [chunk]) == Joined(chunk.paths, chunk.frames)


async def test_frames_that_went_missing_are_noticed(clip: Clips) -> None:
    source = clip(seconds=5)
    track = await video_track(source, in_workspace(source))
    first, second, third = await chunks_of(track)
    with pytest.raises(EncodingError, match="126 frames, joined they have 125") as caught:
        await joined(track, [first, second, replace(third, frames=third.frames + 1)])
    assert caught.value.retryable


async def test_a_work_folder_of_any_name(clip: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path / "it's a 'work' folder\n%d, ü"))
    source = clip(seconds=5)
    track = await video_track(source, in_workspace(source))
    assert (await joined(track, await chunks_of(track))).frames == track.frames
