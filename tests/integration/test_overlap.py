"""Work that begins before the work before it has ended, and a client that sees the phases in order all the same."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.activities.storage.s3_doing import s3_folder
from tests.clips import Clips, tone
from tests.integration.conformance import problems
from tests.integration.history import Activities, activities
from tests.integration.players import decoded_tracks
from tests.integration.service import OWNER, Service, running
from tests.integration.test_pipeline import LIFECYCLE, assert_progress_is_between_its_events
from tests.servers.gated import Gate, gated
from tests.servers.process import started
from tests.servers.s3 import S3
from tests.servers.temporal import TemporalServer

SLOW = {"OutputFormat": ["Dash"], "OptimizeFor": "Quality"}
SOUND = "movie-sound-de.m4a"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, temporal_server.address, ENCODING_PRIVATE_HOSTS="127.0.0.1") as service:
        yield service


@contextmanager
def late_sound(service: Service, film: Path, tmp_path: Path, **sections: Any) -> Iterator[tuple[dict[str, Any], Gate]]:
    """A job whose source is a web server, on which the film lies ready and more sound for it does not."""
    folder = service.source(film, tone(440, tmp_path / SOUND), name=tmp_path.name)
    with gated(folder, SOUND) as gate:
        job = service.job(folder, ContentAcquisition={"Provider": "Http", "UriPath": gate.url}, **sections)
        job["MediaMappings"] |= {"AudioFileLanguageExpression": r"-sound-(?<lang>\w+)\.m4a$"}
        yield job, gate


def logo(path: Path) -> Path:
    Image.new("RGBA", (40, 20), (255, 0, 0, 128)).save(path)
    return path


async def until(handle: Any, seen: Callable[[Activities], bool]) -> Activities:
    """The run's activities, as soon as they are as wanted."""
    async with asyncio.timeout(60):
        while not seen(told := await activities(handle)):
            await asyncio.sleep(0.1)
    return told


async def until_encoders_run(service: Service, handle: Any) -> None:
    await until(handle, lambda told: "encode-video-0000" in told.scheduled)
    async with asyncio.timeout(60):
        while not service.tools():
            await asyncio.sleep(0.05)


async def test_the_picture_is_encoded_while_other_files_arrive(
    service: Service, clip: Clips, tmp_path: Path, serve_folder: Callable[[Path], str]
) -> None:
    stills = {"Intervals": [50], "Pattern": "still_%.jpg"}
    with late_sound(service, clip(seconds=4), tmp_path, ImageExtraction=stills) as (job, gate):
        mark = service.source(logo(tmp_path / "logo.png"), name=tmp_path.name) / "logo.png"
        placed = {"WatermarkFileName": mark.name, "PositionXPercentage": 5, "PositionYPercentage": 5}
        job["ContentProcessing"]["VisibleVideoWatermarks"] = [placed]
        handle = await service.submit(job)
        told = await until(handle, lambda told: "join-chunks" in told.completed)
        assert "acquire" not in told.completed
        assert {event["EventType"] for event in service.events(handle.id)} == {"JobCreated", "AcquisitionProgress"}
        gate.open()
        ended = await service.end(handle)
    assert ended.names == LIFECYCLE, service.log[-3000:]
    assert_progress_is_between_its_events(ended.events)
    assert (await activities(handle)).repeated == []
    started = next(event for event in ended.events if event["EventType"] == "VideoEncodingStarted")
    assert [sound["Language"] for sound in started["AudioRepresentations"]] == ["en", "de"]
    output = Path(job["ContentPublishing"]["UriPath"])
    assert problems(output) == []
    tracks = decoded_tracks(f"{serve_folder(output)}/dash/manifest.mpd")
    assert sorted(track.kind for track in tracks) == ["audio", "audio", "video", "video"]
    assert {track.frames for track in tracks if track.kind == "video"} == {100}


@pytest.mark.slow
async def test_a_film_in_chunks_goes_on_from_where_it_is_when_the_rest_has_come(
    service: Service, clip: Clips, tmp_path: Path
) -> None:
    with late_sound(service, clip(seconds=120, size="128x72", audio="mono"), tmp_path) as (job, gate):
        job["ContentProcessing"] |= {"OptimizeFor": "Quality", "VideoRepresentations": [{"BitrateInKbps": 60}]}
        handle = await service.submit(job)
        await until(handle, lambda told: len([name for name in told.completed if "video" in name]) >= 2)
        gate.open()
        ended = await service.end(handle)
    assert ended.status == "COMPLETED", ended.events[-1]
    assert_progress_is_between_its_events(ended.events)
    told = await activities(handle)
    assert {*told.repeated} <= {"encode-samples-00"}, "samples take two rounds, and all else one"
    before = [name for name, at in told.completed.items() if "video" in name and at < told.completed["acquire"]]
    assert 2 <= len(before) < len([name for name in told.scheduled if "video" in name])
    progress = [event for event in ended.events if event["EventType"] == "EncodingProgress"]
    assert progress[0]["Progress"] > 25
    assert all(event["SpeedFactor"] < 60 for event in progress), "what was done before is not taken for sudden speed"
    assert problems(Path(job["ContentPublishing"]["UriPath"])) == []


@pytest.mark.slow
async def test_the_same_holds_where_workers_share_a_bucket(clip: Clips, tmp_path: Path, s3: S3) -> None:
    server, store = TemporalServer(tmp_path), s3_folder(s3, f"work/{tmp_path.name}")
    settings = {
        "ENCODING_PRIVATE_HOSTS": "127.0.0.1",
        "ENCODING_WORK_STORE": store.location.uri_path.rstrip("/"),
        "ENCODING_WORK_STORE_ENDPOINT": f"http://127.0.0.1:{s3.port}",
        "AWS_ACCESS_KEY_ID": s3.admin.key_id,
        "AWS_SECRET_ACCESS_KEY": s3.admin.secret,
    }
    with started(server), running(tmp_path / "service", server.address, **settings) as service:
        thumbnails = {"Generate": True, "DurationInSeconds": 1}
        with late_sound(service, clip(seconds=4), tmp_path, Thumbnails=thumbnails) as (job, gate):
            handle = await service.submit(job)
            told = await until(handle, lambda told: "join-chunks" in told.completed)
            assert "acquire" not in told.completed
            gate.open()
            ended = await service.end(handle)
        assert ended.names[-3:] == ["ContentPublished", "ContentPublished", "JobSuccess"], service.log[-3000:]
        assert {"send-Dash", "send-Hls"} <= {*(await activities(handle)).completed}
        output = Path(job["ContentPublishing"]["UriPath"])
        assert problems(output) == []
        assert (output / "hls" / "thumbnails" / "1.jpg").stat().st_size
        assert store.names() == [OWNER]


async def test_an_acquisition_that_fails_ends_what_has_begun(service: Service, clip: Clips, tmp_path: Path) -> None:
    film = clip(seconds=20, size="640x360")
    with late_sound(service, film, tmp_path, ContentProcessing=SLOW) as (job, gate):
        handle = await service.submit(job)
        await until_encoders_run(service, handle)
        gate.lose()
        ended = await service.end(handle)
    assert ended.names == ["JobCreated", "FinalError"]
    assert (ended.error["Code"], ended.error["Phase"]) == (1000, "Acquisition")
    assert SOUND in ended.error["Message"]
    assert service.tools() == []
    assert not list(service.work.glob(f"{handle.id}*"))


async def test_a_job_can_be_cancelled_and_paused_in_the_middle(service: Service, clip: Clips, tmp_path: Path) -> None:
    film = clip(seconds=20, size="640x360")
    with late_sound(service, film, tmp_path, ContentProcessing=SLOW) as (job, _):
        paused = await service.submit(job)
        await paused.signal("pause")
        running_ = await service.submit(job)
        await until_encoders_run(service, running_)
        assert "look-ahead" not in (await activities(paused)).scheduled
        for handle in (running_, paused):
            await handle.signal("cancel", "enough")
            ended = await service.end(handle)
            assert (ended.status, ended.error["Code"]) == ("CANCELED", 5001)
            assert not list(service.work.glob(f"{handle.id}*"))
        assert service.tools() == []


@pytest.mark.slow
async def test_what_was_begun_of_a_film_that_is_replaced_meanwhile_is_given_up(
    service: Service, clip: Clips, tmp_path: Path
) -> None:
    with late_sound(service, clip(seconds=4), tmp_path) as (job, gate):
        handle = await service.submit(job)
        await until(handle, lambda told: "join-chunks" in told.completed)
        service.stop()
        service.source(clip(seconds=4, size="640x360", name="a better one.mp4"), name=tmp_path.name)
        service.start()
        gate.open()
        ended = await service.end(handle)
    assert ended.names[-1] == "JobSuccess", ended.events[-1]
    mapped = next(event for event in ended.events if event["EventType"] == "ContentMapped")
    assert (mapped["VideoStream"]["FileName"], mapped["VideoStream"]["Width"]) == ("a better one.mp4", 640)
    assert (await activities(handle)).repeated == ["encode-video-0000", "join-chunks"]
    assert problems(Path(job["ContentPublishing"]["UriPath"])) == []


async def test_media_is_sent_while_stills_are_made(service: Service, clip: Clips) -> None:
    stills = {"Intervals": list(range(0, 100, 4))}
    handle = await service.submit(service.job(service.source(clip(seconds=2), name="stills"), ImageExtraction=stills))
    ended = await service.end(handle)
    assert ended.names == LIFECYCLE
    told = await activities(handle)
    assert told.completed["send-Dash"] < told.completed["extract-images"] > told.completed["send-Hls"]
    assert told.scheduled["deliver-Dash"] > told.completed["extract-images"]
