"""A job on real media, seen as its client sees it: events in the queue, files at the location."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clips import Clips, vtt_file
from tests.integration.conformance import problems
from tests.integration.players import decoded_tracks
from tests.integration.service import Service
from tests.servers.rabbitmq import RabbitMQ

LIFECYCLE = [
    "JobCreated",
    "ContentAcquired",
    "ContentMapped",
    "ContentPreProcessed",
    "VideoEncodingStarted",
    "EncodingFinished",
    "ImagesExtracted",
    "ContentPublished",
    "ContentPublished",
    "JobSuccess",
]


@pytest.fixture
def source(service: Service, clip: Clips, tmp_path: Path) -> Path:
    subtitle = vtt_file(tmp_path / "movie-sub-en.vtt")
    (tmp_path / "readme.txt").write_text("not media")
    return service.source(clip(seconds=4), subtitle, tmp_path / "readme.txt", name="complete")


async def test_every_documented_event_arrives_in_order_over_files_and_rabbitmq(
    service: Service, source: Path, rabbitmq: RabbitMQ
) -> None:
    rabbitmq.declare_queue("every-event")
    job = service.job(source, ImageExtraction={"Intervals": [10, 90], "Pattern": "still_%.jpg"})
    job["MessagePublishers"].append(rabbitmq_block(rabbitmq, "every-event"))

    ended = await service.run(job)

    assert ended.status == "COMPLETED"
    assert ended.names == LIFECYCLE
    assert [event["SequenceNumber"] for event in ended.lifecycle] == list(range(1, 11))
    for event in ended.events:
        assert event["JobId"] == ended.job_id
        assert (event["ExternalId"], event["ExternalType"], event["ExternalProvider"]) == ("title-1", "Movie", "tests")
        assert event["TenantId"] == "default"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["Timestamp"])
    assert len({event["EventId"] for event in ended.events}) == len(ended.events)
    messages = rabbitmq.drain("every-event")
    assert [body for _, body in messages if "Progress" not in body] == ended.lifecycle
    for properties, body in messages:
        assert (properties.type, properties.message_id) == (body["EventType"], body["EventId"])
        assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert_progress_is_between_its_events([body for _, body in messages])
    assert_progress_is_between_its_events(ended.events)


async def test_a_second_job_of_an_id_has_events_of_its_own(service: Service, source: Path) -> None:
    job = service.job(source, Unheard="of")
    first = await service.run(job)
    second = await service.end(await service.submit(job, first.job_id))
    assert first.error["Code"] == second.error["Code"] == 5003
    assert first.error["EventId"] != second.error["EventId"]


async def test_events_carry_their_documented_fields(service: Service, source: Path) -> None:
    job = service.job(source, ImageExtraction={"Intervals": [50]})
    ended = await service.run(job)
    event = {event["EventType"]: event for event in ended.events}

    created = event["JobCreated"]
    assert created["ContentPreProcessing"] == job["MediaMappings"]
    assert created["ContentProcessing"] == job["ContentProcessing"]
    assert created["ContentAcquisitionUriPath"] == job["ContentAcquisition"]["UriPath"]
    assert created["ContentPublishingProvider"] == "Files"
    assert created["MessagePublisherTypes"] == ["FileMessagePublishing"]
    acquired = event["ContentAcquired"]
    assert acquired["TotalFilesCount"] == 2
    assert acquired["TotalFilesSizeInBytes"] == sum(
        (source / n).stat().st_size for n in ("movie.mp4", "movie-sub-en.vtt")
    )
    assert acquired["IgnoredFiles"] == ["readme.txt"]
    video = event["ContentMapped"]["VideoStream"]
    assert (video["FileName"], video["Codec"], video["Width"], video["Height"]) == ("movie.mp4", "h264", 320, 180)
    assert (video["FrameRate"], round(video["DurationInSeconds"])) == (25, 4)
    assert [(a["Language"], a["Channels"]) for a in event["ContentMapped"]["AudioStreams"]] == [("en", 2)]
    assert [t["FileName"] for t in event["ContentMapped"]["SubtitleStreams"]] == ["movie-sub-en.vtt"]
    prepared = event["ContentPreProcessed"]
    assert prepared["VideoDurationForPublic"] == "00:00:04.000"
    assert (prepared["AudioLanguages"], prepared["SubtitleLanguages"], prepared["CaptionLanguages"]) == (
        ["en"],
        ["en"],
        [],
    )
    assert prepared["VideoStream"] == {"FileName": "movie.mp4"}
    assert event["VideoEncodingStarted"]["Bitrates"] == [100, 300]
    finished = event["EncodingFinished"]["Bitrates"]
    assert [(b["Kind"], b["BitrateInKbps"]) for b in finished] == [("Video", 100), ("Video", 300), ("Audio", 128)]
    assert all(b["MeasuredBitrateInKbps"] > 0 and b["Protection"] is None for b in finished)
    output = Path(job["ContentPublishing"]["UriPath"])
    images = [output / event["ImagesExtracted"]["RelativePath"] / name for name in event["ImagesExtracted"]["Images"]]
    assert [image.read_bytes()[:3] for image in images] == [b"\xff\xd8\xff"]
    published = [e for e in ended.events if e["EventType"] == "ContentPublished"]
    assert [e["Type"] for e in published] == ["Dash", "Hls"]
    assert event["JobSuccess"]["Output"] == {
        "dash": (output / "dash/manifest.mpd").as_uri(),
        "hls": (output / "hls/manifest.m3u8").as_uri(),
    }
    assert ended.result == {"JobId": ended.job_id, "Output": event["JobSuccess"]["Output"], "Undelivered": []}


@pytest.mark.parametrize("formats", [["Dash"], ["Hls"], ["Cmaf"], ["Dash", "Hls"]], ids="+".join)
async def test_both_manifests_play_every_track_of_the_source(
    formats: list[str], service: Service, source: Path, serve_folder: Callable[[Path], str]
) -> None:
    job = service.job(source)
    job["ContentProcessing"] |= {"OutputFormat": formats}
    ended = await service.run(job)
    assert ended.status == "COMPLETED", service.log[-3000:]
    output = Path(job["ContentPublishing"]["UriPath"])
    assert problems(output) == []
    address = serve_folder(output)
    expected_keys = {"Dash": {"dash"}, "Hls": {"hls"}, "Cmaf": {"dash", "hls"}}
    assert set(ended.result["Output"]) == set().union(*(expected_keys[name] for name in formats))
    for link in ended.result["Output"].values():
        manifest = Path(link.removeprefix("file://")).relative_to(output)
        tracks = decoded_tracks(f"{address}/{manifest}")
        assert {t.height for t in tracks if t.kind == "video"} == {90, 180}
        assert {t.frames for t in tracks if t.kind == "video"} == {100}
        assert all(abs(t.seconds - 4) < 0.1 for t in tracks if t.kind in ("video", "audio"))
        assert [t.kind for t in tracks].count("audio") >= 1
    assert not list(service.work.glob(f"{ended.job_id}*"))


async def test_an_event_is_seen_without_any_publisher(service: Service, source: Path) -> None:
    ended = await service.run(service.job(source, MessagePublishers=[]))
    assert (ended.status, ended.events) == ("COMPLETED", [])


async def test_two_jobs_at_once_stay_apart(service: Service, source: Path) -> None:
    jobs = [service.job(source, ExternalId=f"twin-{n}") for n in (1, 2)]
    handles = [await service.submit(job) for job in jobs]
    for number, handle in enumerate(handles, 1):
        ended = await service.end(handle)
        assert ended.names[-1] == "JobSuccess"
        assert {event["ExternalId"] for event in ended.events} == {f"twin-{number}"}


def rabbitmq_block(broker: RabbitMQ, queue: str) -> dict[str, Any]:
    return {
        "Type": "rabbitmq",  # any case
        "Protocol": "amqp",
        "Host": broker.host,
        "Port": broker.port,
        "VirtualHost": broker.vhost,
        "Queue": queue,
        "CredentialsName": broker.user,
        "CredentialsSecret": broker.password,
    }


def assert_progress_is_between_its_events(events: list[dict[str, Any]]) -> None:
    for progress, before, after in (
        ("AcquisitionProgress", "JobCreated", "ContentAcquired"),
        ("EncodingProgress", "VideoEncodingStarted", "EncodingFinished"),
    ):
        names = [event["EventType"] for event in events]
        places = [place for place, name in enumerate(names) if name == progress]
        assert places, f"no {progress}"
        assert names.index(before) < places[0] <= places[-1] < names.index(after)
        percents = [events[place]["Progress"] for place in places]
        assert percents == sorted(set(percents))
        assert {events[place]["SequenceNumber"] for place in places} == {events[names.index(before)]["SequenceNumber"]}
