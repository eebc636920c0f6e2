"""Films of several chunks, through the whole service."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from tests.clips import Clips, _run
from tests.integration.conformance import problems
from tests.integration.service import Ended, Service, running
from tests.servers.process import started
from tests.servers.temporal import EXACT, TemporalServer

SECONDS = 120
CHUNKS = 6
SLOTS = 2
BITRATE = 60
"""kbit/s"""
PACKET, VIDEO_STREAM = 188, 0x100
"""Bytes, and the number of the first stream, of MPEG-TS as ffmpeg writes it."""


@pytest.fixture
def service(tmp_path: Path, temporal_server: TemporalServer) -> Iterator[Service]:
    """Each test has a worker of its own, and none of another's."""
    with running(tmp_path, temporal_server.address) as service:
        yield service


@pytest.fixture(scope="session")
def film(clip: Clips) -> Path:
    return clip(seconds=SECONDS, size="128x72", audio="mono")


def film_job(service: Service, film: Path) -> dict[str, Any]:
    made = service.job(service.source(film, name="film"))
    made["ContentProcessing"] |= {"OptimizeFor": "Quality", "VideoRepresentations": [{"BitrateInKbps": BITRATE}]}
    return made


@dataclass
class Chunks:
    """What the history of a run tells of its chunks, by the ids of their activities."""

    scheduled: Counter[str] = field(default_factory=Counter)
    repeated: list[str] = field(default_factory=list)
    """Those that took more than one attempt."""
    finished: list[str] = field(default_factory=list)
    waits: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When each was handed out, and when a worker took it."""


async def told(handle: WorkflowHandle[Any, Any]) -> Chunks:
    names: dict[int, str] = {}
    since: dict[int, datetime] = {}
    chunks = Chunks()
    async for event in handle.fetch_history_events():
        name = event.activity_task_scheduled_event_attributes.activity_id
        if name.startswith("encode-video-"):
            names[event.event_id] = name
            chunks.scheduled[name] += 1
            since[event.event_id] = event.event_time.ToDatetime()
        started, completed = (
            event.activity_task_started_event_attributes,
            event.activity_task_completed_event_attributes,
        )
        if started.scheduled_event_id in names:
            chunks.waits.append((since[started.scheduled_event_id], event.event_time.ToDatetime()))
            chunks.repeated += [names[started.scheduled_event_id]] * (started.attempt > 1)
        if completed.scheduled_event_id in names:
            chunks.finished.append(names[completed.scheduled_event_id])
    return chunks


async def until_finished(handle: WorkflowHandle[Any, Any], number: int) -> list[str]:
    """The chunks that are finished, as soon as there are so many."""
    async with asyncio.timeout(120):
        while len(finished := (await told(handle)).finished) < number:
            await asyncio.sleep(0.1)
    return finished


def chunks_in(service: Service, job_id: str) -> list[Path]:
    return sorted((service.work / job_id / "encoded").glob("chunk-*"))


def assert_whole(ended: Ended, job: dict[str, Any]) -> None:
    assert ended.status == "COMPLETED", ended.error
    folder = Path(job["ContentPublishing"]["UriPath"])
    assert problems(folder) == []
    assert len([*folder.glob("hls/video-*/*.m4s")]) > SECONDS / 10
    percents = [event["Progress"] for event in ended.events if event["EventType"] == "EncodingProgress"]
    assert percents == sorted(percents)


async def test_a_film_is_cut_encoded_and_joined(service: Service, film: Path) -> None:
    job = film_job(service, film)
    handle = await service.submit(job)
    ended = await service.end(handle)
    assert_whole(ended, job)
    assert len((await told(handle)).finished) == CHUNKS
    finished = next(event for event in ended.events if event["EventType"] == "EncodingFinished")
    assert finished["Bitrates"][0]["MeasuredBitrateInKbps"] == pytest.approx(BITRATE, rel=0.1)


async def test_a_crash_costs_the_chunks_in_flight_alone(service: Service, film: Path) -> None:
    job = film_job(service, film)
    handle = await service.submit(job)
    await until_finished(handle, 2)
    service.kill()
    service.start()
    assert_whole(await service.end(handle), job)
    chunks = await told(handle)
    assert set(chunks.scheduled.values()) == {1}
    assert 1 <= len(chunks.repeated) <= SLOTS
    assert service.tools() == []


@pytest.mark.slow
async def test_a_killed_server_costs_no_chunk(tmp_path: Path, film: Path) -> None:
    server = TemporalServer(tmp_path)
    with started(server), running(tmp_path / "service", server.address) as service:
        job = film_job(service, film)
        handle = await service.submit(job)
        await until_finished(handle, 1)
        server.kill()
        server.restart()
        handle = (await service.client()).get_workflow_handle(handle.id)
        assert_whole(await service.end(handle), job)
        chunks = await told(handle)
        assert set(chunks.scheduled.values()) == {1}
        assert len(chunks.repeated) <= 1  # one that was on its way to a worker, when the server died, has never begun


async def test_a_chunk_that_gets_lost_is_encoded_again(service: Service, film: Path) -> None:
    job = film_job(service, film)
    handle = await service.submit(job)
    first, *_ = await until_finished(handle, 1)
    [folder] = (service.work / handle.id / "encoded").glob(f"chunk-{first[-4:]}-*")
    next(folder.glob("*.mp4")).unlink()
    assert_whole(await service.end(handle), job)
    scheduled = (await told(handle)).scheduled
    assert scheduled.pop(first) == 2
    assert set(scheduled.values()) == {1}


async def test_a_pause_takes_effect_between_chunks(service: Service, film: Path) -> None:
    job = film_job(service, film)
    handle = await service.submit(job)
    await until_finished(handle, 1)
    await handle.signal("pause")
    begun: list[Path] | None = None
    while service.tools() or begun != chunks_in(service, handle.id):
        begun = chunks_in(service, handle.id)
        await asyncio.sleep(1)
    assert len(begun) < CHUNKS
    await handle.signal("resume")
    assert_whole(await service.end(handle), job)


async def test_a_long_film_delays_another_job_by_one_chunk_at_most(tmp_path: Path, film: Path, clip: Clips) -> None:
    with (
        started(server := TemporalServer(tmp_path, settings=EXACT)),
        running(tmp_path, server.address, ENCODING_TRANSCODE_SLOTS="1") as service,
    ):
        long = await service.submit(film_job(service, film) | {"TenantId": "a"})
        await until_finished(long, 1)
        short = await service.submit(service.job(service.source(clip())) | {"TenantId": "b"})
        assert (await service.end(short)).status == "COMPLETED"
        [(asked, taken)] = (await told(short)).waits
        begun = [when for _, when in (await told(long)).waits]
        assert sum(asked < when < taken for when in begun) <= 1
        assert max(begun) > taken, "of the long film there was more to encode"
        await long.signal("cancel", "enough was seen")
        await service.end(long)


@pytest.mark.slow
async def test_a_film_whose_pictures_get_lost_is_encoded_in_one_piece(
    service: Service, film: Path, tmp_path: Path
) -> None:
    job = film_job(service, damaged(film, tmp_path / "movie.ts"))
    handle = await service.submit(job | {"MediaMappings": {"VideoStreamExpression": r"\.ts$"}})
    assert_whole(await service.end(handle), job)
    assert (await told(handle)).scheduled["encode-video-whole"] == 1
    assert "in one piece: chunk" in service.log


def damaged(film: Path, target: Path) -> Path:
    """As MPEG-TS, with pictures that are counted and cannot be decoded."""
    _run("-i", str(film), "-c", "copy", str(target))
    content = bytearray(target.read_bytes())
    packets = range(0, len(content), PACKET)
    for start in packets[len(packets) * 60 // 100 : len(packets) * 62 // 100]:
        stream = int.from_bytes(content[start + 1 : start + 3]) & 0x1FFF
        begins = content[start + 1] & 0x40
        if stream == VIDEO_STREAM:
            first = start + (60 if begins else 12)
            content[first : start + PACKET] = b"U" * (start + PACKET - first)
    target.write_bytes(content)
    return target
